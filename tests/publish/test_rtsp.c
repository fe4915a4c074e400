/* The RTSP server in this process, real players as others: ffprobe, ffmpeg and GStreamer. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
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
#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include "base/clock.h"
#include "clients.h"
#include "pattern.h"
#include "publish/rtsp/rtsp.h"

/*
 * For builds with the address sanitizer. GLib's start keeps one table that it later replaces without freeing
 * it, on purpose (other threads may still read it); only whole stacks tell it from a leak of ours.
 */
const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
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
/* What a camera and the networks before the encoder would take: stamps are so much older than the push. */
#define AGE 50000000ull
#define STAMPS 4096
/* Until a player has started and done its work, with sanitizers, beside other programs: no promise of ours.
 * What is promised has its own bound below, and a stream that stands still never comes to an end. */
#define PATIENCE_S 60
/* A push that waited for a viewer would take seconds; less than this is a busy machine's scheduling. */
#define PUSH_MOST (S / 2)

/* A pipeline's picture thread: encodes while somebody watches. */
struct feeder {
    struct pattern pattern;
    struct tf_encoder *encoder;
    struct tf_rtsp *rtsp;
    struct tf_rtsp_mount *mount;
    pthread_t thread;
    int process; /* that serves: one that ends, of a sanitizer's report say, would be replaced without a word
                  */
    bool running;
    atomic_bool stop, mute;
    atomic_uint encoded, viewers_most;
    atomic_ullong push_longest_ns;
    uint64_t stamps[STAMPS];
    atomic_uint stamp_count;
    char folder[32], url[128];
};

static struct feeder f;

static void push(void *context, const struct tf_packet *packet)
{
    uint64_t before = tf_now_ns(), took;

    tf_rtsp_push(f.mount, packet);
    took = tf_now_ns() - before;
    if (took > atomic_load(&f.push_longest_ns))
        atomic_store(&f.push_longest_ns, took);
}

static void *feed(void *context)
{
    uint64_t t = tf_now_ns();

    for (uint64_t n = 0; !atomic_load(&f.stop); n++, t += PERIOD) {
        uint32_t viewers;
        tf_sleep_until_ns(t);
        viewers = tf_rtsp_viewers(f.mount);
        if (viewers > atomic_load(&f.viewers_most))
            atomic_store(&f.viewers_most, viewers);
        if (!viewers || atomic_load(&f.mute))
            continue;
        uint64_t stamp = t - AGE + n * 7919 % 10 * 1000000;
        unsigned at = atomic_load(&f.stamp_count);
        if (at < STAMPS) {
            f.stamps[at] = stamp;
            atomic_store(&f.stamp_count, at + 1);
        }
        const struct tf_picture *picture = pattern_draw(&f.pattern, n, 0);
        struct tf_error err;
        if (tf_encoder_encode(f.encoder, picture, stamp, n, tf_rtsp_take_key_request(f.mount), push, NULL,
                              &err) < 0)
            print_error("%s\n", err.text);
        atomic_fetch_add(&f.encoded, 1);
    }
    return NULL;
}

