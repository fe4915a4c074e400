/*
 * Head pose: a mean face under scaled orthographic projection, fitted by weighted least squares.
 *
 * The projection is x = s R' X + t with R' the first two rows of a rotation. Its squared error depends on the
 * points through their weighted second moments alone (C of the model, B of the points against it), so that
 * one pass over the points is all that depends on their number. Start: the affine least-squares solution
 * B C^-1 and the scaled rotation nearest to it (D. DeMenthon and L. Davis, "Model-based object pose in 25
 * lines of code", IJCV 15, 1995, has the same first step); then Gauss-Newton over scale and three angles.
 */
#include <math.h>
#include <string.h>

#include "inference/face/pose.h"

#define ROUNDS 10
#define STEP_SMALL 1e-6
/* What the least sure point still counts: a guess says more than nothing. */
#define WEIGHT_MIN 0.05f

/*
 * The mean face: x to the picture's right, y down, z away from the camera, in distances of the outer eye
 * corners (90 mm), origin midway between these. x and y are average adult proportions, those of the synthetic
 * subject (capture/synthetic_subject.c). z is put together here from adult anthropometry: outer eye corners
 * 20 mm behind the nose's root and 40 mm behind its tip, which stands 16 to 20 mm before its base, lips 25 mm
 * and chin 5 mm before them, the jaw's angle 35 mm behind and the outline at the ears 50 mm
 * (means of adults: Farkas, "Anthropometry of the Head and Face", 1994; Zhuang and Bradtmiller, J. Occup.
 * Environ. Hyg. 2, 2005). No model of anybody else's is in it.
 *
 * Weights: the jaw's points slide along the outline of a turned head and say least, brows and lips move.
 */
static const struct {
    float x, y, z, weight;
} mean_face[TF_POINTS] = {
    /* jaw, from the subject's right ear over the chin (8) to the left */
    {-0.79f, 0.03f, 0.55f, 0.02f},
    {-0.78f, 0.24f, 0.52f, 0.02f},
    {-0.75f, 0.45f, 0.48f, 0.02f},
    {-0.70f, 0.65f, 0.44f, 0.02f},
    {-0.62f, 0.84f, 0.38f, 0.02f},
    {-0.50f, 1.01f, 0.28f, 0.02f},
    {-0.35f, 1.14f, 0.14f, 0.02f},
    {-0.18f, 1.24f, 0.00f, 0.02f},
    {0.00f, 1.27f, -0.06f, 0.02f},
    {0.18f, 1.24f, 0.00f, 0.02f},
    {0.35f, 1.14f, 0.14f, 0.02f},
    {0.50f, 1.01f, 0.28f, 0.02f},
    {0.62f, 0.84f, 0.38f, 0.02f},
    {0.70f, 0.65f, 0.44f, 0.02f},
    {0.75f, 0.45f, 0.48f, 0.02f},
    {0.78f, 0.24f, 0.52f, 0.02f},
    {0.79f, 0.03f, 0.55f, 0.02f},
    /* brows */
    {-0.66f, -0.14f, 0.07f, 0.6f},
    {-0.56f, -0.23f, -0.05f, 0.6f},
    {-0.42f, -0.27f, -0.12f, 0.6f},
    {-0.28f, -0.25f, -0.17f, 0.6f},
    {-0.14f, -0.20f, -0.20f, 0.6f},
    {0.14f, -0.20f, -0.20f, 0.6f},
    {0.28f, -0.25f, -0.17f, 0.6f},
    {0.42f, -0.27f, -0.12f, 0.6f},
    {0.56f, -0.23f, -0.05f, 0.6f},
    {0.66f, -0.14f, 0.07f, 0.6f},
    /* bridge to tip; nostrils */
    {0.00f, -0.02f, -0.22f, 1},
    {0.00f, 0.12f, -0.30f, 1},
    {0.00f, 0.26f, -0.39f, 1},
    {0.00f, 0.40f, -0.44f, 1},
    {-0.16f, 0.49f, -0.21f, 1},
    {-0.08f, 0.52f, -0.24f, 1},
    {0.00f, 0.54f, -0.26f, 1},
    {0.08f, 0.52f, -0.24f, 1},
    {0.16f, 0.49f, -0.21f, 1},
    /* eyes */
    {-0.50f, 0.00f, 0.00f, 1},
    {-0.41f, -0.06f, -0.06f, 1},
    {-0.30f, -0.06f, -0.09f, 1},
    {-0.21f, 0.02f, -0.09f, 1},
    {-0.31f, 0.04f, -0.09f, 1},
    {-0.42f, 0.04f, -0.06f, 1},
    {0.21f, 0.02f, -0.09f, 1},
    {0.30f, -0.06f, -0.09f, 1},
    {0.41f, -0.06f, -0.06f, 1},
    {0.50f, 0.00f, 0.00f, 1},
    {0.42f, 0.04f, -0.06f, 1},
    {0.31f, 0.04f, -0.09f, 1},
    /* outer lip */
    {-0.31f, 0.74f, -0.08f, 0.2f},
    {-0.20f, 0.69f, -0.18f, 0.2f},
    {-0.08f, 0.66f, -0.25f, 0.2f},
    {0.00f, 0.68f, -0.26f, 0.2f},
    {0.08f, 0.66f, -0.25f, 0.2f},
    {0.20f, 0.69f, -0.18f, 0.2f},
    {0.31f, 0.74f, -0.08f, 0.2f},
    {0.20f, 0.85f, -0.15f, 0.2f},
    {0.09f, 0.90f, -0.20f, 0.2f},
    {0.00f, 0.91f, -0.21f, 0.2f},
    {-0.09f, 0.90f, -0.20f, 0.2f},
    {-0.20f, 0.85f, -0.15f, 0.2f},
    /* inner lip */
    {-0.27f, 0.74f, -0.09f, 0.15f},
    {-0.08f, 0.735f, -0.22f, 0.15f},
    {0.00f, 0.745f, -0.23f, 0.15f},
    {0.08f, 0.735f, -0.22f, 0.15f},
    {0.27f, 0.74f, -0.09f, 0.15f},
    {0.08f, 0.785f, -0.21f, 0.15f},
    {0.00f, 0.79f, -0.21f, 0.15f},
    {-0.08f, 0.785f, -0.21f, 0.15f},
};

