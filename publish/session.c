#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "publish/session.h"
#include "publish/text_out.h"

#define PATH_BYTES 4096
#define RUNS_MAX 9999
#define PARTICIPANTS_MAX (4u << 20) /* bytes of participants.tsv */

struct tf_session {
    char folder[PATH_BYTES], stem[4 * TF_LABEL_MAX + 64];
    unsigned run;
    int events, clock;
    uint64_t t_start_ns;
    int64_t offset_ns; /* of the newest row of the clock */
    bool has_offset;
    int result;
    struct tf_error error;
};

static int check_label(const char *what, const char *label, struct tf_error *err)
{
    size_t n = label ? strnlen(label, TF_LABEL_MAX + 1) : 0;

    if (!n)
        return tf_fail(err, -EINVAL, "the %s has no label: give one of letters and digits, \"07\" say", what);
    if (n > TF_LABEL_MAX)
        return tf_fail(err, -EINVAL, "the label \"%.20s…\" of the %s is longer than %d characters", label,
                       what, TF_LABEL_MAX);
    for (const char *c = label; *c; c++)
        if (!isascii(*c) || !isalnum((unsigned char)*c))
            return tf_fail(err, -EINVAL,
                           "the label \"%s\" of the %s: only letters A-Z, a-z and digits are allowed (BIDS)",
                           label, what);
    return 0;
}

static int check_text(const char *what, const char *text, struct tf_error *err)
{
    if (strnlen(text, TF_MARK_MAX + 1) > TF_MARK_MAX)
        return tf_fail(err, -EINVAL, "the %s is longer than %d bytes", what, TF_MARK_MAX);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return tf_fail(err, -EINVAL, "the %s has a tab, a line's end or another control character", what);
    return 0;
}

static int make_folder(const char *path, struct tf_error *err)
{
    int r;

    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return 0;
    r = -errno;
    return tf_fail(err, r, "%s: cannot be made: %s", path, strerror(-r));
}

/* The entry in the folder, too, has to survive a power cut. */
static void sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(fd, text, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A file of the data set that is made once and then belongs to the researchers. */
static int make_file(const char *folder, const char *name, const char *text, struct tf_error *err)
{
    char path[PATH_BYTES + 64];
    int fd, r;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST)
        return 0;
    r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    if (fd >= 0 && r == 0 && fdatasync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    return r < 0 ? tf_fail(err, r, "%s: cannot be written: %s", path, strerror(-r)) : 0;
}

/* Adds a row for the subject unless there is one. */
static int add_participant(const char *directory, const char *subject, struct tf_error *err)
{
    char path[PATH_BYTES + 64], row[TF_LABEL_MAX + 16], *text = NULL, *line;
    size_t n = strlen(subject) + 4, columns = 1;
    struct stat st;
    ssize_t size;
    int fd, r = 0;

    r = make_file(directory, "participants.tsv", "participant_id\n", err);
    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "%s/participants.tsv", directory);
    fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        r = -errno;
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)PARTICIPANTS_MAX) {
        r = -EFBIG;
        goto out;
    }
    text = malloc((size_t)st.st_size + 1);
    size = text ? read(fd, text, (size_t)st.st_size) : -1;
    if (size < 0) {
        r = text ? -errno : -ENOMEM;
        goto out;
    }
    text[size] = '\0';
    snprintf(row, sizeof(row), "sub-%s", subject);
    for (line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, row, n) == 0 && (!line[n] || strchr("\t\r\n", line[n])))
            goto out;
    /* Researchers add columns (age, say): the new row has as many cells. */
    for (line = text; *line && *line != '\n'; line++)
        columns += *line == '\t';
    if (size && text[size - 1] != '\n')
        r = write_all(fd, "\n", 1);
    if (r == 0)
        r = write_all(fd, row, n);
    for (size_t i = 1; i < columns && r == 0; i++)
        r = write_all(fd, "\tn/a", 4);
    if (r == 0)
        r = write_all(fd, "\n", 1);
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;

out:
    free(text);
    if (fd >= 0)
        close(fd);
    return r < 0 ? tf_fail(err, r, "%s: cannot be written: %s", path, strerror(-r)) : 0;
}

