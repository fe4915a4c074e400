/* The one table of thermofaced's options (daemon/table.c). */
#ifndef TF_DAEMON_TABLE_H
#define TF_DAEMON_TABLE_H

#include "base/options.h"

/* One command without a name of its own, then the end. */
extern const struct tf_usage tf_daemon_usage[];

#endif
