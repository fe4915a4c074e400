/* thermoface run --list: what each share of a data set would make, and what of it is done. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/run_merge.h"
#include "cli/run_result.h"

/* Text that JSON can hold; a path may be in any encoding. */
static json_t *text(const char *bytes)
{
    json_t *ret = json_string(bytes);

    if (!ret && bytes) {
        char *copy = strdup(bytes);

        for (char *c = copy; c && *c; c++)
            if (*c & 0x80)
                *c = '?';
        ret = json_string(copy);
        free(copy);
    }
    return ret ? ret : json_null();
}

static json_t *describe(const struct tf_run_item *item, const char *state, const char *why)
{
    json_t *o = json_object();

    json_object_set_new(o, "shard", json_integer(item->shard));
    json_object_set_new(o, "recording", text(item->name));
    json_object_set_new(o, "input", text(item->input));
    json_object_set_new(o, "kind", json_string(item->recording ? "recording" : "video"));
    json_object_set_new(o, "frames", item->from ? json_integer((json_int_t)item->frames) : json_null());
    json_object_set_new(o, "frames_from", json_string(tf_frames_from_name(item->from)));
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "why", *why ? text(why) : json_null());
    json_object_set_new(o, "results", text(item->out));
    json_object_set_new(o, "stem", text(item->stem));
    return o;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Frames of all shares, and of the largest and the smallest. */
struct totals {
    int recordings, done, todo, broken;
    uint64_t frames, frames_todo, most, least;
};

static void print_row(const struct tf_run_item *item, uint32_t shards, const char *state, const char *why)
{
    char share[32], frames[32] = "?";

    snprintf(share, sizeof(share), "%" PRIu32 "/%" PRIu32, item->shard, shards);
    if (item->from)
        snprintf(frames, sizeof(frames), "%s%" PRIu64, item->from == TF_FRAMES_ESTIMATE ? "~" : "",
                 item->frames);
    printf("%-10s %10s  %-6s  %s%s%s\n", share, frames, state, item->name, *why ? ": " : "", why);
}

static void print_totals(const struct totals *t, uint32_t shard, uint32_t shards)
{
    if (shard)
        printf("share %" PRIu32 " of %" PRIu32 ": ", shard, shards);
    else if (shards > 1)
        printf("%" PRIu32 " shares of %" PRIu64 " to %" PRIu64 " frames: ", shards, t->least, t->most);
    printf("%d recording%s, %" PRIu64 " frame%s; %d done, %d to do (%" PRIu64
           " frame%s), %d that cannot be made\n",
           t->recordings, TF_PLURAL(t->recordings), t->frames, TF_PLURAL(t->frames), t->done, t->todo,
           t->frames_todo, TF_PLURAL(t->frames_todo), t->broken);
}

static int print_json(json_t *list, json_t *loads, const struct totals *t, uint32_t shard, uint32_t shards)
{
    json_t *o =
        json_pack("{s:o,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:o,s:o}", "shard",
                  shard ? json_integer(shard) : json_null(), "shards", (int)shards, "count", t->recordings,
                  "done", t->done, "todo", t->todo, "broken", t->broken, "frames", (json_int_t)t->frames,
                  "frames_todo", (json_int_t)t->frames_todo, "loads", loads, "recordings", list);
    char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;

    json_decref(o);
    if (!line)
        return -1;
    puts(line);
    free(line);
    return 0;
}

int tf_run_list(const struct tf_dataset *d, const json_t *maker, uint32_t shard, uint32_t shards)
{
    uint64_t *loads = calloc(shards, sizeof(*loads));
    json_t *list = json_array(), *sums = json_array();
    struct totals t = {0};
    int r = loads && list && sums && maker ? 0 : -1;

    if (r == 0 && !d->run->json)
        printf("%-10s %10s  %-6s  %s\n", "share", "frames", "state", "recording");
    for (int i = 0; i < d->count && r == 0 && !tf_interrupted(); i++) {
        const struct tf_run_item *item = &d->items[i];
        const char *name = "broken", *why = item->problem;
        char text_of_why[512];

        loads[item->shard - 1] += item->frames;
        if (shard && item->shard != shard)
            continue;
        if (!item->problem) {
            json_t *expect = tf_result_expect(maker, item);
            enum tf_result_state state = tf_result_look(item, expect, false, text_of_why, NULL);

            json_decref(expect);
            name = tf_result_state_name(state);
            why = state == TF_RESULT_HALF || state == TF_RESULT_STALE ? text_of_why : "";
            t.done += state == TF_RESULT_DONE;
            t.todo += state != TF_RESULT_DONE;
            t.frames_todo += state != TF_RESULT_DONE ? item->frames : 0;
        } else {
            t.broken++;
        }
        t.recordings++;
        t.frames += item->frames;
        if (d->run->json)
            json_array_append_new(list, describe(item, name, why));
        else
            print_row(item, shards, name, why);
    }
    for (uint32_t i = 0; r == 0 && d->run->json && i < shards; i++)
        json_array_append_new(sums, json_integer((json_int_t)loads[i]));
    if (r == 0) {
        qsort(loads, shards, sizeof(*loads), by_number);
        t.least = loads[0];
        t.most = loads[shards - 1];
    }
    free(loads);
    if (r == 0 && d->run->json) {
        r = print_json(list, sums, &t, shard, shards);
    } else {
        json_decref(list);
        json_decref(sums);
        if (r == 0)
            print_totals(&t, shard, shards);
    }
    if (r < 0)
        return tf_command_error(d->usage, "out of memory");
    if (tf_interrupted())
        return tf_command_error(d->usage, "stopped before the end of the list");
    return TF_EXIT_OK;
}
