/*
 * Inside of the synthetic source: the subject (what a head looks like) and the scene (where it is, and its
 * picture).
 *
 * Head coordinates: u to the right of the picture, v down, z towards the camera; the unit is the distance
 * between the outer corners of the eyes, the origin lies midway between them. All sizes are those of an
 * average adult: head breadth 1.65, vertex to chin 2.6 units (about 90 mm each unit).
 */
#ifndef TF_CAPTURE_SYNTHETIC_H
#define TF_CAPTURE_SYNTHETIC_H

#include <stdint.h>

#include "capture/source.h"

#define TF_SYNTHETIC_FACES_MAX 4

enum tf_synthetic_kind {
    TF_SYNTHETIC_THERMAL, /* u16, centikelvin */
    TF_SYNTHETIC_COUNTS,  /* u16, a camera that is not radiometric */
    TF_SYNTHETIC_VISIBLE, /* u8 gray */
};

struct tf_synthetic_options {
    enum tf_synthetic_kind kind;
    uint16_t width, height; /* of the upright picture */
    float fps;
    uint64_t seed;
    int faces; /* 0: nobody there */
    bool glasses, still;
    float scale;     /* of the head in the picture; 1 = half the height */
    float noise_mk;  /* standard deviation of a pixel over time */
    float fpn_mk;    /* of the fixed pattern */
    float breathing; /* breaths a minute */
    float ffc_s;     /* between shutter calibrations; 0 = none */
    /* Another camera on the same rig: its picture is this similarity of the one without. */
    float zoom, turn;       /* about the picture's middle; clockwise, radians */
    float shift_x, shift_y; /* pixels */
};

/* One texel: 16 bits of value in the picture's counts, 8 bits of coverage. */
struct tf_layer {
    int width, height;
    float u0, v0, per_unit; /* texel = (u - u0) * per_unit */
    uint32_t *texels;
};

/* Texels whose value follows the breath: value = base + weight * breath. */
struct tf_breath_patch {
    int x, y, width, height;
    float *base, *weight;
};

struct tf_subject {
    struct tf_layer head, body;
    struct tf_breath_patch patch;
    bool glasses;
    /* °C, of the drawing itself: no noise. */
    float nose_tip_c, forehead_c, canthus_c, cheek_c, chin_c, nostrils_c;
};

/* The 68 points in head coordinates. */
extern const float tf_subject_points[68][2];
/* How far the surface stands towards the camera. */
float tf_subject_depth(float u, float v);
/* Breath adds this at most, °C. */
#define TF_BREATH_C 0.5f

/* Counts of a temperature (°C of skin and things) or, for visible, of a gray 0..255 as 128 * gray. */
float tf_synthetic_counts(enum tf_synthetic_kind kind, float value);

/* per_unit: texels a unit, chosen by the size at which the head is seen. */
int tf_subject_create(enum tf_synthetic_kind kind, uint64_t seed, bool glasses, float per_unit,
                      struct tf_subject **ret);
void tf_subject_destroy(struct tf_subject *subject);

struct tf_scene;
int tf_scene_create(const struct tf_synthetic_options *options, struct tf_scene **ret);
void tf_scene_destroy(struct tf_scene *scene);
/* Picture 0 shows the subject as it is at that time, seconds; 0 at first. */
void tf_scene_set_epoch(struct tf_scene *scene, double seconds);
/* Draws picture number n, always the same one; u16 of width x height (visible: gray * 128, saturated). */
void tf_scene_draw(struct tf_scene *scene, uint64_t n, uint16_t *out, size_t stride_pixels);
int tf_scene_truth(const struct tf_scene *scene, uint64_t n, struct tf_truth *ret, int max);
/* The same at a time of the subject's. */
int tf_scene_truth_at(const struct tf_scene *scene, double seconds, struct tf_truth *ret, int max);
/* A calibration that begins with picture n, whatever the plan; and none by plan from n on while held. */
void tf_scene_calibrate(struct tf_scene *scene, uint64_t n);
void tf_scene_hold(struct tf_scene *scene, bool hold);
/* Before numbers begin again: forgets what was asked for. */
void tf_scene_restart(struct tf_scene *scene);
/* TF_FLAG_FFC and TF_FLAG_FFC_IMMINENT of picture n. */
uint32_t tf_scene_flags(const struct tf_scene *scene, uint64_t n);
/* Of the electronics: rises slowly after switching on. */
float tf_scene_sensor_c(const struct tf_scene *scene, uint64_t n);

/* Small, fast and the same everywhere. */
static inline uint64_t tf_mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* Standard normal by the sum of uniforms: exact integers, so alike on every machine. */
static inline float tf_normal64(uint64_t key)
{
    uint64_t a = tf_mix64(key), b = tf_mix64(key ^ 0x5851f42d4c957f2dull);
    int32_t sum = 0;

    for (int i = 0; i < 4; i++) {
        sum += (int32_t)(a >> (16 * i) & 0xffff);
        sum += (int32_t)(b >> (16 * i) & 0xffff);
    }
    return (float)(sum - 4 * 65535) * (1.0f / 53509.0f); /* 65536 * sqrt(8 / 12) */
}

#endif
