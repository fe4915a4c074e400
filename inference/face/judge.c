/* A face's regions, judged by what their points and the head's pose say about them. */
#include "inference/face/judge.h"

#include <math.h>

#include "inference/face/covering.h"
#include "inference/face/pose.h"

#define DEG(angle) ((float)(angle) * (float)M_PI / 180)
#define HANGS_MAX 13

/*
 * What a region hangs on: the points that make its outline (regions.c), and where its skin looks to, as
 * angles from straight ahead to the subject's left and upwards. The angles are rough ones of adult heads.
 */
static const struct {
    float azimuth, elevation;
    uint8_t count, points[HANGS_MAX];
} regions[TF_REGIONS] = {
    [TF_REGION_FOREHEAD] = {0, DEG(10), 5, {19, 24, 27, 33, 8}},
    [TF_REGION_PERIORBITAL_RIGHT] = {DEG(-20), 0, 6, {36, 37, 38, 39, 40, 41}},
    [TF_REGION_PERIORBITAL_LEFT] = {DEG(20), 0, 6, {42, 43, 44, 45, 46, 47}},
    [TF_REGION_CANTHUS_RIGHT] = {DEG(-20), 0, 1, {39}},
    [TF_REGION_CANTHUS_LEFT] = {DEG(20), 0, 1, {42}},
    [TF_REGION_NOSE_TIP] = {0, 0, 1, {30}},
    [TF_REGION_NOSTRILS] = {0, DEG(-30), 3, {31, 33, 35}},
    [TF_REGION_PERINASAL] = {0, 0, 12, {31, 32, 33, 34, 35, 54, 53, 52, 51, 50, 49, 48}},
    [TF_REGION_CHEEK_RIGHT] = {DEG(-30), 0, 6, {36, 41, 31, 48, 2, 3}},
    [TF_REGION_CHEEK_LEFT] = {DEG(30), 0, 6, {45, 46, 35, 54, 14, 13}},
    [TF_REGION_CHIN] = {0, 0, 4, {57, 9, 8, 7}},
    [TF_REGION_MOUTH] = {0, 0, 12, {48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59}},
};
static const bool behind_lenses[TF_REGIONS] = {
    [TF_REGION_PERIORBITAL_RIGHT] = true,
    [TF_REGION_PERIORBITAL_LEFT] = true,
    [TF_REGION_CANTHUS_RIGHT] = true,
    [TF_REGION_CANTHUS_LEFT] = true,
};
static const uint8_t eyes[] = {36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47};

static bool doubtful(const struct tf_point *points, const uint8_t *which, uint32_t count)
{
    float sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += points[which[i]].confidence;
    return !(sum >= TF_REGION_DOUBTFUL * (float)count);
}

static bool turned(const struct tf_pose *pose, float azimuth, float elevation)
{
    /* A pose that is not known turns nothing away. */
    return tf_pose_facing(pose, azimuth, elevation) < cosf(DEG(TF_TURNED_ANGLE));
}

static void mark(struct tf_region_stats *stats, bool is, enum tf_region_why why)
{
    if (!is)
        return;
    stats->why |= why;
    stats->valid = false;
}

bool tf_face_can_be_thermal(const struct tf_frame *frame)
{
    return frame->pixel == TF_PIXEL_U16 || frame->pixel == TF_PIXEL_U8;
}

void tf_face_judge(struct tf_face *face, bool thermal)
{
    const struct tf_point *points = tf_face_points(face);

    face->pose = tf_pose_fit(points);
    face->glasses = thermal ? tf_covering_glasses(face->regions) : NAN;
    face->covered = NAN;
    for (int i = 0; i < TF_REGIONS; i++) {
        struct tf_region_stats *s = &face->regions[i];

        mark(s, doubtful(points, regions[i].points, regions[i].count), TF_WHY_DOUBTFUL);
        mark(s, face->glasses >= TF_COVERED && behind_lenses[i], TF_WHY_COVERED);
        mark(s, turned(&face->pose, regions[i].azimuth, regions[i].elevation), TF_WHY_TURNED);
    }
}

void tf_face_judge_own(const struct tf_face *face, struct tf_region_stats *stats)
{
    mark(stats, doubtful(tf_face_points(face), eyes, sizeof(eyes)), TF_WHY_DOUBTFUL);
    mark(stats, turned(&face->pose, 0, 0), TF_WHY_TURNED);
}
