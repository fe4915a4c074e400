/* The configuration: values, errors with their lines, defaults, expansion. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/count.h"
#include "base/cpu.h"
#include "config/config.h"

#define CAMERA "[camera thermal]\nsource=synthetic\n"

static struct tf_config *load(const char *text)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};

    if (tf_config_load_text(text, strlen(text), "test.conf", &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

/* The text is refused, in that line (0: with no line), and the message holds these words. */
static void refused(const char *text, int line, const char *words)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    char place[32];

    snprintf(place, sizeof(place), line ? "test.conf:%d: " : "test.conf: ", line);
    if (tf_config_load_text(text, strlen(text), "test.conf", &config, &err) != -EINVAL) {
        tf_config_free(config);
        fail_msg("taken: %s", text);
    }
    assert_null(config);
    if (strncmp(err.text, place, strlen(place)) != 0 || !strstr(err.text, words))
        fail_msg("\"%s\" instead of \"%s…%s\"", err.text, place, words);
}

static int setup(void **state)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static void defaults_without_a_word(void **state)
{
    struct tf_config *c = load(CAMERA);
    const struct tf_config_camera *camera = &c->cameras[0];

    assert_int_equal(c->camera_count, 1);
    assert_string_equal(camera->name, "thermal");
    assert_string_equal(camera->source, "synthetic");
    assert_true(camera->enabled && camera->analyse && camera->pictures);
    assert_false(camera->accept_size || camera->loop);
    assert_null(camera->format);
    assert_int_equal(camera->width, 0);
    assert_int_equal(camera->rotate, 0);
    assert_int_equal(camera->pace, TF_CONFIG_PACE_RECORDED);
    assert_int_equal(camera->settle_ns, 10000000000);
    assert_int_equal(camera->buffers, 32);
    assert_null(c->inference.models);
    assert_null(c->inference.segmentation);
    assert_false(c->inference.region_masks);
    assert_true(c->overlay.masks);
    assert_null(c->inference.cpu);
    assert_int_equal(c->inference.threads, 1);
    assert_int_equal(c->inference.faces, 4);
    assert_true(c->inference.filter);
    assert_string_equal(c->overlay.palette, "iron");
    assert_false(c->overlay.range.fixed);
    assert_int_equal(c->overlay.lines, 480);
    assert_true(c->overlay.points && c->overlay.boxes && c->overlay.regions && c->overlay.scale_bar);
    assert_true(c->overlay.banner && c->overlay.clock && c->overlay.filtered && !c->overlay.pose);
    assert_true(c->rtsp.enabled);
    assert_string_equal(c->rtsp.address, "127.0.0.1");
    assert_int_equal(c->rtsp.port, 8554);
    assert_int_equal(c->rtsp.clients, 16);
    assert_string_equal(c->video.codec, "libx264");
    assert_null(c->video.preset);
    assert_int_equal(c->video.quality, 23);
    assert_int_equal(c->video.bitrate_kbps, 0);
    assert_null(c->rtsp.credentials);
    assert_true(c->http.enabled);
    assert_int_equal(c->http.port, 8080);
    assert_int_equal(c->http.clients, 32);
    assert_int_equal(c->http.queue_bytes, 4 << 20);
    assert_null(c->recording.csv);
    assert_int_equal(c->recording.csv_profile, TF_CONFIG_CSV_THERMOFACE);
    tf_config_free(c);
    tf_config_free(NULL);
}

