/* Picture sequences: frame_%04d.png, in the order of their numbers; a number that is missing is a lost
 * picture. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/reader.h"

#define FPS_DEFAULT 25.0
#define FILES_MAX 1000000u

struct list {
    struct tf_reader reader;          /* first */
    struct tf_source_options options; /* for the next file; its strings are not kept */
    char *folder, *before, *after;    /* of the name; the digits stand between */
    uint64_t *numbers;
    int digits; /* of a number, 0 = as many as it has */
    size_t count, at;
    struct tf_reader *open; /* the file at `at` */
    uint64_t index;
};

static void list_close(struct tf_reader *reader)
{
    struct list *l = (struct list *)reader;

    tf_reader_close(l->open);
    free(l->numbers);
    free(l->folder);
    free(l->before);
    free(l->after);
    free(reader->path);
    free(l);
}

static int list_rewind(struct tf_reader *reader)
{
    struct list *l = (struct list *)reader;

    tf_reader_close(l->open);
    l->open = NULL;
    l->at = 0;
    l->index = 0;
    return 0;
}

static int open_file(struct list *l, struct tf_error *err)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s%0*llu%s", l->folder, l->before, l->digits,
                     (unsigned long long)l->numbers[l->at], l->after);

    if (n >= (int)sizeof(path))
        return tf_fail(err, -ENAMETOOLONG, "%s: the path is too long", l->reader.path);
    return tf_reader_open_one(&l->options, path, &l->open, err);
}

static enum tf_next list_next(struct tf_reader *reader, AVFrame *ret, struct tf_error *err)
{
    struct list *l = (struct list *)reader;
    uint64_t lost = 0;

    while (l->at < l->count) {
        enum tf_next next;
        bool fresh = !l->open;

        if (fresh && open_file(l, err) < 0)
            return TF_NEXT_ERROR;
        if (fresh && l->at)
            lost = l->numbers[l->at] - l->numbers[l->at - 1] - 1;
        next = l->open->ops->next(l->open, ret, err);
        if (next == TF_NEXT_FRAME) {
            l->index += lost;
            reader->picture.lost = lost;
            reader->picture.index = l->index;
            reader->picture.t_ns = (uint64_t)((double)l->index * 1e9 / reader->rate);
            reader->picture.damaged = l->open->picture.damaged;
            reader->picture.jump = false;
            reader->lossy = l->open->lossy;
            reader->codec = l->open->codec;
            l->index++;
            return TF_NEXT_FRAME;
        }
        if (next != TF_NEXT_END)
            return next;
        tf_reader_close(l->open);
        l->open = NULL;
        l->at++;
    }
    return TF_NEXT_END;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The number in a name of the sequence. */
static bool number_of(const struct list *l, const char *name, uint64_t *ret)
{
    size_t n = strlen(name), before = strlen(l->before), after = strlen(l->after), digits;

    if (n <= before + after || strncmp(name, l->before, before) != 0 ||
        strcmp(name + n - after, l->after) != 0)
        return false;
    digits = n - before - after;
    if (digits > 18 || strspn(name + before, "0123456789") < digits)
        return false;
    if (l->digits ? digits != (size_t)l->digits && !(digits > (size_t)l->digits && name[before] != '0')
                  : digits > 1 && name[before] == '0')
        return false;
    *ret = strtoull(name + before, NULL, 10);
    return true;
}

static int find_files(struct list *l, struct tf_error *err)
{
    size_t room = 0;
    DIR *folder = opendir(l->folder);

    if (!folder)
        return tf_fail(err, -errno, "%s: %s: %s", l->reader.path, l->folder, strerror(errno));
    for (const struct dirent *e; (e = readdir(folder));) {
        uint64_t number;

        if (!number_of(l, e->d_name, &number))
            continue;
        if (l->count == room) {
            uint64_t *more = room < FILES_MAX ? realloc(l->numbers, (2 * room + 256) * sizeof(*more)) : NULL;

            if (!more) {
                closedir(folder);
                return tf_fail(err, -ENOMEM, "%s: more than %zu pictures", l->reader.path, l->count);
            }
            l->numbers = more;
            room = 2 * room + 256;
        }
        l->numbers[l->count++] = number;
    }
    closedir(folder);
    if (!l->count)
        return tf_fail(err, -ENOENT, "%s: no file is called so: %%0%dd stands for a number of %d digits",
                       l->reader.path, l->digits ? l->digits : 1, l->digits ? l->digits : 1);
    qsort(l->numbers, l->count, sizeof(*l->numbers), by_number);
    return 0;
}

static int open_list(const struct tf_source_options *options, const char *pattern, struct tf_reader **ret,
                     struct tf_error *err)
{
    static const struct tf_reader_ops ops = {list_next, list_rewind, list_close};
    const char *slash = strrchr(pattern, '/'), *name = slash ? slash + 1 : pattern,
               *percent = strchr(name, '%');
    struct list *l;
    int used = 0, r;

    if (!percent)
        return tf_fail(err, -EINVAL, "%s: no number in the name", pattern);
    l = calloc(1, sizeof(*l));
    if (!l)
        return tf_fail(err, -ENOMEM, "%s: out of memory", pattern);
    l->reader.ops = &ops;
    l->options = *options;
    l->options.url = l->options.format = l->options.raw = l->options.stream = NULL;
    l->reader.path = strdup(pattern);
    l->folder = slash ? strndup(pattern, slash == pattern ? 1 : (size_t)(slash - pattern)) : strdup(".");
    l->before = strndup(name, (size_t)(percent - name));
    if (percent[1] == 'd')
        used = 2;
    else if (sscanf(percent, "%%0%1dd%n", &l->digits, &used) != 1)
        used = 0;
    l->after = strdup(percent + used);
    if (!l->reader.path || !l->folder || !l->before || !l->after) {
        r = tf_fail(err, -ENOMEM, "%s: out of memory", pattern);
        goto fail;
    }
    r = used && !strchr(l->after, '%') ? find_files(l, err)
                                       : tf_fail(err, -EINVAL,
                                                 "%s: one number, written %%d or %%04d, can stand in "
                                                 "the name",
                                                 pattern);
    if (r)
        goto fail;
    l->reader.codec = "pictures";
    l->reader.rate_guessed = !(options->fps > 0);
    l->reader.rate = options->fps > 0 ? (double)options->fps : FPS_DEFAULT;
    l->reader.period_ns = (uint64_t)(1e9 / l->reader.rate);
    l->reader.frames = l->count;
    {
        char first[4096];

        snprintf(first, sizeof(first), "%s/%s%0*llu%s", l->folder, l->before, l->digits,
                 (unsigned long long)l->numbers[0], l->after);
        l->reader.utc_ns = tf_reader_written_ns(first, 0);
    }
    *ret = &l->reader;
    return 0;
fail:
    list_close(&l->reader);
    return r;
}

int tf_reader_open(const struct tf_source_options *options, const char *path, struct tf_reader **ret,
                   struct tf_error *err)
{
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (strchr(slash ? slash : path, '%') && stat(path, &st) < 0)
        return open_list(options, path, ret, err);
    return tf_reader_open_one(options, path, ret, err);
}
