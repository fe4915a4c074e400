/*
 * Fitting a registration to matched points.
 *
 * Homography: the normalised direct linear transformation, R. Hartley, "In Defense of the Eight-Point
 * Algorithm", PAMI 19(6), 1997, as in Hartley and Zisserman, "Multiple View Geometry", algorithm 4.2.
 * Outliers: RANSAC, M. Fischler and R. Bolles, Comm. ACM 24(6), 1981. The eigenvectors are Jacobi's, Golub
 * and Van Loan, "Matrix Computations", section 8.5.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inference/face/registration.h"

#define RANSAC_ROUNDS_MAX 3000
#define RANSAC_CERTAINTY 0.9999
#define REFINE_ROUNDS 20
/* Points whose spread across is less than this part of that along lie on a line. */
#define LINE_RATIO 0.02
#define SHARE_MIN 0.5

struct fit {
    const struct tf_match *matches;
    size_t count;
    const struct tf_fit_options *options;
    size_t sample; /* matches that determine a map */
    size_t *used;  /* scratch: indices of those that agree */
    double *errors;
};

/* One picture's points moved and scaled to mean 0 and mean distance sqrt(2). */
struct normal {
    double x, y, scale;
};

static struct normal normalise(const struct fit *f, const size_t *index, size_t n, bool thermal)
{
    struct normal t = {0};
    double distance = 0;

    for (size_t i = 0; i < n; i++) {
        const struct tf_match *m = &f->matches[index[i]];
        const double *p = thermal ? m->thermal : m->visible;

        t.x += p[0] / (double)n;
        t.y += p[1] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct tf_match *m = &f->matches[index[i]];
        const double *p = thermal ? m->thermal : m->visible;

        distance += hypot(p[0] - t.x, p[1] - t.y) / (double)n;
    }
    t.scale = distance > 0 ? M_SQRT2 / distance : 0;
    return t;
}

#define N 9
/* The eigenvector of a symmetric matrix's smallest eigenvalue; the matrix is used up. */
static void smallest_eigenvector(double a[N][N], double ret[N])
{
    double v[N][N] = {{0}};
    int least = 0;

    for (int i = 0; i < N; i++)
        v[i][i] = 1;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0, on = 0;

        for (int p = 0; p < N; p++) {
            on += a[p][p] * a[p][p];
            for (int q = p + 1; q < N; q++)
                off += a[p][q] * a[p][q];
        }
        if (off <= 1e-30 * on)
            break;
        for (int p = 0; p < N; p++)
            for (int q = p + 1; q < N; q++) {
                double theta, t, c, s;

                if (a[p][q] == 0)
                    continue;
                theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
                c = 1 / sqrt(t * t + 1);
                s = t * c;
                for (int k = 0; k < N; k++) {
                    double x = a[k][p], y = a[k][q];

                    a[k][p] = c * x - s * y;
                    a[k][q] = s * x + c * y;
                }
                for (int k = 0; k < N; k++) {
                    double x = a[p][k], y = a[q][k], vx = v[k][p], vy = v[k][q];

                    a[p][k] = c * x - s * y;
                    a[q][k] = s * x + c * y;
                    v[k][p] = c * vx - s * vy;
                    v[k][q] = s * vx + c * vy;
                }
            }
    }
    for (int i = 1; i < N; i++)
        if (a[i][i] < a[least][least])
            least = i;
    for (int i = 0; i < N; i++)
        ret[i] = v[i][least];
}

static void multiply(const double a[3][3], const double b[3][3], double ret[3][3])
{
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            ret[i][k] = a[i][0] * b[0][k] + a[i][1] * b[1][k] + a[i][2] * b[2][k];
}

/* From normalised coordinates back to pixels; the third coordinate is positive at the points' middle. */
static bool denormalise(const double h[3][3], const struct normal *thermal, const struct normal *visible,
                        double ret[3][3])
{
    const double from[3][3] = {{visible->scale, 0, -visible->scale * visible->x},
                               {0, visible->scale, -visible->scale * visible->y},
                               {0, 0, 1}};
    const double to[3][3] = {
        {1 / thermal->scale, 0, thermal->x}, {0, 1 / thermal->scale, thermal->y}, {0, 0, 1}};
    double half[3][3], whole[3][3], w;

    multiply(h, from, half);
    multiply(to, half, whole);
    w = whole[2][0] * visible->x + whole[2][1] * visible->y + whole[2][2];
    if (!(fabs(w) > 1e-12))
        return false;
    for (int i = 0; i < 9; i++)
        ret[i / 3][i % 3] = whole[i / 3][i % 3] / w;
    return true;
}

