/* The live records of one camera, encoded once for all readers. */
#include "publish/http/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Places are counts of bytes since the start; the byte is at place % size. A record is its length, then its
 * text. */
struct tf_stream {
    char camera[64];
    pthread_mutex_t lock;
    char *ring;
    size_t size;
    uint64_t first, next; /* place of the oldest record, and where the next one goes */
    struct tf_stream_reader *readers;
    _Atomic uint32_t reader_count;
    _Atomic uint64_t dropped;
    char *text; /* the record being encoded */
    size_t text_size;
};

struct tf_stream_reader {
    struct tf_stream *stream;
    struct tf_stream_reader *following;
    uint64_t place;
    bool waiting;
    /* The rest of a record that did not fit into a read: it must be finished, whatever becomes of the ring.
     */
    char *rest;
    size_t rest_at, rest_size;
};

int tf_stream_create(const char *camera, size_t bytes, struct tf_stream **ret)
{
    struct tf_stream *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->size = bytes;
    s->text_size = tf_record_bytes_max();
    s->ring = malloc(s->size);
    s->text = malloc(s->text_size);
    if (!s->ring || !s->text || strlen(camera) >= sizeof(s->camera)) {
        int r = s->ring && s->text ? -EINVAL : -ENOMEM;

        free(s->ring);
        free(s->text);
        free(s);
        return r;
    }
    strcpy(s->camera, camera);
    pthread_mutex_init(&s->lock, NULL);
    *ret = s;
    return 0;
}

void tf_stream_destroy(struct tf_stream *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s->ring);
    free(s->text);
    free(s);
}

const char *tf_stream_camera(const struct tf_stream *s)
{
    return s->camera;
}

uint32_t tf_stream_readers(const struct tf_stream *s)
{
    return atomic_load(&s->reader_count);
}

uint64_t tf_stream_dropped(const struct tf_stream *s)
{
    return atomic_load(&s->dropped);
}

static void put(struct tf_stream *s, uint64_t place, const void *data, size_t n)
{
    size_t at = (size_t)(place % s->size), head = s->size - at < n ? s->size - at : n;

    memcpy(s->ring + at, data, head);
    memcpy(s->ring, (const char *)data + head, n - head);
}

static void get(const struct tf_stream *s, uint64_t place, void *data, size_t n)
{
    size_t at = (size_t)(place % s->size), head = s->size - at < n ? s->size - at : n;

    memcpy(data, s->ring + at, head);
    memcpy((char *)data + head, s->ring, n - head);
}

static uint64_t after(const struct tf_stream *s, uint64_t place)
{
    uint32_t length;

    get(s, place, &length, sizeof(length));
    return place + sizeof(length) + length;
}

static void drop_oldest(struct tf_stream *s)
{
    uint64_t second = after(s, s->first);

    for (struct tf_stream_reader *r = s->readers; r; r = r->following)
        if (r->place == s->first) {
            r->place = second;
            atomic_fetch_add(&s->dropped, 1);
        }
    s->first = second;
}

int tf_stream_record(struct tf_stream *s, const struct tf_record *record, bool *wake)
{
    const char *text;
    uint32_t length;
    int n;

    *wake = false;
    if (!atomic_load(&s->reader_count))
        return 0;
    n = tf_record_ndjson_once(record, s->text, s->text_size, &text);
    if (n < 0)
        return n;
    length = (uint32_t)n;

    pthread_mutex_lock(&s->lock);
    if (sizeof(length) + length > s->size) {
        atomic_fetch_add(&s->dropped, atomic_load(&s->reader_count));
    } else {
        while (s->next + sizeof(length) + length - s->first > s->size)
            drop_oldest(s);
        put(s, s->next, &length, sizeof(length));
        put(s, s->next + sizeof(length), text, length);
        s->next += sizeof(length) + length;
        for (struct tf_stream_reader *r = s->readers; r; r = r->following) {
            *wake |= r->waiting;
            r->waiting = false;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return 0;
}

int tf_stream_reader_create(struct tf_stream *s, struct tf_stream_reader **ret)
{
    struct tf_stream_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->rest = malloc(s->text_size);
    if (!r->rest) {
        free(r);
        return -ENOMEM;
    }
    r->stream = s;
    pthread_mutex_lock(&s->lock);
    r->place = s->next;
    r->following = s->readers;
    s->readers = r;
    atomic_fetch_add(&s->reader_count, 1);
    pthread_mutex_unlock(&s->lock);
    *ret = r;
    return 0;
}

void tf_stream_reader_destroy(struct tf_stream_reader *reader)
{
    struct tf_stream *s;

    if (!reader)
        return;
    s = reader->stream;
    pthread_mutex_lock(&s->lock);
    for (struct tf_stream_reader **at = &s->readers; *at; at = &(*at)->following)
        if (*at == reader) {
            *at = reader->following;
            break;
        }
    atomic_fetch_sub(&s->reader_count, 1);
    pthread_mutex_unlock(&s->lock);
    free(reader->rest);
    free(reader);
}

static size_t read_rest(struct tf_stream_reader *r, char *buffer, size_t max)
{
    size_t n = r->rest_size - r->rest_at < max ? r->rest_size - r->rest_at : max;

    memcpy(buffer, r->rest + r->rest_at, n);
    r->rest_at += n;
    return n;
}

size_t tf_stream_reader_read(struct tf_stream_reader *r, char *buffer, size_t max)
{
    struct tf_stream *s = r->stream;
    size_t n = read_rest(r, buffer, max);
    uint32_t length;

    pthread_mutex_lock(&s->lock);
    while (r->rest_at == r->rest_size && r->place < s->next) {
        get(s, r->place, &length, sizeof(length));
        if (n + length <= max) {
            get(s, r->place + sizeof(length), buffer + n, length);
            n += length;
        } else if (n == 0) {
            get(s, r->place + sizeof(length), r->rest, length);
            r->rest_at = 0;
            r->rest_size = length;
            n = read_rest(r, buffer, max);
        } else {
            break;
        }
        r->place += sizeof(length) + length;
    }
    r->waiting = n == 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

bool tf_stream_reader_ready(const struct tf_stream_reader *r)
{
    struct tf_stream *s = r->stream;
    bool ready;

    pthread_mutex_lock(&s->lock);
    ready = r->rest_at < r->rest_size || r->place < s->next;
    pthread_mutex_unlock(&s->lock);
    return ready;
}

bool tf_stream_reader_within(const struct tf_stream_reader *r)
{
    return r->rest_at < r->rest_size;
}
