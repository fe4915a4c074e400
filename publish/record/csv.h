/* A CSV row whose OpenFace time counts from a start; inside publish/ only. */
#ifndef TF_PUBLISH_RECORD_CSV_H
#define TF_PUBLISH_RECORD_CSV_H

#include "publish/record/record.h"

/* As tf_record_csv; `t_start_ns` (CLOCK_MONOTONIC of the first row) is 0 in the OpenFace profile's timestamp.
 */
int tf_record_csv_since(const struct tf_record *record, enum tf_csv_profile profile, uint64_t t_start_ns,
                        char *buffer, size_t size);

#endif
