/*
 * A picture for people, upright, in one of two forms: 32-bit RGB, for files that keep every colour, or the
 * planes that video encoders take.
 */
#ifndef TF_OVERLAY_PICTURE_H
#define TF_OVERLAY_PICTURE_H

#include <stdint.h>

enum tf_picture_form {
    TF_PICTURE_RGB,    /* memory order B, G, R, X (cairo's RGB24 on little-endian machines) */
    TF_PICTURE_PLANES, /* Y, U and V, 4:2:0, ITU-R BT.709, limited range; even sizes */
};

struct tf_picture {
    uint8_t *data; /* of RGB; NULL: planes */
    uint32_t width, height, stride;
    uint8_t *plane[3]; /* Y: width x height; U, V: half of both; NULL: RGB */
    uint32_t pitch[3]; /* bytes from row to row */
};

#endif
