/*
 * Recorded sessions, to be looked at from elsewhere. A session's id is the stem of its files,
 * "sub-07_ses-2_task-stroop_run-1"; it says where they are, DIRECTORY/sub-07/ses-2/beh/. Whatever id and name
 * say, nothing outside of that folder is opened: both have only the characters of such names, each folder is
 * opened in the one before, and links are not followed (the data set's own folder may be one).
 */
#ifndef TF_PUBLISH_RECORDING_SESSION_FILES_H
#define TF_PUBLISH_RECORDING_SESSION_FILES_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

/* Sessions in a list; there are more of them than these where it says "more". */
#define TF_SESSIONS_LISTED_MAX 2000
#define TF_SESSION_ID_MAX 240

/*
 * {"sessions":[{"id","subject","session","task","run","state","seconds","cameras","bytes","changed"},…],"more":false},
 * ordered by id. `state`: "recording" for the id `running` (NULL: none), "complete", or "incomplete" where a
 * recording of it says so or says nothing. -ENOENT and others of the folder; -ENOMEM.
 */
int tf_sessions_list(const char *directory, const char *running, json_t **ret, struct tf_error *err);
/* One of them, with "files":[{"name","bytes"},…]. -ENOENT: there is none; -EINVAL: the id is none. */
int tf_sessions_tell(const char *directory, const char *id, const char *running, json_t **ret,
                     struct tf_error *err);
/* A regular file of the session, open for reading. -ENOENT, -EINVAL (names), -ELOOP (a link), and open's own.
 */
int tf_sessions_open(const char *directory, const char *id, const char *name);

#endif
