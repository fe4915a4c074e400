/* Reading a manifest, and mending one after a file was packed anew. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "publish/disk/folder.h"
#include "publish/disk/manifest.h"

#define ENTRIES_MAX 100000
#define TEXT_MAX (32u << 20)

/* Beside the manifest, or in the folder of the points. */
static bool name_is_good(const char *name)
{
    if (strncmp(name, "../motion/", 10) == 0)
        name += 10;
    if (!*name || *name == '.' || strchr(name, '/'))
        return false;
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20)
            return false;
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(const char *line, uint8_t ret[TF_SHA256_BYTES])
{
    for (int i = 0; i < TF_SHA256_BYTES; i++) {
        int high = hex(line[2 * i]), low = high < 0 ? -1 : hex(line[2 * i + 1]);

        if (low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

struct reading {
    struct tf_manifest_list list;
    size_t capacity;
    bool has_size;
    struct tf_manifest_entry size; /* of the line before */
};

static int add(struct reading *r, enum tf_manifest_kind kind, const char *name,
               struct tf_manifest_entry **ret)
{
    struct tf_manifest_entry *e;

    if (!name_is_good(name) || strlen(name) >= sizeof(e->name) || r->list.count == ENTRIES_MAX)
        return -EINVAL;
    if (r->list.count == r->capacity) {
        size_t more = r->capacity ? 2 * r->capacity : 32;
        struct tf_manifest_entry *grown = realloc(r->list.entries, more * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        r->list.entries = grown;
        r->capacity = more;
    }
    e = &r->list.entries[r->list.count++];
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    strcpy(e->name, name);
    *ret = e;
    return 0;
}

static bool read_size(const char *text, uint64_t *size, const char **name)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *size = strtoull(text, &end, 10);
    *name = end + 1;
    return !errno && *end == ' ';
}

static int read_line(struct reading *r, char *line)
{
    struct tf_manifest_entry *e;
    const char *name;
    uint64_t size;
    int code;

    if (strncmp(line, "# state ", 8) == 0) {
        r->list.complete = strcmp(line + 8, "complete") == 0;
        return r->list.complete || strcmp(line + 8, "open") == 0 ? 0 : -EINVAL;
    }
    if (strncmp(line, "# lost ", 7) == 0)
        return add(r, TF_MANIFEST_LOST, line + 7, &e);
    if (strncmp(line, "# pending ", 10) == 0) {
        if (!read_size(line + 10, &size, &name))
            return -EINVAL;
        code = add(r, TF_MANIFEST_PENDING, name, &e);
        if (code == 0) {
            e->size = size;
            e->has_size = true;
        }
        return code;
    }
    if (strncmp(line, "# size ", 7) == 0) {
        if (!read_size(line + 7, &r->size.size, &name) || strlen(name) >= sizeof(r->size.name))
            return -EINVAL;
        strcpy(r->size.name, name);
        r->has_size = true;
        return 0;
    }
    if (*line == '#' || !*line)
        return 0; /* a later version's, or somebody's remark */
    if (strlen(line) < 2 * TF_SHA256_BYTES + 3 || strncmp(line + 2 * TF_SHA256_BYTES, "  ", 2) != 0)
        return -EINVAL;
    code = add(r, TF_MANIFEST_FILE, line + 2 * TF_SHA256_BYTES + 2, &e);
    if (code < 0)
        return code;
    if (!read_digest(line, e->digest))
        return -EINVAL;
    if (r->has_size && strcmp(r->size.name, e->name) == 0) {
        e->size = r->size.size;
        e->has_size = true;
    }
    return 0;
}

int tf_manifest_read(const char *text, size_t size, struct tf_manifest_list *ret, struct tf_error *err)
{
    static const char head[] = "# thermoface manifest 1\n";
    struct reading r = {0};
    unsigned line = 0;
    int code = 0;
    char *copy;

    if (size > TEXT_MAX || memchr(text, 0, size) || size < sizeof(head) - 1 ||
        memcmp(text, head, sizeof(head) - 1) != 0)
        return tf_fail(err, -EINVAL, "not a manifest of thermoface");
    if (text[size - 1] != '\n')
        return tf_fail(err, -EINVAL, "its last line has no end");
    copy = malloc(size + 1);
    if (!copy)
        return tf_fail(err, -ENOMEM, "out of memory");
    memcpy(copy, text, size);
    copy[size] = '\0';
    for (char *at = copy, *next; code == 0 && *at; at = next) {
        next = strchr(at, '\n');
        *next++ = '\0';
        line++;
        code = read_line(&r, at);
    }
    free(copy);
    if (code < 0) {
        free(r.list.entries);
        return code == -ENOMEM ? tf_fail(err, code, "out of memory")
                               : tf_fail(err, code, "line %u is not one of a manifest", line);
    }
    *ret = r.list;
    return 0;
}

/* --- after a file was packed anew --- */

static int read_all(int fd, char **ret, size_t *size)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > TEXT_MAX)
        return -EFBIG;
    *ret = malloc((size_t)st.st_size + 1);
    n = *ret ? pread(fd, *ret, (size_t)st.st_size, 0) : -1;
    if (n < 0)
        return *ret ? -errno : -ENOMEM;
    (*ret)[n] = '\0';
    *size = (size_t)n;
    return 0;
}

/* The text with another size and digest for `name`; NULL: the same. */
static char *renewed(const char *text, const char *name, const uint8_t digest[TF_SHA256_BYTES],
                     uint64_t bytes, size_t *ret)
{
    char *more = NULL;
    bool found = false;
    FILE *f = open_memstream(&more, ret);

    if (!f)
        return NULL;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n"), m = strlen(name);
        bool ours = n > m && strncmp(at + n - m, name, m) == 0 && at[n - m - 1] == ' ';

        if (ours && strncmp(at, "# pending ", 10) == 0) {
            fprintf(f, "# size %llu %s\n", (unsigned long long)bytes, name);
            for (int k = 0; k < TF_SHA256_BYTES; k++)
                fprintf(f, "%02x", digest[k]);
            fprintf(f, "  %s\n", name);
            found = true;
        } else if (ours && strncmp(at, "# size ", 7) == 0) {
            fprintf(f, "# size %llu %s\n", (unsigned long long)bytes, name);
        } else if (ours && *at != '#') {
            for (int k = 0; k < TF_SHA256_BYTES; k++)
                fprintf(f, "%02x", digest[k]);
            fprintf(f, "  %s\n", name);
            found = true;
        } else {
            fprintf(f, "%.*s\n", (int)n, at);
        }
        at += n + (at[n] == '\n');
    }
    if (fclose(f) != 0 || !found) {
        free(more);
        return NULL;
    }
    return more;
}

