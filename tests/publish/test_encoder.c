/* Pictures to H.264 and to files, and back through libavcodec's decoder. */
#include <errno.h>
#include <math.h>
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
#include "clients.h"
#include "pattern.h"
#include "publish/video/encoder.h"

#define MS 1000000ull

struct kept {
    uint8_t *data;
    size_t size;
    bool key;
    uint64_t t_mono_ns, frame;
};

struct run {
    struct pattern pattern;
    struct tf_encoder *encoder;
    struct kept packets[400];
    int count;
    struct tf_muxer *muxer;
    char folder[32], path[64];
};

static struct run r;

static int set_up(void **state)
{
    memset(&r, 0, sizeof(r));
    if (pattern_create(&r.pattern) < 0)
        return -1;
    strcpy(r.folder, "/tmp/tf-video-XXXXXX");
    return mkdtemp(r.folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    for (int i = 0; i < r.count; i++)
        free(r.packets[i].data);
    tf_muxer_close(r.muxer, NULL);
    tf_encoder_destroy(r.encoder);
    pattern_destroy(&r.pattern);
    if (*r.path)
        unlink(r.path);
    rmdir(r.folder);
    return 0;
}

static void name_file(const char *name)
{
    snprintf(r.path, sizeof(r.path), "%s/%s", r.folder, name);
}

static void keep(void *context, const struct tf_packet *packet)
{
    assert_true(r.count < 400);
    struct kept *k = &r.packets[r.count++];
    *k = (struct kept){malloc(packet->size), packet->size, packet->key, packet->t_mono_ns, packet->frame};
    memcpy(k->data, packet->data, packet->size);
    if (r.muxer) {
        struct tf_error err = {0};
        int result = tf_muxer_write(r.muxer, packet, &err);
        if (result)
            print_error("%s\n", err.text);
        assert_int_equal(result, 0);
    }
}

static struct tf_encoder_options options(void)
{
    return (struct tf_encoder_options){.width = r.pattern.width, .height = r.pattern.height, .fps = 30};
}

static void open_encoder(const struct tf_encoder_options *o)
{
    struct tf_error err = {0};
    int result = tf_encoder_create(o, &r.encoder, &err);

    if (result)
        print_error("%s\n", err.text);
    assert_int_equal(result, 0);
}

/* Pictures `first` to `first + n - 1`, 33.3 ms apart give or take: real cameras jitter. */
static uint64_t stamp(uint64_t number)
{
    return 5000 * MS + number * 33333333ull + (number * 7919 % 11) * MS;
}

static void encode(uint64_t first, uint64_t n, bool force_first)
{
    struct tf_error err = {0};

    for (uint64_t i = first; i < first + n; i++) {
        const struct tf_picture *picture = pattern_draw(&r.pattern, i, 0);
        assert_non_null(picture);
        int before = r.count;
        assert_int_equal(
            tf_encoder_encode(r.encoder, picture, stamp(i), i, force_first && i == first, keep, NULL, &err),
            0);
        assert_int_equal(r.count, before + 1);
    }
}

static void names_of_encoders(void **state)
{
    struct tf_encoder_options o = options();
    struct tf_encoder *encoder = NULL;
    struct tf_error err = {0};

    o.codec = "x264";
    assert_int_equal(tf_encoder_create(&o, &encoder, &err), -EINVAL);
    assert_non_null(strstr(err.text, "\"x264\""));
    assert_non_null(strstr(err.text, "libx264"));
    o.codec = "mpeg4";
    assert_int_equal(tf_encoder_create(&o, &encoder, &err), -EINVAL);
    assert_non_null(strstr(err.text, "H.264"));
    assert_null(encoder);
}

static void limits(void **state)
{
    const struct tf_encoder_options good = options();
    struct tf_encoder_options bad[7];
    struct tf_encoder *encoder = NULL;
    struct tf_error err;

    for (int i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].width = 641;
    bad[1].height = 0;
    bad[2].width = 16384;
    bad[3].fps = 0;
    bad[4].fps = NAN;
    bad[5].threads = -1;
    bad[6].bitrate_kbps = 2000000;
    for (int i = 0; i < 7; i++) {
        err = (struct tf_error){0};
        assert_int_equal(tf_encoder_create(&bad[i], &encoder, &err), -EINVAL);
        assert_true(*err.text);
    }
    assert_null(encoder);
    tf_encoder_destroy(NULL);
    assert_int_equal(tf_muxer_close(NULL, NULL), 0);

    open_encoder(&good);
    struct tf_picture small = {.width = 64, .height = 64, .stride = 256};
    assert_int_equal(tf_encoder_encode(r.encoder, &small, 0, 0, false, keep, NULL, &err), -EINVAL);
    struct tf_picture rgb = {.width = good.width, .height = good.height};
    assert_int_equal(tf_encoder_encode(r.encoder, &rgb, 0, 0, false, keep, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "RGB"));
}

/* Types of the units of an Annex B packet, in order. */
static int units(const struct kept *k, int *types, int max)
{
    int n = 0;

    for (size_t i = 0; i + 3 < k->size && n < max; i++)
        if (!k->data[i] && !k->data[i + 1] && k->data[i + 2] == 1)
            types[n++] = k->data[i + 3] & 31;
    return n;
}

static void one_packet_a_picture(void **state)
{
    struct tf_encoder_options o = options();
    size_t size;

    o.gop = 20;
    open_encoder(&o);
    encode(100, 25, false);
    encode(125, 5, true);
    assert_non_null(tf_encoder_extradata(r.encoder, &size));
    assert_true(size > 10);
    for (int i = 0; i < r.count; i++) {
        int types[16], n = units(&r.packets[i], types, 16), slices = 0;
        assert_int_equal(r.packets[i].frame, 100 + i);
        assert_int_equal(r.packets[i].t_mono_ns, stamp(100 + (uint64_t)i));
        assert_int_equal(r.packets[i].key, i == 0 || i == 20 || i == 25);
        for (int k = 0; k < n; k++)
            slices += types[k] == (r.packets[i].key ? 5 : 1);
        assert_int_equal(slices, 1);
        if (r.packets[i].key) {
            bool sps = false, pps = false;
            for (int k = 0; k < n && types[k] != 5; k++)
                sps |= types[k] == 7, pps |= types[k] == 8;
            assert_true(sps && pps);
        }
    }
    struct tf_error err;
    int before = r.count;
    assert_int_equal(tf_encoder_flush(r.encoder, keep, NULL, &err), 0);
    assert_int_equal(r.count, before); /* nothing was held back */
}

struct seen {
    int n;
    uint32_t first;
    int64_t t[400];
    bool in_order;
};

static void see(void *context, const struct tf_picture *picture, int64_t t_ns, bool key)
{
    struct seen *s = context;
    uint32_t number = 0;

    if (tf_overlay_read_number(picture, &number) < 0) {
        s->in_order = false;
        return;
    }
    if (!s->n) {
        s->first = number;
        s->in_order = true;
    }
    s->in_order &= number == s->first + (uint32_t)s->n;
    s->t[s->n++] = t_ns;
}

static void check_file(uint32_t first, int n)
{
    struct seen seen = {0};

    assert_int_equal(decode_file(r.path, see, &seen), n);
    assert_true(seen.in_order);
    assert_int_equal(seen.n, n);
    assert_int_equal(seen.first, first);
    for (int i = 0; i < n; i++) {
        double expected = (double)(stamp(first + (uint64_t)i) - stamp(first)),
               got = (double)(seen.t[i] - seen.t[0]);
        assert_true(fabs(got - expected) <= 1.0e6);
    }
    assert_true(llabs(seen.t[0]) <= 1000000);
}

static void files_keep_numbers_and_stamps(void **state)
{
    static const char *const names[] = {"a.mkv", "b.mp4", "c.annotated"};
    struct tf_encoder_options o = options();
    struct tf_error err = {0};

    for (int k = 0; k < 3; k++) {
        name_file(names[k]);
        open_encoder(&o);
        assert_int_equal(tf_muxer_create(r.path, r.encoder, false, &r.muxer, &err), 0);
        encode(1000, 70, false);
        struct tf_muxer *muxer = r.muxer;
        r.muxer = NULL;
        assert_int_equal(tf_muxer_close(muxer, &err), 0);
        check_file(1000, 70);
        unlink(r.path);
        tf_encoder_destroy(r.encoder);
        r.encoder = NULL;
    }
    *r.path = 0;
}

static void a_file_begins_with_a_key_picture(void **state)
{
    struct tf_encoder_options o = options();
    struct tf_error err = {0};

    name_file("late.mkv");
    open_encoder(&o);
    encode(0, 7, false);
    assert_int_equal(tf_muxer_create(r.path, r.encoder, false, &r.muxer, &err), 0);
    encode(7, 5, false); /* of no use without what went before: left out */
    encode(12, 20, true);
    struct tf_muxer *muxer = r.muxer;
    r.muxer = NULL;
    assert_int_equal(tf_muxer_close(muxer, &err), 0);
    check_file(12, 20);
}

static void nothing_is_overwritten(void **state)
{
    struct tf_encoder_options o = options();
    struct tf_error err = {0};
    struct tf_muxer *muxer = NULL;

    name_file("precious.mkv");
    FILE *f = fopen(r.path, "w");
    fputs("precious", f);
    fclose(f);
    open_encoder(&o);
    assert_int_equal(tf_muxer_create(r.path, r.encoder, false, &muxer, &err), -EEXIST);
    assert_null(muxer);
    assert_non_null(strstr(err.text, r.path));
    size_t size = 0;
    uint8_t *data = read_file(r.path, &size);
    assert_int_equal(size, 8);
    assert_memory_equal(data, "precious", 8);
    free(data);

    assert_int_equal(tf_muxer_create(r.path, r.encoder, true, &r.muxer, &err), 0);
    encode(0, 10, false);
    muxer = r.muxer;
    r.muxer = NULL;
    assert_int_equal(tf_muxer_close(muxer, &err), 0);
    check_file(0, 10);

    char missing[96];
    snprintf(missing, sizeof(missing), "%s/no/such/folder.mkv", r.folder);
    muxer = NULL;
    assert_int_equal(tf_muxer_create(missing, r.encoder, false, &muxer, &err), -ENOENT);
    assert_null(muxer);
}

/* What is on the disk before the end is written can be played: a pulled plug costs a second at most. */
static void an_unfinished_file_plays(void **state)
{
    struct tf_encoder_options o = options();
    struct tf_error err = {0};
    struct seen seen = {0};
    size_t size = 0;

    name_file("growing.mkv");
    open_encoder(&o);
    assert_int_equal(tf_muxer_create(r.path, r.encoder, false, &r.muxer, &err), 0);
    encode(0, 100, false);
    uint8_t *data = read_file(r.path, &size);
    char copy[80];
    snprintf(copy, sizeof(copy), "%s/cut.mkv", r.folder);
    FILE *f = fopen(copy, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
    free(data);
    int n = decode_file(copy, see, &seen);
    unlink(copy);
    assert_true(n >= 65);
    assert_true(seen.in_order);
    assert_int_equal(seen.first, 0);
}

static void a_full_disk_is_an_error(void **state)
{
    struct tf_encoder_options o = options();
    struct tf_error err = {0};
    int result = 0;

    if (access("/dev/full", W_OK))
        skip();
    open_encoder(&o);
    struct tf_muxer *muxer = NULL;
    assert_int_equal(tf_muxer_create("/dev/full", r.encoder, true, &muxer, &err), 0);
    encode(0, 3, false);
    for (int i = 0; i < 3 && !result; i++) {
        struct kept *k = &r.packets[i];
        struct tf_packet packet = {k->data, k->size, k->key, k->t_mono_ns, k->frame};
        result = tf_muxer_write(muxer, &packet, &err);
    }
    int closed = tf_muxer_close(muxer, result ? NULL : &err);
    assert_true(result == -ENOSPC || closed == -ENOSPC);
    assert_non_null(strstr(err.text, "/dev/full"));
}

struct colours {
    const struct tf_picture *original;
    double worst, sum;
    long n;
};

static void compare(void *context, const struct tf_picture *p, int64_t t_ns, bool key)
{
    struct colours *c = context;

    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width * 4; x++) {
            if (x % 4 == 3)
                continue;
            double d = p->data[(size_t)y * p->stride + x] -
                       (double)c->original->data[(size_t)y * c->original->stride + x];
            c->sum += d * d;
            c->n++;
        }
}

/* BT.709's formula on each 2x2 of a picture whose colours change at even places. */
static struct tf_picture planes_of(const struct tf_picture *rgb)
{
    uint32_t w = rgb->width, h = rgb->height;
    uint8_t *memory = malloc((size_t)w * h * 3 / 2);
    struct tf_picture p = {.width = w, .height = h, .pitch = {w, w / 2, w / 2}};

    assert_non_null(memory);
    p.plane[0] = memory;
    p.plane[1] = memory + (size_t)w * h;
    p.plane[2] = p.plane[1] + (size_t)w * h / 4;
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            const uint8_t *c = rgb->data + (size_t)y * rgb->stride + 4 * (size_t)x;
            double luma = (0.2126 * c[2] + 0.7152 * c[1] + 0.0722 * c[0]) / 255;
            p.plane[0][(size_t)y * w + x] = (uint8_t)lrint(16 + 219 * luma);
            p.plane[1][(size_t)(y / 2) * (w / 2) + x / 2] =
                (uint8_t)lrint(128 + 224 * (c[0] / 255.0 - luma) / 1.8556);
            p.plane[2][(size_t)(y / 2) * (w / 2) + x / 2] =
                (uint8_t)lrint(128 + 224 * (c[2] / 255.0 - luma) / 1.5748);
        }
    return p;
}

