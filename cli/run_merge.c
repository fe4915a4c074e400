/* thermoface run --merge: is every recording of the data set there, whole and current? Then one table of all.
 */
#include "cli/run_merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/run_place.h"
#include "cli/run_result.h"

#define PATH_BYTES 4096

/* Where the table of all goes: --output, or the one folder that all results are in. NULL: said. */
static const char *folder_of(const struct tf_dataset *d)
{
    const char *folder = d->run->output;

    for (int i = 0; i < d->count && !d->run->output; i++) {
        const struct tf_run_item *item = &d->items[i];

        if (!item->out)
            continue;
        if (folder && strcmp(folder, item->root) != 0) {
            tf_command_error(d->usage,
                             "the results are in %s and in %s: merge each data set alone, or say --output",
                             folder, item->root);
            return NULL;
        }
        folder = item->root;
    }
    return folder ? folder : "";
}

static void add_problem(json_t *list, const struct tf_run_item *item, const char *state, const char *why,
                        const struct tf_usage *usage, bool json)
{
    json_t *o = json_object();
    json_t *name = json_string(item->name), *text = json_string(why);

    json_object_set_new(o, "recording", name ? name : json_null());
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "why", text ? text : json_null());
    json_array_append_new(list, o);
    if (!json)
        tf_command_error(usage, "%s: %s: %s", item->name, state, why);
}

static int print_json(const struct tf_dataset *d, json_t *problems, uint64_t frames, unsigned left,
                      const char *folder)
{
    char path[PATH_BYTES + 32];
    json_t *o, *table = NULL;
    char *line;

    if (folder) {
        snprintf(path, sizeof(path), "%s/recordings.tsv", folder);
        table = json_string(path);
    }
    o = json_pack("{s:i,s:I,s:i,s:o,s:O}", "recordings", d->count, "frames", (json_int_t)frames,
                  "unfinished_folders", (int)left, "table", table ? table : json_null(), "problems",
                  problems);
    line = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!line)
        return tf_command_error(d->usage, "out of memory");
    puts(line);
    free(line);
    return TF_EXIT_OK;
}

static int write_all(const struct tf_dataset *d, json_t *const *provenance, const char *folder)
{
    struct tf_error err = {0};
    int r = tf_merge_table(d, provenance, folder, &err);

    if (r == 0 && d->run->csv)
        r = tf_merge_frames(d, d->run->csv, &err);
    return r < 0 ? tf_command_error(d->usage, "%s", *err.text ? err.text : strerror(-r)) : TF_EXIT_OK;
}

int tf_run_merge(const struct tf_dataset *d, const json_t *maker)
{
    json_t **provenance = calloc((size_t)d->count + 1, sizeof(*provenance)), *problems = json_array();
    const char *folder = folder_of(d);
    uint64_t frames = 0;
    unsigned left = 0;
    int status = TF_EXIT_FAILURE, bad = 0;

    if (!provenance || !problems || !maker) {
        tf_command_error(d->usage, "out of memory");
        goto done;
    }
    if (!folder || (d->run->csv && tf_output_check(d->usage, d->run->csv, d->run->overwrite) != TF_EXIT_OK))
        goto done;
    for (int i = 0; i < d->count && !tf_interrupted(); i++) {
        const struct tf_run_item *item = &d->items[i];
        enum tf_result_state state;
        char why[512];
        json_t *expect;

        if (item->problem) {
            add_problem(problems, item, "broken", item->problem, d->usage, d->run->json);
            continue;
        }
        left += tf_hidden_sweep(item->out, NULL);
        expect = tf_result_expect(maker, item);
        state = tf_result_look(item, expect, true, why, &provenance[i]);
        json_decref(expect);
        if (state != TF_RESULT_DONE)
            add_problem(problems, item, tf_result_state_name(state), why, d->usage, d->run->json);
        frames += (uint64_t)json_integer_value(json_object_get(provenance[i], "FrameCount"));
    }
    bad = (int)json_array_size(problems);
    if (tf_interrupted()) {
        tf_command_error(d->usage, "stopped before the end");
        goto done;
    }
    status = bad ? TF_EXIT_FAILURE : write_all(d, provenance, folder);
    if (d->run->json && (bad || status == TF_EXIT_OK))
        print_json(d, problems, frames, left, bad ? NULL : folder);
    if (bad && !d->run->json)
        tf_command_error(
            d->usage,
            "%d of %d recording%s not as it should be; nothing was merged. The same command without "
            "--merge makes what is missing",
            bad, d->count, d->count == 1 ? "" : "s");
    else if (status == TF_EXIT_OK && !d->run->json && !d->run->quiet)
        fprintf(stderr,
                "%d recording%s, %" PRIu64
                " frame%s: all there, every file as it was written; %s/recordings.tsv\n",
                d->count, TF_PLURAL(d->count), frames, TF_PLURAL(frames), folder);
    if (left && !d->run->quiet && !d->run->json)
        fprintf(stderr,
                "note: %u hidden folder%s of work that was broken off %s left (" TF_PART_PREFIX
                "*); the next run or --merge removes them once nothing has changed in them for 15 minutes\n",
                left, TF_PLURAL(left), left == 1 ? "is" : "are");

done:
    for (int i = 0; provenance && i < d->count; i++)
        json_decref(provenance[i]);
    free(provenance);
    json_decref(problems);
    return status;
}
