/* The manifest while a session is recorded, and the thread that takes digests. */
#include "publish/disk/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libavutil/mem.h>
#include <libavutil/sha.h>

#include "base/clock.h"
#include "publish/disk/folder.h"

#define PIECE (1u << 20)
#define SEALER_NICE 19
#define IOPRIO_IDLE (3 << 13)  /* IOPRIO_CLASS_IDLE of linux/ioprio.h */
#define GATHER_NS 500000000ull /* what comes together is written together */
#define WRITE_EVERY_NS 5000000000ull
#define SMALL (64u << 20) /* bytes that whoever stops a session hashes himself, at his own priority */

struct entry {
    enum tf_manifest_kind kind;
    char *name;
    bool has_file, taking; /* somebody takes its digest */
    dev_t dev;
    ino_t ino;
    uint64_t size;
    uint8_t digest[TF_SHA256_BYTES];
};

struct tf_manifest {
    struct tf_sealer *sealer;
    struct tf_manifest *next;
    int folder;
    char *shown, *name;
    /* Under the sealer's lock. */
    struct entry *entries;
    size_t count, capacity;
    bool closed, dirty, writing, done, left; /* left: nobody waits for it any more */
    uint64_t written_ns, dirty_ns;
    int result;
    struct tf_error error;
};

struct tf_sealer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    struct tf_manifest *manifests;
    volatile bool stopping; /* also read without the lock */
};

static struct timespec at_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / TF_NS_PER_S), .tv_nsec = (long)(ns % TF_NS_PER_S)};
}

/* --- digests --- */

int tf_sha256_file(int fd, const volatile bool *stop, uint8_t ret[TF_SHA256_BYTES], uint64_t *size)
{
    struct AVSHA *sha = av_sha_alloc();
    uint8_t *piece = malloc(PIECE);
    uint64_t done = 0;
    int r = sha && piece ? 0 : -ENOMEM;

    if (r == 0)
        av_sha_init(sha, 256);
    while (r == 0) {
        ssize_t n = pread(fd, piece, PIECE, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = -errno;
        if (n <= 0)
            break;
        av_sha_update(sha, piece, (size_t)n);
        done += (uint64_t)n;
        if (stop && *stop)
            r = -EINTR;
    }
    if (r == 0) {
        av_sha_final(sha, ret);
        *size = done;
    }
    /* Hours of video would push all else out of the memory. */
    if (done > 64 * PIECE)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    free(piece);
    av_free(sha);
    return r;
}

/* --- the text --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static char *text_of(const struct entry *entries, size_t count, bool complete, size_t *size)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, size);

    if (!f)
        return NULL;
    fprintf(f, "# thermoface manifest 1\n# state %s\n", complete ? "complete" : "open");
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = &entries[i];

        if (e->kind == TF_MANIFEST_LOST)
            fprintf(f, "# lost %s\n", e->name);
        else
            fprintf(f, "# %s %llu %s\n", e->kind == TF_MANIFEST_PENDING ? "pending" : "size",
                    (unsigned long long)e->size, e->name);
        if (e->kind != TF_MANIFEST_FILE)
            continue;
        for (int k = 0; k < TF_SHA256_BYTES; k++)
            fprintf(f, "%02x", e->digest[k]);
        fprintf(f, "  %s\n", e->name);
    }
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void set_dirty(struct tf_manifest *m)
{
    if (!m->dirty)
        m->dirty_ns = tf_now_ns();
    m->dirty = true;
}

static bool has_pending(const struct tf_manifest *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i].kind == TF_MANIFEST_PENDING)
            return true;
    return false;
}

/* Under the lock, which is let go while the disk is waited for. */
static void write_out(struct tf_manifest *m)
{
    struct tf_sealer *s = m->sealer;
    struct tf_error err = {0};
    size_t size = 0;
    char *text;
    int r;

    while (m->writing)
        pthread_cond_wait(&s->changed, &s->lock);
    m->writing = true;
    qsort(m->entries, m->count, sizeof(*m->entries), by_name);
    text = text_of(m->entries, m->count, m->closed && !has_pending(m), &size);
    m->dirty = false;
    pthread_mutex_unlock(&s->lock);
    r = text ? tf_folder_put(m->folder, m->shown, m->name, text, size, &err)
             : tf_fail(&err, -ENOMEM, "%s/%s: out of memory", m->shown, m->name);
    tf_folder_sync(m->folder);
    free(text);
    pthread_mutex_lock(&s->lock);
    m->writing = false;
    m->written_ns = tf_now_ns();
    if (r < 0 && m->result == 0) {
        m->result = r;
        m->error = err;
    }
    pthread_cond_broadcast(&s->changed);
}

/* --- the thread --- */

static void free_manifest(struct tf_manifest *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->entries[i].name);
    free(m->entries);
    free(m->shown);
    free(m->name);
    if (m->folder >= 0)
        close(m->folder);
    free(m);
}

