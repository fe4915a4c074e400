/* thermoface run: what a data set is made of, and where its results go. */
#include "cli/run_dataset.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "cli/commands.h"

#define PATH_BYTES 4096
#define LINES_MAX 1000000
#define STEM_MAX 200 /* bytes; the longest ending still makes a name that file systems take */

static bool ends(const char *text, const char *ending)
{
    size_t n = strlen(text), e = strlen(ending);

    return n > e && strcasecmp(text + n - e, ending) == 0;
}

bool tf_is_input_list(const char *path)
{
    static const char magic[] = "ffconcat"; /* FFmpeg's lists are videos */
    char head[sizeof(magic) - 1];
    struct stat st;
    FILE *file;
    bool is;

    if (!(ends(path, ".txt") || ends(path, ".lst") || ends(path, ".list")) || stat(path, &st) < 0 ||
        !S_ISREG(st.st_mode))
        return false;
    file = fopen(path, "re");
    if (!file)
        return true; /* its error is said where it is read */
    is = fread(head, 1, sizeof(head), file) != sizeof(head) || memcmp(head, magic, sizeof(head)) != 0;
    fclose(file);
    return is;
}

/* --- items --- */

static struct tf_run_item *add(struct tf_dataset *d)
{
    struct tf_run_item *more;
    int capacity = d->capacity ? 2 * d->capacity : 16;

    if (d->count == d->capacity) {
        more = realloc(d->items, (size_t)capacity * sizeof(*more));
        if (!more)
            return NULL;
        d->items = more;
        d->capacity = capacity;
    }
    d->items[d->count] = (struct tf_run_item){0};
    return &d->items[d->count++];
}