struct moments {
    double c[3][3]; /* of the model */
    double b[2][3]; /* of the points against the model */
};

/* Picture coordinates are taken from the first point and by the face's size: float inputs, double sums. */
static bool take_moments(const struct tf_point *points, struct moments *m)
{
    double w = 0, p[2] = {0}, q[3] = {0}, pq[2][3] = {{0}}, qq[3][3] = {{0}};
    double size = 0;

    for (int k = 0; k < TF_POINTS; k++) {
        if (!isfinite(points[k].x) || !isfinite(points[k].y))
            return false;
        size = fmax(size, fmax(fabs((double)points[k].x - (double)points[0].x),
                               fabs((double)points[k].y - (double)points[0].y)));
    }
    if (!(size > 0) || !isfinite(size))
        return false;
    for (int k = 0; k < TF_POINTS; k++) {
        double sure = points[k].confidence > WEIGHT_MIN ? (double)points[k].confidence : (double)WEIGHT_MIN;
        double wk = (double)mean_face[k].weight * sure;
        double x[2] = {((double)points[k].x - (double)points[0].x) / size,
                       ((double)points[k].y - (double)points[0].y) / size};
        double y[3] = {(double)mean_face[k].x, (double)mean_face[k].y, (double)mean_face[k].z};

        w += wk;
        for (int j = 0; j < 3; j++) {
            q[j] += wk * y[j];
            for (int i = 0; i < 2; i++)
                pq[i][j] += wk * x[i] * y[j];
            for (int i = 0; i <= j; i++)
                qq[i][j] += wk * y[i] * y[j];
        }
        for (int i = 0; i < 2; i++)
            p[i] += wk * x[i];
    }
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 2; i++)
            m->b[i][j] = pq[i][j] / w - p[i] * q[j] / (w * w);
        for (int i = 0; i <= j; i++)
            m->c[i][j] = m->c[j][i] = qq[i][j] / w - q[i] * q[j] / (w * w);
    }
    return true;
}

static void cross(const double a[3], const double b[3], double ret[3])
{
    ret[0] = a[1] * b[2] - a[2] * b[1];
    ret[1] = a[2] * b[0] - a[0] * b[2];
    ret[2] = a[0] * b[1] - a[1] * b[0];
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Solves a symmetric positive system of n equations in place (Cholesky); false: it is none. */
static bool solve(double a[4][4], double x[4], int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i][j];

            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i == j) {
                if (!(sum > 1e-15))
                    return false;
                a[i][i] = sqrt(sum);
            } else {
                a[i][j] = sum / a[j][j];
            }
        }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++)
            x[i] -= a[i][k] * x[k];
        x[i] /= a[i][i];
    }
    for (int i = n; i-- > 0;) {
        for (int k = i + 1; k < n; k++)
            x[i] -= a[k][i] * x[k];
        x[i] /= a[i][i];
    }
    return true;
}

