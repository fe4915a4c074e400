/* thermofaced: the thermal-camera service. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/service.h"

#define EXIT_USAGE 2

static const char usage[] =
    "Usage: thermofaced --config FILE [--check-config]\n"
    "       thermofaced --help-config | --help | --version\n"
    "\n"
    "Runs the cameras of a configuration: records over HTTP, annotated video over RTSP.\n"
    "\n"
    "  -c, --config FILE   the configuration, see thermofaced.conf(5)\n"
    "      --check-config  check it, say what is wrong and where, and end\n"
    "      --help-config   every key with its type, default and limits\n"
    "      --debug         more messages\n"
    "  -h, --help          this text\n"
    "      --version       the version\n"
    "\n"
    "SIGHUP reads the configuration again; SIGTERM and SIGINT end the service.\n";

static int help_config(void)
{
    char *text = tf_config_help();

    if (!text) {
        fputs("thermofaced: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    fputs(text, stdout);
    free(text);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
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
    struct tf_service service = {.config = config, .session_lock = PTHREAD_MUTEX_INITIALIZER};
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
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    enum { CHECK = 256, HELP_CONFIG, DEBUG, VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, CHECK},
        {"help-config", no_argument, NULL, HELP_CONFIG},
        {"debug", no_argument, NULL, DEBUG},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    const char *path = NULL;
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    bool check = false;
    int option, r;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case CHECK:
            check = true;
            break;
        case HELP_CONFIG:
            return help_config();
        case DEBUG:
            tf_log_set_level(TF_LOG_DEBUG);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        case VERSION:
            puts("thermofaced " TF_VERSION);
            return EXIT_SUCCESS;
        default:
            fputs("thermofaced: \"thermofaced --help\" shows what can be given\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "thermofaced: \"%s\" is too much; \"thermofaced --help\" shows what can be given\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    if (!path) {
        fputs("thermofaced: --config FILE is missing; \"thermofaced --help\" shows what can be given\n",
              stderr);
        return EXIT_USAGE;
    }
    r = tf_config_load(path, &config, &err);
    if (r == 0)
        r = tf_service_check(config, &err);
    if (r < 0) {
        /* Not through the log: "FILE:LINE: …" at the beginning of the line is what editors understand. */
        fprintf(stderr, "%s\n", err.text);
        r = EXIT_FAILURE;
    } else if (check) {
        printf("%s: all right\n", path);
        r = EXIT_SUCCESS;
    } else {
        r = run(config);
    }
    tf_config_free(config);
    return r;
}
