/* The one table of thermofaced's options: parsing, --help, completion and thermofaced(8) come from it. */
#include "daemon/table.h"

static const struct tf_option options[] = {
    {"config", TF_OPTION_TEXT, "FILE", "the configuration, see thermofaced.conf(5)", TF_VALUES_FILE,
     .letter = 'c'},
    {"check-config", TF_OPTION_FLAG, NULL, "check it, say all that is wrong and where, and end"},
    {"help-config", TF_OPTION_FLAG, NULL, "print every key with its type, default and limits"},
    {"debug", TF_OPTION_FLAG, NULL, "more messages"},
    {"version", TF_OPTION_FLAG, NULL, "say which version this is", .letter = 'v'},
    {0},
};

const struct tf_usage tf_daemon_usage[] = {
    {
        .program = "thermofaced",
        .command = "",
        .summary = "Runs the cameras of a configuration: records over HTTP, annotated video over RTSP.",
        .options = options,
        .notes = "SIGHUP reads the configuration again; SIGTERM and SIGINT end the service.\n"
                 "Exit status: 0 on success, 1 on failure, 2 on wrong usage.",
    },
    {0},
};
