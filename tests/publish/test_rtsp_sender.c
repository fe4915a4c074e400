/* RTSP's threads that send, on a processor that has no time for them: the streams must go on afterwards. */
#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pattern.h"
#include "publish/rtsp/rtsp.h"

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
/* As in test_rtsp.c. */
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:_dl_init\nleak:ld-linux\nleak:libfontconfig.so\n";
}

#define S TF_NS_PER_S
#define PERIOD 33333333ull
/* Each has sender reports of its own, at 2.5 to 7.5 s: that many together meet a picture often enough. */
#define STREAMS 8
#define STARVE_S 8
/* A player gives up after 5 to 10 s without pictures; what is not there after that is not slow but stuck. */
#define GOES_ON_S 20

struct viewer {
    int control, rtp, rtcp;
    unsigned packets;
};

static struct {
    struct tf_rtsp *rtsp;
    struct tf_rtsp_mount *mounts[STREAMS];
    struct viewer viewers[STREAMS];
    uint8_t *picture;
    size_t size;
    pthread_t feeder, busy;
    atomic_bool stop, rest;
} f;

static void keep(void *context, const struct tf_packet *packet)
{
    f.picture = malloc(packet->size);
    assert_non_null(f.picture);
    memcpy(f.picture, packet->data, packet->size);
    f.size = packet->size;
}

/* One key picture, which is pushed again and again. */
static void make_picture(void)
{
    struct tf_encoder_options options = {.fps = 30, .gop = 1};
    struct tf_encoder *encoder;
    struct pattern pattern;
    struct tf_error err;

    assert_int_equal(pattern_create(&pattern), 0);
    options.width = pattern.width, options.height = pattern.height;
    assert_int_equal(tf_encoder_create(&options, &encoder, &err), 0);
    assert_int_equal(tf_encoder_encode(encoder, pattern_draw(&pattern, 0, 0), 1, 0, true, keep, NULL, &err),
                     0);
    tf_encoder_destroy(encoder);
    pattern_destroy(&pattern);
    assert_non_null(f.picture);
}

static void *feed(void *context)
{
    uint64_t t = tf_now_ns();

    for (uint64_t n = 0; !atomic_load(&f.stop); n++, t += PERIOD) {
        tf_sleep_until_ns(t);
        for (int i = 0; i < STREAMS; i++)
            tf_rtsp_push(f.mounts[i],
                         &(struct tf_packet){
                             .data = f.picture, .size = f.size, .key = true, .t_mono_ns = t, .frame = n});
    }
    return NULL;
}

static void *be_busy(void *context)
{
    while (!atomic_load(&f.rest))
        continue;
    return NULL;
}

