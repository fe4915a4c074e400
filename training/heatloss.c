/* The maps' loss and its gradient in two passes over each map (losses.py builds and calls this; formulas
 * there). */
#include <math.h>
#include <stdint.h>

#define CELLS_MAX 4096

/*
 * z [maps][h][w]: logits. gx [maps][w], gy [maps][h]: the Gaussian's two factors. v [maps][2]: the points,
 * 0..1. share [maps]: weight of the map's point; flat [maps]: weight of being flat. settings: coordinates,
 * anchor, floor, deep. Writes the gradient g, as z. Returns the loss.
 */
double tf_heat_loss(int64_t maps, int64_t h, int64_t w, const float *z, const float *gx, const float *gy,
                    const float *v, const float *share, const float *flat, const float *settings, float *g)
{
    const int64_t cells = h * w, total = maps * cells;
    const float coordinates = settings[0], anchor = settings[1], floor_ = settings[2], deep = settings[3];
    double loss = 0, squares = 0, deeps = 0;

    if (cells > CELLS_MAX)
        return NAN;
    for (int64_t m = 0; m < maps; m++) {
        const float *a = z + m * cells, *ax = gx + m * w, *ay = gy + m * h;
        float *b = g + m * cells, p[CELLS_MAX];
        float top = a[0], sum = 0, mean = 0, square = 0, low = 0, px = 0, py = 0, cross = 0;

        for (int64_t i = 0; i < cells; i++)
            top = a[i] > top ? a[i] : top;
        for (int64_t i = 0; i < cells; i++)
            p[i] = expf(a[i] - top);
        for (int64_t y = 0; y < h; y++) {
            float row = 0, across = 0, line = 0;

            for (int64_t x = 0; x < w; x++) {
                const float value = a[y * w + x], e = p[y * w + x], under = fmaxf(top - deep - value, 0);

                row += e;
                across += e * ((float)x + 0.5f);
                line += value * ax[x];
                mean += value;
                square += value * value;
                low += under * under;
            }
            sum += row;
            px += across;
            py += row * ((float)y + 0.5f);
            cross += line * ay[y];
        }
        const float log_total = top + logf(sum), one = 1 / sum;
        const float dx = px * one / (float)w - v[2 * m], dy = py * one / (float)h - v[2 * m + 1];
        const float length = sqrtf(dx * dx + dy * dy), d = length * (float)w;
        const float s = share[m], even = flat[m];

        loss += s * (0.35f * (log_total - cross) + coordinates * (d + 0.3f * log1pf(d / 0.3f))) +
                even * (log_total - mean / (float)cells);
        squares += square;
        deeps += low;

        const float pull = s * coordinates * (1 + 1 / (1 + d / 0.3f)) * (float)w / fmaxf(length, 1e-6f);
        const float ce = 0.35f * s, flatten = even / (float)cells, down = floor_ * 2 / (float)total,
                    level = anchor * 2 / (float)total;
        float drift = 0;

        for (int64_t y = 0; y < h; y++) {
            const float vertical =
                pull * dy * (((float)y + 0.5f) / (float)h - (dy + v[2 * m + 1])) + ce + even;

            for (int64_t x = 0; x < w; x++) {
                const int64_t i = y * w + x;
                const float horizontal = pull * dx * (((float)x + 0.5f) / (float)w - (dx + v[2 * m]));
                const float value = p[i] * one * (horizontal + vertical) - ce * ay[y] * ax[x] - flatten -
                                    down * fmaxf(top - deep - a[i], 0);

                b[i] = value;
                drift += value;
            }
        }
        drift /= (float)cells;
        for (int64_t i = 0; i < cells; i++)
            b[i] += level * a[i] - drift;
    }
    return loss + anchor * squares / (double)total + floor_ * deeps / (double)total;
}