static void begin(const struct tf_rtsp_options *options, bool start)
{
    struct tf_encoder_options encoder = {.fps = 30, .gop = 100000};
    struct tf_error err = {0};

    memset(&f, 0, sizeof(f));
    strcpy(f.folder, "/tmp/tf-rtsp-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    assert_int_equal(pattern_create(&f.pattern), 0);
    encoder.width = f.pattern.width, encoder.height = f.pattern.height;
    assert_int_equal(tf_encoder_create(&encoder, &f.encoder, &err), 0);
    int r = tf_rtsp_create(options, &f.rtsp, &err);
    if (r)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    assert_true(tf_rtsp_port(f.rtsp) > 0);
    f.process = tf_rtsp_process(f.rtsp);
    assert_int_equal(tf_rtsp_mount(f.rtsp, "thermal-1", 30, &f.mount, &err), 0);
    snprintf(f.url, sizeof(f.url), "rtsp://127.0.0.1:%u/thermal-1", tf_rtsp_port(f.rtsp));
    if (start) {
        assert_int_equal(pthread_create(&f.thread, NULL, feed, NULL), 0);
        f.running = true;
    }
}

/* Ends the server while the feeder still pushes? No: like the pipeline, pictures end first. Returns the
 * stop's ms. */
static double end(void)
{
    uint64_t before;
    double ms;
    bool same;

    if (f.running) {
        atomic_store(&f.stop, true);
        pthread_join(f.thread, NULL);
        f.running = false;
    }
    same = !f.rtsp || tf_rtsp_process(f.rtsp) == f.process;
    before = tf_now_ns();
    tf_rtsp_destroy(f.rtsp);
    f.rtsp = NULL;
    ms = (double)(tf_now_ns() - before) * 1e-6;
    assert_true(same);
    return ms;
}

static int tear_down(void **state)
{
    end();
    tf_encoder_destroy(f.encoder);
    if (f.pattern.pool)
        pattern_destroy(&f.pattern);
    if (*f.folder) {
        char command[64];
        snprintf(command, sizeof(command), "rm -rf %s", f.folder);
        if (system(command))
            print_error("%s is left behind\n", f.folder);
    }
    memset(&f, 0, sizeof(f));
    return 0;
}

static bool wait_viewers(uint32_t least, uint32_t most, double seconds)
{
    uint64_t deadline = tf_now_ns() + (uint64_t)(seconds * 1e9);

    while (tf_now_ns() < deadline) {
        uint32_t n = tf_rtsp_viewers(f.mount);
        if (n >= least && n <= most)
            return true;
        usleep(10000);
    }
    return false;
}

static void need(const char *program)
{
    if (!client_has(program)) {
        print_message("%s is not installed\n", program);
        skip();
    }
}

/* Numbers seen in a file that a player wrote. */
struct seen {
    int n, unread, gaps;
    uint32_t first, last;
};

static void see(void *context, const struct tf_picture *picture, int64_t t_ns, bool key)
{
    struct seen *s = context;
    uint32_t number;

    if (tf_overlay_read_number(picture, &number) < 0) {
        s->unread++;
        return;
    }
    if (!s->n)
        s->first = number;
    else if (number != s->last + 1)
        s->gaps++;
    s->last = number;
    s->n++;
}

static struct seen look(const char *path)
{
    struct seen seen = {0};

    assert_true(decode_file(path, see, &seen) > 0);
    print_message("%d pictures, numbers %u to %u, %d gaps\n", seen.n, seen.first, seen.last, seen.gaps);
    return seen;
}

static void probe(const char *transport)
{
    char text[512];
    const char *const argv[] = {"ffprobe",
                                "-v",
                                "error",
                                "-rtsp_transport",
                                transport,
                                "-show_entries",
                                "stream=codec_name,width,height,color_space",
                                "-of",
                                "csv=p=0",
                                f.url,
                                NULL};
    char expected[64];

    need("ffprobe");
    begin(&(struct tf_rtsp_options){0}, true);
    usleep(300000);
    assert_int_equal(f.encoded, 0); /* nobody watches, nothing is encoded */
    assert_int_equal(client_run(argv, PATIENCE_S, text, sizeof(text), NULL), 0);
    snprintf(expected, sizeof(expected), "h264,%u,%u,bt709\n", f.pattern.width, f.pattern.height);
    assert_string_equal(text, expected); /* one stream, no more */
    assert_true(wait_viewers(0, 0, 2));
    unsigned encoded = f.encoded;
    usleep(300000);
    assert_true(f.encoded <= encoded + 1);
}

static void ffprobe_over_tcp(void **state)
{
    probe("tcp");
}
static void ffprobe_over_udp(void **state)
{
    probe("udp");
}

static pid_t start_ffmpeg(const char *transport, const char *frames, const char *path)
{
    const char *const argv[] = {"ffmpeg", "-v",  "error", "-y",   "-rtsp_transport", transport, "-i", f.url,
                                "-map",   "0:v", "-c",    "copy", "-frames:v",       frames,    path, NULL};

    return client_start(argv, NULL, NULL);
}

static void numbers_over(const char *transport)
{
    char path[64];

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){0}, true);
    snprintf(path, sizeof(path), "%s/a.mkv", f.folder);
    assert_int_equal(client_wait(start_ffmpeg(transport, "60", path), PATIENCE_S), 0);
    struct seen seen = look(path);
    assert_true(seen.n >= 58);
    assert_int_equal(seen.unread, 0);
    assert_true(seen.gaps <= 1); /* joining may leave out what waited too long for the player */
    assert_int_equal(tf_rtsp_dropped(f.mount) > 100, 0);
    assert_true(f.push_longest_ns < PUSH_MOST);
}

