/* Progress on standard error. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/options.h"
#include "cli/progress.h"

#define PLAIN_EVERY_NS 10000000000ull

void tf_progress_start(struct tf_progress *progress, uint64_t total, float fps, bool quiet)
{
    *progress = (struct tf_progress){.total = total,
                                     .fps = fps,
                                     .quiet = quiet,
                                     .terminal = isatty(STDERR_FILENO),
                                     .start_ns = tf_now_ns()};
    progress->last_ns = progress->start_ns;
}

void tf_progress_update(struct tf_progress *progress, uint64_t done)
{
    uint64_t now = tf_now_ns();
    double seconds = (double)(now - progress->start_ns) / 1e9,
           rate = seconds > 0 ? (double)done / seconds : 0;

    if (progress->quiet || (!progress->terminal && now - progress->last_ns < PLAIN_EVERY_NS))
        return;
    progress->last_ns = now;
    progress->written = true;
    fprintf(stderr, "%s%llu", progress->terminal ? "\r" : "", (unsigned long long)done);
    if (progress->total)
        fprintf(stderr, "/%llu frame%s (%.0f %%)", (unsigned long long)progress->total,
                TF_PLURAL(progress->total), 100.0 * (double)done / (double)progress->total);
    else
        fputs(done == 1 ? " frame" : " frames", stderr);
    fprintf(stderr, "  %.1f frames/s", rate);
    if (progress->fps > 0)
        fprintf(stderr, "  %.1fx", rate / progress->fps);
    if (progress->total > done && rate > 0) {
        unsigned left = (unsigned)((double)(progress->total - done) / rate + 0.5);
        fprintf(stderr, "  %u:%02u left", left / 60, left % 60);
    }
    fputs(progress->terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

void tf_progress_end(struct tf_progress *progress)
{
    if (progress->terminal && progress->written)
        fputs("\r\033[K", stderr);
}