__attribute__((format(printf, 2, 3))) static int fail(struct tf_run_item *item, const char *format, ...)
{
    char text[2 * PATH_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    free(item->problem);
    item->problem = strdup(text);
    return item->problem ? 0 : -ENOMEM;
}

/* The nearest folder upwards that is a data set; 0 when there is none. Returns the length of its path. */
static size_t dataset_root(const char *folder)
{
    char path[PATH_BYTES + 32];
    size_t n = strlen(folder);

    while (n) {
        snprintf(path, sizeof(path), "%.*s/dataset_description.json", (int)n, folder);
        if (access(path, F_OK) == 0)
            return n;
        while (n && folder[n - 1] != '/')
            n--;
        while (n && folder[n - 1] == '/')
            n--;
    }
    return 0;
}

static bool same_folder(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int place_recording(struct tf_dataset *d, struct tf_run_item *item)
{
    char whole[PATH_MAX], root_path[2 * PATH_BYTES], out[2 * PATH_BYTES];
    const char *output = d->run->output;
    size_t root;

    if (!realpath(item->folder, whole))
        return fail(item, "%s: %s", item->folder, strerror(errno));
    root = dataset_root(whole);
    if (!output && !root)
        return fail(item, "where do the results go? Say --output FOLDER");
    if (output)
        snprintf(root_path, sizeof(root_path), "%s", output);
    else
        snprintf(root_path, sizeof(root_path), "%.*s/derivatives/thermoface", (int)root, whole);
    if ((size_t)snprintf(out, sizeof(out), "%s%s", root_path, root ? whole + root : "") >= PATH_BYTES)
        return fail(item, "the path of the results is too long");
    if (same_folder(out, whole))
        return fail(item,
                    "the results would take the place of the recording itself: choose another --output");
    item->root = strdup(root_path);
    item->out = strdup(out);
    return item->root && item->out ? 0 : -ENOMEM;
}

static int add_recording(struct tf_dataset *d, const struct tf_recording_found *from, const char *name,
                         const char *problem)
{
    struct tf_run_item *item = add(d);
    char input[sizeof(from->folder) + sizeof(from->stem) + 2];

    if (!item)
        return -ENOMEM;
    snprintf(input, sizeof(input), "%s/%s", from->folder, from->stem);
    item->recording = true;
    item->input = strdup(input);
    item->folder = strdup(from->folder);
    item->stem = strdup(from->stem);
    item->name = strdup(name);
    if (!item->input || !item->folder || !item->stem || !item->name)
        return -ENOMEM;
    if (d->run->subject)
        return fail(item, "--subject names the results of videos; a recorded session has its own names");
    return problem ? fail(item, "%s", problem) : place_recording(d, item);
}

/* "sub-07_ses-2_task-stroop_run-1_recording-thermal" in sub-07/ses-2/beh of a data set of results. */
static int name_as_bids(const struct tf_dataset *d, struct tf_run_item *item)
{
    const struct tf_run *r = d->run;
    char session[80] = "", camera[64], stem[512], out[2 * PATH_BYTES];
    size_t n = 0, number = 0;

    for (const char *c = r->camera; *c && n < sizeof(camera) - 1; c++)
        if (*c != '_' && *c != '-')
            camera[n++] = *c;
    camera[n] = '\0';
    for (int i = 0; i < d->count; i++)
        number += !d->items[i].recording;
    if (r->session)
        snprintf(session, sizeof(session), "ses-%s", r->session);
    snprintf(stem, sizeof(stem), "sub-%s%s%s_task-%s_run-%zu_recording-%s", r->subject, *session ? "_" : "",
             session, r->task, number, n ? camera : "camera");
    if ((size_t)snprintf(out, sizeof(out), "%s/sub-%s%s%s/beh", r->output, r->subject, *session ? "/" : "",
                         session) >= PATH_BYTES)
        return fail(item, "the path of the results is too long");
    free(item->stem);
    free(item->root);
    item->stem = strdup(stem);
    item->root = strdup(r->output);
    item->out = strdup(out);
    return item->stem && item->root && item->out ? 0 : -ENOMEM;
}

/* `under`: the results' folder below --output, or empty. */
static int add_video(struct tf_dataset *d, const char *path, const char *under, const char *name,
                     const char *problem)
{
    struct tf_run_item *item = add(d);
    const char *base = strrchr(path, '/'), *ending;
    char out[2 * PATH_BYTES];

    if (!item)
        return -ENOMEM;
    base = base ? base + 1 : path;
    ending = strrchr(base, '.');
    item->input = strdup(path);
    item->name = strdup(name);
    item->stem = strndup(base, ending && ending != base ? (size_t)(ending - base) : strlen(base));
    item->root = strdup("");
    if (!item->input || !item->name || !item->stem || !item->root)
        return -ENOMEM;
    if (problem)
        return fail(item, "%s", problem);
    if (!d->run->output)
        return fail(item, "where do the results go? Say --output FOLDER");
    if (d->run->subject)
        return name_as_bids(d, item);
    if (strlen(item->stem) > STEM_MAX)
        return fail(item, "the name is longer than %d bytes", STEM_MAX);
    if ((size_t)snprintf(out, sizeof(out), "%s%s%s", d->run->output, *under ? "/" : "", under) >= PATH_BYTES)
        return fail(item, "the path of the results is too long");
    item->out = strdup(out);
    return item->out ? 0 : -ENOMEM;
}

/* --- folders --- */

/* How a path below a folder is called: without the folder. */
static const char *below(const char *folder, const char *path)
{
    size_t n = strlen(folder);

    while (n > 1 && folder[n - 1] == '/')
        n--;
    if (strncmp(folder, path, n) != 0)
        return path;
    return path[n] == '/' ? path + n + 1 : path[n] == '\0' ? "" : path;
}

/* `above`: the results' folder below --output of the folder itself. */
static int add_folder(struct tf_dataset *d, const char *folder, const char *above, bool named, int *found)
{
    struct tf_recording_found *list = NULL;
    struct tf_video_found *videos = NULL;
    char name[2 * PATH_BYTES], under[2 * PATH_BYTES];
    int n = tf_find_dataset(folder, &list), r = 0;

    *found = 0;
    if (n < 0)
        return n;
    for (int i = 0; i < n && r == 0; i++) {
        snprintf(name, sizeof(name), "%s/%s", list[i].folder, list[i].stem);
        r = add_recording(d, &list[i], named ? name : below(folder, name), list[i].problem);
    }
    free(list);
    *found = n;
    if (n || r < 0)
        return r;
    n = tf_find_videos(folder, d->run->output, d->run->raw != NULL, &videos);
    if (n < 0)
        return n;
    for (int i = 0; i < n && r == 0; i++) {
        const char *inner = below(folder, videos[i].path), *slash = strrchr(inner, '/');
        int k = slash ? (int)(slash - inner) : 0;

        snprintf(under, sizeof(under), "%s%s%.*s", above, *above && k ? "/" : "", k, inner);
        r = add_video(d, videos[i].path, under, named ? videos[i].path : inner, NULL);
    }
    free(videos);
    *found = n;
    return r;
}

/* --- lists --- */

/*
 * Where the results of a line's input go below --output: as it lies below the list's folder; from elsewhere
 * by its whole path, so that two of the same name never meet.
 */
static void place_of_line(const char *list, const char *path, bool folder, char ret[PATH_MAX])
{
    char base[PATH_MAX], copy[PATH_BYTES], whole[PATH_MAX];
    const char *slash = strrchr(list, '/'), *inner;
    size_t n;

    *ret = '\0';
    snprintf(copy, sizeof(copy), "%.*s", slash ? (int)(slash - list) : 1, slash ? list : ".");
    if (!realpath(*copy ? copy : "/", base))
        return;
    /* The folder's real path: the last part may be a pattern. */
    snprintf(copy, sizeof(copy), "%s", path);
    if (!folder) {
        char *end = strrchr(copy, '/');

        if (end)
            *end = '\0';
        else
            strcpy(copy, ".");
    }
    if (!realpath(*copy ? copy : "/", whole))
        return;
    inner = below(base, whole);
    n = strspn(inner, "/");
    snprintf(ret, PATH_MAX, "%s", inner + n);
}

/* A line that names a recording's table or video is the recording. */
static bool recording_of(const char *path, struct tf_recording_found *ret)
{
    static const char *const endings[] = {"_frames.csv", "_video.mkv", "_video.json"};
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char table[PATH_BYTES + 640];
    char *split;

    for (size_t i = 0; i < TF_COUNT(endings); i++) {
        size_t n = strlen(base), e = strlen(endings[i]);

        if (n <= e || strcmp(base + n - e, endings[i]) != 0 || n - e >= sizeof(ret->stem))
            continue;
        *ret = (struct tf_recording_found){0};
        snprintf(ret->folder, sizeof(ret->folder), "%.*s", slash ? (int)(slash - path) : 1,
                 slash ? path : ".");
        snprintf(ret->stem, sizeof(ret->stem), "%.*s", (int)(n - e), base);
        split = strstr(ret->stem, "_split-");
        if (split && strlen(split) == strlen("_split-0001"))
            *split = '\0';
        snprintf(table, sizeof(table), "%s/%s_frames.csv", ret->folder, ret->stem);
        return access(table, F_OK) == 0;
    }
    return false;
}

static int add_line(struct tf_dataset *d, const char *list, const char *line, int number)
{
    char path[PATH_BYTES], name[2 * PATH_BYTES], under[PATH_MAX];
    const char *slash = strrchr(list, '/');
    struct tf_recording_found recording;
    struct stat st;
    int r, n = 0, found;

    snprintf(name, sizeof(name), "%s", line);
    if (*line == '/' || !slash)
        n = snprintf(path, sizeof(path), "%s", line);
    else
        n = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - list), list, line);
    if (n < 0 || (size_t)n >= sizeof(path) - 64)
        return add_video(d, line, "", name, "the path is too long");
    if (recording_of(path, &recording))
        return add_recording(d, &recording, name, NULL);
    if (stat(path, &st) < 0 && !(errno == ENOENT && strchr(line, '%'))) {
        char problem[PATH_BYTES + 256];

        snprintf(problem, sizeof(problem), "line %d of %s: %s", number, list,
                 errno == ENOENT ? "there is no such file or folder" : strerror(errno));
        return add_video(d, path, "", name, problem);
    }
    if (tf_is_input_list(path))
        return add_video(d, path, "", name, "is a list in a list");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        place_of_line(list, path, true, under);
        r = add_folder(d, path, under, true, &found);
        if (r < 0 && r != -ENOMEM)
            return add_video(d, path, "", name, strerror(-r));
        return r < 0 || found ? r : add_video(d, path, "", name, "no recorded session and no video is in it");
    }
    place_of_line(list, path, false, under);
    return add_video(d, path, under, name, NULL);
}

