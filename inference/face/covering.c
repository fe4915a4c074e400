/*
 * Glasses: lenses of glass and plastic are opaque to thermal radiation and near the room's temperature, so
 * that eyes behind them, and the inner corners that else are the warmest of the face, lie far below the skin
 * around them. How far, in standard deviations of the face's own values, goes into a logistic regression,
 * which needs no temperature scale.
 */
#include "inference/face/covering.h"

#include <math.h>

/* From training/glasses.py. */
#define GLASSES_EYES -1.584f
#define GLASSES_CANTHI -1.875f
#define GLASSES_BIAS -2.369f

static const uint8_t eyes[] = {TF_REGION_PERIORBITAL_RIGHT, TF_REGION_PERIORBITAL_LEFT};
static const uint8_t canthi[] = {TF_REGION_CANTHUS_RIGHT, TF_REGION_CANTHUS_LEFT};
static const uint8_t rest[] = {TF_REGION_FOREHEAD, TF_REGION_PERINASAL, TF_REGION_CHEEK_RIGHT,
                               TF_REGION_CHEEK_LEFT, TF_REGION_CHIN};

/* Of the regions that were measured; NAN: none was. */
static float mean_of(const struct tf_region_stats *stats, const uint8_t *which, size_t count)
{
    float sum = 0, n = 0;

    for (size_t i = 0; i < count; i++) {
        if (stats[which[i]].n == 0)
            continue;
        sum += stats[which[i]].mean;
        n++;
    }
    return sum / n;
}

/* The standard deviation of the face: within its regions, and between them. */
static float deviation(const struct tf_region_stats *stats)
{
    float mean = 0, within = 0, between = 0, n = 0;

    for (int i = 0; i < TF_REGIONS; i++) {
        if (stats[i].n == 0)
            continue;
        mean += stats[i].mean;
        within += stats[i].sd * stats[i].sd;
        n++;
    }
    mean /= n;
    for (int i = 0; i < TF_REGIONS; i++)
        between += stats[i].n == 0 ? 0 : (stats[i].mean - mean) * (stats[i].mean - mean);
    return sqrtf((within + between) / n);
}

float tf_covering_glasses(const struct tf_region_stats stats[TF_REGIONS])
{
    float spread = deviation(stats), skin = mean_of(stats, rest, sizeof(rest));
    float eye = (mean_of(stats, eyes, sizeof(eyes)) - skin) / spread;
    float canthus = (mean_of(stats, canthi, sizeof(canthi)) - skin) / spread;

    /* An eye too small to have a canthus is told by itself. */
    if (isnan(canthus))
        canthus = eye;
    if (!(spread > 0) || !isfinite(eye))
        return NAN;
    return 1 / (1 + expf(-(GLASSES_EYES * eye + GLASSES_CANTHI * canthus + GLASSES_BIAS)));
}
