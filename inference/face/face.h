/*
 * Faces in a frame: finder, 68 landmarks, tracking, region temperatures; on top of the engine.
 *
 * One tf_analyser serves one camera, in one thread. Nothing is allocated after tf_analyser_create.
 */
#ifndef TF_INFERENCE_FACE_FACE_H
#define TF_INFERENCE_FACE_FACE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/frame.h"

#define TF_POINTS 68
#define TF_FACES_MAX 8

/* The face's regions; "right" is the subject's (left in the picture). tf_region_name gives the record's
 * names. */
enum tf_region {
    TF_REGION_FOREHEAD,
    TF_REGION_PERIORBITAL_RIGHT,
    TF_REGION_PERIORBITAL_LEFT,
    TF_REGION_CANTHUS_RIGHT,
    TF_REGION_CANTHUS_LEFT,
    TF_REGION_NOSE_TIP,
    TF_REGION_NOSTRILS,
    TF_REGION_PERINASAL,
    TF_REGION_CHEEK_RIGHT,
    TF_REGION_CHEEK_LEFT,
    TF_REGION_CHIN,
    TF_REGION_MOUTH,
};
#define TF_REGIONS 12
const char *tf_region_name(enum tf_region region);
/* How a region lies by the landmarks, for descriptions of data: their numbers with blanks between, and a
 * sentence. Cut to fit. */
void tf_region_rule(enum tf_region region, char *landmarks, size_t landmarks_size, char *rule,
                    size_t rule_size);

/* A region of fewer pixels is not valid (size-of-source effect: at least 3 x 3; docs/regions.md). */
#define TF_REGION_PIXELS_MIN 9
#define TF_REGION_OUTLINE_MAX 24
/* Nor is one of whose pixels more than one in so many are left out. */
#define TF_REGION_EXCLUDED_SHARE 5
/* Nor one whose points' confidences have a mean of less. */
#define TF_REGION_DOUBTFUL 0.5f
/* Nor one that glasses cover with at least that probability. */
#define TF_COVERED 0.5f
/* Nor one whose skin is seen at more degrees from its normal. Measured temperatures of skin do not depend on
 * the angle up to about 60 degrees and fall beyond it (J. Watmough, P. Fowler and R. Oliver, "The thermal
 * scanning of a curved isothermal surface", Phys. Med. Biol. 15, 1970). */
#define TF_TURNED_ANGLE 60

/* Why a region is not valid; the record's words, in its order. */
enum tf_region_why {
    TF_WHY_FEW_PIXELS = 1u << 0, /* fewer than TF_REGION_PIXELS_MIN */
    TF_WHY_OUTSIDE = 1u << 1,    /* the outline reaches beyond the picture */
    TF_WHY_RANGE = 1u << 2,      /* too many pixels are beyond the camera's limits or dead */
    TF_WHY_DOUBTFUL = 1u << 3,   /* the points that it hangs on are doubtful */
    TF_WHY_COVERED = 1u << 4,    /* glasses or a mask lie over it */
    TF_WHY_TURNED = 1u << 5,     /* it is seen at more than TF_TURNED_ANGLE from straight on */
};
#define TF_WHY_COUNT 6
/* "few_pixels", "outside", "range", "doubtful_points", "covered", "turned", by bit number. */
const char *tf_region_why_name(unsigned bit);

/* In the frame's unit: °C when it is radiometric, else counts. All values are NAN when n is 0. */
struct tf_region_stats {
    float mean, median, min, max, sd;
    uint32_t n;        /* picture pixels that were measured */
    bool valid;        /* `why` is 0 */
    uint32_t excluded; /* pixels of the region that were not: beyond the frame's limits, or dead */
    uint32_t why;      /* enum tf_region_why */
};

struct tf_point {
    float x, y;       /* pixels of the upright picture, origin at the centre of the top left pixel */
    float confidence; /* 0..1 */
};

struct tf_outline {
    uint32_t n;
    float xy[TF_REGION_OUTLINE_MAX][2];
};

/* Parts of a face that a segmentation network tells apart (docs/regions.md). */
enum tf_part {
    TF_PART_BACKGROUND,
    TF_PART_SKIN,
    TF_PART_BROWS,
    TF_PART_EYES,
    TF_PART_NOSE,
    TF_PART_MOUTH,
};
#define TF_PARTS 6
const char *tf_part_name(enum tf_part part);

#define TF_MASK_SIDE_MAX 64

