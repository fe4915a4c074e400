/* thermofaced: the thermal-camera service. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/output.h"
#include "daemon/service.h"
#include "daemon/table.h"

static int print_keys(void)
{
    char *text = tf_config_help();

    if (!text) {
        fputs("thermofaced: out of memory\n", stderr);
        return TF_EXIT_FAILURE;
    }
    fputs(text, stdout);
    free(text);
    return TF_EXIT_OK;
}

/* Before any thread exists, so that every thread inherits it and signals reach only the main loop. */
static void block_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    /* A client that hangs up is an error of a write, not the end of the service. */
    signal(SIGPIPE, SIG_IGN);
}

static int run(struct tf_config *config)
{
    struct tf_service service = {.config = config,
                                 .session_lock = PTHREAD_MUTEX_INITIALIZER,
                                 .problem_lock = PTHREAD_MUTEX_INITIALIZER};
    struct tf_error err = {0}, lost = {0};
    int r, stopped;

    block_signals();
    r = tf_service_start(&service, &err);
    if (r == 0)
        r = tf_service_run(&service, &err);
    stopped = tf_service_stop(&service, &lost);
    if (r == 0 && stopped < 0) {
        r = stopped;
        err = lost;
    }
    if (r < 0)
        tf_log(TF_LOG_ERROR, NULL, "%s", err.text[0] ? err.text : strerror(-r));
    else
        tf_log(TF_LOG_NOTICE, NULL, "ended");
    return r < 0 ? TF_EXIT_FAILURE : TF_EXIT_OK;
}

static int start(const char *path, bool check)
{
    static struct tf_config_faults faults;
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    int r = tf_config_check(path, &config, &faults);

    if (config && tf_service_check(config, &faults, &err) < 0)
        r = -EINVAL;
    if (r < 0 || faults.count) {
        /* Not through the log: "FILE:LINE: …" at the beginning of the line is what editors understand. */
        for (size_t i = 0; i < faults.count; i++)
            fprintf(stderr, "%s\n", faults.at[i].text);
        if (faults.more)
            fprintf(stderr, "%s: and %zu more\n", path, faults.more);
        r = TF_EXIT_FAILURE;
    } else if (check) {
        if (tf_service_note_lsl(config, &err))
            fprintf(stderr, "%s; the service would run without these streams\n", err.text);
        printf("%s: all right\n", path);
        r = tf_output_end("thermofaced", TF_EXIT_OK);
    } else {
        r = run(config);
    }
    tf_config_free(config);
    return r;
}

int main(int argc, char **argv)
{
    const char *path = NULL, *arguments[TF_ARGUMENTS_MAX];
    bool check = false, help_config = false, debug = false, version = false;
    const struct tf_bind bind[] = {
        {"config", &path}, {"check-config", &check}, {"help-config", &help_config},
        {"debug", &debug}, {"version", &version},    {0},
    };
    int status;

    if (tf_rtsp_is_worker(argc, argv))
        return tf_rtsp_worker_main();
    if (!tf_options_parse(tf_daemon_usage, bind, argc, argv, arguments, &status))
        return tf_output_end("thermofaced", status);
    if (version) {
        puts("thermofaced " TF_VERSION);
        return tf_output_end("thermofaced", TF_EXIT_OK);
    }
    if (help_config)
        return tf_output_end("thermofaced", print_keys());
    if (!path)
        return tf_usage_error(tf_daemon_usage, "--config FILE is missing");
    if (debug)
        tf_log_set_level(TF_LOG_DEBUG);
    return start(path, check);
}
