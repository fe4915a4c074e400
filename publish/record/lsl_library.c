/* Looks for liblsl and for its functions. */
#include "publish/record/lsl_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/count.h"

#define WHERE                                                                                                \
    "install the package of your system from https://github.com/sccn/liblsl/releases, or put liblsl.so.2 "   \
    "into /usr/local/lib and run ldconfig; or set library= in [lsl] to the file (docs/lsl.md)"

static int missing(const char *path, const char *reason, struct tf_error *err)
{
    /* The loader's words for a file that is not there; whatever else is said is of one that is. */
    bool there = path ? access(path, F_OK) == 0 : !strstr(reason, "No such file");

    if (path && there)
        return tf_fail(err, -ENOEXEC, "liblsl cannot be used: %s", reason);
    if (path)
        return tf_fail(err, -ENOENT, "%s is not there: " WHERE, path);
    if (there)
        return tf_fail(err, -ENOEXEC, "liblsl cannot be used: %s: " WHERE, reason);
    return tf_fail(err, -ENOENT, "liblsl is not installed: " WHERE);
}

int tf_lsl_library_open(const char *path, struct tf_lsl_library *ret, struct tf_error *err)
{
    static const char *const names[] = {"liblsl.so.2", "liblsl.so"};
    struct tf_lsl_library lsl = {0};
    char reason[256] = "";
    void *handle = NULL;

    for (size_t i = 0; i < (path ? 1 : TF_COUNT(names)) && !handle; i++) {
        const char *name = path ? path : names[i];

        handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (handle)
            snprintf(lsl.path, sizeof(lsl.path), "%s", name);
        else if (!reason[0] || strstr(reason, "No such file"))
            snprintf(reason, sizeof(reason), "%s", dlerror());
    }
    if (!handle)
        return missing(path, reason, err);
#define X(result, name, arguments)                                                                           \
    *(void **)&lsl.name = dlsym(handle, "lsl_" #name);                                                       \
    if (!lsl.name) {                                                                                         \
        dlclose(handle);                                                                                     \
        return tf_fail(err, -ENOSYS, "%s is no liblsl that can be used: it has no lsl_" #name ": " WHERE,    \
                       lsl.path);                                                                            \
    }
    TF_LSL_FUNCTIONS(X)
#undef X
#define X(result, name, arguments) *(void **)&lsl.name = dlsym(handle, "lsl_" #name);
    TF_LSL_OPTIONAL(X)
#undef X
    if (!lsl.destroy_string)
        *(void **)&lsl.destroy_string = dlsym(RTLD_DEFAULT, "free");
    *ret = lsl;
    return 0;
}
