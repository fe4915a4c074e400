/* thermoface run: whether a result is whole and current. */
#include "cli/run_result.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <libavutil/sha.h>

#include "base/count.h"
#include "config.h"
#include "pipeline/models.h"
#include "pipeline/pipeline.h"
#include "publish/disk/manifest.h"

#define PATH_BYTES (4096 + 768)
#define SAMPLES 8
#define SAMPLE_BYTES 16384u

static void hex(const uint8_t digest[TF_SHA256_BYTES], char ret[2 * TF_SHA256_BYTES + 1])
{
    for (int i = 0; i < TF_SHA256_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static int digest_of(const char *path, char ret[2 * TF_SHA256_BYTES + 1], uint64_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : 0;
    uint8_t digest[TF_SHA256_BYTES];

    if (r == 0) {
        r = tf_sha256_file(fd, NULL, digest, size);
        close(fd);
    }
    if (r == 0)
        hex(digest, ret);
    return r;
}

/* A name in whatever encoding: one that is no UTF-8, which JSON cannot hold, as the digits of its bytes. */
static void set_name(json_t *o, const char *name)
{
    char digits[2 * 768 + 1] = "";

    if (json_object_set_new(o, "Name", json_string(name)) == 0)
        return;
    for (size_t i = 0; name[i] && i < 768; i++)
        snprintf(digits + 2 * i, 3, "%02x", (unsigned char)name[i]);
    json_object_set_new(o, "NameBytes", json_string(digits));
}

/* NULL: it has none. */
static const char *name_of(const json_t *o, char buffer[769])
{
    const char *name = json_string_value(json_object_get(o, "Name"));
    const char *digits = json_string_value(json_object_get(o, "NameBytes"));
    size_t n = 0;
    unsigned byte;

    if (name || !digits)
        return name;
    for (; n < 768 && sscanf(digits + 2 * n, "%2x", &byte) == 1 && byte; n++)
        buffer[n] = (char)byte;
    buffer[n] = '\0';
    return buffer;
}

/* --- settings --- */

/* Where and how fast it is made does not change what is made; networks go by their digests. */
static bool matters(const char *name)
{
    static const char *const not [] = {"models", "threads", "cpu",   "jobs",        "output",   "overwrite",
                                       "quiet",  "shard",   "list",  "merge",       "json",     "ndjson",
                                       "csv",    "archive", "video", "csv-profile", "csv-faces"};

    for (size_t i = 0; i < TF_COUNT(not ); i++)
        if (strcmp(name, not [i]) == 0)
            return false;
    return true;
}

static json_t *value_of(const struct tf_option *option, const void *value)
{
    const uint16_t *size = value;
    const char *text;
    char digest[2 * TF_SHA256_BYTES + 1];
    uint64_t bytes;

    switch (option->kind) {
    case TF_OPTION_FLAG:
        return json_boolean(*(const bool *)value);
    case TF_OPTION_TEXT:
    case TF_OPTION_WORD:
        text = *(const char *const *)value;
        if (text && option->values == TF_VALUES_FILE && digest_of(text, digest, &bytes) == 0)
            return json_string(digest);
        return text ? json_string(text) : json_null();
    case TF_OPTION_UINT:
        return json_integer((json_int_t) * (const uint64_t *)value);
    case TF_OPTION_NUMBER:
        return isfinite(*(const double *)value) ? json_real(*(const double *)value) : json_null();
    case TF_OPTION_SIZE:
        return json_pack("[i,i]", size[0], size[1]);
    case TF_OPTION_ROTATE:
        return *size == TF_ROTATE_AUTO ? json_string("auto") : json_integer(*size);
    }
    return json_null();
}

json_t *tf_run_settings(const struct tf_usage *usage, const struct tf_bind *bind, const json_t *before)
{
    json_t *ret = json_object();

    for (const struct tf_option *o = usage->options; ret && o->name; o++)
        for (const struct tf_bind *b = bind; matters(o->name) && b->name; b++)
            if (strcmp(b->name, o->name) == 0) {
                json_t *value = value_of(o, b->value);

                if (before && json_equal(value, json_object_get(before, o->name)))
                    json_decref(value);
                else
                    json_object_set_new_nocheck(ret, o->name, value);
            }
    return ret;
}

json_t *tf_run_maker(const struct tf_run *run)
{
    struct tf_pipeline_options options = tf_run_options(run);
    struct tf_recording_model models[TF_RECORDING_MODELS_MAX] = {0};
    int n = tf_models_digest(&options.analyser, models);
    unsigned v = avcodec_version();
    char library[32];
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s}", "Name", models[i].name, "SHA256", models[i].sha256));
    snprintf(library, sizeof(library), "%u.%u.%u", v >> 16, v >> 8 & 255, v & 255);
    return json_pack("{s:[{s:s,s:s}],s:{s:s},s:O,s:o}", "GeneratedBy", "Name", "thermoface run", "Version",
                     TF_VERSION, "Libraries", "libavcodec", library, "Settings", run->settings, "Models",
                     list);
}

/* --- sources --- */

/*
 * A source file's mark: its size and a digest of pieces spread over it, so that a thousand recordings are
 * looked at in seconds. A change that keeps the size and misses every piece is not seen.
 */
static json_t *source_of(const char *path, const char *name)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t digest[TF_SHA256_BYTES], *piece = malloc(SAMPLE_BYTES);
    struct AVSHA *sha = av_sha_alloc();
    char text[2 * TF_SHA256_BYTES + 1];
    json_t *ret = json_object();
    struct stat st;

    set_name(ret, name);
    if (fd >= 0 && sha && piece && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        uint64_t size = (uint64_t)st.st_size, last = size > SAMPLE_BYTES ? size - SAMPLE_BYTES : 0, at = 0;
        ssize_t n = 1;

        av_sha_init(sha, 256);
        for (unsigned i = 0; i < SAMPLES && n > 0; i++) {
            uint64_t next = last / (SAMPLES - 1) * i + (i == SAMPLES - 1 ? last % (SAMPLES - 1) : 0);

            if (i && next == at)
                continue;
            at = next;
            n = pread(fd, piece, SAMPLE_BYTES, (off_t)at);
            if (n > 0)
                av_sha_update(sha, piece, (size_t)n);
        }
        av_sha_final(sha, digest);
        hex(digest, text);
        json_object_set_new(ret, "Size", json_integer((json_int_t)st.st_size));
        json_object_set_new(ret, "SampleSHA256", json_string(text));
    }
    if (fd >= 0)
        close(fd);
    av_free(sha);
    free(piece);
    return ret;
}