static int describe_dataset(const char *directory, struct tf_error *err)
{
    int r = make_file(directory, "dataset_description.json",
                      "{\n  \"Name\": \"thermoface recordings\",\n  \"BIDSVersion\": \"1.9.0\",\n"
                      "  \"DatasetType\": \"raw\",\n"
                      "  \"GeneratedBy\": [{\"Name\": \"thermoface\", \"Version\": \"" TF_VERSION "\"}]\n}\n",
                      err);

    if (r == 0)
        r = make_file(
            directory, "README",
            "Recordings of thermoface. Each camera's raw frames are in *_video.mkv, one row for each "
            "frame in *_frames.csv\nand *_frames.ndjson, marks in *_events.tsv; the manual's page on "
            "recordings explains them.\n",
            err);
    /* Video is not yet in a released BIDS: the validator is told to pass over it. */
    if (r == 0)
        r = make_file(directory, ".bidsignore", "*_video.*\n*_frames.*\n*_signals.*\n*_clock.*\n", err);
    return r;
}

/* The highest run number of this subject, session and task that anything in the folder bears. */
static int last_run(const char *folder, const char *prefix, unsigned *ret)
{
    DIR *dir = opendir(folder);
    size_t n = strlen(prefix);
    struct dirent *entry;

    if (!dir)
        return -errno;
    *ret = 0;
    while ((entry = readdir(dir))) {
        char *end;
        unsigned long run;

        if (strncmp(entry->d_name, prefix, n) != 0 || !isdigit((unsigned char)entry->d_name[n]))
            continue;
        run = strtoul(entry->d_name + n, &end, 10);
        if (*end == '_' && run > *ret && run <= RUNS_MAX)
            *ret = (unsigned)run;
    }
    closedir(dir);
    return 0;
}

/* Whoever makes the events' table has the run: also when two services record into one data set. */
static int take_run(struct tf_session *s, struct tf_error *err)
{
    static const char header[] = "onset\tduration\ttrial_type\tvalue\tt_mono_ns\tt_utc\n";
    char prefix[sizeof(s->stem) + 8], path[sizeof(s->folder) + sizeof(s->stem) + 32];
    unsigned run = 0;
    int r;

    snprintf(prefix, sizeof(prefix), "%s_run-", s->stem);
    r = last_run(s->folder, prefix, &run);
    if (r < 0)
        return tf_fail(err, r, "%s: cannot be read: %s", s->folder, strerror(-r));
    for (run++; run <= RUNS_MAX; run++) {
        snprintf(s->stem, sizeof(s->stem), "%.*s%u", (int)sizeof(s->stem) - 12, prefix, run);
        snprintf(path, sizeof(path), "%s/%s_events.tsv", s->folder, s->stem);
        s->events = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
        if (s->events >= 0 || errno != EEXIST)
            break;
    }
    if (run > RUNS_MAX)
        return tf_fail(err, -EMFILE, "%s: no run number below %d is free", s->folder, RUNS_MAX + 1);
    s->run = run;
    r = s->events < 0 ? -errno : write_all(s->events, header, sizeof(header) - 1);
    return r < 0 ? tf_fail(err, r, "%s: cannot be written: %s", path, strerror(-r)) : 0;
}

static int describe_events(const struct tf_session *s, const struct tf_session_options *o,
                           struct tf_error *err)
{
    char text[8 * TF_MARK_MAX + 2048], name[sizeof(s->stem) + 16], utc[TF_UTC_TEXT];
    struct tf_out out = {.at = text, .end = text + sizeof(text) - 1};

    tf_utc_format(o->t_start_utc_ns, utc);
    tf_out_literal(
        &out, "{\n  \"onset\": {\"Description\": \"Seconds since the session's start; "
              "StartTime of each video counts from the same moment\", \"Units\": \"s\"},\n"
              "  \"duration\": {\"Description\": \"Always 0: a mark is a moment\", \"Units\": \"s\"},\n"
              "  \"trial_type\": {\"Description\": \"The mark's text\"},\n"
              "  \"value\": {\"Description\": \"The mark's value, n/a without one\"},\n"
              "  \"t_mono_ns\": {\"Description\": \"CLOCK_MONOTONIC of the recording computer, the clock "
              "of the frames' t_mono_ns\", \"Units\": \"ns\"},\n"
              "  \"t_utc\": {\"Description\": \"The same moment by its CLOCK_REALTIME\"},\n"
              "  \"SessionStart\": {\"Description\": \"");
    tf_out_text(&out, utc);
    tf_out_literal(&out, "\"},\n  \"SessionStartMonotonicNs\": {\"Description\": \"");
    tf_out_uint(&out, o->t_start_ns);
    tf_out_literal(&out, "\", \"Units\": \"ns\"}");
    if (o->note) {
        tf_out_literal(&out, ",\n  \"Note\": {\"Description\": ");
        tf_out_json_text(&out, o->note, TF_MARK_MAX);
        tf_out_literal(&out, "}");
    }
    tf_out_literal(&out, "\n}\n");
    *out.at = '\0';
    snprintf(name, sizeof(name), "%s_events.json", s->stem);
    return make_file(s->folder, name, text, err);
}

