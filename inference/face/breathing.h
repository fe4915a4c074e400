/*
 * Breathing from the temperature of the nostrils: warm air out, cool air in. docs/regions.md explains it.
 *
 * Values of the last half minute, averaged over fifths of a second, in memory of fixed size; the spectrum
 * between 0.1 and 0.85 Hz (6 to 51 breaths a minute) is looked at once a second. What is missing (no face,
 * shutter closed) is left out, not filled in.
 */
#ifndef TF_INFERENCE_FACE_BREATHING_H
#define TF_INFERENCE_FACE_BREATHING_H

#include <stdbool.h>
#include <stdint.h>

#define TF_BREATHING_BIN_NS 200000000ull
#define TF_BREATHING_BINS 150

struct tf_breathing {
    bool begun;
    uint64_t first_ns;              /* capture time of the first value */
    uint64_t bin;                   /* the newest, counted from first_ns */
    float value[TF_BREATHING_BINS]; /* by bin modulo BINS: sums of values less `base` */
    uint16_t count[TF_BREATHING_BINS];
    float base;          /* keeps sums small */
    float rate, quality; /* of the last look; NAN before */
};

/*
 * Takes a value of the nostrils (°C or counts). Stamps do not run back; a pause longer than the window begins
 * anew. Never allocates.
 */
void tf_breathing_step(struct tf_breathing *breathing, uint64_t t_ns, float value);
/* Forgets everything. */
void tf_breathing_reset(struct tf_breathing *breathing);

#endif