static struct entry *find(struct tf_manifest *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->entries[i].name, name) == 0)
            return &m->entries[i];
    return NULL;
}

/* Under the lock. Takes the digest of one file of at most `max` bytes; false: there is none. */
static bool take_one(struct tf_manifest *m, uint64_t max)
{
    struct tf_sealer *s = m->sealer;
    uint8_t digest[TF_SHA256_BYTES];
    struct entry *e = NULL, copy;
    uint64_t size = 0;
    struct stat st;
    char *name;
    int fd, r;

    for (size_t i = 0; i < m->count && !e; i++)
        if (m->entries[i].kind == TF_MANIFEST_PENDING && !m->entries[i].taking && m->entries[i].size <= max)
            e = &m->entries[i];
    if (!e || s->stopping)
        return false;
    copy = *e;
    name = strdup(e->name);
    if (!name)
        return false;
    e->taking = true;
    pthread_mutex_unlock(&s->lock);
    fd = tf_folder_file(m->folder, name, O_RDONLY, 0);
    r = fd;
    if (fd >= 0 && fstat(fd, &st) < 0)
        r = -errno;
    /* What has its name now need not be what was recorded. */
    if (r >= 0 && copy.has_file && (st.st_dev != copy.dev || st.st_ino != copy.ino))
        r = -ESTALE;
    if (r >= 0)
        r = tf_sha256_file(fd, &s->stopping, digest, &size);
    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&s->lock);
    e = find(m, name);
    if (e)
        e->taking = false;
    if (e && r == 0) {
        e->kind = TF_MANIFEST_FILE;
        e->size = size;
        memcpy(e->digest, digest, sizeof(digest));
    } else if (e && r != -EINTR) {
        e->kind = TF_MANIFEST_LOST;
        if (m->result == 0) {
            m->result = r;
            tf_fail(&m->error, r, "%s/%s: %s", m->shown, name, tf_folder_problem(r));
        }
    }
    set_dirty(m);
    free(name);
    return r != -EINTR;
}

/* Under the lock. True: something was done. */
static bool serve(struct tf_manifest *m)
{
    bool any = take_one(m, UINT64_MAX);
    uint64_t now = tf_now_ns();

    if (m->dirty &&
        (any ? now - m->written_ns > WRITE_EVERY_NS : m->closed || now - m->dirty_ns > GATHER_NS)) {
        write_out(m);
        any = true;
    }
    if (m->closed && !m->dirty && !m->writing && !m->done && (!has_pending(m) || m->sealer->stopping)) {
        m->done = any = true;
        pthread_cond_broadcast(&m->sealer->changed);
    }
    return any;
}