static void numbers_over_tcp(void **state)
{
    numbers_over("tcp");
}
static void numbers_over_udp(void **state)
{
    numbers_over("udp");
}

/*
 * gst-launch-1.0 ends a stream by PAUSE and TEARDOWN from two threads; where the second interrupts the first
 * (one time in a hundred on a busy machine) it says that PAUSE failed and exits with 1. The server never saw
 * that PAUSE. What it says about anything else is a failure, and printed.
 */
static bool ended_itself(int status, const char *path)
{
    size_t size = 0;
    char *text = (char *)read_file(path, &size);
    bool itself = status == 1 && text && memmem(text, size, "gst_rtspsrc_pause ()", 20);

    if (!itself)
        print_error("gst-launch-1.0: %d: %.*s\n", status, text ? (int)size : 0, text ? text : "");
    free(text);
    return itself;
}

static void gstreamer_plays(void **state)
{
    char path[64], location[160], sink[96], messages[64];
    int status;

    need("gst-launch-1.0");
    begin(&(struct tf_rtsp_options){0}, true);
    for (int udp = 0; udp < 2; udp++) {
        snprintf(path, sizeof(path), "%s/g%d.h264", f.folder, udp);
        snprintf(location, sizeof(location), "location=%s", f.url);
        snprintf(sink, sizeof(sink), "location=%s", path);
        const char *const argv[] = {"gst-launch-1.0",
                                    "-q",
                                    "rtspsrc",
                                    location,
                                    udp ? "protocols=udp" : "protocols=tcp",
                                    "latency=50",
                                    "!",
                                    "rtph264depay",
                                    "!",
                                    "video/x-h264,stream-format=byte-stream,alignment=au",
                                    "!",
                                    "identity",
                                    "eos-after=45",
                                    "!",
                                    "filesink",
                                    sink,
                                    NULL};
        snprintf(messages, sizeof(messages), "%s/g%d.log", f.folder, udp);
        status = client_wait(client_start(argv, NULL, messages), PATIENCE_S);
        if (status)
            assert_true(ended_itself(status, messages));
        struct seen seen = look(path);
        assert_true(seen.n >= 40);
        assert_int_equal(seen.unread, 0);
        assert_true(seen.gaps <= 1);
    }
}

static void two_viewers_one_encoder(void **state)
{
    char a[64], b[64];
    pid_t first, second;

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){0}, true);
    snprintf(a, sizeof(a), "%s/a.mkv", f.folder);
    snprintf(b, sizeof(b), "%s/b.mkv", f.folder);
    first = start_ffmpeg("tcp", "3000", a); /* it is there still, however long the second takes to start */
    assert_true(wait_viewers(1, 1, PATIENCE_S));
    uint64_t begun = tf_now_ns();
    second = start_ffmpeg("udp", "60", b);
    int status = client_wait(second, PATIENCE_S);
    kill(first, SIGTERM); /* ends its file properly */
    client_wait(first, PATIENCE_S);
    double seconds = (double)(tf_now_ns() - begun) * 1e-9;
    assert_int_equal(status, 0);
    assert_int_equal(f.viewers_most, 2);
    /* One picture a period at most, however many watch. */
    assert_true(f.encoded <= (seconds + 2) * 30);
    struct seen s = look(a), t = look(b);
    assert_true(s.n >= 55 && t.n >= 55);
    /* They saw the same pictures. */
    assert_true(t.first < s.last && t.last > s.first);
    assert_true(wait_viewers(0, 0, 2));
}

