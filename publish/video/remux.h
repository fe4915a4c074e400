/* A piece of a Matroska file as fragmented MP4, for browsers: its packets as they are, nothing is encoded
 * again. */
#ifndef TF_PUBLISH_VIDEO_REMUX_H
#define TF_PUBLISH_VIDEO_REMUX_H

#include <stddef.h>
#include <stdint.h>

/* The longest piece, bytes; it ends with the picture before. */
#define TF_REMUX_BYTES_MAX (32u << 20)

/*
 * `fd` is read, and stays the caller's. From the key picture at or before `from` (seconds) on, at least to
 * `from` + `seconds` unless the file ends or the piece becomes too long; times in it are the file's. *ret is
 * malloc'd. -ERANGE: it ends before `from`; -EBADMSG: it cannot be read, or its video is none that MP4 has;
 * -ENOMEM.
 */
int tf_remux_piece(int fd, double from, double seconds, uint8_t **ret, size_t *size);

#endif
