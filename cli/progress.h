/* Progress on standard error: one line that is rewritten on a terminal, else a plain line every ten seconds.
 */
#ifndef TF_CLI_PROGRESS_H
#define TF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct tf_progress {
    uint64_t total; /* 0 = unknown */
    uint64_t start_ns, last_ns;
    float fps; /* recorded rate, 0 = unknown */
    bool terminal, quiet, written;
};

void tf_progress_start(struct tf_progress *progress, uint64_t total, float fps, bool quiet);
void tf_progress_update(struct tf_progress *progress, uint64_t done);
/* Leaves the terminal's line clean. */
void tf_progress_end(struct tf_progress *progress);

#endif
