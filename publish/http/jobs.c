/* A thread that does what takes longer than a moment. */
#include "publish/http/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct tf_http_jobs {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct tf_http_job *first, **last;
    unsigned count, max;
    bool stopping;
    int nice;
    char name[16];
    void (*tell)(void *context);
    void *context;
};

static void *run(void *arg)
{
    struct tf_http_jobs *jobs = arg;

    pthread_setname_np(pthread_self(), jobs->name);
    if (jobs->nice) {
        id_t self = (id_t)syscall(SYS_gettid);

        setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + jobs->nice);
    }
    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        struct tf_http_job *job;

        while (!jobs->first && !jobs->stopping)
            pthread_cond_wait(&jobs->changed, &jobs->lock);
        job = jobs->first;
        if (!job)
            break;
        jobs->first = job->next;
        if (!jobs->first)
            jobs->last = &jobs->first;
        jobs->count--;
        pthread_mutex_unlock(&jobs->lock);
        job->work(job);
        atomic_store_explicit(&job->done, true, memory_order_release);
        jobs->tell(jobs->context);
        pthread_mutex_lock(&jobs->lock);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

int tf_http_jobs_create(const char *name, int nice, unsigned max, void (*tell)(void *context), void *context,
                        struct tf_http_jobs **ret, struct tf_error *err)
{
    struct tf_http_jobs *jobs = calloc(1, sizeof(*jobs));
    sigset_t all, before;
    int r;

    if (!jobs)
        return tf_fail(err, -ENOMEM, "http: no memory");
    *jobs = (struct tf_http_jobs){.max = max, .nice = nice, .tell = tell, .context = context};
    strncpy(jobs->name, name, sizeof(jobs->name) - 1);
    jobs->last = &jobs->first;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->changed, NULL);
    /* Signals are the program's matter. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&jobs->thread, NULL, run, jobs);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        pthread_cond_destroy(&jobs->changed);
        pthread_mutex_destroy(&jobs->lock);
        free(jobs);
        return tf_fail(err, r, "http: no thread: %s", strerror(-r));
    }
    *ret = jobs;
    return 0;
}

void tf_http_jobs_destroy(struct tf_http_jobs *jobs)
{
    if (!jobs)
        return;
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_signal(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    pthread_join(jobs->thread, NULL);
    pthread_cond_destroy(&jobs->changed);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

int tf_http_jobs_add(struct tf_http_jobs *jobs, struct tf_http_job *job)
{
    int r = -EAGAIN;

    if (!jobs)
        return r;
    job->next = NULL;
    atomic_store(&job->done, false);
    pthread_mutex_lock(&jobs->lock);
    if (jobs->count < jobs->max && !jobs->stopping) {
        *jobs->last = job;
        jobs->last = &job->next;
        jobs->count++;
        pthread_cond_signal(&jobs->changed);
        r = 0;
    }
    pthread_mutex_unlock(&jobs->lock);
    return r;
}

bool tf_http_job_done(const struct tf_http_job *job)
{
    return atomic_load_explicit(&job->done, memory_order_acquire);
}