static void every_key_is_read(void **state)
{
    struct tf_config *c =
        load("\xef\xbb\xbf# a comment\n"
             "; another\n"
             "\n"
             "[camera thermal_1-a]\r\n"
             "  source = /dev/v4l/by-id/usb-X Y*\r\n"
             "enabled=no\n"
             "format=lepton3-y16-telemetry ; PureThermal\n"
             "width=160\nheight=122\nfps=8.7\nrotate=270\nscale=0.01\noffset=-273.15\n"
             "accept-size=true\npace=fast\nloop=ON\nsettle=1500ms\nbuffers=4\nanalyse=off\npictures=0\n"
             "[camera b]\nsource=file:/a=b.mkv\n"
             "[inference]\n"
             "models=/m\nlandmarks=/l.onnx\nfinder=/f.onnx\nsegmentation=/"
             "s.onnx\nregion-masks=yes\nthreads=16\ncpu=generic\nfaces=8\nfilter=no\n"
             "filter-min-cutoff=1.5\nfilter-beta=.25\nscore=0.5\nfind-every=30\nmirror=yes\n"
             "[overlay]\n"
             "palette=white-hot\nrange=-5..38.5\nlines=720\npoints=no\nboxes=no\nregions=no\nscale-bar=no\n"
             "banner=no\nclock=no\nfiltered=no\n"
             "[video]\n"
             "codec=h264_v4l2m2m\npreset=fast\ndevice=/dev/dri/renderD129\nbitrate=2.5M\nquality=30\ngop=60\n"
             "threads=2\n"
             "[rtsp]\n"
             "enabled=no\naddress=::\nport=0\ncredentials=/etc/x\nclients=1\nfps-max=15\n"
             "[http]\n"
             "enabled=1\naddress=0.0.0.0\nport=65535\ncredentials=./y\nclients=1000\nqueue=512K\n"
             "[recording]\n"
             "ndjson=/r/%n-%t.ndjson\ncsv=/r/%n.csv\ncsv-profile=openface\nvideo=/r/100%%-%n.mkv\n");
    const struct tf_config_camera *camera = &c->cameras[0];

    assert_int_equal(c->camera_count, 2);
    assert_string_equal(camera->name, "thermal_1-a");
    assert_string_equal(camera->source, "/dev/v4l/by-id/usb-X Y*");
    assert_false(camera->enabled || camera->analyse || camera->pictures);
    assert_string_equal(camera->format, "lepton3-y16-telemetry");
    assert_int_equal(camera->width, 160);
    assert_int_equal(camera->height, 122);
    assert_true(camera->fps == 8.7f);
    assert_int_equal(camera->rotate, 270);
    assert_true(camera->scale == 0.01f);
    assert_true(camera->offset == -273.15f);
    assert_true(camera->accept_size && camera->loop);
    assert_int_equal(camera->pace, TF_CONFIG_PACE_FAST);
    assert_int_equal(camera->settle_ns, 1500000000);
    assert_int_equal(camera->buffers, 4);
    assert_string_equal(c->cameras[1].source, "file:/a=b.mkv");
    assert_string_equal(c->inference.models, "/m");
    assert_string_equal(c->inference.landmarks, "/l.onnx");
    assert_string_equal(c->inference.finder, "/f.onnx");
    assert_string_equal(c->inference.segmentation, "/s.onnx");
    assert_true(c->inference.region_masks);
    assert_int_equal(c->inference.threads, 16);
    assert_string_equal(c->inference.cpu, "generic");
    assert_int_equal(c->inference.faces, 8);
    assert_false(c->inference.filter);
    assert_true(c->inference.filter_min_cutoff == 1.5f);
    assert_true(c->inference.filter_beta == .25f);
    assert_true(c->inference.score == .5f);
    assert_int_equal(c->inference.find_every, 30);
    assert_int_equal(c->inference.mirror, 2);
    assert_string_equal(c->overlay.palette, "white-hot");
    assert_true(c->overlay.range.fixed);
    assert_true(c->overlay.range.min == -5.f && c->overlay.range.max == 38.5f);
    assert_int_equal(c->overlay.lines, 720);
    assert_false(c->overlay.points || c->overlay.boxes || c->overlay.regions || c->overlay.scale_bar);
    assert_false(c->overlay.banner || c->overlay.clock || c->overlay.filtered);
    assert_false(c->rtsp.enabled);
    assert_string_equal(c->rtsp.address, "::");
    assert_int_equal(c->rtsp.port, 0);
    assert_string_equal(c->rtsp.credentials, "/etc/x");
    assert_int_equal(c->rtsp.clients, 1);
    assert_string_equal(c->video.codec, "h264_v4l2m2m");
    assert_string_equal(c->video.preset, "fast");
    assert_string_equal(c->video.device, "/dev/dri/renderD129");
    assert_int_equal(c->video.quality, 30);
    assert_int_equal(c->video.bitrate_kbps, 2500);
    assert_int_equal(c->video.gop, 60);
    assert_true(c->rtsp.fps_max == 15.f);
    assert_int_equal(c->video.threads, 2);
    assert_true(c->http.enabled);
    assert_string_equal(c->http.address, "0.0.0.0");
    assert_int_equal(c->http.port, 65535);
    assert_string_equal(c->http.credentials, "./y");
    assert_int_equal(c->http.clients, 1000);
    assert_int_equal(c->http.queue_bytes, 512 << 10);
    assert_string_equal(c->recording.ndjson, "/r/%n-%t.ndjson");
    assert_string_equal(c->recording.csv, "/r/%n.csv");
    assert_int_equal(c->recording.csv_profile, TF_CONFIG_CSV_OPENFACE);
    assert_string_equal(c->recording.video, "/r/100%%-%n.mkv");
    tf_config_free(c);
}

