/* Where the networks lie, and whether they are there. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "pipeline/models.h"
#include "publish/disk/manifest.h"

const char *tf_models_folder(const char *given)
{
    static const char build[] = TF_BUILD_ROOT "/";
    char self[PATH_MAX];
    ssize_t n;

    if (given)
        return given;
    given = getenv("TF_MODELS");
    if (given && *given)
        return given;
    /* A program that runs from where it was built takes the networks that lie beside its source. */
    n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = 0;
        if (strncmp(self, build, strlen(build)) == 0)
            return TF_SOURCE_ROOT "/models";
    }
    return TF_DATADIR "/models";
}

int tf_models_have(const char *folder, const char *name, struct tf_error *err)
{
    char path[PATH_MAX];
    struct stat st;
    int r, n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    bool there;

    if (n < 0 || (size_t)n >= sizeof(path))
        return tf_fail(err, -ENAMETOOLONG, "the path of the models folder is too long");
    if (access(path, R_OK) == 0)
        return 0;
    r = -errno;
    there = stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
    return tf_fail(
        err, r,
        "%s: %s%s; say where the networks are: --models DIR (thermoface), models=DIR in [inference] "
        "(thermofaced.conf) or TF_MODELS=DIR",
        path, strerror(-r), there ? "" : ", nor is there such a folder");
}

int tf_models_check(const struct tf_analyser_options *options, struct tf_error *err)
{
    int r = 0;

    if (options->models && !options->landmarks)
        r = tf_models_have(options->models, "landmarks68.onnx", err);
    if (r == 0 && options->models && !options->finder)
        r = tf_models_have(options->models, "finder.onnx", err);
    return r;
}

static bool digest(const char *path, struct tf_recording_model *ret)
{
    const char *name = strrchr(path, '/');
    uint8_t bytes[TF_SHA256_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t size;
    bool ok = fd >= 0 && tf_sha256_file(fd, NULL, bytes, &size) == 0;

    if (fd >= 0)
        close(fd);
    if (!ok)
        return false;
    snprintf(ret->name, sizeof(ret->name), "%.*s", (int)sizeof(ret->name) - 1, name ? name + 1 : path);
    for (int i = 0; i < TF_SHA256_BYTES; i++)
        snprintf(ret->sha256 + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

int tf_models_digest(const struct tf_analyser_options *options,
                     struct tf_recording_model ret[TF_RECORDING_MODELS_MAX])
{
    const char *const given[] = {options->landmarks, options->finder, options->segmentation};
    static const char *const usual[] = {"landmarks68.onnx", "finder.onnx", NULL};
    char path[PATH_MAX];
    int n = 0;

    _Static_assert(TF_COUNT(given) == TF_RECORDING_MODELS_MAX, "a place for each");
    for (size_t i = 0; i < TF_COUNT(given); i++) {
        if (given[i])
            snprintf(path, sizeof(path), "%s", given[i]);
        else if (usual[i] && options->models)
            snprintf(path, sizeof(path), "%.4000s/%s", options->models, usual[i]);
        else
            continue;
        n += digest(path, &ret[n]);
    }
    return n;
}