static void *sealer_main(void *arg)
{
    struct tf_sealer *s = arg;
    id_t self = (id_t)syscall(SYS_gettid);

    pthread_setname_np(pthread_self(), "tf-seal");
    setpriority(PRIO_PROCESS, self, SEALER_NICE);
    syscall(SYS_ioprio_set, 1, 0, IOPRIO_IDLE);
    pthread_mutex_lock(&s->lock);
    for (;;) {
        bool any = false, left = false, dirty = false;

        for (struct tf_manifest *m = s->manifests; m; m = m->next)
            any |= serve(m);
        for (struct tf_manifest **at = &s->manifests; *at;) {
            struct tf_manifest *m = *at;

            if (m->done && m->left) {
                *at = m->next;
                free_manifest(m);
            } else {
                left = true;
                dirty |= m->dirty;
                at = &m->next;
            }
        }
        if (any)
            continue;
        if (s->stopping && !left)
            break;
        if (dirty) {
            struct timespec until = at_ns(tf_now_ns() + GATHER_NS);

            pthread_cond_timedwait(&s->changed, &s->lock, &until);
        } else {
            pthread_cond_wait(&s->changed, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int tf_sealer_create(struct tf_sealer **ret, struct tf_error *err)
{
    struct tf_sealer *s = calloc(1, sizeof(*s));
    pthread_condattr_t attributes;
    sigset_t all, before;
    int r;

    if (!s)
        return tf_fail(err, -ENOMEM, "no memory for manifests");
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&s->thread, NULL, sealer_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        pthread_cond_destroy(&s->changed);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return tf_fail(err, r, "no thread for manifests: %s", strerror(-r));
    }
    *ret = s;
    return 0;
}

static unsigned waiting(const struct tf_sealer *s)
{
    unsigned n = 0;

    for (const struct tf_manifest *m = s->manifests; m; m = m->next)
        for (size_t i = 0; i < m->count; i++)
            n += m->entries[i].kind == TF_MANIFEST_PENDING;
    return n;
}

unsigned tf_sealer_waiting(struct tf_sealer *s)
{
    unsigned n;

    pthread_mutex_lock(&s->lock);
    n = waiting(s);
    pthread_mutex_unlock(&s->lock);
    return n;
}

void tf_sealer_destroy(struct tf_sealer *s, uint64_t wait_ns)
{
    struct timespec until = at_ns(tf_now_ns() + wait_ns);

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    while (waiting(s) && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    s->stopping = true;
    for (struct tf_manifest *m = s->manifests; m; m = m->next) {
        m->dirty |= has_pending(m);
        m->closed = m->left = true;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- the session's side --- */

int tf_manifest_create(struct tf_sealer *sealer, int folder, const char *shown, const char *stem,
                       struct tf_manifest **ret, struct tf_error *err)
{
    struct tf_manifest *m = calloc(1, sizeof(*m));
    int r;

    if (!m)
        return tf_fail(err, -ENOMEM, "%s: no memory for the manifest", stem);
    m->sealer = sealer;
    m->shown = strdup(shown);
    m->folder = fcntl(folder, F_DUPFD_CLOEXEC, 3);
    r = m->folder < 0 ? -errno : 0;
    if (!m->shown || asprintf(&m->name, "%s" TF_MANIFEST_ENDING, stem) < 0) {
        m->name = NULL;
        r = -ENOMEM;
    }
    if (r < 0) {
        free_manifest(m);
        return tf_fail(err, r, "%s" TF_MANIFEST_ENDING ": %s", stem, strerror(-r));
    }
    pthread_mutex_lock(&sealer->lock);
    m->next = sealer->manifests;
    sealer->manifests = m;
    pthread_mutex_unlock(&sealer->lock);
    *ret = m;
    return 0;
}

void tf_manifest_add(struct tf_manifest *m, const char *name, const struct stat *st,
                     const uint8_t digest[TF_SHA256_BYTES])
{
    struct entry e = {.kind = digest ? TF_MANIFEST_FILE : TF_MANIFEST_PENDING}, *old;

    if (!m)
        return;
    e.name = strdup(name);
    if (st) {
        e.has_file = true;
        e.dev = st->st_dev;
        e.ino = st->st_ino;
        e.size = (uint64_t)st->st_size;
    }
    if (digest)
        memcpy(e.digest, digest, sizeof(e.digest));
    pthread_mutex_lock(&m->sealer->lock);
    old = e.name ? find(m, name) : NULL;
    if (old) {
        free(old->name);
        *old = e;
    } else {
        if (m->count == m->capacity) {
            size_t more = m->capacity ? 2 * m->capacity : 32;
            struct entry *grown = realloc(m->entries, more * sizeof(*grown));

            if (grown) {
                m->entries = grown;
                m->capacity = more;
            }
        }
        if (!e.name || m->count == m->capacity) {
            if (m->result == 0)
                m->result = tf_fail(&m->error, -ENOMEM, "%s/%s: out of memory", m->shown, m->name);
            free(e.name);
        } else {
            m->entries[m->count++] = e;
        }
    }
    set_dirty(m);
    pthread_cond_broadcast(&m->sealer->changed);
    pthread_mutex_unlock(&m->sealer->lock);
}

int tf_manifest_close(struct tf_manifest *m, uint64_t wait_ns, struct tf_error *err)
{
    uint64_t until_ns = tf_now_ns() + wait_ns;
    struct timespec until = at_ns(until_ns);
    struct tf_sealer *s;
    int r;

    if (!m)
        return 0;
    s = m->sealer;
    pthread_mutex_lock(&s->lock);
    m->closed = true;
    set_dirty(m);
    while (tf_now_ns() < until_ns && take_one(m, SMALL))
        ;
    /* What is known stands there when this returns, whatever the sealer still has to do. */
    write_out(m);
    pthread_cond_broadcast(&s->changed);
    while (!m->done && (has_pending(m) || m->dirty || m->writing) &&
           pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    m->done |= !has_pending(m) && !m->dirty && !m->writing;
    r = m->result;
    if (r < 0 && err)
        *err = m->error;
    if (r == 0 && !m->done)
        r = -EAGAIN;
    m->left = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return r;
}