static void add_source(json_t *list, const struct tf_run_item *item, const char *ending)
{
    char path[PATH_BYTES], name[768];

    snprintf(path, sizeof(path), "%.4600s%s", item->input, ending);
    snprintf(name, sizeof(name), "%.600s%s", item->stem, ending);
    if (access(path, F_OK) == 0)
        json_array_append_new(list, source_of(path, name));
}

static json_t *sources_of(const struct tf_run_item *item)
{
    json_t *list = json_array();
    const char *slash = strrchr(item->input, '/');
    char ending[32];
    int had = -1;

    if (!item->recording) {
        json_array_append_new(list, source_of(item->input, slash ? slash + 1 : item->input));
        return list;
    }
    add_source(list, item, "_video.json");
    add_source(list, item, "_frames.csv");
    add_source(list, item, "_video.mkv");
    for (unsigned i = 1; i <= 9999 && had < (int)json_array_size(list); i++) {
        had = (int)json_array_size(list);
        snprintf(ending, sizeof(ending), "_split-%04u_video.mkv", i);
        add_source(list, item, ending);
    }
    return list;
}

json_t *tf_result_expect(const json_t *maker, const struct tf_run_item *item)
{
    json_t *ret = json_copy((json_t *)(uintptr_t)maker);

    if (ret)
        json_object_set_new(ret, "Sources", sources_of(item));
    return ret;
}