/* The key pictures' distance is an hour here: a joining viewer can only play because one is made for it. */
static void a_joining_viewer_gets_a_key_picture(void **state)
{
    char a[64], b[64];

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){0}, true);
    snprintf(a, sizeof(a), "%s/a.mkv", f.folder);
    snprintf(b, sizeof(b), "%s/b.mkv", f.folder);
    pid_t first = start_ffmpeg("tcp", "3000", a);
    assert_true(wait_viewers(1, 1, PATIENCE_S));
    usleep(1500000);
    int second = client_wait(start_ffmpeg("tcp", "10", b), PATIENCE_S);
    kill(first, SIGKILL);
    client_wait(first, 5);
    assert_int_equal(second, 0);
    assert_true(look(b).n >= 10);
}

static void killed_viewers_are_forgotten(void **state)
{
    static const char *const transports[] = {"tcp", "udp"};
    char a[64];

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){0}, true);
    snprintf(a, sizeof(a), "%s/a.mkv", f.folder);
    for (int i = 0; i < 2; i++) {
        pid_t pid = start_ffmpeg(transports[i], "3000", a);
        assert_true(wait_viewers(1, 1, PATIENCE_S));
        usleep(1000000);
        kill(pid, SIGKILL);
        client_wait(pid, 5);
        assert_true(wait_viewers(0, 0, 3));
    }
    /* And the next one plays. */
    assert_int_equal(client_wait(start_ffmpeg("tcp", "20", a), PATIENCE_S), 0);
    assert_true(look(a).n >= 19);
}

static void a_stopped_viewer_stops_nobody(void **state)
{
    char a[64], b[64];

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){0}, true);
    snprintf(a, sizeof(a), "%s/a.mkv", f.folder);
    snprintf(b, sizeof(b), "%s/b.mkv", f.folder);
    pid_t frozen = start_ffmpeg("tcp", "3000", a);
    assert_true(wait_viewers(1, 1, PATIENCE_S));
    usleep(1500000);
    kill(frozen, SIGSTOP);
    int other = client_wait(start_ffmpeg("tcp", "150", b), PATIENCE_S);
    kill(frozen, SIGKILL);
    client_wait(frozen, 5);
    assert_int_equal(other, 0);
    struct seen seen = look(b);
    assert_true(seen.n >= 148);
    assert_true(seen.gaps <= 1);
    assert_true(f.push_longest_ns < PUSH_MOST);
}

/* DESCRIBE waits for the first picture, as while a camera is still being opened. */
static void describe_waits_for_pictures(void **state)
{
    char path[64];

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){0}, true);
    atomic_store(&f.mute, true);
    snprintf(path, sizeof(path), "%s/a.mkv", f.folder);
    pid_t pid = start_ffmpeg("tcp", "20", path);
    assert_true(wait_viewers(1, 1, PATIENCE_S)); /* that is what starts a pipeline's encoder */
    usleep(1500000);
    atomic_store(&f.mute, false);
    assert_int_equal(client_wait(pid, PATIENCE_S), 0);
    assert_true(look(path).n >= 19);
}

static int try_url(const char *url, char *messages, size_t size)
{
    const char *const argv[] = {
        "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of",
        "csv=p=0", url,  NULL};
    char text[256], path[64];
    size_t length = 0;

    snprintf(path, sizeof(path), "%s/messages", f.folder);
    int status = client_run(argv, PATIENCE_S, text, sizeof(text), path);
    uint8_t *data = read_file(path, &length);
    snprintf(messages, size, "%.*s", (int)length, data ? (const char *)data : "");
    free(data);
    return status ? -1 : strcmp(text, "h264\n");
}

static void credentials(void **state)
{
    struct tf_rtsp_options o = {.address = "0.0.0.0", .user = "lab", .password = "s3cret"};
    char url[160], messages[1024];
    unsigned port;

    need("ffprobe");
    begin(&o, true);
    port = tf_rtsp_port(f.rtsp);
    assert_int_equal(try_url(f.url, messages, sizeof(messages)), -1);
    assert_non_null(strstr(messages, "401"));
    snprintf(url, sizeof(url), "rtsp://lab:wrong@127.0.0.1:%u/thermal-1", port);
    assert_int_equal(try_url(url, messages, sizeof(messages)), -1);
    assert_non_null(strstr(messages, "401"));
    snprintf(url, sizeof(url), "rtsp://other:s3cret@127.0.0.1:%u/thermal-1", port);
    assert_int_equal(try_url(url, messages, sizeof(messages)), -1);
    assert_int_equal(f.encoded, 0); /* who may not watch starts no encoder */
    snprintf(url, sizeof(url), "rtsp://lab:s3cret@127.0.0.1:%u/thermal-1", port);
    assert_int_equal(try_url(url, messages, sizeof(messages)), 0);
    snprintf(url, sizeof(url), "rtsp://lab:s3cret@127.0.0.1:%u/other", port);
    assert_int_equal(try_url(url, messages, sizeof(messages)), -1);
    assert_non_null(strstr(messages, "404"));
}

