/*
 * What a session's files were when they were written: names, sizes and SHA-256, in STEM_manifest.sha256
 * beside them.
 *
 *   # thermoface manifest 1
 *   # state complete            or "open": while it is recorded, or for ever after a power cut
 *   # size 3120 sub-07_task-rest_run-1_events.tsv
 *   9f86d081884c7d65…  sub-07_task-rest_run-1_events.tsv
 *   # pending 123456 NAME       its digest was not taken (the service had to end)
 *   # lost NAME                 it was deleted or replaced while it was recorded
 *
 * "sha256sum -c" checks it, for that passes over lines with "#". Names are relative to its folder
 * ("../motion/…"). Digests of tables are taken as they are written; of videos, whose containers are written
 * out of order, by one thread of the lowest priority, of each file once it is final. It is written anew
 * whenever it has grown.
 */
#ifndef TF_PUBLISH_DISK_MANIFEST_H
#define TF_PUBLISH_DISK_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"

#define TF_SHA256_BYTES 32
#define TF_MANIFEST_ENDING "_manifest.sha256"

/* Takes digests of all sessions' files in a thread of its own. */
struct tf_sealer;
int tf_sealer_create(struct tf_sealer **ret, struct tf_error *err);
/* What is not done within wait_ns stays pending. Manifests are closed by then. Accepts NULL. */
void tf_sealer_destroy(struct tf_sealer *sealer, uint64_t wait_ns);
/* Files whose digests are still to be taken. */
unsigned tf_sealer_waiting(struct tf_sealer *sealer);

struct tf_manifest;
/* `folder`: open, of the manifest and what its names start from; a copy is kept. `shown`: as errors call it.
 */
int tf_manifest_create(struct tf_sealer *sealer, int folder, const char *shown, const char *stem,
                       struct tf_manifest **ret, struct tf_error *err);
/*
 * A file that is final. `st`: of the open file, so that another one under its name is not taken for it; NULL:
 * whatever has the name. `digest`: of all of it, or NULL: to be taken. Any thread; accepts NULL.
 */
void tf_manifest_add(struct tf_manifest *manifest, const char *name, const struct stat *st,
                     const uint8_t digest[TF_SHA256_BYTES]);
/*
 * No more files will come. Waits at most wait_ns for the digests. 0: complete and on the disk; -EAGAIN: the
 * sealer goes on; or the error of a file or of the manifest. Frees, sooner or later. Accepts NULL.
 */
int tf_manifest_close(struct tf_manifest *manifest, uint64_t wait_ns, struct tf_error *err);

/* SHA-256 of an open file from its beginning, in pieces; *stop (may be NULL) ends it with -EINTR. */
int tf_sha256_file(int fd, const volatile bool *stop, uint8_t ret[TF_SHA256_BYTES], uint64_t *size);

/* --- reading --- */

enum tf_manifest_kind { TF_MANIFEST_FILE, TF_MANIFEST_PENDING, TF_MANIFEST_LOST };
struct tf_manifest_entry {
    enum tf_manifest_kind kind;
    char name[512];
    bool has_size;
    uint64_t size;
    uint8_t digest[TF_SHA256_BYTES];
};
struct tf_manifest_list {
    bool complete;
    size_t count;
    struct tf_manifest_entry *entries; /* the caller's to free */
};
/* -EINVAL: not a manifest, with the line; names that lead out of the session's folders are refused, too. */
int tf_manifest_read(const char *text, size_t size, struct tf_manifest_list *ret, struct tf_error *err);
/* Size and digest of what a file is now, in one manifest. 0 also when that does not name it. */
int tf_manifest_renew_entry(const char *folder, const char *manifest, const char *name, struct tf_error *err);
/*
 * The entry of a file that has been put in the place of another one of the same content, in every manifest
 * that names it in its folder. 0 also when there is none.
 */
int tf_manifest_renew(const char *path, struct tf_error *err);

#endif
