/* What several commands share: interruption, credentials, output files, counts as text. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "base/output.h"
#include "cli/commands.h"
#include "config.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* A client's connection may break, too, which its write reports. */
static void on_pipe(int number)
{
    (void)number;
    if (tf_output_gone())
        interrupted = 1;
}

void tf_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A reader that went away (| head) ends the work like Ctrl-C, so that files are closed; tf_output_end
     * sees to the rest. */
    action = (struct sigaction){.sa_handler = on_pipe, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &action, NULL);
}

bool tf_interrupted(void)
{
    return interrupted != 0;
}

bool tf_url_is_here(const char *url)
{
    static const char *const here[] = {"http://127.0.0.1",  "http://localhost",  "http://[::1]",
                                       "https://127.0.0.1", "https://localhost", "https://[::1]"};

    /* After the host only a port or a path. */
    for (size_t i = 0; i < TF_COUNT(here); i++) {
        size_t n = strlen(here[i]);

        if (strncmp(url, here[i], n) == 0 && (!url[n] || url[n] == '/' || url[n] == ':') && !strchr(url, '@'))
            return true;
    }
    return false;
}

const char *tf_lab_credentials(const char *url)
{
    const char *file = getenv("TF_LAB_CREDENTIALS");

    if (!file || !*file)
        file = TF_SYSCONFDIR "/lab.credentials";
    /* A password must not go to whoever else is asked. */
    return tf_url_is_here(url) && access(file, R_OK) == 0 ? file : NULL;
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

int tf_output_check(const struct tf_usage *usage, const char *path, bool overwrite)
{
    struct stat st;
    int fd;

    if (!path || strcmp(path, "-") == 0)
        return TF_EXIT_OK;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return tf_command_error(usage, "%s is a folder: name a file in it", path);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && !overwrite)
        return tf_command_error(usage, "%s exists: --overwrite replaces it, or name another file", path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) {
        close(fd);
        unlink(path);
        return TF_EXIT_OK;
    }
    if (errno == EEXIST && access(path, W_OK) == 0)
        return TF_EXIT_OK;
    return tf_command_error(usage, "%s cannot be written: %s%s", path, strerror(errno),
                            errno == ENOENT ? "; the folder has to be there" : "");
}
