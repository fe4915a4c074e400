/* Region means at a steady rate. A sample is the mean of the frames within its time; where no frame had a
 * valid value it is n/a: nothing is interpolated. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "publish/recording/tables_disk.h"
#include "publish/record/text_out.h"

#define LINE_BYTES 2048
#define VALUES (TF_REGIONS + 1 + TF_OWN_MAX)
#define PACKED_BYTES 65536
/* A camera that was away for a week is a week of n/a; more is a damaged clock. */
#define PAUSE_MAX_S (7 * 86400.0)

struct tf_physio {
    struct tf_disk_file *file;
    z_stream z;
    bool z_open, broken;
    double rate;
    uint64_t t_start_ns;
    uint64_t bin; /* the one that is being filled */
    uint64_t flush_every;
    /* The built-in regions, nose minus forehead, own regions of faces, then of the picture. */
    double sum[VALUES];
    uint32_t count[VALUES], frames;
    int own_faces, own_areas;
    char line[LINE_BYTES];
    unsigned char packed[PACKED_BYTES];
};

int tf_physio_create(const struct tf_tables_options *o, struct tf_disk_file *file, struct tf_physio **ret,
                     struct tf_error *err)
{
    struct tf_physio *p = calloc(1, sizeof(*p));

    /* 15 + 16: the largest window, and gzip's head instead of zlib's: without a name or a time in it, so that
     * the same samples give the same bytes. */
    if (!p || deflateInit2(&p->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(p);
        return tf_fail(err, -ENOMEM, "%s: out of memory", o->stem);
    }
    p->z_open = true;
    p->file = file;
    p->rate = o->physio_rate > 0 ? (double)o->physio_rate : TF_PHYSIO_RATE;
    p->t_start_ns = o->t_start_ns;
    p->own_faces = (int)o->own->faces;
    p->own_areas = (int)o->own->areas;
    p->flush_every = p->rate > 1 ? (uint64_t)p->rate : 1;
    *ret = p;
    return 0;
}

/* Returns 1 when bytes could not be taken: what would follow cannot be unpacked any more. */
static int pack(struct tf_physio *p, size_t size, int flush, bool wait)
{
    int r;

    if (p->broken)
        return 1;
    p->z.next_in = (unsigned char *)p->line;
    p->z.avail_in = (unsigned)size;
    do {
        size_t n;

        p->z.next_out = p->packed;
        p->z.avail_out = sizeof(p->packed);
        r = deflate(&p->z, flush);
        n = sizeof(p->packed) - p->z.avail_out;
        if (n && tf_disk_write(p->file, p->packed, n, wait) < 0) {
            p->broken = true;
            return 1;
        }
    } while (p->z.avail_out == 0 || (flush == Z_FINISH && r != Z_STREAM_END));
    return 0;
}

static void put_mean(struct tf_out *o, const struct tf_physio *p, int value)
{
    if (p->count[value])
        tf_out_real(o, p->sum[value] / p->count[value], 3);
    else
        tf_out_literal(o, "n/a");
}

static int put_sample(struct tf_physio *p, bool wait)
{
    struct tf_out out = {.at = p->line, .end = p->line + sizeof(p->line)}, *o = &out;
    bool flush = p->bin % p->flush_every == p->flush_every - 1;

    for (int i = 0; i <= TF_REGIONS; i++) {
        put_mean(o, p, i);
        tf_out_literal(o, "\t");
    }
    tf_out_uint(o, p->frames);
    for (int i = 0; i < p->own_faces + p->own_areas; i++) {
        tf_out_literal(o, "\t");
        put_mean(o, p, TF_REGIONS + 1 + i);
    }
    tf_out_literal(o, "\n");
    memset(p->sum, 0, sizeof(p->sum));
    memset(p->count, 0, sizeof(p->count));
    p->frames = 0;
    p->bin++;
    /* About once a second what is there can be unpacked even after a crash. */
    return pack(p, (size_t)(o->at - p->line), flush ? Z_SYNC_FLUSH : Z_NO_FLUSH, wait);
}

static void add_means(struct tf_physio *p, const struct tf_region_stats *s, int count, int from)
{
    for (int i = 0; i < count; i++) {
        if (!s[i].valid)
            continue;
        p->sum[from + i] += (double)s[i].mean;
        p->count[from + i]++;
    }
}

int tf_physio_row(struct tf_physio *p, const struct tf_record *r, bool wait)
{
    const struct tf_region_stats *s = r->faces.count ? r->faces.faces[0].regions : NULL;
    double at = r->t_mono_ns < p->t_start_ns ? 0 : (double)(r->t_mono_ns - p->t_start_ns) * p->rate / 1e9;
    int lost = 0;

    if (r->t_mono_ns < p->t_start_ns || p->broken)
        return p->broken;
    if (at - (double)p->bin > PAUSE_MAX_S * p->rate) {
        p->broken = true;
        return 1;
    }
    while (p->bin < (uint64_t)at)
        lost += put_sample(p, wait);
    add_means(p, r->own.area, p->own_areas, TF_REGIONS + 1 + p->own_faces);
    if (!s)
        return lost;
    p->frames++;
    add_means(p, s, TF_REGIONS, 0);
    add_means(p, r->own.face[0], p->own_faces, TF_REGIONS + 1);
    if (s[TF_REGION_NOSE_TIP].valid && s[TF_REGION_FOREHEAD].valid) {
        p->sum[TF_REGIONS] += (double)s[TF_REGION_NOSE_TIP].mean - (double)s[TF_REGION_FOREHEAD].mean;
        p->count[TF_REGIONS]++;
    }
    return lost;
}

int tf_physio_end(struct tf_physio *p, bool wait)
{
    int lost = put_sample(p, wait);

    return lost + pack(p, 0, Z_FINISH, wait);
}

void tf_physio_destroy(struct tf_physio *p)
{
    if (!p)
        return;
    if (p->z_open)
        deflateEnd(&p->z);
    free(p);
}