int tf_manifest_renew_entry(const char *shown, const char *manifest, const char *name, struct tf_error *err)
{
    int folder = tf_folder_open(*shown ? shown : "/"), fd = -1, r = folder;
    uint8_t digest[TF_SHA256_BYTES];
    char *text = NULL, *more = NULL;
    size_t size = 0, more_size = 0;
    uint64_t bytes = 0;

    if (r >= 0)
        r = fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (r >= 0)
        r = tf_sha256_file(fd, NULL, digest, &bytes);
    else if (folder >= 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    if (r < 0) {
        tf_fail(err, r, "%s/%s: %s", shown, name, strerror(-r));
        goto out;
    }
    r = fd = openat(folder, manifest, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        r = read_all(fd, &text, &size);
        close(fd);
    } else {
        r = -errno;
    }
    if (r < 0) {
        tf_fail(err, r, "%s/%s: %s", shown, manifest, strerror(-r));
        goto out;
    }
    more = renewed(text, name, digest, bytes, &more_size);
    r = more ? tf_folder_put(folder, shown, manifest, more, more_size, err) : 0;
out:
    free(text);
    free(more);
    if (folder >= 0)
        close(folder);
    return r;
}

int tf_manifest_renew(const char *path, struct tf_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct dirent *entry;
    char shown[4096];
    int r = 0;
    DIR *dir;

    snprintf(shown, sizeof(shown), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    dir = opendir(*shown ? shown : "/");
    if (!dir) {
        r = -errno;
        return tf_fail(err, r, "%s: %s", shown, strerror(-r));
    }
    while (r == 0 && (entry = readdir(dir))) {
        size_t n = strlen(entry->d_name), m = strlen(TF_MANIFEST_ENDING);

        /* The stem of the session begins the names of all its files. */
        if (n > m && strcmp(entry->d_name + n - m, TF_MANIFEST_ENDING) == 0 &&
            strncmp(entry->d_name, name, n - m) == 0 && name[n - m] == '_')
            r = tf_manifest_renew_entry(shown, entry->d_name, name, err);
    }
    closedir(dir);
    return r;
}
