/* Lines for the journal, or for standard error where there is none. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#if TF_HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#include "base/clock.h"
#include "base/log.h"

#define LINE_MAX_BYTES 1024

static _Atomic int threshold = TF_LOG_INFO;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool to_journal;

/* systemd.exec(5), JOURNAL_STREAM: device and inode of the journal's socket when standard error is connected
 * to it. */
static void find_target(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    if (stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0)
        to_journal = st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

void tf_log_set_level(enum tf_log_level level)
{
    atomic_store(&threshold, (int)level);
}

const char *tf_log_level_name(enum tf_log_level level)
{
    switch (level) {
    case TF_LOG_ERROR:
        return "error";
    case TF_LOG_WARNING:
        return "warning";
    case TF_LOG_NOTICE:
        return "notice";
    case TF_LOG_INFO:
        return "info";
    case TF_LOG_DEBUG:
        return "debug";
    }
    return "info";
}

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tf_log_line kept[TF_LOG_KEPT];
static uint64_t kept_count;

static void keep(enum tf_log_level level, const char *camera, const char *text)
{
    struct tf_log_line *line;

    pthread_mutex_lock(&kept_lock);
    line = &kept[kept_count++ % TF_LOG_KEPT];
    line->n = kept_count;
    line->t_utc_ns = tf_utc_now_ns();
    line->level = level;
    snprintf(line->camera, sizeof(line->camera), "%s", camera ? camera : "");
    snprintf(line->text, sizeof(line->text), "%.*s", (int)sizeof(line->text) - 1, text);
    pthread_mutex_unlock(&kept_lock);
}

unsigned tf_log_recent(struct tf_log_line *lines, unsigned max)
{
    unsigned n = 0;

    pthread_mutex_lock(&kept_lock);
    if (max > TF_LOG_KEPT)
        max = TF_LOG_KEPT;
    if (max > kept_count)
        max = (unsigned)kept_count;
    for (; n < max; n++)
        lines[n] = kept[(kept_count - max + n) % TF_LOG_KEPT];
    pthread_mutex_unlock(&kept_lock);
    return n;
}

__attribute__((format(printf, 3, 0))) static void write_line(enum tf_log_level level, const char *camera,
                                                             const char *format, va_list args)
{
    char text[LINE_MAX_BYTES];

    if ((int)level > atomic_load(&threshold))
        return;
    pthread_once(&once, find_target);
    vsnprintf(text, sizeof(text), format, args);
    keep(level, camera, text);
#if TF_HAVE_SYSTEMD
    if (to_journal) {
        if (camera)
            sd_journal_send("MESSAGE=%s: %s", camera, text, "PRIORITY=%d", (int)level, "TF_CAMERA=%s", camera,
                            NULL);
        else
            sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", (int)level, NULL);
        return;
    }
#endif
    /* One call, so that lines of several threads do not mix. Without libsystemd the journal still reads
     * "<3>". */
    if (to_journal)
        fprintf(stderr, "<%d>%s%s%s\n", (int)level, camera ? camera : "", camera ? ": " : "", text);
    else
        fprintf(stderr, "%s%s%s: %s\n", tf_log_level_name(level), camera ? " " : "", camera ? camera : "",
                text);
}

void tf_log(enum tf_log_level level, const char *camera, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(level, camera, format, args);
    va_end(args);
}

void tf_log_limited(struct tf_log_limit *limit, unsigned burst, uint64_t interval_ns, enum tf_log_level level,
                    const char *camera, const char *format, ...)
{
    uint64_t now = tf_now_ns();
    va_list args;

    if (!limit->window_start_ns || now - limit->window_start_ns >= interval_ns) {
        if (limit->suppressed)
            tf_log(level, camera, "%u similar messages were left out", limit->suppressed);
        *limit = (struct tf_log_limit){.window_start_ns = now};
    }
    if (limit->written >= burst) {
        limit->suppressed++;
        return;
    }
    limit->written++;
    va_start(args, format);
    write_line(level, camera, format, args);
    va_end(args);
}
