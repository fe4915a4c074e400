/*
 * Presses keys of a device that it makes (uinput), or moves a simulated GPIO line. Prints CLOCK_MONOTONIC, in
 * nanoseconds, right before each press.
 *
 *   vm-press keys FIFO       makes the device, prints its /dev/input/eventN; then obeys lines of FIFO:
 *                            "press COUNT MS" (KEY_SPACE down and up, MS between), "end"
 *   vm-press pull FILE COUNT MS   writes pull-up and pull-down
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void emit(int fd, int type, int code, int value)
{
    struct input_event e = {.type = (unsigned short)type, .code = (unsigned short)code, .value = value};

    if (write(fd, &e, sizeof(e)) != (ssize_t)sizeof(e))
        perror("uinput");
}

static void press(int fd, int value)
{
    emit(fd, EV_KEY, KEY_SPACE, value);
    emit(fd, EV_SYN, SYN_REPORT, 0);
}

/* "inputN" has an "eventM" below it, which comes a moment later. */
static int find_event(const char *input, char event[64])
{
    char path[128];
    struct dirent *entry;

    snprintf(path, sizeof(path), "/sys/devices/virtual/input/%.60s", input);
    for (int i = 0; i < 100; i++, usleep(50000)) {
        DIR *dir = opendir(path);

        while (dir && (entry = readdir(dir)))
            if (strncmp(entry->d_name, "event", 5) == 0) {
                snprintf(event, 64, "%.60s", entry->d_name);
                closedir(dir);
                return 0;
            }
        if (dir)
            closedir(dir);
    }
    return -1;
}

static int keys(const char *fifo)
{
    struct uinput_setup setup = {.id = {.bustype = BUS_USB, .vendor = 1, .product = 1}, .name = "test keys"};
    int fd = open("/dev/uinput", O_WRONLY | O_CLOEXEC), count, ms;
    char input[64] = "", name[64] = "", line[64];
    FILE *in;

    if (fd < 0 || ioctl(fd, UI_SET_EVBIT, EV_KEY) < 0 || ioctl(fd, UI_SET_KEYBIT, KEY_SPACE) < 0 ||
        ioctl(fd, UI_SET_KEYBIT, KEY_A) < 0 || ioctl(fd, UI_DEV_SETUP, &setup) < 0 ||
        ioctl(fd, UI_DEV_CREATE) < 0 || ioctl(fd, UI_GET_SYSNAME(sizeof(input)), input) < 0 ||
        find_event(input, name) < 0) {
        perror("/dev/uinput");
        return 1;
    }
    printf("%s\n", name);
    fflush(stdout);
    in = fopen(fifo, "r+");
    while (in && fgets(line, sizeof(line), in) && sscanf(line, "press %d %d", &count, &ms) == 2)
        for (int i = 0; i < count; i++) {
            printf("%lld\n", now_ns());
            press(fd, 1);
            usleep((useconds_t)ms * 500);
            press(fd, 0);
            usleep((useconds_t)ms * 500);
            fflush(stdout);
        }
    ioctl(fd, UI_DEV_DESTROY);
    return 0;
}

static int pull(const char *path, int count, int ms)
{
    for (int i = 0; i < 2 * count; i++) {
        const char *text = i % 2 ? "pull-down" : "pull-up";
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0) {
            perror(path);
            return 1;
        }
        if (i % 2 == 0)
            printf("%lld\n", now_ns());
        if (write(fd, text, strlen(text)) < 0)
            perror(path);
        close(fd);
        usleep((useconds_t)ms * 500);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "keys") == 0)
        return keys(argv[2]);
    if (argc == 5 && strcmp(argv[1], "pull") == 0)
        return pull(argv[2], atoi(argv[3]), atoi(argv[4]));
    fputs("usage: vm-press keys FIFO | pull FILE COUNT MS\n", stderr);
    return 2;
}