/* One line of a request, one of an answer: what a player without credentials learns. */
static void only_digest_is_offered(void **state)
{
    struct tf_rtsp_options o = {.user = "lab", .password = "s3cret"};
    struct sockaddr_in to = {.sin_family = AF_INET};
    char text[2048] = "";
    ssize_t n = 0;

    begin(&o, false);
    to.sin_port = htons(tf_rtsp_port(f.rtsp));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    snprintf(text, sizeof(text), "DESCRIBE %s RTSP/1.0\r\nCSeq: 1\r\n\r\n", f.url);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    memset(text, 0, sizeof(text));
    while (n < (ssize_t)sizeof(text) - 1 && !strstr(text, "\r\n\r\n")) {
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - (size_t)n);
        if (got <= 0)
            break;
        n += got;
    }
    close(fd);
    assert_non_null(strstr(text, "401"));
    assert_non_null(strstr(text, "Digest realm=\"thermoface\""));
    assert_null(strstr(text, "Basic"));
}

static void what_is_refused(void **state)
{
    struct tf_rtsp_options o = {.address = "0.0.0.0"};
    struct tf_rtsp *other = NULL;
    struct tf_rtsp_mount *mount = NULL;
    struct tf_error err = {0};
    char number[16];

    assert_int_equal(tf_rtsp_create(&o, &other, &err), -EINVAL);
    assert_non_null(strstr(err.text, "credentials"));
    o = (struct tf_rtsp_options){.user = "lab"};
    assert_int_equal(tf_rtsp_create(&o, &other, &err), -EINVAL);
    o = (struct tf_rtsp_options){.address = "not an address", .user = "a", .password = "b"};
    assert_true(tf_rtsp_create(&o, &other, &err) < 0);

    begin(&(struct tf_rtsp_options){0}, false);
    o = (struct tf_rtsp_options){.port = tf_rtsp_port(f.rtsp)};
    assert_int_equal(tf_rtsp_create(&o, &other, &err), -EADDRINUSE);
    snprintf(number, sizeof(number), "%u", o.port);
    assert_non_null(strstr(err.text, number));
    assert_non_null(strstr(err.text, "in use"));
    assert_null(other);

    assert_int_equal(tf_rtsp_mount(f.rtsp, "thermal-1", 30, &mount, &err), -EEXIST);
    assert_int_equal(tf_rtsp_mount(f.rtsp, "a/b", 30, &mount, &err), -EINVAL);
    assert_int_equal(tf_rtsp_mount(f.rtsp, "", 30, &mount, &err), -EINVAL);
    assert_int_equal(tf_rtsp_mount(f.rtsp, "a name with blanks", 30, &mount, &err), -EINVAL);
    assert_null(mount);
    assert_int_equal(tf_rtsp_mount(f.rtsp, "second", 30, &mount, &err), 0);
    assert_int_equal(tf_rtsp_viewers(mount), 0);
    tf_rtsp_destroy(NULL);
}

static void clients_are_limited(void **state)
{
    char messages[1024], a[64];

    need("ffmpeg");
    begin(&(struct tf_rtsp_options){.clients_max = 1}, true);
    snprintf(a, sizeof(a), "%s/a.mkv", f.folder);
    pid_t first = start_ffmpeg("tcp", "3000", a);
    assert_true(wait_viewers(1, 1, PATIENCE_S));
    usleep(1000000);
    int second = try_url(f.url, messages, sizeof(messages));
    kill(first, SIGKILL);
    client_wait(first, 5);
    assert_int_equal(second, -1);
    assert_non_null(strstr(messages, "503"));
}

