/* Frames and faces for the overlay's tests. */
#ifndef TF_TESTS_OVERLAY_SCENE_H
#define TF_TESTS_OVERLAY_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "overlay/overlay.h"

/* A frame of its own memory, zeroed; radiometric in centikelvin when U16. */
struct tf_frame *scene_frame(uint16_t width, uint16_t height, enum tf_pixel pixel, uint16_t rotate);
void scene_free(struct tf_frame *frame);
/* Pixel of the native picture. */
void scene_set(struct tf_frame *frame, int x, int y, uint16_t value);
void scene_fill(struct tf_frame *frame, uint16_t value);
/* Native coordinates of an upright pixel. */
void scene_native(const struct tf_frame *frame, int x, int y, int *nx, int *ny);
uint16_t scene_celsius(float celsius);

/* One face, upright, of about that width around that middle, all regions valid. */
void scene_face(struct tf_face *face, float x, float y, float width);

/* All marks off: nothing but the frame's picture. */
struct tf_overlay_options scene_bare(void);
struct tf_overlay *scene_overlay(const struct tf_overlay_options *options, const struct tf_frame *frame);
const struct tf_picture *scene_draw(struct tf_overlay *overlay, const struct tf_frame *frame,
                                    const struct tf_faces *faces, enum tf_banner banner);
uint32_t pixel_at(const struct tf_picture *picture, uint32_t x, uint32_t y);
uint8_t *copy_of(const struct tf_picture *picture);
/* Pixels of the rectangle that differ from a copy. */
uint32_t differences(const struct tf_picture *picture, const uint8_t *copy, uint32_t x0, uint32_t y0,
                     uint32_t x1, uint32_t y1);

/* Allocations by our code so far. */
extern unsigned long scene_allocations;

#endif