static bool solve_homography(const struct fit *f, const size_t *index, size_t n, const struct normal *thermal,
                             const struct normal *visible, double h[3][3])
{
    double a[N][N] = {{0}}, v[N];

    for (size_t i = 0; i < n; i++) {
        const struct tf_match *m = &f->matches[index[i]];
        double x = (m->visible[0] - visible->x) * visible->scale;
        double y = (m->visible[1] - visible->y) * visible->scale;
        double u = (m->thermal[0] - thermal->x) * thermal->scale;
        double w = (m->thermal[1] - thermal->y) * thermal->scale;
        const double rows[2][N] = {{x, y, 1, 0, 0, 0, -u * x, -u * y, -u},
                                   {0, 0, 0, x, y, 1, -w * x, -w * y, -w}};

        for (int r = 0; r < 2; r++)
            for (int p = 0; p < N; p++)
                for (int q = 0; q < N; q++)
                    a[p][q] += rows[r][p] * rows[r][q];
    }
    smallest_eigenvector(a, v);
    for (int i = 0; i < N; i++)
        h[i / 3][i % 3] = v[i];
    return true;
}

static double determinant(const double m[3][3])
{
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
           m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

/* Normal equations of three unknowns a row; coordinates are normalised, so Cramer's rule is good enough. */
static bool solve_affine(const struct fit *f, const size_t *index, size_t n, const struct normal *thermal,
                         const struct normal *visible, double h[3][3])
{
    double a[3][3] = {{0}}, b[2][3] = {{0}}, d;

    for (size_t i = 0; i < n; i++) {
        const struct tf_match *m = &f->matches[index[i]];
        const double p[3] = {(m->visible[0] - visible->x) * visible->scale,
                             (m->visible[1] - visible->y) * visible->scale, 1};

        for (int r = 0; r < 3; r++) {
            for (int c = 0; c < 3; c++)
                a[r][c] += p[r] * p[c] / (double)n;
            b[0][r] += p[r] * (m->thermal[0] - thermal->x) * thermal->scale / (double)n;
            b[1][r] += p[r] * (m->thermal[1] - thermal->y) * thermal->scale / (double)n;
        }
    }
    d = determinant(a);
    if (!(fabs(d) > 1e-12))
        return false;
    for (int row = 0; row < 2; row++)
        for (int c = 0; c < 3; c++) {
            double other[3][3];

            memcpy(other, a, sizeof(other));
            for (int r = 0; r < 3; r++)
                other[r][c] = b[row][r];
            h[row][c] = determinant(other) / d;
        }
    h[2][0] = h[2][1] = 0;
    h[2][2] = 1;
    return true;
}

static bool solve(const struct fit *f, const size_t *index, size_t n, double ret[3][3])
{
    struct normal thermal = normalise(f, index, n, true), visible = normalise(f, index, n, false);
    bool affine = f->options->model == TF_REGISTRATION_AFFINE;
    double h[3][3];

    if (!(thermal.scale > 0) || !(visible.scale > 0))
        return false;
    if (!(affine ? solve_affine : solve_homography)(f, index, n, &thermal, &visible, h) ||
        !denormalise(h, &thermal, &visible, ret))
        return false;
    if (affine) {
        /* Exactly, whatever rounding made of it. */
        ret[2][0] = ret[2][1] = 0;
        ret[2][2] = 1;
    }
    for (int i = 0; i < 9; i++)
        if (!isfinite(ret[i / 3][i % 3]))
            return false;
    return true;
}

static double error_of(const struct tf_registration *g, const struct tf_match *m)
{
    double x, y;

    if (!tf_registration_map(g, m->visible[0], m->visible[1], &x, &y))
        return INFINITY;
    return hypot(x - m->thermal[0], y - m->thermal[1]);
}

/* The matches that agree with a map, into f->used; returns how many. */
static size_t agree(const struct fit *f, const struct tf_registration *g)
{
    size_t n = 0;

    for (size_t i = 0; i < f->count; i++)
        if (error_of(g, &f->matches[i]) <= f->options->threshold_px)
            f->used[n++] = i;
    return n;
}

static uint64_t next_random(uint64_t *state)
{
    /* xorshift64*, S. Vigna, ACM TOMS 42(4), 2016: the same matches give the same map. */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

/* A map that as many matches as possible agree with; returns how many do. */
static size_t ransac(const struct fit *f, struct tf_registration *g)
{
    struct tf_registration trial = *g;
    uint64_t random = 0x9e3779b97f4a7c15ull;
    size_t best = 0, rounds = RANSAC_ROUNDS_MAX;

    for (size_t round = 0; round < rounds; round++) {
        size_t index[4], n;

        for (size_t i = 0; i < f->sample; i++) {
            bool again;

            do {
                index[i] = (size_t)(next_random(&random) % f->count);
                again = false;
                for (size_t k = 0; k < i; k++)
                    again |= index[k] == index[i];
            } while (again);
        }
        if (!solve(f, index, f->sample, trial.matrix))
            continue;
        n = agree(f, &trial);
        if (n > best) {
            double share = (double)n / (double)f->count;
            double miss = 1 - pow(share, (double)f->sample);
            double needed = miss < 1e-9 ? 1 : log(1 - RANSAC_CERTAINTY) / log(miss);

            best = n;
            memcpy(g->matrix, trial.matrix, sizeof(g->matrix));
            if (needed < (double)rounds)
                rounds = needed < 50 ? 50 : (size_t)needed;
        }
    }
    return best;
}

static bool on_a_line(const struct fit *f, size_t n, bool thermal)
{
    struct normal t = normalise(f, f->used, n, thermal);
    double xx = 0, xy = 0, yy = 0, mean, root;

    for (size_t i = 0; i < n; i++) {
        const struct tf_match *m = &f->matches[f->used[i]];
        const double *p = thermal ? m->thermal : m->visible;

        xx += (p[0] - t.x) * (p[0] - t.x);
        xy += (p[0] - t.x) * (p[1] - t.y);
        yy += (p[1] - t.y) * (p[1] - t.y);
    }
    mean = (xx + yy) / 2;
    root = hypot((xx - yy) / 2, xy);
    return !(mean - root > LINE_RATIO * LINE_RATIO * (mean + root));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void residual(const struct fit *f, size_t n, struct tf_registration *g)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        f->errors[i] = error_of(g, &f->matches[f->used[i]]);
        sum += f->errors[i] * f->errors[i];
    }
    qsort(f->errors, n, sizeof(*f->errors), compare);
    g->rms_px = sqrt(sum / (double)n);
    g->median_px = n % 2 ? f->errors[n / 2] : (f->errors[n / 2 - 1] + f->errors[n / 2]) / 2;
    g->max_px = f->errors[n - 1];
    g->points = f->count;
    g->used = n;
}

static bool inside(const double p[2], uint32_t width, uint32_t height)
{
    /* Half a picture of room: landmarks of a face at the edge lie beyond it. */
    return p[0] >= -0.5 * width && p[1] >= -0.5 * height && p[0] <= 1.5 * width && p[1] <= 1.5 * height;
}

static int check_matches(const struct fit *f, size_t least, struct tf_error *err)
{
    const struct tf_fit_options *o = f->options;

    if (f->count < least)
        return tf_fail(err, -EINVAL,
                       "%zu matched points: the %s map needs at least %zu, so that a wrong one shows",
                       f->count, tf_registration_model_name(o->model), least);
    if (f->count > TF_MATCHES_MAX)
        return tf_fail(err, -EINVAL, "more than %d matched points", TF_MATCHES_MAX);
    if (!(o->threshold_px > 0) || !isfinite(o->threshold_px))
        return tf_fail(err, -EINVAL, "the threshold must be above 0 pixels");
    for (size_t i = 0; i < f->count; i++) {
        const struct tf_match *m = &f->matches[i];

        if (!inside(m->thermal, o->thermal_width, o->thermal_height))
            return tf_fail(err, -EINVAL, "point %zu: %g, %g lies far outside the thermal picture of %ux%u",
                           i + 1, m->thermal[0], m->thermal[1], o->thermal_width, o->thermal_height);
        if (!inside(m->visible, o->visible_width, o->visible_height))
            return tf_fail(err, -EINVAL, "point %zu: %g, %g lies far outside the visible picture of %ux%u",
                           i + 1, m->visible[0], m->visible[1], o->visible_width, o->visible_height);
    }
    return 0;
}

static int fit_all(struct fit *f, struct tf_registration *g, struct tf_error *err)
{
    size_t n = ransac(f, g), before = 0;

    for (int round = 0; round < REFINE_ROUNDS && n >= f->sample && n != before; round++) {
        struct tf_registration finer = *g;

        before = agree(f, g);
        if (!solve(f, f->used, before, finer.matrix))
            break;
        n = agree(f, &finer);
        if (n < before)
            break;
        *g = finer;
    }
    n = agree(f, g);
    if ((double)n < SHARE_MIN * (double)f->count || n < f->sample)
        return tf_fail(
            err, -EINVAL,
            "only %zu of %zu points agree with one %s map within %g thermal pixels: check the points, "
            "or allow more (--threshold)",
            n, f->count, tf_registration_model_name(g->model), f->options->threshold_px);
    if (on_a_line(f, n, true) || on_a_line(f, n, false))
        return tf_fail(err, -EINVAL, "the points lie on one line: spread them over the picture");
    residual(f, n, g);
    return tf_registration_check(g, err);
}

int tf_registration_fit(const struct tf_match *matches, size_t count, const struct tf_fit_options *options,
                        struct tf_registration *ret, struct tf_error *err)
{
    bool affine = options->model == TF_REGISTRATION_AFFINE;
    struct fit f = {.matches = matches, .count = count, .options = options, .sample = affine ? 3 : 4};
    struct tf_registration g = {
        .model = options->model,
        .thermal_width = options->thermal_width,
        .thermal_height = options->thermal_height,
        .visible_width = options->visible_width,
        .visible_height = options->visible_height,
        .matrix = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    };
    int r = check_matches(&f, affine ? 4 : 6, err);

    if (r < 0)
        return r;
    f.used = malloc(count * sizeof(*f.used));
    f.errors = malloc(count * sizeof(*f.errors));
    r = f.used && f.errors ? fit_all(&f, &g, err) : tf_fail(err, -ENOMEM, "out of memory");
    free(f.used);
    free(f.errors);
    if (r == 0)
        *ret = g;
    return r;
}
