/*
 * What the house tests cannot do in a script:
 *
 *   house-tool numbers WIDTH HEIGHT         frame numbers read from pictures (rawvideo bgr0 on standard
 *                                           input), one a line
 *   house-tool truth URL WIDTH HEIGHT FPS N  what the synthetic subject is, one JSON object a frame
 *   house-tool hashes URL WIDTH HEIGHT FPS N  MD5 of each frame's pixels, as ffmpeg's framemd5 has it
 *   house-tool raw URL WIDTH HEIGHT FPS N    each frame's pixels to standard output, 16 bits little-endian
 *   house-tool at URL WIDTH HEIGHT           where the subject's points are at the stamps (t_mono_ns) on
 *                                           standard input, one line each; the URL says clock=1
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/md5.h>
#include <libavutil/mem.h>

#include "capture/source.h"
#include "overlay/overlay.h"

static int numbers(uint32_t width, uint32_t height)
{
    struct tf_picture picture = {.width = width, .height = height, .stride = width * 4};
    size_t size = (size_t)picture.stride * height;

    picture.data = malloc(size);
    if (!picture.data)
        return 1;
    while (fread(picture.data, 1, size, stdin) == size) {
        uint32_t number;

        if (tf_overlay_read_number(&picture, &number) == 0)
            printf("%u\n", number);
        else
            puts("none");
        fflush(stdout);
    }
    free(picture.data);
    return 0;
}

static void print_truth(const struct tf_source *source, const struct tf_frame *frame)
{
    struct tf_truth faces[8];
    int n = tf_source_truth(source, frame, faces, 8);

    printf("{\"sequence\":%llu,\"faces\":[", (unsigned long long)frame->sequence);
    for (int i = 0; i < n; i++) {
        printf("%s{\"nose_tip\":%.3f,\"forehead\":%.3f,\"chin\":%.3f,\"cheek\":%.3f,\"points\":[",
               i ? "," : "", (double)faces[i].nose_tip_c, (double)faces[i].forehead_c,
               (double)faces[i].chin_c, (double)faces[i].cheek_c);
        for (int k = 0; k < 68; k++)
            printf("%s[%.2f,%.2f]", k ? "," : "", (double)faces[i].points[k][0],
                   (double)faces[i].points[k][1]);
        printf("]}");
    }
    printf("]}\n");
}

static void print_hash(const struct tf_frame *frame, struct AVMD5 *md5)
{
    uint8_t digest[16];

    av_md5_init(md5);
    for (int y = 0; y < frame->height; y++)
        av_md5_update(md5, frame->plane[0] + (size_t)y * frame->stride[0], (size_t)frame->width * 2);
    av_md5_final(md5, digest);
    printf("%llu ", (unsigned long long)frame->sequence);
    for (int i = 0; i < 16; i++)
        printf("%02x", digest[i]);
    putchar('\n');
}

static void write_raw(const struct tf_frame *frame)
{
    for (int y = 0; y < frame->height; y++)
        fwrite(frame->plane[0] + (size_t)y * frame->stride[0], 2, frame->width, stdout);
}

static int play(char **argument, char what)
{
    struct tf_source_options options = {
        .url = argument[0],
        .width = (uint16_t)atoi(argument[1]),
        .height = (uint16_t)atoi(argument[2]),
        .fps = (float)atof(argument[3]),
        .pace = TF_PACE_FAST,
        .limit = strtoull(argument[4], NULL, 10),
    };
    struct tf_source *source;
    struct tf_frame *frame;
    struct AVMD5 *md5 = av_md5_alloc();
    struct tf_error err = {0};

    if (!md5 || tf_source_open(&options, &source, &err) < 0 || tf_source_start(source, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    while (tf_source_next(source, -1, &frame, &err) == TF_NEXT_FRAME) {
        if (what == 'r')
            write_raw(frame);
        else if (what == 'h')
            print_hash(frame, md5);
        else
            print_truth(source, frame);
        tf_frame_unref(frame);
    }
    tf_source_close(source);
    av_free(md5);
    return 0;
}

static int at(char **argument)
{
    struct tf_source_options options = {.url = argument[0],
                                        .width = (uint16_t)atoi(argument[1]),
                                        .height = (uint16_t)atoi(argument[2]),
                                        .pace = TF_PACE_FAST};
    struct tf_source *source;
    struct tf_error err = {0};
    unsigned long long stamp;

    if (tf_source_open(&options, &source, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    while (scanf("%llu", &stamp) == 1) {
        struct tf_frame frame = {.t_mono_ns = stamp};
        struct tf_truth face;

        if (tf_source_truth(source, &frame, &face, 1) != 1)
            return 1;
        for (int k = 0; k < 68; k++)
            printf("%s[%.3f,%.3f]", k ? "," : "[", (double)face.points[k][0], (double)face.points[k][1]);
        puts("]");
    }
    tf_source_close(source);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "numbers") == 0)
        return numbers((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
    if (argc == 7 &&
        (strcmp(argv[1], "truth") == 0 || strcmp(argv[1], "hashes") == 0 || strcmp(argv[1], "raw") == 0))
        return play(argv + 2, argv[1][0]);
    if (argc == 5 && strcmp(argv[1], "at") == 0)
        return at(argv + 2);
    fputs("usage: house-tool numbers WIDTH HEIGHT | truth|hashes|raw URL WIDTH HEIGHT FPS N | at URL WIDTH "
          "HEIGHT\n",
          stderr);
    return 2;
}
