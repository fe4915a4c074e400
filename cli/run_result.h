/*
 * thermoface run: what a result was made from and with, in STEM_provenance.json beside its tables. It is
 * moved there last: where it stands, the result is whole; where it says what would be written now, it is
 * current. It holds no time, machine or share, so the same input gives the same bytes.
 */
#ifndef TF_CLI_RUN_RESULT_H
#define TF_CLI_RUN_RESULT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/options.h"
#include "cli/run_dataset.h"

#define TF_PROVENANCE_ENDING "_provenance.json"

/*
 * The values of the options bound that change what is made, an object; a file's is its digest. `before` (may
 * be NULL): values that were there before the command line was read, which are left out. NULL: out of memory.
 */
json_t *tf_run_settings(const struct tf_usage *usage, const struct tf_bind *bind, const json_t *before);

/* What all results of a run have in common: version, libraries, networks, settings. The caller decrefs. */
json_t *tf_run_maker(const struct tf_run *run);
/* What would be written for the item, without what is only known at its end. The caller decrefs. */
json_t *tf_result_expect(const json_t *maker, const struct tf_run_item *item);

enum tf_result_state {
    TF_RESULT_NONE,  /* nothing is there */
    TF_RESULT_HALF,  /* files without provenance, or fewer or shorter than it says */
    TF_RESULT_STALE, /* whole, and made from or with something else */
    TF_RESULT_DONE,
};
const char *tf_result_state_name(enum tf_result_state state);

/*
 * What there is of the item's result. `digests`: read and compare every file (else sizes). `why` says what is
 * wrong. *ret (may be NULL): the provenance, whose reference is the caller's; NULL where there is none.
 */
enum tf_result_state tf_result_look(const struct tf_run_item *item, const json_t *expect, bool digests,
                                    char why[512], json_t **ret);

/*
 * Completes `provenance` with the files of the result's folders (NULL: none of that), and writes it into
 * `beh`. `motion_name`: how the second folder is called from the first.
 */
int tf_result_write(json_t *provenance, const char *beh, const char *motion, const char *motion_name,
                    const char *stem, struct tf_error *err);

#endif
