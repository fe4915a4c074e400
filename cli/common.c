#include "config.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

const char *tf_models_folder(const char *given)
{
    static const char build[] = TF_BUILD_ROOT "/";
    char self[4096];
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
        if (!strncmp(self, build, strlen(build)))
            return TF_SOURCE_ROOT "/models";
    }
    return TF_DATADIR "/models";
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void tf_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A reader that went away (| head) is a failed write, which is reported, not a silent death. */
    signal(SIGPIPE, SIG_IGN);
}

bool tf_interrupted(void)
{
    return interrupted != 0;
}

void tf_count_text(double value, char text[16])
{
    static const char *const prefixes[] = {"", " k", " M", " G", " T"};
    int p = 0;
    while (fabs(value) >= 999.5 && p < 4) {
        value /= 1000;
        p++;
    }
    snprintf(text, 16, "%.*f%s", p == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, prefixes[p]);
}