/* The scaled rotation nearest to the affine map: rows made alike in length and upright to each other. */
static bool start(const struct moments *m, double r[3][3], double *scale)
{
    double a[2][3];

    for (int i = 0; i < 2; i++) {
        double c[4][4] = {{0}}, x[4] = {m->b[i][0], m->b[i][1], m->b[i][2]};

        for (int j = 0; j < 3; j++)
            memcpy(c[j], m->c[j], sizeof(m->c[j]));
        if (!solve(c, x, 3))
            return false;
        memcpy(a[i], x, sizeof(a[i]));
    }
    /* (A A')^(-1/2) A by the closed form of a 2 x 2 root. */
    double p = dot(a[0], a[0]), q = dot(a[0], a[1]), s = dot(a[1], a[1]);
    double root = sqrt(fmax(p * s - q * q, 0)), trace = sqrt(p + s + 2 * root);
    double u = (p + root) / trace, v = q / trace, w = (s + root) / trace, det = u * w - v * v;

    if (!(root > 1e-9 * (p + s)) || !(det > 0))
        return false;
    for (int j = 0; j < 3; j++) {
        r[0][j] = (w * a[0][j] - v * a[1][j]) / det;
        r[1][j] = (u * a[1][j] - v * a[0][j]) / det;
    }
    cross(r[0], r[1], r[2]);
    *scale = (u + w) / 2;
    return true;
}

/* One Gauss-Newton step over the scale and a small turn of the picture's axes. */
static bool step(const struct moments *m, double r[3][3], double *scale, double *length)
{
    double g[4][2][3], left[2][3], n[4][4], x[4];

    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) {
            left[i][j] = m->b[i][j];
            for (int k = 0; k < 3; k++)
                left[i][j] -= *scale * r[i][k] * m->c[k][j];
        }
    /* d(s exp([w]) R): rows of w x R. */
    for (int j = 0; j < 3; j++) {
        g[0][0][j] = r[0][j];
        g[0][1][j] = r[1][j];
        g[1][0][j] = 0;
        g[1][1][j] = -*scale * r[2][j];
        g[2][0][j] = *scale * r[2][j];
        g[2][1][j] = 0;
        g[3][0][j] = -*scale * r[1][j];
        g[3][1][j] = *scale * r[0][j];
    }
    for (int a = 0; a < 4; a++) {
        double gc[2][3] = {{0}};

        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 3; k++)
                    gc[i][j] += g[a][i][k] * m->c[k][j];
        for (int b = 0; b < 4; b++)
            n[a][b] = dot(gc[0], g[b][0]) + dot(gc[1], g[b][1]);
        x[a] = dot(g[a][0], left[0]) + dot(g[a][1], left[1]);
    }
    if (!solve(n, x, 4))
        return false;
    *scale += x[0];
    *length = sqrt(x[1] * x[1] + x[2] * x[2] + x[3] * x[3]);
    /* exp([w]) R: Rodrigues' formula. */
    double sine = *length > 1e-9 ? sin(*length) / *length : 1;
    double less = *length > 1e-9 ? (1 - cos(*length)) / (*length * *length) : 0.5;
    const double *w = x + 1;
    for (int j = 0; j < 3; j++) {
        double v[3] = {r[0][j], r[1][j], r[2][j]}, wv[3], wwv[3];

        cross(w, v, wv);
        cross(w, wv, wwv);
        for (int i = 0; i < 3; i++)
            r[i][j] = v[i] + sine * wv[i] + less * wwv[i];
    }
    return *scale > 0;
}

struct tf_pose tf_pose_fit(const struct tf_point points[TF_POINTS])
{
    struct tf_pose pose = {NAN, NAN, NAN};
    const double degrees = 180 / M_PI;
    struct moments m;
    double r[3][3], scale, length;

    if (!take_moments(points, &m) || !start(&m, r, &scale))
        return pose;
    for (int i = 0; i < ROUNDS; i++) {
        if (!step(&m, r, &scale, &length))
            return pose;
        if (length < STEP_SMALL)
            break;
    }
    /* R = Rx(-pitch) Ry(-yaw) Rz(roll). */
    pose.yaw = (float)(-asin(fmax(-1, fmin(1, r[0][2]))) * degrees);
    pose.pitch = (float)(-atan2(-r[1][2], r[2][2]) * degrees);
    pose.roll = (float)(atan2(-r[0][1], r[0][0]) * degrees);
    return pose;
}

float tf_pose_facing(const struct tf_pose *pose, float azimuth, float elevation)
{
    const float radians = (float)M_PI / 180;
    float a = -pose->pitch * radians, b = -pose->yaw * radians, c = pose->roll * radians;
    /* The rotation's last row; straight ahead is -z. */
    float x = sinf(a) * sinf(c) - cosf(a) * cosf(c) * sinf(b);
    float y = cosf(c) * sinf(a) + cosf(a) * sinf(b) * sinf(c);
    float z = cosf(a) * cosf(b);

    return -(x * sinf(azimuth) * cosf(elevation) - y * sinf(elevation) - z * cosf(azimuth) * cosf(elevation));
}
