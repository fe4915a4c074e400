/* The frames' table of a recording that is played again, any bytes, beside a video of eight frames. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../capture/clip.h"
#include "capture/source.h"
#include "fuzz.h"

#define FRAMES 8

static char folder[] = "/tmp/tf-fuzz-replay-XXXXXX", table[64];

static void clean(void)
{
    char path[64];

    unlink(table);
    snprintf(path, sizeof(path), "%s/a_video.mkv", folder);
    unlink(path);
    rmdir(folder);
}

static void fill(int n, uint8_t *const planes[4], const int strides[4], int width, int height)
{
    for (int y = 0; y < height; y++)
        memset(planes[0] + (ptrdiff_t)y * strides[0], n, (size_t)width * 2);
}

static void prepare(void)
{
    char path[64];
    struct clip clip = {.path = path,
                        .codec = "ffv1",
                        .pixel = "gray16le",
                        .width = 32,
                        .height = 32,
                        .frames = FRAMES,
                        .fps = 9,
                        .fill = fill};

    if (!mkdtemp(folder))
        abort();
    atexit(clean);
    snprintf(table, sizeof(table), "%s/a_frames.csv", folder);
    snprintf(path, sizeof(path), "%s/a_video.mkv", folder);
    if (clip_write(&clip) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_source_options options = {.format = "y16", .scale = 0.01f, .offset = -273.15f, .frames = 4};
    struct tf_source *source = NULL;
    struct tf_error err = {0};
    enum tf_next next = TF_NEXT_END;
    char url[80];
    FILE *file;

    if (!table[0])
        prepare();
    file = fopen(table, "w");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
    snprintf(url, sizeof(url), "recording:%s/a", folder);
    options.url = url;
    if (tf_source_open(&options, &source, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (tf_source_start(source, &err) == 0) {
        /* A row that says more frames than the video has ends it; time never runs back. */
        for (int n = 0, frames = 0; n < 64; n++) {
            struct tf_frame *frame = NULL;

            next = tf_source_next(source, 0, &frame, &err);
            if (next != TF_NEXT_FRAME)
                break;
            frames += !frame->past.valid || frame->past.video_frame >= 0;
            if (frames > FRAMES)
                abort();
            tf_frame_unref(frame);
        }
        if (next == TF_NEXT_ERROR && !err.text[0])
            abort();
        tf_source_stop(source);
    }
    tf_source_close(source);
    return 0;
}
