/*
 * The live records of one camera on their way to HTTP clients; inside publish/ only.
 *
 * One ring of bytes holds the records, encoded once; each reader is a place in it. Who writes never waits:
 * where room is needed, the oldest record goes, and a reader that had not come so far loses it, whole, and it
 * is counted.
 */
#ifndef TF_PUBLISH_HTTP_STREAM_H
#define TF_PUBLISH_HTTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "publish/record/record.h"

struct tf_stream;
struct tf_stream_reader;

int tf_stream_create(const char *camera, size_t bytes, struct tf_stream **ret);
/* After the last reader. Accepts NULL. */
void tf_stream_destroy(struct tf_stream *stream);
const char *tf_stream_camera(const struct tf_stream *stream);
uint32_t tf_stream_readers(const struct tf_stream *stream);
uint64_t tf_stream_dropped(const struct tf_stream *stream);

/*
 * Encodes the record, if anybody reads, and puts it into the ring. From one thread a stream. Nothing is
 * allocated. *wake: a reader waits for it.
 */
int tf_stream_record(struct tf_stream *stream, const struct tf_record *record, bool *wake);

/* A reader starts with the next record. All calls on readers come from one thread. */
int tf_stream_reader_create(struct tf_stream *stream, struct tf_stream_reader **ret);
void tf_stream_reader_destroy(struct tf_stream_reader *reader);
/* At most `max` bytes of what comes next, as many whole records as fit; 0: nothing yet. */
size_t tf_stream_reader_read(struct tf_stream_reader *reader, char *buffer, size_t max);
bool tf_stream_reader_ready(const struct tf_stream_reader *reader);
/* In the middle of a record: who reads several streams into one stays with this one until it is whole. */
bool tf_stream_reader_within(const struct tf_stream_reader *reader);

#endif