/* Which part each cell of the face's window is. */
struct tf_mask {
    uint16_t width, height; /* cells; 0: there is no mask */
    float x, y;             /* of the first cell's centre, upright picture pixels */
    float step_x, step_y;   /* from a cell's centre to the next one's */
    uint8_t parts[TF_MASK_SIDE_MAX * TF_MASK_SIDE_MAX]; /* enum tf_part, row by row without gaps */
};

/* The part at a place of the upright picture; background outside the window and without a mask. */
static inline enum tf_part tf_mask_at(const struct tf_mask *mask, float x, float y)
{
    if (mask->width == 0)
        return TF_PART_BACKGROUND;
    float column = floorf((x - mask->x) / mask->step_x + 0.5f);
    float row = floorf((y - mask->y) / mask->step_y + 0.5f);
    if (!(column >= 0) || !(column < (float)mask->width) || !(row >= 0) || !(row < (float)mask->height))
        return TF_PART_BACKGROUND;
    return (enum tf_part)mask->parts[(size_t)row * mask->width + (size_t)column];
}
/* Whose points a face's box and regions follow, on a thermal camera that is paired with a visible one. */
enum tf_points_from {
    TF_POINTS_FROM_NONE, /* the camera is not paired: its own */
    TF_POINTS_FROM_THERMAL,
    TF_POINTS_FROM_VISIBLE,
};
/* "thermal", "visible", or NULL for none. */
const char *tf_points_from_name(enum tf_points_from from);

/* How a head is turned, degrees; NAN: not known (inference/face/pose.h). */
struct tf_pose {
    float yaw;   /* to the subject's left */
    float pitch; /* up */
    float roll;  /* clockwise, as the viewer sees it */
};

struct tf_face {
    uint32_t id;                       /* steady while the face is tracked; from 1, never reused in a run */
    float score;                       /* 0..1: the finder's, then the mean confidence of the points */
    float box[4];                      /* x, y, w, h: the tight box of the points */
    struct tf_point points[TF_POINTS]; /* as the network gave them */
    struct tf_point points_filtered[TF_POINTS]; /* set only when `filtered` */
    bool filtered;
    struct tf_region_stats regions[TF_REGIONS];
    struct tf_outline outlines[TF_REGIONS]; /* polygons of the upright picture, for drawing */
    /* From the nostrils' temperature over the last half minute (docs/regions.md). */
    float breathing_rate;    /* breaths a minute; NAN: not known (yet) */
    float breathing_quality; /* 0..1: share of the band's power in the peak; NAN: not known */
    struct tf_mask mask;     /* with a segmentation network */

    /* Of a paired camera (inference/face/pairing.h). */
    enum tf_points_from from;
    bool unseen; /* the camera's own network found no face here: `points` are not numbers, `filtered` is false
                  */
    bool mapped; /* the other camera sees this face: its points are in points_mapped */
    struct tf_point points_mapped[TF_POINTS]; /* pixels of this picture, confidence of the other camera's */

    struct tf_pose pose; /* of the points that box and regions follow */
    float glasses;       /* probability that it wears any; NAN: not known */
    float covered;       /* the same of a mask over mouth and nose */
};

/* The points that the face's box and regions follow. */
static inline const struct tf_point *tf_face_points(const struct tf_face *face)
{
    return face->from == TF_POINTS_FROM_VISIBLE ? face->points_mapped : face->points;
}

struct tf_faces {
    uint32_t count; /* largest face first */
    struct tf_face faces[TF_FACES_MAX];
};

/* Whether each face is read twice, as it is and mirrored, and the means of both are its points. */
enum tf_mirror {
    TF_MIRROR_AUTO, /* on cameras of up to 33 frames/s, and on single pictures */
    TF_MIRROR_NO,
    TF_MIRROR_YES,
};

/* "auto", "no" or "yes". Parsing: false, and *ret as it was, where `text` is none of them. */
const char *tf_mirror_name(enum tf_mirror mirror);
bool tf_mirror_parse(const char *text, enum tf_mirror *ret);

struct tf_analyser_options {
    const char *models;                   /* folder with landmarks68.onnx and finder.onnx */
    const char *landmarks, *finder;       /* files instead, or NULL */
    const char *segmentation;             /* a network that fills tf_face.mask, or NULL */
    bool region_masks;                    /* regions are measured within the mask's parts */
    int threads;                          /* 0 = 1 */
    const char *cpu;                      /* see base/cpu.h, NULL = best */
    uint32_t faces_max;                   /* 0 = 4; at most TF_FACES_MAX */
    bool filter;                          /* one-euro filter: fills points_filtered */
    float filter_min_cutoff, filter_beta; /* 0 = defaults (docs/landmarks.md) */
    enum tf_mirror mirror;
    bool track;      /* false: the finder runs on every frame (single pictures) */
    float score_min; /* a face below it is lost; 0 = default */
    int clue; /* for fitting a calibration: above 0, points have the clue of that number (inference/face/
                 calibration.h) in their confidences' place; faces are found and followed as ever */
    uint32_t find_every; /* with faces in view, frames between looks for new ones; 0 = default */
};