static void what_is_unknown_is_an_error(void **state)
{
    refused(CAMERA "sauce=x\n", 3, "did you mean source?");
    refused(CAMERA "frobnicate=x\n", 3, "unknown key frobnicate in [camera]");
    refused(CAMERA "port=1\n", 3, "unknown key port");
    refused(CAMERA "[htpp]\n", 3, "unknown section [htpp]");
    refused(CAMERA "[Http]\n", 3, "unknown section");
    refused("[camera]\nsource=synthetic\n", 1, "write [camera NAME]");
    refused("source=x\n" CAMERA, 1, "before the first section");
    refused(CAMERA "\nnonsense\n", 4, "expected [section] or key=value");
    refused(CAMERA "[rtsp\n", 3, "expected [section] or key=value");
    refused(CAMERA "[rtsp] x\n", 3, "followed by text");
    refused(CAMERA "nonsense\n[frob]\n", 3, "expected [section]"); /* the first of two */
    refused("[camera a b]\nsource=x\n", 1, "not a name");
    refused("[camera Attic]\nsource=x\n", 1, "not a name");
    refused("[camera ../x]\nsource=x\n", 1, "not a name");
    refused("[camera ]\nsource=x\n", 1, "1 to 32");
    refused("[camera a23456789012345678901234567890123]\nsource=x\n", 1, "1 to 32");
    refused("[camera "
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaa"
            "a]\nsource=x\n",
            1, "too long");
}

