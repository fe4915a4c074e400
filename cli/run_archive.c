/* thermoface run --archive: raw videos packed smaller, bit for bit. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "publish/recording/archive.h"
#include "publish/disk/manifest.h"

#define PATH_BYTES (4096 + 640)

struct archive {
    const struct tf_usage *usage;
    const struct tf_run *run;
    struct tf_progress progress;
    uint64_t steps, packed, kept, failed, before, after;
};

static bool on_frame(void *context)
{
    struct archive *a = context;

    tf_progress_update(&a->progress, ++a->steps / 2); /* each is packed and compared */
    return tf_interrupted();
}

/* True: it was packed. */
static bool pack(struct archive *a, const char *path)
{
    struct tf_archive_result result = {0};
    struct tf_error err = {0};
    int r = tf_archive_video(path, (int)a->run->threads, on_frame, a, &result, &err);

    tf_progress_end(&a->progress);
    if (r < 0) {
        a->failed++;
        tf_command_error(a->usage, "%s", err.text);
        return false;
    }
    if (!result.packed) {
        a->kept++;
        return false;
    }
    r = tf_manifest_renew(path, &err);
    if (r < 0) {
        a->failed++;
        tf_command_error(a->usage, "%s: packed, and its manifest is not: %s", path, err.text);
    }
    a->packed++;
    a->before += result.bytes_before;
    a->after += result.bytes_after;
    printf("%s: %llu frame%s, %.1f MB instead of %.1f MB, every pixel compared\n", path,
           (unsigned long long)result.frames, TF_PLURAL(result.frames), (double)result.bytes_after / 1e6,
           (double)result.bytes_before / 1e6);
    return true;
}

/* The description says what the video is packed with; beside the old one, then in its place. */
static void describe(struct archive *a, const char *path)
{
    char fresh[PATH_BYTES + 16];
    json_t *d = json_load_file(path, 0, NULL);
    FILE *file = NULL;
    int r = 0;

    if (!json_is_object(d) || json_object_set_new(d, "VideoCodec", json_string("ffv1")) < 0)
        r = -EINVAL;
    snprintf(fresh, sizeof(fresh), "%s.part", path);
    if (r == 0) {
        file = fopen(fresh, "we");
        errno = file ? 0 : errno;
        if (!file || json_dumpf(d, file, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0 ||
            fputc('\n', file) == EOF || fflush(file) == EOF || fsync(fileno(file)) < 0)
            r = errno ? -errno : -EIO;
    }
    if (file && fclose(file) == EOF && r == 0)
        r = -errno;
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    json_decref(d);
    if (r == 0)
        r = tf_manifest_renew(path, NULL);
    if (r < 0) {
        a->failed++;
        tf_command_error(a->usage, "%s: cannot be written: %s; its VideoCodec is ffv1 now", path,
                         strerror(-r));
    }
}

static void pack_recording(struct archive *a, const struct tf_recording_found *from)
{
    char path[PATH_BYTES];
    bool any = false;

    snprintf(path, sizeof(path), "%s/%s_video.mkv", from->folder, from->stem);
    if (access(path, F_OK) == 0) {
        any = pack(a, path);
    } else {
        for (unsigned i = 1; i <= 9999 && !tf_interrupted(); i++) {
            snprintf(path, sizeof(path), "%s/%s_split-%04u_video.mkv", from->folder, from->stem, i);
            if (access(path, F_OK) < 0)
                break;
            any |= pack(a, path);
        }
    }
    snprintf(path, sizeof(path), "%s/%s_video.json", from->folder, from->stem);
    if (any && !tf_interrupted())
        describe(a, path);
}

int tf_run_archive(const struct tf_usage *usage, const struct tf_run *r, const char *const *inputs, int count)
{
    struct archive a = {.usage = usage, .run = r};

    tf_catch_interrupt();
    tf_progress_start(&a.progress, 0, 0, r->quiet);
    for (int i = 0; i < count && !tf_interrupted(); i++) {
        struct tf_recording_found *found = NULL;
        struct stat st;
        int n;

        if (stat(inputs[i], &st) == 0 && !S_ISDIR(st.st_mode)) {
            pack(&a, inputs[i]);
            continue;
        }
        n = tf_find_recordings(inputs[i], &found);
        if (n <= 0) {
            a.failed++;
            tf_command_error(usage, "%s: %s", inputs[i],
                             n < 0 ? strerror(-n) : "no recorded session is in it");
        }
        for (int k = 0; k < n && !tf_interrupted(); k++)
            pack_recording(&a, &found[k]);
        free(found);
    }
    if (!r->quiet)
        fprintf(stderr, "%llu packed (%.1f MB instead of %.1f MB), %llu left as they are, %llu failed\n",
                (unsigned long long)a.packed, (double)a.after / 1e6, (double)a.before / 1e6,
                (unsigned long long)a.kept, (unsigned long long)a.failed);
    if (tf_interrupted())
        return tf_command_error(usage, "stopped before the end; the same command goes on");
    return a.failed ? TF_EXIT_FAILURE : TF_EXIT_OK;
}