struct tf_analyser;

/* Errors: those of tf_engine_open, -EINVAL for a model whose metadata does not fit (key and value named). */
int tf_analyser_create(const struct tf_analyser_options *options, struct tf_analyser **ret,
                       struct tf_error *err);
void tf_analyser_destroy(struct tf_analyser *analyser);

/* Nanoseconds of the last call, by stage. */
struct tf_analyser_times {
    uint64_t normalise_ns, finder_ns, landmarks_ns, regions_ns; /* regions: with their masks */
};

/*
 * Finds, follows and measures the faces of a frame. Frames of a source come in order; flags are honoured: a
 * corrupt frame or one with the shutter closed (TF_FLAG_CORRUPT, TF_FLAG_FFC) is not looked at: no faces,
 * tracks kept. Errors: -EINVAL for a picture smaller than 32 x 32 or of a format without luminance.
 */
int tf_analyser_process(struct tf_analyser *analyser, const struct tf_frame *frame, struct tf_faces *ret);
struct tf_analyser_times tf_analyser_times(const struct tf_analyser *analyser);
/* Forgets tracks and filters (a seek, a replug, a recording's start). Ids go on. What is found afterwards
 * depends on the frames from here on only. */
void tf_analyser_reset(struct tf_analyser *analyser);
/* The id that the next new face will have; given back to tf_analyser_set_next_id by whoever repeats a run. */
uint32_t tf_analyser_next_id(const struct tf_analyser *analyser);
void tf_analyser_set_next_id(struct tf_analyser *analyser, uint32_t id);
/* An id that no face of this analyser has or will get. */
uint32_t tf_analyser_take_id(struct tf_analyser *analyser);

/*
 * One reading of the frame as a turn of `rotate` degrees clockwise would show it, whatever its own turn: how
 * well an upright face fits there (inference/face/turns.h sums readings up). Leaves tracks and results alone.
 * Errors: as tf_analyser_process.
 */
struct tf_turn_reading;
int tf_analyser_read_turn(struct tf_analyser *analyser, const struct tf_frame *frame, uint16_t rotate,
                          struct tf_turn_reading *ret);

/*
 * The landmarks of one face whose box is known, without finder or tracker, as the evaluation of a landmark
 * network needs: box is x, y, w, h of the tight box in upright pixels. Fills 68 points.
 */
int tf_analyser_landmarks(struct tf_analyser *analyser, const struct tf_frame *frame, const float box[4],
                          struct tf_point points[TF_POINTS]);

/* Pixels that are known to be dead (inference/face/faults.h). */
struct tf_faults;
/* Those that the analyser has learnt from its frames; owned by it. */
const struct tf_faults *tf_analyser_faults(const struct tf_analyser *analyser);

/*
 * Region statistics for given points: what tf_analyser_process does per face. Outlines lie on a grid of
 * 1/TF_OUTLINE_GRID pixel, so that a record can say exactly what was measured. `faults` may be NULL.
 */
#define TF_OUTLINE_GRID 32
void tf_regions_measure(const struct tf_frame *frame, const struct tf_faults *faults,
                        const struct tf_point points[TF_POINTS], struct tf_region_stats stats[TF_REGIONS],
                        struct tf_outline outlines[TF_REGIONS]);
/* The same within the parts of a mask: discs on skin and nose are larger, and the mask says where they end.
 */
void tf_regions_measure_masked(const struct tf_frame *frame, const struct tf_faults *faults,
                               const struct tf_point points[TF_POINTS], const struct tf_mask *mask,
                               struct tf_region_stats stats[TF_REGIONS],
                               struct tf_outline outlines[TF_REGIONS]);

/*
 * Statistics of a rectangle of the upright picture (x, y, w, h: whole pixels): a black body, say. A frame
 * without pixels and a rectangle that is not wholly in the picture are not `valid`.
 */
void tf_rectangle_measure(const struct tf_frame *frame, const struct tf_faults *faults,
                          const uint16_t rectangle[4], struct tf_region_stats *ret);

#endif