static void bad_values_are_errors(void **state)
{
    static const struct {
        const char *section, *line;
    } cases[] = {
        {"", "enabled=maybe"},
        {"", "enabled="},
        {"", "width=-1"},
        {"", "width=4097"},
        {"", "width=1.5"},
        {"", "width=0x10"},
        {"", "width=1e2"},
        {"", "width=160px"},
        {"", "fps=fast"},
        {"", "fps=nan"},
        {"", "fps=inf"},
        {"", "fps=1001"},
        {"", "rotate=45"},
        {"", "rotate=360"},
        {"", "pace=slow"},
        {"", "settle=10 parsecs"},
        {"", "settle=-1s"},
        {"", "settle=601s"},
        {"", "buffers=3"},
        {"", "format=a/b"},
        {"[overlay]", "range=30..20"},
        {"[overlay]", "range=30"},
        {"[overlay]", "range=20.."},
        {"[overlay]", "range=20...30"},
        {"[overlay]", "range=..30"},
        {"[overlay]", "range=30..30"},
        {"[overlay]", "range=20..30..40"},
        {"[rtsp]", "port=65536"},
        {"[rtsp]", "port=http"},
        {"[rtsp]", "address=example.org"},
        {"[rtsp]", "address=127.1"},
        {"[rtsp]", "address=256.0.0.1"},
        {"[rtsp]", "bitrate=1"},
        {"[rtsp]", "bitrate=4G"},
        {"[rtsp]", "bitrate=101M"},
        {"[rtsp]", "gop=1001"},
        {"[http]", "queue=1K"},
        {"[http]", "queue=4G"},
        {"[http]", "clients=0"},
        {"[http]", "credentials=web"},
        {"[http]", "credentials=.."},
        {"[inference]", "cpu=sse9"},
        {"[inference]", "threads=17"},
        {"[inference]", "faces=9"},
        {"[inference]", "region-masks=yes"},
        {"[inference]", "score=1.01"},
        {"[recording]", "csv=/%x.csv"},
        {"[recording]", "csv=/x%"},
        {"[recording]", "csv-profile=excel"},
        {"", "format=a\tb"},
    };
    char text[256], key[64];

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        bool section = *cases[i].section;

        snprintf(text, sizeof(text), CAMERA "%s%s%s\n", cases[i].section, section ? "\n" : "", cases[i].line);
        snprintf(key, sizeof(key), "%s", cases[i].line);
        key[strcspn(key, "=")] = '\0';
        refused(text, section ? 4 : 3, strstr(cases[i].line, "credentials") ? "" : key);
    }
}

/* The encoder's keys in [rtsp], where they stood before [video] did. */
static void older_places_of_keys(void **state)
{
    struct tf_config *c =
        load(CAMERA "[video]\npreset=veryfast\n[rtsp]\ncodec=libopenh264\nbitrate=1M\ngop=9\nthreads=3\n");

    assert_string_equal(c->video.codec, "libopenh264");
    assert_string_equal(c->video.preset, "veryfast");
    assert_int_equal(c->video.bitrate_kbps, 1000);
    assert_int_equal(c->video.gop, 9);
    assert_int_equal(c->video.threads, 3);
    tf_config_free(c);
    refused(CAMERA "[video]\ncodec=libx264\n[rtsp]\ncodec=libx264\n", 6, "in line 4");
    refused(CAMERA "[rtsp]\npreset=fast\n", 4, "unknown key preset");
    refused(CAMERA "[video]\nquality=52\n", 4, "1 to 51");
}

static void twice_is_an_error(void **state)
{
    refused(CAMERA "fps=9\nloop=yes\nfps=9\n", 5, "in line 3");
    refused(CAMERA "[camera thermal]\nsource=x\n", 3, "in line 1");
    refused(CAMERA "[rtsp]\n[http]\n[rtsp]\n", 5, "in line 3");
    /* An indented line is a line of its own, not more of the one before. */
    refused(CAMERA "  source=y\n", 3, "in line 2");
    refused(CAMERA "  y\n", 3, "expected [section] or key=value");
    refused("[camera a]\nsource=x\n[camera b]\nsource=x\n[camera c]\nsource=x\n[camera d]\nsource=x\n"
            "[camera e]\nsource=x\n[camera f]\nsource=x\n[camera g]\nsource=x\n[camera h]\nsource=x\n"
            "[camera i]\nsource=x\n",
            17, "more than 8");
}

static void contradictions_are_errors(void **state)
{
    refused("", 0, "no camera");
    refused("[http]\nport=1\n", 0, "no camera");
    refused(CAMERA "enabled=no\n", 0, "no camera is enabled");
    refused("\n[camera a]\nloop=no\n", 2, "no source");
    refused(CAMERA "[camera empty]\n", 3, "no source");
    refused(CAMERA "width=160\n", 3, "width");
    refused(CAMERA "height=160\n", 3, "width");
    refused(CAMERA "offset=-273.15\n", 3, "scale");
    refused("[camera a]\nsource=/dev/video0\n[camera b]\nsource=/dev/video0\n", 4, "one device");
    refused(CAMERA "[rtsp]\naddress=0.0.0.0\n", 4, "credentials");
    refused(CAMERA "[http]\naddress=::\n", 4, "credentials");
    refused(CAMERA "[http]\naddress=192.168.1.1\n", 4, "credentials");
    refused(CAMERA "[rtsp]\nport=9\n[http]\nport=9\n", 6, "one port");
    refused(CAMERA "[camera b]\nsource=x\n[recording]\ncsv=/x.csv\n", 6, "%n");
    refused(CAMERA "[camera b]\nsource=x\n[recording]\ncsv=/x%%n.csv\n", 6, "%n");
    refused(CAMERA "[recording]\ncsv=/x\nndjson=/x\n", 4, "one file");
}