/* --- what is there --- */

const char *tf_result_state_name(enum tf_result_state state)
{
    static const char *const names[] = {"todo", "half", "stale", "done"};

    return names[state];
}

static const char *text_of(const json_t *v, char *buffer, size_t size)
{
    char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

    snprintf(buffer, size, "%s", text ? text : "not given");
    free(text);
    return buffer;
}

/* The first setting that differs. */
static void say_settings(const json_t *old, const json_t *now, char why[512])
{
    const char *key;
    json_t *value;
    char a[96], b[96];

    json_object_foreach((json_t *)(uintptr_t)now, key,
                        value) if (!json_equal(value, json_object_get(old, key)))
    {
        snprintf(why, 512, "made with other settings: --%s was %s and is %s", key,
                 text_of(json_object_get(old, key), a, sizeof(a)), text_of(value, b, sizeof(b)));
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)old, key, value) if (!json_object_get(now, key))
    {
        snprintf(why, 512, "made with other settings: --%s was %s and is not given", key,
                 text_of(value, a, sizeof(a)));
        return;
    }
}

static bool is_current(const json_t *old, const json_t *expect, char why[512])
{
    static const char *const keys[][2] = {{"GeneratedBy", "made by another version of thermoface"},
                                          {"Libraries", "made with another version of libavcodec"},
                                          {"Settings", "made with other settings"},
                                          {"Models", "made with other networks"},
                                          {"Sources", "made from something else: the recording has changed"}};
    char a[160], b[160];

    for (size_t i = 0; i < TF_COUNT(keys); i++) {
        const json_t *was = json_object_get(old, keys[i][0]), *is = json_object_get(expect, keys[i][0]);

        if (json_equal(was, is))
            continue;
        if (i == 2)
            say_settings(was, is, why);
        else if (i == 0)
            snprintf(why, 512, "%s: %s, this is %s", keys[i][1],
                     text_of(json_object_get(json_array_get(was, 0), "Version"), a, sizeof(a)),
                     text_of(json_object_get(json_array_get(is, 0), "Version"), b, sizeof(b)));
        else
            snprintf(why, 512, "%s", keys[i][1]);
        return false;
    }
    return true;
}

/* Names that lead elsewhere are none of ours. */
static bool is_safe(const char *name)
{
    if (strncmp(name, "../motion/", 10) == 0)
        name += 10;
    return *name && *name != '.' && !strchr(name, '/');
}

static bool is_whole(const struct tf_run_item *item, const json_t *old, bool digests, char why[512])
{
    const json_t *files = json_object_get(old, "Files");
    char path[2 * PATH_BYTES], digest[2 * TF_SHA256_BYTES + 1];
    size_t i;
    json_t *file;

    if (!json_array_size(files)) {
        snprintf(why, 512, "%.200s" TF_PROVENANCE_ENDING " names no files", item->stem);
        return false;
    }
    json_array_foreach(files, i, file)
    {
        char buffer[769];
        const char *name = name_of(file, buffer);
        const char *sha = json_string_value(json_object_get(file, "SHA256"));
        json_int_t size = json_integer_value(json_object_get(file, "Size"));
        uint64_t bytes;
        struct stat st;
        int r;

        if (!name || !sha || !is_safe(name)) {
            snprintf(why, 512, "%.200s" TF_PROVENANCE_ENDING " is damaged", item->stem);
            return false;
        }
        snprintf(path, sizeof(path), "%s/%s", item->out, name);
        if (stat(path, &st) < 0) {
            snprintf(why, 512, "%.300s: %s", name, errno == ENOENT ? "is missing" : strerror(errno));
            return false;
        }
        if (st.st_size != size) {
            snprintf(why, 512, "%.300s: %lld bytes instead of %lld", name, (long long)st.st_size,
                     (long long)size);
            return false;
        }
        r = digests ? digest_of(path, digest, &bytes) : 0;
        if (r < 0 || (digests && strcmp(digest, sha) != 0)) {
            snprintf(why, 512, "%.300s: %s", name,
                     r < 0 ? strerror(-r)
                           : "its SHA-256 is not the one that was written down: it was changed");
            return false;
        }
    }
    return true;
}

