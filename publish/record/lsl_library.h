/*
 * liblsl, opened at run time: Debian has no package of it, so nothing is linked. The few functions that are
 * used, declared from its public documentation (https://labstreaminglayer.readthedocs.io, C API); inside
 * publish/record/ only.
 */
#ifndef TF_PUBLISH_RECORD_LSL_LIBRARY_H
#define TF_PUBLISH_RECORD_LSL_LIBRARY_H

#include <stdint.h>

#include "base/error.h"

/* The library's objects; opaque. */
typedef void *tf_lsl_info, *tf_lsl_outlet, *tf_lsl_inlet, *tf_lsl_resolver, *tf_lsl_xml;

/* Its channel formats and error codes, as its protocol and documentation number them. */
enum { TF_LSL_FLOAT32 = 1, TF_LSL_DOUBLE64 = 2, TF_LSL_STRING = 3 };
enum { TF_LSL_TIMEOUT = -1, TF_LSL_LOST = -2 };
#define TF_LSL_IRREGULAR 0.0

/* X(result, name, arguments): functions without which it is not usable. */
#define TF_LSL_FUNCTIONS(X)                                                                                  \
    X(int32_t, library_version, (void))                                                                      \
    X(double, local_clock, (void))                                                                           \
    X(tf_lsl_info, create_streaminfo,                                                                        \
      (const char *name, const char *type, int32_t channels, double rate, int32_t format,                    \
       const char *source_id))                                                                               \
    X(void, destroy_streaminfo, (tf_lsl_info info))                                                          \
    X(const char *, get_name, (tf_lsl_info info))                                                            \
    X(const char *, get_type, (tf_lsl_info info))                                                            \
    X(const char *, get_source_id, (tf_lsl_info info))                                                       \
    X(const char *, get_hostname, (tf_lsl_info info))                                                        \
    X(const char *, get_uid, (tf_lsl_info info))                                                             \
    X(int32_t, get_channel_count, (tf_lsl_info info))                                                        \
    X(double, get_nominal_srate, (tf_lsl_info info))                                                         \
    X(tf_lsl_xml, get_desc, (tf_lsl_info info))                                                              \
    X(tf_lsl_xml, append_child, (tf_lsl_xml element, const char *name))                                      \
    X(tf_lsl_xml, append_child_value, (tf_lsl_xml element, const char *name, const char *value))             \
    X(tf_lsl_outlet, create_outlet, (tf_lsl_info info, int32_t chunk, int32_t buffered))                     \
    X(void, destroy_outlet, (tf_lsl_outlet outlet))                                                          \
    X(int32_t, have_consumers, (tf_lsl_outlet outlet))                                                       \
    X(int32_t, push_sample_ftp, (tf_lsl_outlet outlet, const float *data, double stamp, int32_t through))    \
    X(int32_t, push_sample_dtp, (tf_lsl_outlet outlet, const double *data, double stamp, int32_t through))   \
    X(int32_t, push_sample_strtp, (tf_lsl_outlet outlet, const char **data, double stamp, int32_t through))  \
    X(tf_lsl_inlet, create_inlet, (tf_lsl_info info, int32_t buffered, int32_t chunk, int32_t recover))      \
    X(void, destroy_inlet, (tf_lsl_inlet inlet))                                                             \
    X(void, open_stream, (tf_lsl_inlet inlet, double timeout, int32_t *error))                               \
    X(double, time_correction, (tf_lsl_inlet inlet, double timeout, int32_t *error))                         \
    X(double, pull_sample_buf,                                                                               \
      (tf_lsl_inlet inlet, char **data, uint32_t *lengths, int32_t count, double timeout, int32_t *error))   \
    X(tf_lsl_resolver, create_continuous_resolver_bypred, (const char *predicate, double forget_after))      \
    X(int32_t, resolver_results, (tf_lsl_resolver resolver, tf_lsl_info * infos, uint32_t count))            \
    X(void, destroy_continuous_resolver, (tf_lsl_resolver resolver))

/* Functions that older ones lack (before 1.13); NULL there. */
#define TF_LSL_OPTIONAL(X) X(void, destroy_string, (char *text))

struct tf_lsl_library {
#define X(result, name, arguments) result(*name) arguments;
    TF_LSL_FUNCTIONS(X)
    TF_LSL_OPTIONAL(X)
#undef X
    char path[512]; /* what was opened */
};

/*
 * Opens a file, or (NULL) liblsl.so.2 and liblsl.so where the system looks for libraries. It stays open: it
 * has threads of its own. -ENOENT: it is not there, and err says what to install; -ENOEXEC: it is another
 * thing or for another processor; -ENOSYS: a function is missing.
 */
int tf_lsl_library_open(const char *path, struct tf_lsl_library *ret, struct tf_error *err);

#endif
