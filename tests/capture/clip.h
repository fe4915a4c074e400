/* Writes small video files through libavformat, and Lepton telemetry rows. */
#ifndef TF_TESTS_CAPTURE_CLIP_H
#define TF_TESTS_CAPTURE_CLIP_H

#include <stdint.h>

struct clip {
    const char *path, *codec; /* "ffv1", "rawvideo" */
    const char *pixel;        /* "gray16le" */
    int width, height, frames, fps;
    /* Fills picture n; planes as the pixel format has them. */
    void (*fill)(int n, uint8_t *const planes[4], const int strides[4], int width, int height);
};

/* 0, or -1 with a message on standard error. */
int clip_write(const struct clip *clip);
/* One second of sound, without picture. */
int clip_write_sound(const char *path);

struct lepton_words {
    uint32_t counter, status;
    uint16_t fpa_k100, tlinear, resolution;
};
/* Rows A, B and C as 240 little-endian words. */
void lepton_rows(const struct lepton_words *words, uint8_t rows[480]);

#endif
