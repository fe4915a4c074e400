/* A session's tables of events and of the clock. */
#include "publish/recording/session_log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/clock_sync.h"
#include "publish/disk/folder.h"

#define CLOCK_EVERY_NS 10000000000ull
#define LOOK_EVERY_NS 500000000ull
#define MARK_WAIT_NS 3000000000ull
#define WAITING_MAX (256u << 10) /* bytes of marks while the disk does not answer */

struct tf_session_log {
    int folder;
    char *shown, *stem, *names[2];
    int files[2]; /* EVENTS, CLOCK */
    uint64_t t_start_ns;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    /* Under the lock. */
    char *waiting;
    size_t waiting_size;
    uint64_t asked, written; /* bytes of marks ever */
    bool closing;
    uint64_t busy_since_ns;
    int result;       /* the first error */
    int write_result; /* of the last marks */
    struct tf_error error;
    bool has_step;
    int64_t step_ns;
    /* The thread's. */
    int64_t offset_ns;
    bool has_offset;
};
enum { EVENTS, CLOCK };

static void keep(struct tf_session_log *l, int code, const char *name, const char *what)
{
    if (l->result)
        return;
    l->result = tf_fail(&l->error, code, "%s/%s %s", l->shown, name, what);
}

static void busy(struct tf_session_log *l, bool is)
{
    pthread_mutex_lock(&l->lock);
    l->busy_since_ns = is ? tf_now_ns() : 0;
    pthread_mutex_unlock(&l->lock);
}

/* Half a row would spoil the table. */
static int append(int fd, const char *text, size_t size)
{
    struct stat before;
    int r = fstat(fd, &before) < 0 ? -errno : tf_write_all(fd, text, size);

    if (r < 0 && ftruncate(fd, before.st_size) < 0)
        return -errno;
    return r;
}

static void write_marks(struct tf_session_log *l)
{
    bool gone = false;
    char what[128];
    size_t size;
    char *text;
    int r;

    pthread_mutex_lock(&l->lock);
    text = l->waiting;
    size = l->waiting_size;
    l->waiting = NULL;
    l->waiting_size = 0;
    l->busy_since_ns = tf_now_ns();
    pthread_mutex_unlock(&l->lock);
    r = append(l->files[EVENTS], text, size);
    if (r == 0 && fdatasync(l->files[EVENTS]) < 0)
        r = -errno;
    /* Written to a file that nobody can find is lost. */
    if (r == 0) {
        r = tf_folder_check(l->folder, l->names[EVENTS], l->files[EVENTS]);
        gone = r < 0;
    }
    free(text);
    pthread_mutex_lock(&l->lock);
    l->busy_since_ns = 0;
    l->written += size;
    l->write_result = r;
    if (r < 0) {
        snprintf(what, sizeof(what), gone ? "%s while it was recorded" : "cannot be written: %s",
                 gone ? tf_folder_problem(r) : strerror(-r));
        keep(l, r, l->names[EVENTS], what);
    }
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* The offset of UTC to the monotonic clock, and how far it has moved since the row before. */
static void write_clock(struct tf_session_log *l)
{
    int64_t offset = tf_utc_offset_ns(), step = l->has_offset ? offset - l->offset_ns : 0;
    uint64_t now = tf_now_ns(), onset = now > l->t_start_ns ? now - l->t_start_ns : 0;
    char row[320], utc[TF_UTC_TEXT], what[128], quality[64] = "n/a\tn/a\tn/a";
    struct tf_clock_sync sync;
    int n, r;

    tf_clock_sync_read(&sync);
    if (sync.known)
        snprintf(quality, sizeof(quality), "%d\t%u\t%u", sync.synchronised, sync.error_us, sync.max_error_us);
    tf_utc_format((int64_t)now + offset, utc);
    n = snprintf(row, sizeof(row), "%llu.%06llu\t%llu\t%s\t%lld\t%lld\t%s\n",
                 (unsigned long long)(onset / TF_NS_PER_S), (unsigned long long)(onset % TF_NS_PER_S / 1000),
                 (unsigned long long)now, utc, (long long)offset, (long long)step, quality);
    busy(l, true);
    r = append(l->files[CLOCK], row, (size_t)n);
    busy(l, false);
    l->offset_ns = offset;
    l->has_offset = true;
    pthread_mutex_lock(&l->lock);
    if (r < 0) {
        snprintf(what, sizeof(what), "cannot be written: %s", strerror(-r));
        keep(l, r, l->names[CLOCK], what);
    } else if (step) {
        l->step_ns = l->has_step ? l->step_ns + step : step;
        l->has_step = true;
    }
    pthread_mutex_unlock(&l->lock);
}

static void look(struct tf_session_log *l)
{
    char what[128];

    for (int i = EVENTS; i <= CLOCK; i++) {
        int r;

        busy(l, true);
        r = tf_folder_check(l->folder, l->names[i], l->files[i]);
        busy(l, false);
        if (r == 0)
            continue;
        snprintf(what, sizeof(what), "%s while it was recorded", tf_folder_problem(r));
        pthread_mutex_lock(&l->lock);
        keep(l, r, l->names[i], what);
        pthread_mutex_unlock(&l->lock);
    }
}

static void *log_main(void *arg)
{
    struct tf_session_log *l = arg;
    uint64_t clock_due = tf_now_ns() + CLOCK_EVERY_NS, look_due = tf_now_ns() + LOOK_EVERY_NS;

    pthread_setname_np(pthread_self(), "tf-session");
    write_clock(l);
    for (;;) {
        uint64_t due = clock_due < look_due ? clock_due : look_due, now;
        struct timespec until = {.tv_sec = (time_t)(due / TF_NS_PER_S), .tv_nsec = (long)(due % TF_NS_PER_S)};
        bool marks, closing;

        pthread_mutex_lock(&l->lock);
        while (!l->waiting_size && !l->closing &&
               pthread_cond_timedwait(&l->changed, &l->lock, &until) != ETIMEDOUT)
            ;
        marks = l->waiting_size > 0;
        closing = l->closing;
        pthread_mutex_unlock(&l->lock);
        if (marks)
            write_marks(l);
        now = tf_now_ns();
        if (now >= clock_due) {
            write_clock(l);
            clock_due = now + CLOCK_EVERY_NS;
        }
        if (now >= look_due) {
            look(l);
            look_due = now + LOOK_EVERY_NS;
        }
        if (closing && !marks)
            break;
    }
    write_clock(l);
    fdatasync(l->files[CLOCK]);
    look(l);
    return NULL;
}

static void destroy(struct tf_session_log *l)
{
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l->waiting);
    free(l->shown);
    free(l->stem);
    for (int i = EVENTS; i <= CLOCK; i++)
        free(l->names[i]);
    free(l);
}

