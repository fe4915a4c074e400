/* thermoface verify: are the files what they were when they were written? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/verify.h"
#include "publish/disk/manifest.h"

#define MANIFEST_MAX (32 << 20)

static char *load(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    struct stat st;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size <= MANIFEST_MAX) {
        text = malloc((size_t)st.st_size + 1);
        n = text ? read(fd, text, (size_t)st.st_size) : -1;
    }
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    *size = (size_t)n;
    return text;
}

static void renew(struct tf_verify *v, const char *folder, const char *manifest, const char *name,
                  const char *path)
{
    struct tf_error err = {0};

    if (tf_manifest_renew_entry(folder, manifest, name, &err) < 0)
        tf_verify_problem(v, path, "%s", err.text);
    else
        printf("%s: taken down as it is now\n", path);
}

static void check_entry(struct tf_verify *v, const char *folder, const char *manifest,
                        const struct tf_manifest_entry *e)
{
    uint8_t digest[TF_SHA256_BYTES];
    char path[4096 + 520];
    uint64_t size = 0;
    struct stat st;
    int fd, r;

    snprintf(path, sizeof(path), "%s/%s", folder, e->name);
    if (e->kind == TF_MANIFEST_LOST) {
        tf_verify_problem(v, path, "was lost while it was recorded: deleted, renamed or replaced");
        return;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        tf_verify_problem(v, path, "is missing: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    if (e->has_size && e->kind == TF_MANIFEST_FILE && (uint64_t)st.st_size != e->size && !v->renew) {
        tf_verify_problem(v, path, "has %llu bytes, and %llu were recorded (manifest)",
                          (unsigned long long)st.st_size, (unsigned long long)e->size);
    } else if (e->kind == TF_MANIFEST_FILE) {
        r = tf_sha256_file(fd, NULL, digest, &size);
        if (r < 0)
            tf_verify_problem(v, path, "cannot be read: %s", strerror(-r));
        else if (memcmp(digest, e->digest, sizeof(digest)) != 0 && v->renew)
            renew(v, folder, manifest, e->name, path);
        else if (memcmp(digest, e->digest, sizeof(digest)) != 0)
            tf_verify_problem(v, path,
                              "is not what was recorded: its SHA-256 is another one than the manifest's");
    } else if (v->renew) {
        renew(v, folder, manifest, e->name, path);
    } else {
        printf("%s: its digest is not taken yet (--renew takes it when the service has ended)\n", path);
    }
    close(fd);
}

bool tf_verify_manifest(struct tf_verify *v, const char *folder, const char *name)
{
    struct tf_manifest_list list = {0};
    struct tf_error err = {0};
    char path[4096 + 520];
    size_t size = 0;
    char *text;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    text = load(path, &size);
    if (!text) {
        tf_verify_problem(v, path, "cannot be read: %s", strerror(errno));
        return false;
    }
    if (tf_manifest_read(text, size, &list, &err) < 0) {
        tf_verify_problem(v, path, "%s", err.text);
        free(text);
        return false;
    }
    for (size_t i = 0; i < list.count; i++)
        check_entry(v, folder, name, &list.entries[i]);
    if (!list.complete)
        printf("%s: is not finished: digests are still being taken, or the service had to end before\n",
               path);
    v->hashed += (unsigned)list.count;
    free(list.entries);
    free(text);
    return list.complete;
}

bool tf_verify_manifest_names(const char *folder, const char *manifest, const char *file)
{
    struct tf_manifest_list list = {0};
    char path[4096 + 520];
    bool found = false;
    size_t size = 0;
    char *text;

    snprintf(path, sizeof(path), "%s/%s", folder, manifest);
    text = load(path, &size);
    if (text && tf_manifest_read(text, size, &list, NULL) == 0)
        for (size_t i = 0; i < list.count && !found; i++)
            found = strcmp(list.entries[i].name, file) == 0;
    free(list.entries);
    free(text);
    return found;
}
