/* A picture for people: 32-bit, memory order B, G, R, X (cairo's RGB24 on little-endian machines), upright.
 */
#ifndef TF_OVERLAY_PICTURE_H
#define TF_OVERLAY_PICTURE_H

#include <stdint.h>

struct tf_picture {
    uint8_t *data;
    uint32_t width, height, stride;
};

#endif