int tf_session_log_create(const struct tf_session_log_options *o, struct tf_session_log **ret,
                          struct tf_error *err)
{
    struct tf_session_log *l = calloc(1, sizeof(*l));
    pthread_condattr_t attributes;
    sigset_t all, before;
    int r = 0;

    if (!l)
        return tf_fail(err, -ENOMEM, "no memory for a session");
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    l->folder = o->folder;
    l->files[EVENTS] = o->events;
    l->files[CLOCK] = o->clock;
    l->t_start_ns = o->t_start_ns;
    l->shown = strdup(o->shown);
    l->stem = strdup(o->stem);
    if (!l->shown || !l->stem || asprintf(&l->names[EVENTS], "%s_events.tsv", o->stem) < 0 ||
        asprintf(&l->names[CLOCK], "%s_clock.tsv", o->stem) < 0)
        r = tf_fail(err, -ENOMEM, "no memory for a session");
    if (r == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = -pthread_create(&l->thread, NULL, log_main, l);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r < 0)
            tf_fail(err, r, "no thread for the session: %s", strerror(-r));
    }
    if (r < 0) {
        destroy(l);
        return r;
    }
    *ret = l;
    return 0;
}

int tf_session_log_mark(struct tf_session_log *l, const char *row, size_t size, bool wait,
                        struct tf_error *err)
{
    uint64_t due = tf_now_ns() + MARK_WAIT_NS, mine;
    struct timespec until = {.tv_sec = (time_t)(due / TF_NS_PER_S), .tv_nsec = (long)(due % TF_NS_PER_S)};
    char *more;
    int r = 0;

    pthread_mutex_lock(&l->lock);
    more = l->waiting_size + size <= WAITING_MAX ? realloc(l->waiting, l->waiting_size + size) : NULL;
    if (!more) {
        r = tf_fail(err, -ENOBUFS,
                    "%s: the mark is lost: the disk does not answer, and %zu bytes of marks wait for it",
                    l->names[EVENTS], l->waiting_size);
        keep(l, r, l->names[EVENTS], "lost marks: the disk did not answer");
        goto out;
    }
    memcpy(more + l->waiting_size, row, size);
    l->waiting = more;
    l->waiting_size += size;
    l->asked += size;
    mine = l->asked;
    pthread_cond_broadcast(&l->changed);
    if (!wait)
        goto out;
    while (l->written < mine && r == 0)
        r = pthread_cond_timedwait(&l->changed, &l->lock, &until) == ETIMEDOUT ? -ETIMEDOUT : 0;
    if (l->written < mine)
        r = tf_fail(err, -ETIMEDOUT,
                    "%s: the disk does not answer; the mark is kept and written when it does",
                    l->names[EVENTS]);
    else
        r = l->write_result < 0 ? tf_fail(err, l->write_result, "%s/%s: the mark is lost: the file %s",
                                          l->shown, l->names[EVENTS], tf_folder_problem(l->write_result))
                                : 0;
out:
    pthread_mutex_unlock(&l->lock);
    return r;
}

void tf_session_log_state(struct tf_session_log *l, struct tf_session_state *ret)
{
    uint64_t now = tf_now_ns();

    pthread_mutex_lock(&l->lock);
    *ret = (struct tf_session_state){
        .result = l->result,
        .error = l->error,
        .stalled_ns = l->busy_since_ns && now > l->busy_since_ns ? now - l->busy_since_ns : 0,
        .step_ns = l->has_step ? l->step_ns : 0,
    };
    l->has_step = false;
    pthread_mutex_unlock(&l->lock);
}

int tf_session_log_close(struct tf_session_log *l, struct tf_error *err)
{
    int r;

    if (!l)
        return 0;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    r = l->result;
    if (r < 0 && err)
        *err = l->error;
    destroy(l);
    return r;
}