enum tf_result_state tf_result_look(const struct tf_run_item *item, const json_t *expect, bool digests,
                                    char why[512], json_t **ret)
{
    char path[2 * PATH_BYTES];
    enum tf_result_state state;
    json_t *old;

    *why = '\0';
    snprintf(path, sizeof(path), "%s/%s" TF_PROVENANCE_ENDING, item->out, item->stem);
    old = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(old)) {
        bool there = access(path, F_OK) == 0;

        json_decref(old);
        old = NULL;
        snprintf(path, sizeof(path), "%s/%s_frames.csv", item->out, item->stem);
        state = there || access(path, F_OK) == 0 ? TF_RESULT_HALF : TF_RESULT_NONE;
        snprintf(why, 512, "%s",
                 there                     ? "its provenance cannot be read"
                 : state == TF_RESULT_HALF ? "not finished, or made by an older thermoface"
                                           : "not made yet");
    } else if (!is_whole(item, old, digests, why)) {
        state = TF_RESULT_HALF;
    } else {
        state = is_current(old, expect, why) ? TF_RESULT_DONE : TF_RESULT_STALE;
    }
    if (ret)
        *ret = old;
    else
        json_decref(old);
    return state;
}

/* --- writing --- */

static json_t *file_of(const char *name, uint64_t size, const char *digest)
{
    json_t *ret = json_object();

    set_name(ret, name);
    json_object_set_new(ret, "Size", json_integer((json_int_t)size));
    json_object_set_new(ret, "SHA256", json_string(digest));
    return ret;
}

static int add_files(json_t *list, const char *folder, const char *prefix, struct tf_error *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), r = 0;

    if (n < 0)
        return errno == ENOENT ? 0 : tf_fail(err, -errno, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        char path[PATH_BYTES], name[512], digest[2 * TF_SHA256_BYTES + 1];
        uint64_t size = 0;

        if (r == 0 && entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%.4500s/%s", folder, entries[i]->d_name);
            snprintf(name, sizeof(name), "%s%s", prefix, entries[i]->d_name);
            r = digest_of(path, digest, &size);
            if (r < 0)
                tf_fail(err, r, "%s: %s", path, strerror(-r));
            else
                json_array_append_new(list, file_of(name, size, digest));
        }
        free(entries[i]);
    }
    free(entries);
    return r;
}

int tf_result_write(json_t *provenance, const char *beh, const char *motion, const char *motion_name,
                    const char *stem, struct tf_error *err)
{
    json_t *files = json_array();
    char path[PATH_BYTES];
    FILE *file;
    int r = add_files(files, beh, "", err);

    if (r == 0)
        r = add_files(files, motion, motion_name, err);
    if (r < 0) {
        json_decref(files);
        return r;
    }
    if (json_object_set_new(provenance, "Files", files) < 0)
        return tf_fail(err, -ENOMEM, "out of memory");
    snprintf(path, sizeof(path), "%.4096s/%.512s" TF_PROVENANCE_ENDING, beh, stem);
    file = fopen(path, "we");
    if (!file)
        return tf_fail(err, -errno, "%s: %s", path, strerror(errno));
    errno = 0;
    if (json_dumpf(provenance, file, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0 ||
        fputc('\n', file) == EOF)
        r = errno ? -errno : -EIO;
    if (fclose(file) == EOF && r == 0)
        r = -errno;
    return r < 0 ? tf_fail(err, r, "%s: cannot be written: %s", path, strerror(-r)) : 0;
}
