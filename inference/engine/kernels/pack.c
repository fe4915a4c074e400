/* Weights in the order in which a convolution kernel reads them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inference/engine/kernels/pack.h"

/* One entry before it is laid into panels: where it reads, and which columns of the weight matrix it takes.
 */
struct column {
    int32_t off, k, n;
};

/* With chunks, each run is filled up to whole ones by columns without weights. */
static struct column *columns_of(const struct tf_conv_spec *spec, bool chunks, int *count)
{
    int64_t total = 0;
    int32_t k = 0;
    int n = 0;
    struct column *columns;

    for (int i = 0; i < spec->run_count; i++)
        total += spec->runs[i].len / 4 + 2 + (chunks ? TF_CHUNK : 0);
    columns = malloc((size_t)total * sizeof(*columns));
    if (!columns)
        return NULL;
    for (int i = 0; i < spec->run_count;) {
        int32_t off = spec->runs[i].off, len = spec->runs[i].len;
        for (i++; i < spec->run_count && spec->runs[i].off == off + len; i++)
            len += spec->runs[i].len;
        for (int32_t at = 0; at < len; at += 4, n++) {
            columns[n] = (struct column){.off = off + at, .k = k + at, .n = len - at < 4 ? len - at : 4};
        }
        for (int32_t at = (len + 3) / 4 * 4; chunks && n % TF_CHUNK; at += 4, n++)
            columns[n] = (struct column){.off = off + at, .k = 0, .n = 0};
        k += len;
    }
    *count = n;
    return columns;
}

static int weight_count(const struct tf_conv_spec *spec)
{
    int k = 0;

    for (int i = 0; i < spec->run_count; i++)
        k += spec->runs[i].len;
    return k;
}

static bool unsafe(int a, int b)
{
    int positive = (a > 0 ? a : 0) + (b > 0 ? b : 0), negative = (a < 0 ? a : 0) + (b < 0 ? b : 0);
    return positive > 128 || negative < -128;
}

/* Which of an entry's numbers stands at place k of 16-bit weights: of every 8 channels the order is 0 1 4 5,
 * 2 3 6 7, so that one horizontal addition of two vectors gives the 8 sums in their order. */
static int wide_source(int k)
{
    static const int order[8] = {0, 1, 4, 5, 2, 3, 6, 7};

    return k / 32 * 32 + order[k / 4 % 8] * 4 + k % 4;
}

/* Writes the weights of an entry. Whether all its pairs are safe. */
static bool fill_entry(const struct tf_conv_spec *spec, const struct column *c, int oc0, int n, int width,
                       int total, int8_t *w)
{
    bool safe = true;

    memset(w, 0, (size_t)width * 4);
    for (int j = 0; j < n; j++) {
        memcpy(w + j * 4, spec->w + (size_t)(oc0 + j) * (size_t)total + c->k, (size_t)c->n);
        safe = safe && !unsafe(w[j * 4], w[j * 4 + 1]) && !unsafe(w[j * 4 + 2], w[j * 4 + 3]);
    }
    return safe;
}

/* How many entries of a panel need weights of 16 bits. */
static int wide_of(const struct tf_kernel *kernel, const struct tf_conv_spec *spec,
                   const struct column *columns, int column_count, int oc0, int n)
{
    const int width = (n + kernel->unit - 1) / kernel->unit * kernel->unit, total = weight_count(spec);
    int8_t scratch[64 * 4];
    int wide = 0;

    for (int i = 0; kernel->pairs && i < column_count; i++)
        wide += !fill_entry(spec, &columns[i], oc0, n, width, total, scratch);
    return wide;
}

/*
 * Fewer channels in a panel need fewer wide entries. Whether a panel of several units is better taken apart:
 * by a tenth, since each part broadcasts the pixels again. By instructions per pixel: three for a vector of
 * an entry, with 16-bit weights four, and one for the pixel.
 */
static bool falls_apart(const struct tf_kernel *kernel, const struct tf_conv_spec *spec,
                        const struct column *columns, int column_count, int oc0, int n)
{
    int64_t whole = 0, parts = 0;

    if (!kernel->pairs || n <= kernel->unit)
        return false;
    for (int at = 0; at < n; at += kernel->unit) {
        const int wide = wide_of(kernel, spec, columns, column_count, oc0 + at,
                                 n - at < kernel->unit ? n - at : kernel->unit);
        parts += 3LL * column_count + 2LL * wide;
        whole += 3LL * column_count;
    }
    whole += ((n + kernel->unit - 1) / kernel->unit + 1) *
             (int64_t)wide_of(kernel, spec, columns, column_count, oc0, n);
    return parts * 10 < whole * 9;
}

