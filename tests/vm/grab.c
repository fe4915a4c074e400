/*
 * Captures frames through capture/ as the daemon does and compares them byte for byte with a pattern.
 *
 * usage: vm-grab URL FORMAT WIDTHxHEIGHT[/LINE_BYTES] FRAMES [EXPECT]
 * EXPECT holds frames of tightly packed rows in the frame's pixel format; each captured frame has to equal
 * one of them. Prints one line; exit status 0 only when all frames came and all were equal.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "capture/source.h"

#define EXPECT_MAX (256l << 20)

struct pattern {
    uint8_t *data;
    size_t size;
};

static int read_pattern(const char *path, struct pattern *p)
{
    FILE *f = fopen(path, "rb");
    long size;

    if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) <= 0 || size > EXPECT_MAX) {
        fprintf(stderr, "vm-grab: %s: cannot be read\n", path);
        return -1;
    }
    rewind(f);
    p->data = malloc((size_t)size);
    p->size = fread(p->data, 1, (size_t)size, f);
    fclose(f);
    return p->data && p->size == (size_t)size ? 0 : -1;
}

/* Bytes of a row and number of rows of a plane. */
static void plane_size(const struct tf_frame *f, int plane, size_t *bytes, size_t *rows)
{
    *rows = plane ? (f->height + 1u) / 2 : f->height;
    switch (f->pixel) {
    case TF_PIXEL_U16:
    case TF_PIXEL_YUYV:
    case TF_PIXEL_UYVY:
        *bytes = 2u * f->width;
        break;
    case TF_PIXEL_YUV420:
        *bytes = plane ? (f->width + 1u) / 2 : f->width;
        break;
    default:
        *bytes = f->width;
    }
}

static int equals_one(const struct tf_frame *f, const struct pattern *p)
{
    size_t frame = 0, bytes, rows;

    for (int i = 0; i < TF_FRAME_PLANES && f->plane[i]; i++) {
        plane_size(f, i, &bytes, &rows);
        frame += bytes * rows;
    }
    for (size_t at = 0; frame && at + frame <= p->size; at += frame) {
        const uint8_t *q = p->data + at;
        int same = 1;

        for (int i = 0; same && i < TF_FRAME_PLANES && f->plane[i]; i++) {
            plane_size(f, i, &bytes, &rows);
            for (size_t y = 0; same && y < rows; y++, q += bytes)
                same = memcmp(f->plane[i] + y * f->stride[i], q, bytes) == 0;
        }
        if (same)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct tf_source_options options = {.pace = TF_PACE_RECORDED};
    struct tf_error err = {0};
    struct tf_source *source = NULL;
    struct pattern pattern = {0};
    unsigned w = 0, h = 0, line = 0;
    long want, got = 0, wrong = 0, corrupt = 0, gaps = 0, twice = 0, imminent = 0, closed = 0;
    float sensor_c = NAN;
    uint32_t stride = 0;
    enum tf_next next = TF_NEXT_FRAME;

    if (argc < 5 || argc > 6 || sscanf(argv[3], "%ux%u/%u", &w, &h, &line) < 2 ||
        (want = atol(argv[4])) < 1) {
        fprintf(stderr, "usage: vm-grab URL FORMAT WIDTHxHEIGHT[/LINE_BYTES] FRAMES [EXPECT]\n");
        return 2;
    }
    if (argc > 5 && read_pattern(argv[5], &pattern))
        return 2;
    options.url = argv[1];
    options.format = strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    options.width = (uint16_t)w;
    options.height = (uint16_t)h;
    options.line_bytes = line;
    if (tf_source_open(&options, &source, &err) || tf_source_start(source, &err)) {
        printf("FAIL %s\n", err.text);
        tf_source_close(source);
        return 1;
    }
    while (got < want) {
        struct tf_frame *f = NULL;

        next = tf_source_next(source, 5000, &f, &err);
        if (next != TF_NEXT_FRAME)
            break;
        got++;
        corrupt += (f->flags & TF_FLAG_CORRUPT) != 0;
        gaps += (f->flags & TF_FLAG_GAP) != 0;
        twice += (f->flags & TF_FLAG_DUPLICATE) != 0;
        imminent += (f->flags & TF_FLAG_FFC_IMMINENT) != 0;
        closed += (f->flags & TF_FLAG_FFC) != 0;
        sensor_c = f->sensor_c;
        if (pattern.data)
            wrong += !equals_one(f, &pattern);
        if (got == 1)
            printf("%s %ux%u pixel %d stride %u stamp %s; ", tf_source_info(source)->format->name, f->width,
                   f->height, f->pixel, f->stride[0], tf_stamp_name(f->stamp));
        stride = f->stride[0];
        tf_frame_unref(f);
    }
    if (!isnan(sensor_c))
        printf("sensor %.2f duplicates %ld imminent %ld closed %ld; ", (double)sensor_c, twice, imminent,
               closed);
    printf("frames %ld wrong %ld corrupt %ld gaps %ld dropped %llu end %d %s\n", got, wrong, corrupt, gaps,
           (unsigned long long)tf_source_drops(source).driver, next, next == TF_NEXT_FRAME ? "" : err.text);
    if (got && line && stride != line) {
        printf("lines of %u bytes, not %u\n", stride, line);
        wrong++;
    }
    tf_source_close(source);
    free(pattern.data);
    return got != want || wrong;
}
