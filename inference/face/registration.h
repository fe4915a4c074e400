/*
 * The registration of two cameras on one rig: where a point of the visible camera's upright picture lies in
 * the thermal camera's. A plane's homography or an affine map, fitted to matched points, kept in a JSON file.
 *
 * One map fits one distance exactly: docs/pairs.md says what that means for faces.
 */
#ifndef TF_INFERENCE_FACE_REGISTRATION_H
#define TF_INFERENCE_FACE_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum tf_registration_model {
    TF_REGISTRATION_HOMOGRAPHY,
    TF_REGISTRATION_AFFINE,
};
const char *tf_registration_model_name(enum tf_registration_model model);

struct tf_registration {
    enum tf_registration_model model;
    double matrix[3][3]; /* visible (x, y, 1) to thermal, up to its third coordinate */
    /* Of the upright pictures, pixels; coordinates have their origin at the centre of the top left pixel. */
    uint32_t thermal_width, thermal_height, visible_width, visible_height;
    /* What the fit left over, in thermal pixels, over the points that agree with the map. */
    double rms_px, median_px, max_px;
    uint64_t points, used; /* given, and those that agree */
};

/* False where the map has no answer (a point at or behind the horizon of a homography). */
bool tf_registration_map(const struct tf_registration *registration, double x, double y, double *ret_x,
                         double *ret_y);

/*
 * Whether it can be used: finite numbers, sizes of pictures, and a map that can be turned back everywhere in
 * the visible picture. -EINVAL says what is wrong.
 */
int tf_registration_check(const struct tf_registration *registration, struct tf_error *err);

/* Reads and checks a file. Errors: -ENOENT, -EACCES, -EIO, -EINVAL; each names the file. */
int tf_registration_load(const char *path, struct tf_registration *ret, struct tf_error *err);
/* Writes it whole or not at all. -EEXIST unless `overwrite`. */
int tf_registration_save(const struct tf_registration *registration, const char *path, bool overwrite,
                         struct tf_error *err);

struct tf_match {
    double thermal[2], visible[2]; /* pixels of the upright pictures */
};
#define TF_MATCHES_MAX 100000

struct tf_fit_options {
    enum tf_registration_model model;
    uint32_t thermal_width, thermal_height, visible_width, visible_height;
    double threshold_px; /* a match agrees with a map that misses it by at most so many thermal pixels */
};

/*
 * The map that most matches agree with (RANSAC), then least squares over those that do. The same matches give
 * the same map. -EINVAL: fewer than six (affine: four) matches, a match outside its picture, points on one
 * line, or fewer than half of the matches agree; -ENOMEM.
 */
int tf_registration_fit(const struct tf_match *matches, size_t count, const struct tf_fit_options *options,
                        struct tf_registration *ret, struct tf_error *err);

#endif
