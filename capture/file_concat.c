/* What is wrong with a list of files (ffconcat): FFmpeg says that something is, but not with which of them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/mem.h>

#include "capture/av.h"
#include "capture/reader.h"

#define MAGIC "ffconcat"
#define LINE_BYTES 8192
#define SPACES " \t\r\n"

/* FFmpeg's rule for names that nobody vouches for: no scheme, not from the root, no hidden file, no `..`. */
static bool safe(const char *name)
{
    static const char portable[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

    for (;;) {
        size_t n = strspn(name, portable);

        if (!n || *name == '.')
            return false;
        name += n;
        if (!*name)
            return true;
        if (*name++ != '/')
            return false;
    }
}

static bool cannot_open(const char *path, char text[128])
{
    AVFormatContext *format = NULL;
    AVDictionary *options = NULL;
    char url[2 * LINE_BYTES];
    int r;

    snprintf(url, sizeof(url), "file:%s", path);
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    r = avformat_open_input(&format, url, NULL, &options);
    av_dict_free(&options);
    avformat_close_input(&format);
    if (r < 0)
        tf_av_text(r, text);
    return r < 0;
}

/* A list in a list could name the first one, and FFmpeg would go round until its stack ends. */
static const char *not_listable(const char *path)
{
    struct stat st;
    char head[8] = "";
    int fd;

    if (stat(path, &st) < 0)
        return NULL; /* what comes before it can be read */
    if (!S_ISREG(st.st_mode))
        return "which is not a file";
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (read(fd, head, sizeof(head)) != (ssize_t)sizeof(head))
        head[0] = '\0';
    close(fd);
    return memcmp(head, MAGIC, sizeof(head)) == 0 ? "which is a list itself" : NULL;
}

static bool file_fault(const char *list, const char *name, bool try, struct tf_error *err)
{
    const char *slash = strrchr(list, '/'), *why;
    char path[2 * LINE_BYTES - 16], text[128];

    if (!safe(name)) {
        tf_fail(err, 0,
                "%s: lists %.300s; a list may only name files in its own folder or below it, with letters, "
                "digits, '.', '_' and '-' in their names: no address, no absolute path, no space",
                list, name);
        return true;
    }
    if (snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - list) + 1 : 0, list, name) >=
        (int)sizeof(path))
        return false;
    why = not_listable(path);
    if (why)
        tf_fail(err, 0, "%s: lists %.300s, %s", list, name, why);
    else if (try && cannot_open(path, text))
        tf_fail(err, 0, "%s: lists %.300s, which cannot be opened: %s", list, name, text);
    else
        return false;
    return true;
}

bool tf_reader_list_fault(const char *path, bool try, struct tf_error *err)
{
    FILE *list = fopen(path, "re");
    char line[LINE_BYTES];
    bool found = false;

    if (!list)
        return false;
    if (fgets(line, sizeof(line), list) && strncmp(line, MAGIC, sizeof(MAGIC) - 1) == 0)
        while (!found && fgets(line, sizeof(line), list)) {
            const char *at = line + strspn(line, SPACES);
            char *name;

            if (strncmp(at, "file", 4) != 0 || !at[4] || !strchr(SPACES, at[4]))
                continue;
            at += 4;
            at += strspn(at, SPACES);
            name = av_get_token(&at, SPACES);
            found = name && file_fault(path, name, try, err);
            av_free(name);
        }
    fclose(list);
    return found;
}
