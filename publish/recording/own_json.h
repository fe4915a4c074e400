/*
 * Own regions as JSON, as GET /regions, PUT /regions and a recording's description have them:
 *
 *   [{"name":"temple_right","coordinates":"face","circle":[-0.72,-0.1,0.12]},
 *    {"name":"wall","camera":"thermal","coordinates":"pixels","rectangle":[4,4,20,16]},
 *    {"name":"hand","coordinates":"pixels","polygon":[[10,80],[40,80],[25,110]]}]
 */
#ifndef TF_PUBLISH_RECORDING_OWN_JSON_H
#define TF_PUBLISH_RECORDING_OWN_JSON_H

#include <jansson.h>

#include "base/own_region.h"

/* A new array; NULL: out of memory. */
json_t *tf_own_to_json(const struct tf_own_regions *regions);
/* -EINVAL says which region and what; *ret is left alone then. */
int tf_own_from_json(const json_t *list, struct tf_own_regions *ret, struct tf_error *err);

#endif