static int udp_socket(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* One request and the head of its answer; no answer here has a body. */
static void ask(int fd, const char *request, char *answer, size_t size)
{
    size_t n = 0;

    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    memset(answer, 0, size);
    while (n < size - 1 && !strstr(answer, "\r\n\r\n")) {
        ssize_t got = read(fd, answer + n, 1);
        assert_int_equal(got, 1);
        n += (size_t)got;
    }
    if (strncmp(answer, "RTSP/1.0 200", 12) != 0)
        fail_msg("%s\n%s", request, answer);
}

static void join(struct viewer *v, int number)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[512], answer[2048], url[64], session[64] = "";
    struct timeval limit = {.tv_sec = 20};
    uint16_t rtp, rtcp;

    to.sin_port = htons(tf_rtsp_port(f.rtsp));
    v->control = socket(AF_INET, SOCK_STREAM, 0);
    v->rtp = udp_socket(&rtp);
    v->rtcp = udp_socket(&rtcp);
    setsockopt(v->control, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(v->control, (struct sockaddr *)&to, sizeof(to)), 0);
    snprintf(url, sizeof(url), "rtsp://127.0.0.1:%u/s%d", tf_rtsp_port(f.rtsp), number);
    snprintf(request, sizeof(request),
             "SETUP %s/stream=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=%u-%u\r\n\r\n",
             url, rtp, rtcp);
    ask(v->control, request, answer, sizeof(answer));
    const char *line = strstr(answer, "Session: ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "Session: %63[^;\r\n]", session), 1);
    snprintf(request, sizeof(request), "PLAY %s RTSP/1.0\r\nCSeq: 2\r\nSession: %s\r\n\r\n", url, session);
    ask(v->control, request, answer, sizeof(answer));
}

static void receive(void)
{
    char packet[2048];

    for (int i = 0; i < STREAMS; i++) {
        while (recv(f.viewers[i].rtp, packet, sizeof(packet), 0) > 0)
            f.viewers[i].packets++;
        while (recv(f.viewers[i].rtcp, packet, sizeof(packet), 0) > 0)
            continue;
    }
}

/* Until each stream has got so many more; the number of one that has not, -1: all have. */
static int receive_more(unsigned packets, double seconds)
{
    uint64_t deadline = tf_now_ns() + (uint64_t)(seconds * 1e9);
    unsigned least[STREAMS];
    int behind;

    for (int i = 0; i < STREAMS; i++)
        least[i] = f.viewers[i].packets + packets;
    do {
        usleep(5000);
        receive();
        behind = -1;
        for (int i = 0; i < STREAMS; i++)
            if (f.viewers[i].packets < least[i])
                behind = i;
    } while (behind >= 0 && tf_now_ns() < deadline);
    return behind;
}

/* The sending threads get what is left of one processor, and a busy thread leaves them next to nothing. */
static unsigned starve(void)
{
    unsigned found = 0;
    char path[64], file[360], name[32];
    cpu_set_t all, one;
    int cpu = 0;

    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(pthread_create(&f.busy, NULL, be_busy, NULL), 0);
    pthread_setaffinity_np(f.busy, sizeof(one), &one);
    snprintf(path, sizeof(path), "/proc/%d/task", tf_rtsp_process(f.rtsp));
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        snprintf(file, sizeof(file), "%s/%s/comm", path, entry->d_name);
        FILE *comm = fopen(file, "r");
        if (!comm)
            continue;
        if (fgets(name, sizeof(name), comm) && strcmp(name, TF_RTSP_SENDER "\n") == 0) {
            pid_t thread = (pid_t)atoi(entry->d_name);
            sched_setaffinity(thread, sizeof(one), &one);
            sched_setscheduler(thread, SCHED_IDLE, &(struct sched_param){0});
            found++;
        }
        fclose(comm);
    }
    closedir(tasks);
    return found;
}

/*
 * GStreamer's sending thread takes one packet for each time it is woken, a report before a picture. When both
 * wait for it, something has to wake it again; nothing did, and the stream stood still for every viewer from
 * then on, UDP ones too.
 */
static void streams_outlive_a_starved_sender(void **state)
{
    struct tf_error err;
    char name[8];
    int behind, process;

    make_picture();
    assert_int_equal(tf_rtsp_create(&(struct tf_rtsp_options){.clients_max = STREAMS}, &f.rtsp, &err), 0);
    process = tf_rtsp_process(f.rtsp);
    for (int i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(tf_rtsp_mount(f.rtsp, name, 30, &f.mounts[i], &err), 0);
        tf_rtsp_headers(f.mounts[i], f.picture, f.size, 30);
    }
    assert_int_equal(pthread_create(&f.feeder, NULL, feed, NULL), 0);
    for (int i = 0; i < STREAMS; i++)
        join(&f.viewers[i], i);
    assert_int_equal(receive_more(10, GOES_ON_S), -1);
    assert_int_equal(starve(), STREAMS);
    for (uint64_t end = tf_now_ns() + STARVE_S * S; tf_now_ns() < end; usleep(5000))
        receive();
    atomic_store(&f.rest, true);
    behind = receive_more(100, GOES_ON_S);
    assert_int_equal(tf_rtsp_process(f.rtsp), process);
    for (int i = 0; i < STREAMS; i++)
        print_message("stream %d: %u packets\n", i, f.viewers[i].packets);
    assert_int_equal(behind, -1);
}

static int tear_down(void **state)
{
    atomic_store(&f.stop, true);
    atomic_store(&f.rest, true);
    if (f.feeder)
        pthread_join(f.feeder, NULL);
    if (f.busy)
        pthread_join(f.busy, NULL);
    tf_rtsp_destroy(f.rtsp);
    for (int i = 0; i < STREAMS; i++)
        if (f.viewers[i].control > 0) {
            close(f.viewers[i].control);
            close(f.viewers[i].rtp);
            close(f.viewers[i].rtcp);
        }
    free(f.picture);
    return 0;
}

int main(int argc, char **argv)
{
    if (tf_rtsp_is_worker(argc, argv))
        return tf_rtsp_worker_main();

    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streams_outlive_a_starved_sender, tear_down),
    };
    return cmocka_run_group_tests_name("publish rtsp sender", tests, NULL, NULL);
}