static int add_list(struct tf_dataset *d, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int r = 0, number = 0, before = d->count;

    if (!file)
        return tf_command_error(d->usage, "%s: %s", path, strerror(errno));
    while (r == 0 && (n = getline(&line, &size, file)) >= 0) {
        char *text = line;

        if (number++ == 0 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
            text += 3, n -= 3;
        while (n > 0 && strchr("\r\n \t", text[n - 1]))
            text[--n] = '\0';
        while (n > 0 && strchr(" \t", *text))
            text++, n--;
        if (!n || *text == '#')
            continue;
        if (strlen(text) != (size_t)n || n >= PATH_BYTES || number > LINES_MAX) {
            r = tf_command_error(d->usage, "%s: line %d: %s", path, number,
                                 number > LINES_MAX          ? "too many lines; the limit is 1000000"
                                 : strlen(text) != (size_t)n ? "has a NUL: is it a text?"
                                                             : "is too long for a path");
            break;
        }
        r = add_line(d, path, text, number);
    }
    if (r == 0 && ferror(file))
        r = tf_command_error(d->usage, "%s: %s", path, strerror(errno));
    if (r == 0 && d->count == before)
        r = tf_command_error(d->usage, "%s: no input is in this list", path);
    free(line);
    fclose(file);
    return r < 0 ? tf_command_error(d->usage, "%s: %s", path, strerror(-r)) : r;
}

/* --- all of it --- */

static int by_place(const void *a, const void *b, void *items)
{
    const struct tf_run_item *x = (struct tf_run_item *)items + *(const int *)a;
    const struct tf_run_item *y = (struct tf_run_item *)items + *(const int *)b;
    int c = strcmp(x->out ? x->out : "", y->out ? y->out : "");

    if (c == 0)
        c = strcmp(x->stem, y->stem);
    return c ? c : *(const int *)a - *(const int *)b;
}

static void clear_item(struct tf_run_item *item)
{
    free(item->input);
    free(item->folder);
    free(item->stem);
    free(item->name);
    free(item->root);
    free(item->out);
    free(item->problem);
}

/* What is named twice is made once; two that would write the same files are an error of the second. */
static int find_doubles(struct tf_dataset *d)
{
    int *order = malloc((size_t)d->count * sizeof(*order)), r = 0, kept = 0;

    if (!order)
        return -ENOMEM;
    for (int i = 0; i < d->count; i++)
        order[i] = i;
    qsort_r(order, (size_t)d->count, sizeof(*order), by_place, d->items);
    for (int i = 1, first = 0; i < d->count && r == 0; i++) {
        struct tf_run_item *a = &d->items[order[first]], *b = &d->items[order[i]];
        bool same = same_folder(a->input, b->input); /* or file */

        if (!a->out || !b->out || strcmp(a->out, b->out) != 0 || strcmp(a->stem, b->stem) != 0) {
            first = i;
        } else if (same || strcmp(a->input, b->input) == 0 ||
                   (a->recording && b->recording && same_folder(a->folder, b->folder))) {
            free(b->input);
            b->input = NULL;
        } else {
            r = fail(b, "another input has the same name: %s", a->name);
        }
    }
    free(order);
    for (int i = 0; i < d->count; i++) {
        if (d->items[i].input)
            d->items[kept++] = d->items[i];
        else
            clear_item(&d->items[i]);
    }
    d->count = kept;
    return r;
}

static int add_input(struct tf_dataset *d, const char *input, bool named)
{
    struct stat st;
    int found, r;

    if (stat(input, &st) < 0)
        return strncmp(input, "synthetic", 9) != 0
                   ? tf_command_error(d->usage, "%s: %s", input, strerror(errno))
                   : tf_usage_error(d->usage,
                                    "%s has no end: it goes to --ndjson, --csv or --video, with --limit",
                                    input);
    if (tf_is_input_list(input))
        return add_list(d, input);
    if (!S_ISDIR(st.st_mode)) {
        r = add_video(d, input, "", input, NULL);
    } else {
        r = add_folder(d, input, "", named, &found);
        if (r == 0 && !found)
            return tf_command_error(d->usage, "%s: no recorded session and no video is in it", input);
    }
    return r < 0 ? tf_command_error(d->usage, "%s: %s", input, strerror(-r)) : TF_EXIT_OK;
}

int tf_dataset_find(struct tf_dataset *d, const char *const *inputs, int count)
{
    int status = TF_EXIT_OK, nowhere = 0;

    for (int i = 0; i < count && status == TF_EXIT_OK; i++)
        status = add_input(d, inputs[i], count > 1);
    if (status == TF_EXIT_OK && find_doubles(d) < 0)
        status = tf_command_error(d->usage, "out of memory");
    if (status != TF_EXIT_OK)
        return status;
    for (int i = 0; i < d->count && !d->run->output; i++)
        nowhere += !d->items[i].recording && !d->items[i].out;
    if (nowhere == d->count && count == 1 && !tf_is_input_list(inputs[0]))
        return tf_command_error(d->usage, "%s: where do the results go? Say --output FOLDER", inputs[0]);
    return TF_EXIT_OK;
}

void tf_dataset_clear(struct tf_dataset *d)
{
    for (int i = 0; i < d->count; i++)
        clear_item(&d->items[i]);
    free(d->items);
    d->items = NULL;
    d->count = d->capacity = 0;
}