static void what_looks_like_a_contradiction_and_is_none(void **state)
{
    tf_config_free(load("[camera a]\nsource=/dev/video0\n[camera b]\nsource=/dev/video0\nenabled=no\n"));
    tf_config_free(load(CAMERA "[rtsp]\naddress=0.0.0.0\nenabled=no\n"));
    tf_config_free(load(CAMERA "[rtsp]\naddress=0.0.0.0\ncredentials=/x\n"));
    tf_config_free(load(CAMERA "[rtsp]\naddress=127.3.2.1\n[http]\naddress=0:0::0:1\n"));
    tf_config_free(load(CAMERA "[rtsp]\naddress=localhost\nport=0\n[http]\nport=0\n"));
    tf_config_free(load(CAMERA "[rtsp]\nenabled=no\nport=9\n[http]\nport=9\n"));
    tf_config_free(load(CAMERA "[camera b]\nsource=x\nenabled=no\n[recording]\ncsv=/x.csv\n"));
    tf_config_free(load(CAMERA "[inference]")); /* no newline at the end */
}

static void long_lines_and_strange_bytes(void **state)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    char text[1000], *big;

    /* The longest value that passes, and one more; comments may be of any length. */
    snprintf(text, sizeof(text), CAMERA "#%0400d\n[recording]\ncsv=/%0185d\n", 1, 1);
    tf_config_free(load(text));
    snprintf(text, sizeof(text), CAMERA "[recording]\ncsv=/%0205d\n", 1);
    refused(text, 4, "longer");
    assert_int_equal(tf_config_load_text("[camera a]\nsource=x\0y\n", 22, "test.conf", &config, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "test.conf:2: "));

    big = malloc(TF_CONFIG_FILE_MAX + 1);
    memset(big, '\n', TF_CONFIG_FILE_MAX + 1);
    memcpy(big, CAMERA, strlen(CAMERA));
    assert_int_equal(tf_config_load_text(big, TF_CONFIG_FILE_MAX, "test.conf", &config, &err), 0);
    tf_config_free(config);
    config = NULL;
    assert_int_equal(tf_config_load_text(big, TF_CONFIG_FILE_MAX + 1, "test.conf", &config, &err), -E2BIG);
    free(big);
    assert_null(config);
}

