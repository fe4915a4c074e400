/*
 * RTSP requests through the real server, in its process, over a real connection: whatever is sent, the
 * process must be the same afterwards and answer the next client. A 0x01 in the input waits for the answer
 * before it; "SESSION" in what follows becomes the session that the server gave.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fuzz.h"
#include "publish/rtsp/rtsp.h"

#define INPUT_MAX 16384
/* How long an answer is waited for; a server that is alive closes a half-closed connection at once. */
#define ANSWER_MS 5
#define END_MS 3000

/* 64x64 as x264 writes them. */
static const uint8_t headers[] = {0,    0,    0,    1,    0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9,
                                  0x44, 0x26, 0x84, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00,
                                  0x03, 0x00, 0xf0, 0x3c, 0x48, 0x96, 0x58, 0,    0,    0,
                                  1,    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};
static const uint8_t picture[] = {0,    0,    0,    1,    0x65, 0x88, 0x84, 0x00, 0x33,
                                  0xff, 0xfe, 0xf6, 0xf0, 0xfe, 0x05, 0x36, 0x56};

static struct tf_rtsp *rtsp;
static struct tf_rtsp_mount *mount;
static int process;

/* Neither libFuzzer's main nor that of replay.c knows that this program is the server's process, too. */
__attribute__((constructor)) static void serve(int argc, char **argv)
{
    if (tf_rtsp_is_worker(argc, argv))
        _exit(tf_rtsp_worker_main());
}

static void end(void)
{
    tf_rtsp_destroy(rtsp);
}

static void start(void)
{
    struct tf_rtsp_options options = {.clients_max = 4};
    struct tf_error err = {0};

    if (tf_rtsp_create(&options, &rtsp, &err) < 0 || tf_rtsp_mount(rtsp, "cam", 30, &mount, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    tf_rtsp_headers(mount, headers, sizeof(headers), 30);
    usleep(300000);
    process = tf_rtsp_process(rtsp);
    atexit(end);
}

static void push_picture(void)
{
    uint8_t data[sizeof(headers) + sizeof(picture)];
    struct tf_packet packet = {.data = data, .size = sizeof(data), .key = true, .t_mono_ns = tf_now_ns()};

    memcpy(data, headers, sizeof(headers));
    memcpy(data + sizeof(headers), picture, sizeof(picture));
    tf_rtsp_push(mount, &packet);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(tf_rtsp_port(rtsp))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort();
    return fd;
}

/* Reads for so long, or to the end; keeps the session's name. False: the end. */
static int listen_for(int fd, int ms, char session[64])
{
    static char text[65536];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int open = 1;

    while (open && poll(&p, 1, ms) > 0) {
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
        char *at;

        open = n > 0;
        if (!open)
            break;
        text[n] = '\0';
        at = memmem(text, (size_t)n, "Session: ", 9);
        if (at)
            snprintf(session, 64, "%.*s", (int)strcspn(at + 9, ";\r\n"), at + 9);
    }
    return open;
}

static void say(int fd, const uint8_t *data, size_t size, const char *session)
{
    const uint8_t *at;

    while (*session && (at = memmem(data, size, "SESSION", 7))) {
        send(fd, data, (size_t)(at - data), MSG_NOSIGNAL | MSG_MORE);
        send(fd, session, strlen(session), MSG_NOSIGNAL | MSG_MORE);
        size -= (size_t)(at - data) + 7;
        data = at + 7;
    }
    send(fd, data, size, MSG_NOSIGNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;
    char session[64] = "";
    const uint8_t *pause;
    int fd;

    if (!rtsp)
        start();
    if (size > INPUT_MAX)
        return 0;
    fd = dial();
    while ((pause = memchr(data, 1, size))) {
        say(fd, data, (size_t)(pause - data), session);
        push_picture();
        listen_for(fd, ANSWER_MS, session);
        size -= (size_t)(pause - data) + 1;
        data = pause + 1;
    }
    say(fd, data, size, session);
    shutdown(fd, SHUT_WR);
    push_picture();
    if (listen_for(fd, END_MS, session)) {
        fprintf(stderr, "a half-closed connection stays open\n");
        abort();
    }
    close(fd);
    if (++runs % 64 == 0) {
        static const char options[] = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
        struct pollfd p = {.events = POLLIN};

        p.fd = dial();
        send(p.fd, options, strlen(options), MSG_NOSIGNAL);
        if (poll(&p, 1, END_MS) != 1) {
            fprintf(stderr, "the next client gets no answer\n");
            abort();
        }
        close(p.fd);
    }
    if (tf_rtsp_process(rtsp) != process) {
        fprintf(stderr, "the server's process ended\n");
        abort();
    }
    return 0;
}
