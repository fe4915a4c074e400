/* thermoface run: shares of a data set, balanced by frames that are counted without decoding. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/source.h"
#include "cli/run_dataset.h"
#include "pipeline/pipeline.h"

/* Of a file that says nothing: a Lepton's picture as it is. A guess balances better than none. */
#define FRAME_BYTES_GUESS 38400

const char *tf_frames_from_name(enum tf_frames_from from)
{
    static const char *const names[] = {"unknown", "sidecar", "table", "index", "estimate"};

    return names[from];
}

/* A recording that was ended properly says how many rows it has. */
static bool count_sidecar(struct tf_run_item *item)
{
    char path[4096 + 640];
    json_t *d;
    const json_t *rows;
    bool counted = false;

    snprintf(path, sizeof(path), "%s_video.json", item->input);
    d = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    rows = json_object_get(d, "RowCount");
    if (json_is_true(json_object_get(d, "Complete")) && json_is_integer(rows) &&
        json_integer_value(rows) >= 0) {
        item->frames = (uint64_t)json_integer_value(rows);
        item->from = TF_FRAMES_SIDECAR;
        counted = true;
    }
    json_decref(d);
    return counted;
}

static void count_source(struct tf_run_item *item, const struct tf_run *run)
{
    struct tf_pipeline_options options = tf_run_options(run);
    struct tf_source *source = NULL;
    char url[4096 + 640];
    struct stat st;
    bool opened = false;

    snprintf(url, sizeof(url), "%s%s", item->recording ? "recording:" : "file:", item->input);
    options.source.url = url;
    options.source.limit = 0;
    if (item->recording)
        options.source.format = NULL;
    if (options.source.rotate == TF_ROTATE_AUTO)
        options.source.rotate = 0;
    if (tf_source_open(&options.source, &source, NULL) == 0) {
        item->frames = tf_source_info(source)->frames;
        item->from = item->recording ? TF_FRAMES_TABLE : TF_FRAMES_INDEX;
        tf_source_close(source);
        opened = true;
    }
    if (item->frames || item->recording)
        return;
    item->from = TF_FRAMES_UNKNOWN;
    if (opened && stat(item->input, &st) == 0) {
        item->frames = (uint64_t)st.st_size / FRAME_BYTES_GUESS + 1;
        item->from = TF_FRAMES_ESTIMATE;
    }
}

void tf_dataset_weigh(struct tf_dataset *d)
{
    for (int i = 0; i < d->count; i++) {
        struct tf_run_item *item = &d->items[i];

        if (item->problem)
            continue;
        if (!item->recording || !count_sidecar(item))
            count_source(item, d->run);
        if (d->run->limit && item->frames > d->run->limit)
            item->frames = d->run->limit;
    }
}

/* --- shares --- */

struct load {
    uint64_t frames;
    uint32_t shard;
};

static bool lighter(const struct load *a, const struct load *b)
{
    return a->frames != b->frames ? a->frames < b->frames : a->shard < b->shard;
}

/* The heap's first one has grown. */
static void sink(struct load *heap, uint32_t n)
{
    for (uint32_t i = 0;;) {
        uint32_t least = i, left = 2 * i + 1;
        struct load kept = heap[i];

        for (uint32_t k = left; k < n && k <= left + 1; k++)
            if (lighter(&heap[k], &heap[least]))
                least = k;
        if (least == i)
            return;
        heap[i] = heap[least];
        heap[least] = kept;
        i = least;
    }
}

static int by_frames(const void *a, const void *b, void *items)
{
    const struct tf_run_item *x = (struct tf_run_item *)items + *(const int *)a;
    const struct tf_run_item *y = (struct tf_run_item *)items + *(const int *)b;
    int c;

    if (x->frames != y->frames)
        return x->frames > y->frames ? -1 : 1;
    c = strcmp(x->name, y->name);
    return c ? c : *(const int *)a - *(const int *)b;
}

int tf_dataset_split(struct tf_dataset *d, uint32_t shards)
{
    /* More shares than items stay empty. */
    uint32_t n = shards < (uint32_t)d->count ? shards : (uint32_t)d->count;
    int *order = calloc((size_t)d->count + 1, sizeof(*order));
    struct load *heap = calloc((size_t)n + 1, sizeof(*heap));
    int r = order && heap ? 0 : -ENOMEM;

    for (int i = 0; r == 0 && i < d->count; i++)
        order[i] = i;
    for (uint32_t i = 0; r == 0 && i < n; i++)
        heap[i].shard = i + 1;
    if (r == 0)
        qsort_r(order, (size_t)d->count, sizeof(*order), by_frames, d->items);
    for (int i = 0; r == 0 && i < d->count; i++) {
        struct tf_run_item *item = &d->items[order[i]];

        item->shard = heap[0].shard;
        heap[0].frames += item->frames ? item->frames : 1;
        sink(heap, n);
    }
    free(order);
    free(heap);
    return r;
}