/* Beside the marks; frames have both clocks in each row, this says how one ran against the other. */
static int open_clock(struct tf_session *s, struct tf_error *err)
{
    static const char header[] = "onset\tt_mono_ns\tt_utc\toffset_ns\tstep_ns\n";
    char path[sizeof(s->folder) + sizeof(s->stem) + 32], name[sizeof(s->stem) + 16];
    int64_t step;
    int r;

    snprintf(path, sizeof(path), "%s/%s_clock.tsv", s->folder, s->stem);
    s->clock = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    r = s->clock < 0 ? -errno : write_all(s->clock, header, sizeof(header) - 1);
    if (r < 0)
        return tf_fail(err, r, "%s: cannot be written: %s", path, strerror(-r));
    snprintf(name, sizeof(name), "%s_clock.json", s->stem);
    r = make_file(
        s->folder, name,
        "{\n  \"onset\": {\"Description\": \"Seconds since the session's start\", \"Units\": \"s\"},\n"
        "  \"t_mono_ns\": {\"Description\": \"CLOCK_MONOTONIC of the recording computer\", \"Units\": "
        "\"ns\"},\n"
        "  \"t_utc\": {\"Description\": \"CLOCK_REALTIME at that moment\"},\n"
        "  \"offset_ns\": {\"Description\": \"CLOCK_REALTIME since 1970 less CLOCK_MONOTONIC\", \"Units\": "
        "\"ns\"},\n"
        "  \"step_ns\": {\"Description\": \"The offset less that of the row before: how far UTC was moved\", "
        "\"Units\": \"ns\"}\n}\n",
        err);
    return r < 0 ? r : tf_session_clock(s, &step, err);
}

static int join(char path[PATH_BYTES], const char *a, const char *b, const char *c, struct tf_error *err)
{
    int n = snprintf(path, PATH_BYTES, "%s%s%s", a, b, c);

    return n < 0 || n >= PATH_BYTES ? tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", a) : 0;
}

int tf_session_create(const struct tf_session_options *o, struct tf_session **ret, struct tf_error *err)
{
    char subject[PATH_BYTES], visit[PATH_BYTES];
    struct tf_session *s;
    struct stat st;
    int r;

    r = check_label("subject", o->subject, err);
    if (r == 0 && o->session)
        r = check_label("session", o->session, err);
    if (r == 0)
        r = check_label("task", o->task, err);
    if (r == 0 && o->note)
        r = check_text("note", o->note, err);
    if (r < 0)
        return r;
    if (stat(o->directory, &st) < 0) {
        r = -errno;
        return tf_fail(err, r, "%s: %s; make the folder that recordings go to", o->directory, strerror(-r));
    }
    s = calloc(1, sizeof(*s));
    if (!s)
        return tf_fail(err, -ENOMEM, "no memory for a session");
    s->events = s->clock = -1;
    s->t_start_ns = o->t_start_ns;

    r = join(subject, o->directory, "/sub-", o->subject, err);
    if (r == 0)
        r = join(visit, subject, o->session ? "/ses-" : "", o->session ? o->session : "", err);
    if (r == 0)
        r = join(s->folder, visit, "/beh", "", err);
    if (r == 0)
        r = make_folder(subject, err);
    if (r == 0)
        r = make_folder(visit, err);
    if (r == 0)
        r = make_folder(s->folder, err);
    if (r == 0)
        r = describe_dataset(o->directory, err);
    if (r == 0)
        r = add_participant(o->directory, o->subject, err);
    if (r < 0)
        goto fail;
    snprintf(s->stem, sizeof(s->stem), "sub-%s%s%s_task-%s", o->subject, o->session ? "_ses-" : "",
             o->session ? o->session : "", o->task);
    r = take_run(s, err);
    if (r == 0)
        r = describe_events(s, o, err);
    if (r == 0)
        r = open_clock(s, err);
    if (r < 0)
        goto fail;
    sync_folder(s->folder);
    sync_folder(subject);
    sync_folder(o->directory);
    *ret = s;
    return 0;

fail:
    tf_session_close(s, NULL);
    return r;
}