static void files(void **state)
{
    char folder[] = "/tmp/tf-config-XXXXXX", path[64], text[128];
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    FILE *f;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/x.conf", folder);
    assert_int_equal(tf_config_load(path, &config, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(tf_config_load(folder, &config, &err), -EIO);
    assert_int_equal(tf_config_load("/dev/zero", &config, &err), -EIO);
    f = fopen(path, "w");
    fputs(CAMERA "[http]\nport=1\n", f);
    fclose(f);
    assert_int_equal(tf_config_load(path, &config, &err), 0);
    assert_string_equal(config->path, path);
    tf_config_where(config, "http", NULL, "port", text, sizeof(text));
    assert_string_equal(text + strlen(path), ":4");
    tf_config_where(config, "http", NULL, "address", text, sizeof(text));
    assert_string_equal(text, path); /* a default stands nowhere */
    tf_config_where(config, "camera", "thermal", "source", text, sizeof(text));
    assert_string_equal(text + strlen(path), ":2");
    tf_config_where(config, "camera", "attic", "source", text, sizeof(text));
    assert_string_equal(text, path);
    tf_config_free(config);
    f = fopen(path, "w");
    fprintf(f, "%0*d", (int)TF_CONFIG_FILE_MAX + 10, 1);
    fclose(f);
    config = NULL;
    assert_int_equal(tf_config_load(path, &config, &err), -E2BIG);
    assert_null(config);
    unlink(path);
    rmdir(folder);
}

static void credentials_from_systemd(void **state)
{
    char folder[] = "/tmp/tf-config-XXXXXX", path[64], other[64];
    struct tf_config *c;

    assert_non_null(mkdtemp(folder));
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    snprintf(path, sizeof(path), "%s/http", folder);
    snprintf(other, sizeof(other), "%s/web", folder);
    fclose(fopen(path, "w"));
    c = load(CAMERA "[http]\naddress=0.0.0.0\n"); /* what the unit passes is enough */
    assert_string_equal(c->http.credentials, path);
    assert_null(c->rtsp.credentials);
    tf_config_free(c);
    c = load(CAMERA "[http]\ncredentials=web\n[rtsp]\ncredentials=/x/y\n");
    assert_string_equal(c->http.credentials, other);
    assert_string_equal(c->rtsp.credentials, "/x/y");
    tf_config_free(c);
    unsetenv("CREDENTIALS_DIRECTORY");
    c = load(CAMERA);
    assert_null(c->http.credentials);
    tf_config_free(c);
    unlink(path);
    rmdir(folder);
}

static const struct tf_config_change *find(const struct tf_config_change *changes, size_t n,
                                           const char *section, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(changes[i].section, section) == 0 &&
            (key ? changes[i].key && strcmp(changes[i].key, key) == 0 : !changes[i].key))
            return &changes[i];
    fail_msg("no change of %s.%s", section, key ? key : "-");
    return NULL;
}

static void differences(void **state)
{
    struct tf_config *running = load("[camera a]\nsource=x\n[camera b]\nsource=y\n[overlay]\npalette=iron\n");
    struct tf_config *next = load("[camera c]\nsource=z\n[camera a]\nsource=x2\nloop=yes\n"
                                  "[overlay]\npalette=black-hot\nrange=20..40\nlines=600\n[http]\nport=81\n");
    struct tf_config_change changes[16];
    const struct tf_config_change *c;
    size_t n;

    assert_int_equal(tf_config_diff(running, running, changes, 16), 0);
    n = tf_config_diff(running, next, changes, 16);
    assert_int_equal(n, 8);
    assert_int_equal(tf_config_diff(running, next, changes, 0), 8);

    c = find(changes, n, "camera", "source");
    assert_string_equal(c->camera, "a");
    assert_string_equal(c->was, "x");
    assert_string_equal(c->now, "x2");
    assert_false(c->live);
    c = find(changes, n, "camera", "loop");
    assert_string_equal(c->was, "no");
    assert_string_equal(c->now, "yes");
    c = find(changes, n, "overlay", "palette");
    assert_null(c->camera);
    assert_true(c->live);
    assert_string_equal(c->now, "black-hot");
    c = find(changes, n, "overlay", "range");
    assert_string_equal(c->was, "auto");
    assert_string_equal(c->now, "20..40");
    assert_false(find(changes, n, "overlay", "lines")->live); /* the picture's size stays */
    assert_false(find(changes, n, "http", "port")->live);
    n = 0;
    for (size_t i = 0; i < 8; i++)
        if (!changes[i].key) {
            assert_string_equal(changes[i].camera, changes[i].added ? "c" : "b");
            assert_false(changes[i].live);
            n++;
        }
    assert_int_equal(n, 2);

    /* What can change is taken; the rest goes on to be a difference. */
    assert_int_equal(tf_config_take_live(running, next), 0);
    assert_string_equal(running->overlay.palette, "black-hot");
    assert_true(running->overlay.range.fixed);
    assert_int_equal(running->overlay.lines, 480);
    assert_string_equal(running->cameras[0].source, "x");
    assert_int_equal(tf_config_diff(running, next, changes, 16), 6);
    tf_config_free(next);
    assert_string_equal(running->overlay.palette, "black-hot"); /* its own copy */
    tf_config_free(running);
}

static void templates_are_expanded(void **state)
{
    const int64_t t = 1772360130999999999;
    char path[64];

    assert_int_equal(tf_config_expand("/r/%n-%t.csv", "thermal", t, path, sizeof(path)), 0);
    assert_string_equal(path, "/r/thermal-20260301T101530Z.csv");
    assert_int_equal(tf_config_expand("100%%%%n", "thermal", t, path, sizeof(path)), 0);
    assert_string_equal(path, "100%%n");
    assert_int_equal(tf_config_expand("%x", "thermal", t, path, sizeof(path)), -EINVAL);
    assert_int_equal(tf_config_expand("%", "thermal", t, path, sizeof(path)), -EINVAL);
    assert_int_equal(tf_config_expand("/%n", "1234", t, path, 6), 0);
    assert_string_equal(path, "/1234");
    assert_int_equal(tf_config_expand("/%n", "1234", t, path, 5), -ENAMETOOLONG);
    assert_int_equal(tf_config_expand("", "1234", t, path, 0), -ENAMETOOLONG);
}

/* config/table.c lists the levels for people; base/cpu.h knows them. */
static void cpu_levels_are_those_of_base(void **state)
{
    char text[128];

    for (int level = TF_CPU_GENERIC; level <= TF_CPU_I8MM; level++) {
        snprintf(text, sizeof(text), CAMERA "[inference]\ncpu=%s\n", tf_cpu_name((enum tf_cpu_level)level));
        tf_config_free(load(text));
    }
}

/* --- the table's texts --- */

static void help_says_everything(void **state)
{
    static const char *const words[] = {"[camera NAME]",         "[recording]",    "  accept-size\n",
                                        "Can change on reload.", "Default: 8554.", "Required."};
    char *help = tf_config_help();

    assert_non_null(help);
    for (size_t i = 0; i < TF_COUNT(words); i++)
        assert_non_null(strstr(help, words[i]));
    for (char *line = help; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 125);
    free(help);
}

/* The example can be used as it is, and so can every line of it that is a comment now. */
#define RIG CAMERA "[camera v]\nsource=synthetic\n"

static void pairs(void **state)
{
    struct tf_config *c = load(RIG "[pair rig]\nthermal=thermal\nvisible=v\ncalibration=/c.json\nwait=20ms\n"
                                   "use=always\npicture=picture-in-picture\n"
                                   "[pair off]\nenabled=no\nthermal=thermal\nvisible=v\n");
    struct tf_config *next = load(RIG "[pair rig]\nthermal=thermal\nvisible=v\nmax-skew=100ms\n");
    struct tf_config_change changes[16];
    char where[64];

    assert_int_equal(c->pair_count, 2);
    assert_string_equal(c->pairs[0].name, "rig");
    assert_string_equal(c->pairs[0].thermal, "thermal");
    assert_string_equal(c->pairs[0].visible, "v");
    assert_string_equal(c->pairs[0].calibration, "/c.json");
    assert_int_equal(c->pairs[0].max_skew_ns, 50000000);
    assert_int_equal(c->pairs[0].wait_ns, 20000000);
    assert_int_equal(c->pairs[0].use, TF_CONFIG_PAIR_ALWAYS);
    assert_int_equal(c->pairs[0].picture, TF_CONFIG_PAIR_INSET);
    assert_false(c->pairs[1].enabled);
    assert_int_equal(c->pairs[1].picture, TF_CONFIG_PAIR_SIDE_BY_SIDE);
    tf_config_where(c, "pair", "rig", "calibration", where, sizeof(where));
    assert_string_equal(where, "test.conf:8");
    /* calibration, max-skew, wait, use, picture, and a pair less. */
    assert_int_equal(tf_config_diff(c, next, changes, 16), 6);
    assert_string_equal(changes[0].section, "pair");
    assert_string_equal(changes[0].camera, "rig");
    tf_config_free(c);
    tf_config_free(next);

    refused(RIG "[pair]\n", 5, "[pair NAME]");
    refused(RIG "[pair A]\n", 5, "not a name");
    refused(RIG "[pair p]\nthermal=thermal\n", 5, "no visible camera");
    refused(RIG "[pair p]\nthermal=thermal\nvisible=x\n", 7, "no [camera x]");
    refused(RIG "[pair p]\nthermal=thermal\nvisible=thermal\n", 7, "twice");
    refused(RIG "[pair v]\nthermal=thermal\nvisible=v\n", 5, "camera's name");
    refused(RIG "[pair p]\nthermal=thermal\nvisible=v\n[pair p]\n", 8, "a second [pair p]");
    refused(RIG "[pair p]\nthermal=thermal\nvisible=v\n[pair q]\nthermal=v\nvisible=thermal\n", 8,
            "one pair each");
    refused(RIG "enabled=no\n[pair p]\nthermal=thermal\nvisible=v\n", 8, "not enabled");
    refused(RIG "analyse=no\n[pair p]\nthermal=thermal\nvisible=v\ncalibration=/c\n", 9, "analyse=no");
    refused(RIG "pace=fast\n[pair p]\nthermal=thermal\nvisible=v\n", 7, "pace=fast");
    refused(RIG "[pair p]\nthermal=thermal\nvisible=v\nwait=1s\n", 8, "0.1s");
}

static void the_example_is_valid(void **state)
{
    char *example = tf_config_example(), *at = example;
    struct tf_config *plain = load(example), *all;
    struct tf_config_change changes[4];

    for (char *line = example; *line; line = strchr(line, '\n') + 1) {
        size_t n = strcspn(line, "=\n");

        if (*line == '#' && line[1] != ' ' && line[n] == '=' && line[n + 1] != '\n')
            line[0] = ' ';
    }
    all = load(at);
    assert_int_equal(tf_config_diff(plain, all, changes, 4), 0); /* they show the defaults */
    tf_config_free(plain);
    tf_config_free(all);
    free(example);
}

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

/* Whoever changes the table runs scripts/config-texts. */
static void texts_in_the_tree_are_current(void **state)
{
    char *text = tf_config_example(), *file = read_whole(TF_SOURCE "/config/thermofaced.conf.example"),
         *place;

    assert_string_equal(file, text);
    free(text);
    free(file);
    text = tf_config_manual();
    file = read_whole(TF_SOURCE "/docs/man/thermofaced.conf.5");
    assert_string_equal(file, text);
    free(text);
    free(file);
    text = tf_config_markdown();
    file = read_whole(TF_SOURCE "/docs/configuration.md");
    place = strstr(file, text);
    assert_non_null(place);
    free(text);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_without_a_word),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(what_is_unknown_is_an_error),
        cmocka_unit_test(bad_values_are_errors),
        cmocka_unit_test(older_places_of_keys),
        cmocka_unit_test(twice_is_an_error),
        cmocka_unit_test(contradictions_are_errors),
        cmocka_unit_test(what_looks_like_a_contradiction_and_is_none),
        cmocka_unit_test(long_lines_and_strange_bytes),
        cmocka_unit_test(files),
        cmocka_unit_test(credentials_from_systemd),
        cmocka_unit_test(differences),
        cmocka_unit_test(templates_are_expanded),
        cmocka_unit_test(cpu_levels_are_those_of_base),
        cmocka_unit_test(help_says_everything),
        cmocka_unit_test(pairs),
        cmocka_unit_test(the_example_is_valid),
        cmocka_unit_test(texts_in_the_tree_are_current),
    };

    return cmocka_run_group_tests_name("config", tests, setup, NULL);
}