/* The matrix and range that the stream is flagged with are the ones it was made with: colours come back. */
static void colours_come_back(void **state)
{
    struct tf_encoder_options o = options();
    struct tf_error err = {0};
    struct tf_picture flat = {.width = 320, .height = 240, .stride = 1280};
    static const uint32_t colours[4] = {0xe0301010, 0x2080e0, 0xf0e8c0, 0x102010};

    flat.data = malloc((size_t)flat.stride * flat.height);
    for (uint32_t y = 0; y < flat.height; y++)
        for (uint32_t x = 0; x < flat.width; x++) {
            uint32_t rgb = colours[x / 160 + 2 * (y / 120)];
            memcpy(flat.data + (size_t)y * flat.stride + 4 * x, &rgb, 4);
        }
    struct tf_picture planes = planes_of(&flat);
    o.width = flat.width, o.height = flat.height;
    name_file("colours.mkv");
    open_encoder(&o);
    assert_int_equal(tf_muxer_create(r.path, r.encoder, false, &r.muxer, &err), 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(tf_encoder_encode(r.encoder, &planes, i * 33 * MS, i, false, keep, NULL, &err), 0);
    struct tf_muxer *muxer = r.muxer;
    r.muxer = NULL;
    assert_int_equal(tf_muxer_close(muxer, &err), 0);
    struct colours c = {.original = &flat};
    assert_int_equal(decode_file(r.path, compare, &c), 3);
    double psnr = 10 * log10(255 * 255 / (c.sum / (double)c.n));
    print_message("PSNR %.1f dB\n", psnr);
    assert_true(psnr > 35); /* BT.601's matrix instead would give about 25 */
    free(flat.data);
    free(planes.plane[0]);

    char text[256];
    if (client_has("ffprobe")) {
        const char *const argv[] = {
            "ffprobe", "-v",   "error", "-show_entries", "stream=codec_name,color_space,color_range", "-of",
            "csv=p=0", r.path, NULL};
        assert_int_equal(client_run(argv, 20, text, sizeof(text), NULL), 0);
        assert_string_equal(text, "h264,tv,bt709\n");
    }
}

#define HELD 40

/* Encodes pictures each in memory of its own, or all in one, which is spoilt as soon as an encoder returns.
 */
static int encode_held(const struct tf_encoder_options *o, bool spoil)
{
    const struct tf_picture *drawn = pattern_draw(&r.pattern, 0, 0);
    size_t size = (size_t)(drawn->plane[2] - drawn->plane[0]) + (size_t)drawn->pitch[2] * (drawn->height / 2);
    uint8_t *memory[HELD] = {NULL};
    int first = r.count;

    open_encoder(o);
    for (uint64_t i = 0; i < HELD; i++) {
        struct tf_picture p = *(drawn = pattern_draw(&r.pattern, i, 0));
        uint8_t **own = memory + (spoil ? 0 : i);

        if (!*own)
            *own = malloc(size);
        assert_non_null(*own);
        memcpy(*own, drawn->plane[0], size);
        for (int k = 0; k < 3; k++)
            p.plane[k] = *own + (drawn->plane[k] - drawn->plane[0]);
        assert_int_equal(tf_encoder_encode(r.encoder, &p, stamp(i), i, i == 20, keep, NULL, NULL), 0);
        if (spoil)
            memset(*own, (int)(i * 37 & 255), size);
    }
    assert_int_equal(tf_encoder_flush(r.encoder, keep, NULL, NULL), 0);
    tf_encoder_destroy(r.encoder);
    r.encoder = NULL;
    for (int i = 0; i < HELD; i++)
        free(memory[i]);
    return first;
}

/* Encoders are lent the drawing's memory, which is drawn over next: they must be done with it by then. */
static void lent_memory_is_given_back(void **state)
{
    static const struct {
        const char *codec, *preset;
        int threads;
        uint32_t kbps;
    } cases[] = {{"libx264", NULL, 0, 0},     {"libx264", NULL, 3, 0},     {"libx264", "medium", 0, 800},
                 {"libx264", "slower", 2, 0}, {"libopenh264", NULL, 0, 0}, {"libopenh264", NULL, 2, 0}};

    for (size_t i = 0; i < TF_COUNT(cases); i++) {
        struct tf_encoder_options o = options();
        int kept, spoilt;

        o.codec = cases[i].codec;
        o.preset = cases[i].preset;
        o.threads = cases[i].threads;
        o.bitrate_kbps = cases[i].kbps;
        if (tf_encoder_check(&o, NULL) < 0) {
            print_message("%s is not there\n", o.codec);
            continue;
        }
        kept = encode_held(&o, false);
        spoilt = encode_held(&o, true);
        assert_int_equal(spoilt - kept, HELD);
        assert_int_equal(r.count - spoilt, HELD);
        for (int k = 0; k < HELD; k++) {
            const struct kept *a = r.packets + kept + k, *b = r.packets + spoilt + k;

            if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
                fail_msg("%s, preset %s, %d threads: picture %d is another", o.codec,
                         o.preset ? o.preset : "none", o.threads, k);
        }
        for (int k = kept; k < r.count; k++)
            free(r.packets[k].data);
        r.count = kept;
    }
}

static void a_bit_rate_is_kept(void **state)
{
    size_t bytes[2] = {0};

    for (int k = 0; k < 2; k++) {
        struct tf_encoder_options o = options();
        int before = r.count;
        o.bitrate_kbps = k ? 1500 : 250;
        open_encoder(&o);
        encode(0, 90, false);
        for (int i = before; i < r.count; i++)
            bytes[k] += r.packets[i].size;
        tf_encoder_destroy(r.encoder);
        r.encoder = NULL;
    }
    print_message("3 s at 250 kbit/s: %zu bytes, at 1500: %zu\n", bytes[0], bytes[1]);
    assert_true(bytes[0] < 250000 / 8 * 3 * 1.5);
    assert_true(bytes[1] > bytes[0] * 1.5);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_of_encoders),
        T(limits),
        T(one_packet_a_picture),
        T(files_keep_numbers_and_stamps),
        T(a_file_begins_with_a_key_picture),
        T(nothing_is_overwritten),
        T(an_unfinished_file_plays),
        T(a_full_disk_is_an_error),
        T(colours_come_back),
        T(lent_memory_is_given_back),
        T(a_bit_rate_is_kept),
    };
    return cmocka_run_group_tests_name("publish encoder", tests, NULL, NULL);
}