int tf_session_close(struct tf_session *s, struct tf_error *err)
{
    int r;

    if (!s)
        return 0;
    r = s->result;
    if (r < 0 && err)
        *err = s->error;
    if (s->events >= 0) {
        fdatasync(s->events);
        close(s->events);
    }
    if (s->clock >= 0) {
        int64_t step;

        tf_session_clock(s, &step, NULL);
        fdatasync(s->clock);
        close(s->clock);
    }
    /* Also the recordings' entries that were made since. */
    sync_folder(s->folder);
    free(s);
    return r;
}

const char *tf_session_folder(const struct tf_session *s)
{
    return s->folder;
}

const char *tf_session_stem(const struct tf_session *s)
{
    return s->stem;
}

unsigned tf_session_run(const struct tf_session *s)
{
    return s->run;
}

int tf_session_camera_stem(const struct tf_session *s, const char *camera, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s_recording-", s->stem), start = n;

    for (const char *c = camera; *c && n + 1 < size; c++)
        if (isalnum((unsigned char)*c))
            text[n++] = *c;
    if (n >= size || n == start)
        return -EINVAL;
    text[n] = '\0';
    return 0;
}

int tf_session_clock(struct tf_session *s, int64_t *step_ns, struct tf_error *err)
{
    int64_t offset = tf_utc_offset_ns(), step = s->has_offset ? offset - s->offset_ns : 0;
    uint64_t now = tf_now_ns(), onset = now > s->t_start_ns ? now - s->t_start_ns : 0;
    char row[256], utc[TF_UTC_TEXT];
    struct stat before;
    int n, r;

    tf_utc_format((int64_t)now + offset, utc);
    n = snprintf(row, sizeof(row), "%llu.%06llu\t%llu\t%s\t%lld\t%lld\n",
                 (unsigned long long)(onset / 1000000000), (unsigned long long)(onset % 1000000000 / 1000),
                 (unsigned long long)now, utc, (long long)offset, (long long)step);
    r = fstat(s->clock, &before) < 0 ? -errno : write_all(s->clock, row, (size_t)n);
    /* Half a row would spoil the table. */
    if (r < 0 && ftruncate(s->clock, before.st_size) < 0)
        r = -errno;
    if (r < 0)
        return tf_fail(err, r, "%s_clock.tsv: cannot be written: %s", s->stem, strerror(-r));
    s->offset_ns = offset;
    s->has_offset = true;
    *step_ns = step;
    return 0;
}

int tf_session_mark(struct tf_session *s, const struct tf_mark *mark, int64_t *onset_ns, struct tf_error *err)
{
    char row[2 * TF_MARK_MAX + 256], utc[TF_UTC_TEXT];
    int64_t onset = (int64_t)(mark->t_mono_ns - s->t_start_ns);
    uint64_t size = onset < 0 ? (uint64_t)-onset : (uint64_t)onset;
    struct stat before;
    int n, r;

    if (!*mark->text)
        return tf_fail(err, -EINVAL, "the mark has no text");
    r = check_text("mark", mark->text, err);
    if (r == 0 && mark->value)
        r = check_text("mark's value", mark->value, err);
    if (r < 0)
        return r;
    tf_utc_format(mark->t_utc_ns, utc);
    n = snprintf(row, sizeof(row), "%s%llu.%06llu\t0\t%s\t%s\t%llu\t%s\n", onset < 0 ? "-" : "",
                 (unsigned long long)(size / 1000000000), (unsigned long long)(size % 1000000000 / 1000),
                 mark->text, mark->value && *mark->value ? mark->value : "n/a",
                 (unsigned long long)mark->t_mono_ns, utc);
    if (n < 0 || (size_t)n >= sizeof(row))
        return tf_fail(err, -EINVAL, "the mark is too long");
    if (fstat(s->events, &before) < 0)
        return tf_fail(err, -errno, "%s_events.tsv: %s", s->stem, strerror(errno));
    r = write_all(s->events, row, (size_t)n);
    if (r < 0) {
        /* Half a row would spoil the table. */
        if (ftruncate(s->events, before.st_size) < 0)
            r = -errno;
    } else if (fdatasync(s->events) < 0) {
        r = -errno;
    }
    if (r < 0) {
        r = tf_fail(err, r, "%s_events.tsv: cannot be written: %s", s->stem, strerror(-r));
        if (!s->result && err) {
            s->result = r;
            s->error = *err;
        }
        return r;
    }
    *onset_ns = onset;
    return 0;
}