static int pack_panel(struct tf_mem *mem, const struct tf_kernel *kernel, const struct tf_conv_spec *spec,
                      const struct column *columns, int column_count, int oc0, int n,
                      struct tf_conv_panel *panel, size_t *bytes)
{
    const int width = (n + kernel->unit - 1) / kernel->unit * kernel->unit, total = weight_count(spec),
              wide = wide_of(kernel, spec, columns, column_count, oc0, n), entries = column_count - wide;
    /* Kernels prefetch a little past the end. */
    int32_t *koff = tf_mem_alloc(mem, (size_t)column_count + 16, sizeof(*koff)),
            *bias = tf_mem_alloc(mem, (size_t)width, sizeof(*bias));
    int8_t *w = tf_mem_alloc(mem, ((size_t)entries + 1) * (size_t)width, 4);
    int16_t *w16 = wide ? tf_mem_alloc(mem, (size_t)wide * (size_t)width, 8) : NULL;
    float *scale = tf_mem_alloc(mem, (size_t)width, sizeof(*scale));
    bool bounded = true;

    if (!koff || !w || (wide && !w16) || !bias || !scale)
        return -ENOMEM;
    for (int i = 0, e = 0, u = 0; i < column_count; i++) {
        int8_t scratch[64 * 4];

        if (fill_entry(spec, &columns[i], oc0, n, width, total, scratch) || !kernel->pairs) {
            memcpy(w + (size_t)e * (size_t)width * 4, scratch, (size_t)width * 4);
            koff[e++] = columns[i].off;
            continue;
        }
        for (int k = 0; k < width * 4; k++)
            w16[u * width * 4 + k] = scratch[wide_source(k)];
        koff[entries + u++] = columns[i].off;
    }
    for (int j = 0; j < n; j++) {
        uint32_t sum = 0;
        for (int k = 0; k < total; k++)
            sum += (uint32_t)spec->w[(size_t)(oc0 + j) * (size_t)total + k];
        bias[j] = (int32_t)((uint32_t)spec->bias[oc0 + j] -
                            (uint32_t)(spec->in_zp - (kernel->shifted ? 128 : 0)) * sum);
        scale[j] = spec->scale[oc0 + j];
        bounded = bounded && scale[j] < 1.0f && scale[j] > -1.0f;
    }
    *panel = (struct tf_conv_panel){.koff = koff,
                                    .w = w,
                                    .w16 = w16,
                                    .bias = bias,
                                    .scale = scale,
                                    .entries = entries,
                                    .wide = wide,
                                    .n = n,
                                    .oc = oc0,
                                    .bounded = bounded};
    *bytes +=
        ((size_t)entries * 4 + (size_t)wide * 8 + 8) * (size_t)width + (size_t)column_count * sizeof(*koff);
    return 0;
}

int tf_conv_pack(struct tf_mem *mem, const struct tf_kernel *kernel, const struct tf_conv_spec *spec,
                 struct tf_conv_packed *ret)
{
    int units = (spec->oc + kernel->unit - 1) / kernel->unit, most = kernel->panel / kernel->unit,
        panels = (units + most - 1) / most, column_count, r = 0;
    struct column *columns = columns_of(spec, kernel->tiles, &column_count);

    *ret = (struct tf_conv_packed){.panels = tf_mem_alloc(mem, (size_t)units + 1, sizeof(*ret->panels))};
    if (!columns || !ret->panels)
        r = -ENOMEM;
    /* Panels of nearly equal width: 96 channels as 48 + 48, not 64 + 32. */
    for (int p = 0, unit = 0; !r && p < panels; p++) {
        int take = (units - unit + panels - p - 1) / (panels - p), oc0 = unit * kernel->unit,
            end = (unit + take) * kernel->unit, n = (end < spec->oc ? end : spec->oc) - oc0,
            part = falls_apart(kernel, spec, columns, column_count, oc0, n) ? kernel->unit : n;

        for (int at = 0; !r && at < n; at += part)
            r = pack_panel(mem, kernel, spec, columns, column_count, oc0 + at, n - at < part ? n - at : part,
                           &ret->panels[ret->panel_count++], &ret->bytes);
        unit += take;
    }
    free(columns);
    return r;
}