static void the_end_is_quick(void **state)
{
    char path[64];

    need("ffmpeg");
    for (int muted = 0; muted < 2; muted++) {
        begin(&(struct tf_rtsp_options){0}, true);
        atomic_store(&f.mute, muted); /* a viewer who still waits for the first picture */
        snprintf(path, sizeof(path), "%s/a.mkv", f.folder);
        pid_t tcp = start_ffmpeg("tcp", "3000", path), udp = start_ffmpeg("udp", "3000", path);
        assert_true(wait_viewers(1, 2, PATIENCE_S));
        usleep(1000000);
        double ms = end();
        print_message("stopped in %.0f ms\n", ms);
        assert_true(ms < 1000);
        /* The players notice. */
        kill(udp, SIGTERM);
        client_wait(tcp, 10);
        client_wait(udp, 10);
        tear_down(NULL);
    }
}

/* Nearest capture stamp to a time, ns. */
static double distance(double t)
{
    double least = INFINITY;
    unsigned n = atomic_load(&f.stamp_count);

    for (unsigned i = 0; i < n; i++)
        least = fmin(least, fabs(t - (double)f.stamps[i]));
    return least;
}

/*
 * A player that reads the sender reports knows when each picture was captured, in UTC. Capture stamps here
 * are 50 ms older than the push and jitter by 0 to 9 ms, so that neither the time of sending nor a
 * neighbour's stamp would fit.
 */
static void sender_reports_give_capture_time(void **state)
{
    char launch[512];
    double worst = 0, sum = 0;
    int n = 0;

    begin(&(struct tf_rtsp_options){0}, true);
    GstElementFactory *source = gst_element_factory_find("rtspsrc");
    if (!source)
        skip();
    gst_object_unref(source);
    snprintf(launch, sizeof(launch),
             "rtspsrc location=%s protocols=tcp latency=0 add-reference-timestamp-meta=true ! "
             "appsink name=sink sync=false max-buffers=200",
             f.url);
    GstElement *pipeline = gst_parse_launch(launch, NULL);
    assert_non_null(pipeline);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    GstCaps *ntp = gst_caps_new_empty_simple("timestamp/x-ntp");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);

    /* NTP counts from 1900; 70 years with 17 leap days. */
    double to_mono = -(double)(2208988800ull * S) - (double)tf_utc_offset_ns();
    uint64_t deadline = tf_now_ns() + 15 * S;
    while (n < 60 && tf_now_ns() < deadline) {
        GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 200000000);
        if (!sample)
            continue;
        GstReferenceTimestampMeta *meta =
            gst_buffer_get_reference_timestamp_meta(gst_sample_get_buffer(sample), ntp);
        if (meta) {
            double d = distance((double)meta->timestamp + to_mono);
            worst = fmax(worst, d);
            sum += d;
            n++;
        }
        gst_sample_unref(sample);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_caps_unref(ntp);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    print_message("%d packets with a time: mean error %.1f us, worst %.1f us\n", n, sum / (n ? n : 1) * 1e-3,
                  worst * 1e-3);
    assert_int_equal(n, 60);
    assert_true(worst < 500e3);
}

#define T(t) cmocka_unit_test_teardown(t, tear_down)

int main(int argc, char **argv)
{
    if (tf_rtsp_is_worker(argc, argv))
        return tf_rtsp_worker_main();
    gst_init(NULL, NULL); /* players of our own */
    if (argc == 2)
        cmocka_set_test_filter(argv[1]); /* one case alone, for a closer look */

    const struct CMUnitTest tests[] = {
        T(ffprobe_over_tcp),
        T(ffprobe_over_udp),
        T(numbers_over_tcp),
        T(numbers_over_udp),
        T(gstreamer_plays),
        T(two_viewers_one_encoder),
        T(a_joining_viewer_gets_a_key_picture),
        T(killed_viewers_are_forgotten),
        T(a_stopped_viewer_stops_nobody),
        T(describe_waits_for_pictures),
        T(credentials),
        T(only_digest_is_offered),
        T(what_is_refused),
        T(clients_are_limited),
        T(the_end_is_quick),
        T(sender_reports_give_capture_time),
    };
    return cmocka_run_group_tests_name("publish rtsp", tests, NULL, NULL);
}
