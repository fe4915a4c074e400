/* A session's folder, named and described as BIDS has it, and its marks. */
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
#include "base/count.h"
#include "publish/disk/folder.h"
#include "publish/disk/manifest.h"
#include "publish/recording/fleet.h"
#include "publish/recording/session.h"
#include "publish/recording/session_log.h"
#include "publish/record/text_out.h"

#define PATH_BYTES 4096
#define RUNS_MAX 9999
/*
 * Video (BEP047) and the rest are not yet in a released BIDS: the validator is told to pass over them. Motion
 * is, but the validator on npm (1.15) takes the first row of that table, which has no head, for one, and
 * wants its numbers described.
 */
#define IGNORED "*_video.*\n*_frames.*\n*_signals.*\n*_clock.*\n*_manifest.*\n*_fleet.*\n*_motion.*\n"
#define PARTICIPANTS_MAX (4u << 20) /* bytes of participants.tsv */

struct tf_session {
    char folder[PATH_BYTES], stem[4 * TF_LABEL_MAX + 64];
    int root, beh; /* the data set and the session's own folder, open */
    unsigned run;
    int events, clock;
    struct tf_fleet_table *fleet; /* NULL: no other computer was measured */
    uint64_t t_start_ns;
    struct tf_session_log *log;
    struct tf_manifest *manifest;
    char manifest_name[4 * TF_LABEL_MAX + 96];
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
    if (!tf_utf8_valid(text))
        return tf_fail(err, -EINVAL, "the %s is not UTF-8", what);
    return 0;
}

/* A file of the data set that is made once and then belongs to the researchers. */
static int make_file(int folder, const char *shown, const char *name, const char *text, struct tf_error *err)
{
    int r = tf_folder_put_new(folder, shown, name, text, strlen(text), err);

    return r == -EEXIST ? 0 : r;
}

/* --- participants.tsv --- */

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);

    for (const char *at = text, *end; *at; at = end + 1) {
        if (strncmp(at, line, n) == 0 && (!at[n] || strchr("\t\r\n", at[n])))
            return true;
        end = strchr(at, '\n');
        if (!end)
            break;
    }
    return false;
}

/* All of it, with a zero byte behind. */
static int read_text(int fd, char **ret, size_t *size)
{
    struct stat st;
    size_t n = 0;
    char *text;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_size > (off_t)PARTICIPANTS_MAX)
        return -EFBIG;
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        return -ENOMEM;
    while (n < (size_t)st.st_size) {
        ssize_t r = pread(fd, text + n, (size_t)st.st_size - n, (off_t)n);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            r = -errno;
            free(text);
            return (int)r;
        }
        if (r == 0)
            break;
        n += (size_t)r;
    }
    text[n] = '\0';
    *ret = text;
    *size = n;
    return 0;
}

/* The text with a row for the subject; as many cells as the head has, for researchers add columns (age, say),
 * and its line's end. */
static char *with_row(const char *text, size_t size, const char *row, size_t *ret)
{
    size_t columns = 1, head = strcspn(text, "\n");
    bool crlf = head && text[head] && text[head - 1] == '\r';
    char *more = NULL;
    FILE *f = open_memstream(&more, ret);

    if (!f)
        return NULL;
    fwrite(text, 1, size, f);
    if (!size)
        fputs("participant_id\n", f);
    else if (text[size - 1] != '\n')
        fputs(crlf ? "\r\n" : "\n", f);
    for (size_t i = 0; i < head; i++)
        columns += text[i] == '\t';
    fputs(row, f);
    for (size_t i = 1; i < columns; i++)
        fputs("\tn/a", f);
    fputs(crlf ? "\r\n" : "\n", f);
    if (fclose(f) != 0) {
        free(more);
        return NULL;
    }
    return more;
}

/* Adds a row for the subject unless there is one: read, and put in its place anew, while no other service
 * does. */
static int add_participant(int root, const char *directory, const char *subject, struct tf_error *err)
{
    static const char name[] = "participants.tsv";
    char row[TF_LABEL_MAX + 16], *text = NULL, *more = NULL;
    size_t size = 0, more_size = 0;
    bool said = false;
    int fd = -1, locked = tf_folder_lock(root, name, &fd), r = locked;

    if (fd >= 0)
        r = read_text(fd, &text, &size);
    if (r < 0)
        goto out;
    snprintf(row, sizeof(row), "sub-%s", subject);
    if (has_line(text, row))
        goto out;
    r = locked;
    if (r < 0)
        goto out;
    more = with_row(text, size, row, &more_size);
    if (more) {
        r = tf_folder_put(root, directory, name, more, more_size, err);
        said = true;
    } else {
        r = -ENOMEM;
    }

out:
    free(text);
    free(more);
    if (fd >= 0)
        close(fd);
    if (r >= 0 || said)
        return r;
    if (r == -ELOOP)
        return tf_fail(err, r,
                       "%s/%s is a symbolic link, and links inside a data set are not followed: put the "
                       "file in its place",
                       directory, name);
    if (r == -EBUSY)
        return tf_fail(err, r, "%s/%s: another program holds it locked", directory, name);
    return tf_fail(err, r, "%s/%s: cannot be written: %s", directory, name, strerror(-r));
}

/* --- the folder --- */

/* A data set from before there were files of that kind ("manifest") gets the line for them, unless its file
 * is not as we made it. */
static void ignore_more(int root, const char *directory, const char *kind)
{
    char *text = NULL, *more = NULL, name[32];
    size_t size = 0;
    int fd = -1;

    snprintf(name, sizeof(name), "_%s", kind);
    if (tf_folder_lock(root, ".bidsignore", &fd) == 0 && read_text(fd, &text, &size) == 0 &&
        strstr(text, "*_clock.*\n") && !strstr(text, name) && asprintf(&more, "%s*%s.*\n", text, name) >= 0) {
        tf_folder_put(root, directory, ".bidsignore", more, strlen(more), NULL);
        free(more);
    }
    free(text);
    if (fd >= 0)
        close(fd);
}

/* What only the laboratory knows stands there to be filled in; files that exist stay as they are. */
static int describe_dataset(int root, const char *directory, struct tf_error *err)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"dataset_description.json",
         "{\n  \"Name\": \"thermoface recordings\",\n  \"BIDSVersion\": \"1.9.0\",\n"
         "  \"DatasetType\": \"raw\",\n  \"License\": \"n/a\",\n"
         "  \"Authors\": [\"First author (to be filled in)\", \"Second author (to be filled in)\"],\n"
         "  \"HEDVersion\": \"8.3.0\",\n  \"SourceDatasets\": [],\n"
         "  \"GeneratedBy\": [{\"Name\": \"thermoface\", \"Version\": \"" TF_VERSION "\"}]\n}\n"},
        {"participants.json",
         "{\n  \"participant_id\": {\"Description\": \"The subject's label, as its folder has it\"}\n}\n"},
        {"README", "Recordings of thermoface. Each camera's raw frames are in *_video.mkv, one row for each "
                   "frame in *_frames.csv\nand *_frames.ndjson, marks in *_events.tsv; the manual's page on "
                   "recordings explains them.\n"},
        {"CHANGES", "1.0.0 %s\n  - The first session.\n"},
        {".bidsignore", IGNORED},
    };
    int r = 0;

    for (size_t i = 0; i < TF_COUNT(files) && r == 0; i++) {
        char text[1024], utc[TF_UTC_TEXT];

        tf_utc_format(tf_utc_now_ns(), utc);
        utc[10] = '\0'; /* the date */
        snprintf(text, sizeof(text), files[i].text, utc);
        r = make_file(root, directory, files[i].name, text, err);
    }
    return r;
}

/* The highest run number of this subject, session and task that anything in the folder bears. */
static int last_run(int folder, const char *prefix, unsigned *ret)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    size_t n = strlen(prefix);
    struct dirent *entry;

    if (!dir) {
        int r = -errno;

        if (fd >= 0)
            close(fd);
        return r;
    }
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
    static const char header[] = "onset\tduration\ttrial_type\tvalue\tt_mono_ns\tt_utc\tsource\tt_from\n";
    char prefix[sizeof(s->stem) + 8], name[sizeof(s->stem) + 16];
    unsigned run = 0;
    int r;

    snprintf(prefix, sizeof(prefix), "%s_run-", s->stem);
    r = last_run(s->beh, prefix, &run);
    if (r < 0)
        return tf_fail(err, r, "%s: cannot be read: %s", s->folder, strerror(-r));
    for (run++; run <= RUNS_MAX; run++) {
        snprintf(s->stem, sizeof(s->stem), "%.*s%u", (int)sizeof(s->stem) - 12, prefix, run);
        snprintf(name, sizeof(name), "%s_events.tsv", s->stem);
        s->events = tf_folder_file(s->beh, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0644);
        if (s->events != -EEXIST)
            break;
    }
    if (run > RUNS_MAX)
        return tf_fail(err, -EMFILE, "%s: no run number below %d is free", s->folder, RUNS_MAX + 1);
    s->run = run;
    r = s->events < 0 ? s->events : tf_write_all(s->events, header, sizeof(header) - 1);
    return r < 0 ? tf_fail(err, r, "%s/%s: cannot be written: %s", s->folder, name, strerror(-r)) : 0;
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
              "  \"source\": {\"Description\": \"What made the mark: http, or an input such as "
              "'trigger NAME'\"},\n"
              "  \"t_from\": {\"Description\": \"Whose stamp t_mono_ns is\", \"Levels\": {"
              "\"arrival\": \"Taken by the service when the mark came\", "
              "\"client\": \"Given by the client\", "
              "\"sender\": \"Given by a program on the net (LSL) and mapped to this clock\", "
              "\"kernel\": \"Taken by the kernel when the input changed\"}},\n"
              "  \"StimulusPresentation\": {\"SoftwareName\": \"n/a\"},\n"
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
    return make_file(s->beh, s->folder, name, text, err);
}

/* Beside the marks; frames have both clocks in each row, this says how one ran against the other. */
static int open_clock(struct tf_session *s, struct tf_error *err)
{
    static const char header[] =
        "onset\tt_mono_ns\tt_utc\toffset_ns\tstep_ns\tsynchronised\terror_us\tmax_error_us\n";
    char name[sizeof(s->stem) + 16];
    int r;

    snprintf(name, sizeof(name), "%s_clock.tsv", s->stem);
    s->clock = tf_folder_file(s->beh, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0644);
    r = s->clock < 0 ? s->clock : tf_write_all(s->clock, header, sizeof(header) - 1);
    if (r < 0)
        return tf_fail(err, r, "%s/%s: cannot be written: %s", s->folder, name, strerror(-r));
    snprintf(name, sizeof(name), "%s_clock.json", s->stem);
    r = make_file(
        s->beh, s->folder, name,
        "{\n  \"onset\": {\"Description\": \"Seconds since the session's start\", \"Units\": \"s\"},\n"
        "  \"t_mono_ns\": {\"Description\": \"CLOCK_MONOTONIC of the recording computer\", \"Units\": "
        "\"ns\"},\n"
        "  \"t_utc\": {\"Description\": \"CLOCK_REALTIME at that moment\"},\n"
        "  \"offset_ns\": {\"Description\": \"CLOCK_REALTIME since 1970 less CLOCK_MONOTONIC\", \"Units\": "
        "\"ns\"},\n"
        "  \"step_ns\": {\"Description\": \"The offset less that of the row before: how far UTC was moved\", "
        "\"Units\": \"ns\"},\n"
        "  \"synchronised\": {\"Description\": \"1: the kernel takes CLOCK_REALTIME for synchronised "
        "(adjtimex), 0: it does not, n/a: it does not say\"},\n"
        "  \"error_us\": {\"Description\": \"How far CLOCK_REALTIME is off, as the time daemon estimates "
        "it\", "
        "\"Units\": \"us\"},\n"
        "  \"max_error_us\": {\"Description\": \"How far it is off at most\", \"Units\": \"us\"}\n}\n",
        err);
    return r;
}

static int open_log(struct tf_session *s, struct tf_error *err)
{
    const struct tf_session_log_options o = {.folder = s->beh,
                                             .shown = s->folder,
                                             .stem = s->stem,
                                             .events = s->events,
                                             .clock = s->clock,
                                             .t_start_ns = s->t_start_ns};

    return tf_session_log_create(&o, &s->log, err);
}

/* Texts that are written once, at the beginning. */
static int open_manifest(struct tf_session *s, struct tf_sealer *sealer, struct tf_error *err)
{
    static const char *const endings[] = {"events.json", "clock.json"};
    char name[sizeof(s->stem) + 16];
    int r;

    if (!sealer)
        return 0;
    snprintf(s->manifest_name, sizeof(s->manifest_name), "%s" TF_MANIFEST_ENDING, s->stem);
    r = tf_manifest_create(sealer, s->beh, s->folder, s->stem, &s->manifest, err);
    for (size_t i = 0; i < TF_COUNT(endings) && r == 0; i++) {
        snprintf(name, sizeof(name), "%s_%s", s->stem, endings[i]);
        tf_manifest_add(s->manifest, name, NULL, NULL);
    }
    return r;
}

static int join(char path[PATH_BYTES], const char *a, const char *b, const char *c, struct tf_error *err)
{
    int n = snprintf(path, PATH_BYTES, "%s%s%s", a, b, c);

    return n < 0 || n >= PATH_BYTES ? tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", a) : 0;
}

static int make_folders(struct tf_session *s, const struct tf_session_options *o, struct tf_error *err)
{
    char subject[TF_LABEL_MAX + 8], visit[TF_LABEL_MAX + 8], shown[PATH_BYTES];
    int fd = -1, ses = -1, r;

    snprintf(subject, sizeof(subject), "sub-%s", o->subject);
    r = tf_folder_make(s->root, subject, o->directory, &fd, err);
    if (r == 0)
        r = join(shown, o->directory, "/", subject, err);
    if (r == 0 && o->session) {
        snprintf(visit, sizeof(visit), "ses-%s", o->session);
        r = tf_folder_make(fd, visit, shown, &ses, err);
        if (r == 0 && strlen(shown) + strlen(visit) + 2 > sizeof(shown))
            r = tf_fail(err, -ENAMETOOLONG, "%.80s…: the path is too long", shown);
        if (r == 0)
            sprintf(shown + strlen(shown), "/%s", visit);
    }
    if (r == 0)
        r = tf_folder_make(ses >= 0 ? ses : fd, "beh", shown, &s->beh, err);
    if (r == 0)
        r = join(s->folder, shown, "/beh", "", err);
    tf_folder_sync(ses);
    tf_folder_sync(fd);
    if (ses >= 0)
        close(ses);
    if (fd >= 0)
        close(fd);
    return r;
}

int tf_session_create(const struct tf_session_options *o, struct tf_session **ret, struct tf_error *err)
{
    struct tf_session *s;
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
    s = calloc(1, sizeof(*s));
    if (!s)
        return tf_fail(err, -ENOMEM, "no memory for a session");
    s->events = s->clock = s->beh = -1;
    s->t_start_ns = o->t_start_ns;
    s->root = tf_folder_open(o->directory);
    if (s->root < 0) {
        r = tf_fail(err, s->root, "%s: %s; make the folder that recordings go to", o->directory,
                    strerror(-s->root));
        goto fail;
    }
    r = make_folders(s, o, err);
    if (r == 0)
        r = describe_dataset(s->root, o->directory, err);
    if (r == 0)
        ignore_more(s->root, o->directory, "manifest");
    if (r == 0)
        ignore_more(s->root, o->directory, "fleet");
    if (r == 0)
        r = add_participant(s->root, o->directory, o->subject, err);
    if (r < 0)
        goto fail;
    snprintf(s->stem, sizeof(s->stem), "sub-%s%s%s_task-%s", o->subject, o->session ? "_ses-" : "",
             o->session ? o->session : "", o->task);
    r = take_run(s, err);
    if (r == 0)
        r = describe_events(s, o, err);
    if (r == 0)
        r = open_clock(s, err);
    if (r == 0)
        r = open_log(s, err);
    if (r == 0)
        r = open_manifest(s, o->sealer, err);
    if (r < 0)
        goto fail;
    tf_folder_sync(s->beh);
    tf_folder_sync(s->root);
    *ret = s;
    return 0;

fail:
    tf_session_close(s, 0, NULL, NULL);
    return r;
}

/* Its file is final. */
static void seal(struct tf_session *s, const char *ending, int fd)
{
    char name[sizeof(s->stem) + 16];
    struct stat st;

    snprintf(name, sizeof(name), "%s_%s", s->stem, ending);
    if (s->manifest && fstat(fd, &st) == 0)
        tf_manifest_add(s->manifest, name, &st, NULL);
}

int tf_session_close(struct tf_session *s, uint64_t wait_ns, bool *sealing, struct tf_error *err)
{
    struct tf_error of_manifest = {0};
    int r, manifest;

    if (!s)
        return 0;
    r = tf_session_log_close(s->log, err);
    if (s->events >= 0) {
        fdatasync(s->events);
        seal(s, "events.tsv", s->events);
        close(s->events);
    }
    if (s->clock >= 0) {
        seal(s, "clock.tsv", s->clock);
        close(s->clock);
    }
    tf_fleet_table_close(s->fleet);
    manifest = tf_manifest_close(s->manifest, wait_ns, &of_manifest);
    if (sealing)
        *sealing = manifest == -EAGAIN;
    if (r == 0 && manifest < 0 && manifest != -EAGAIN) {
        r = manifest;
        if (err)
            *err = of_manifest;
    }
    /* Also the recordings' entries that were made since. */
    tf_folder_sync(s->beh);
    if (s->beh >= 0)
        close(s->beh);
    if (s->root >= 0)
        close(s->root);
    free(s);
    return r;
}

void tf_session_state(struct tf_session *s, struct tf_session_state *ret)
{
    tf_session_log_state(s->log, ret);
}

int tf_session_folder_fd(const struct tf_session *s)
{
    return s->beh;
}

struct tf_manifest *tf_session_manifest(struct tf_session *s)
{
    return s->manifest;
}

const char *tf_session_manifest_name(const struct tf_session *s)
{
    return s->manifest ? s->manifest_name : NULL;
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

int tf_mark_check(const struct tf_mark *mark, struct tf_error *err)
{
    int r;

    if (!*mark->text)
        return tf_fail(err, -EINVAL, "the mark has no text");
    r = check_text("mark", mark->text, err);
    if (r == 0 && mark->value)
        r = check_text("mark's value", mark->value, err);
    return r == 0 && mark->source ? check_text("mark's source", mark->source, err) : r;
}

static int write_mark(struct tf_session *s, const struct tf_mark *mark, bool wait, int64_t *onset_ns,
                      struct tf_error *err)
{
    char row[6 * TF_MARK_MAX + 256];
    struct tf_out out = {.at = row, .end = row + sizeof(row)};
    int64_t onset = (int64_t)(mark->t_mono_ns - s->t_start_ns);
    uint64_t size = onset < 0 ? (uint64_t)-onset : (uint64_t)onset;
    int r = tf_mark_check(mark, err);

    if (r < 0)
        return r;
    out.at +=
        snprintf(row, sizeof(row), "%s%llu.%06llu\t0\t", onset < 0 ? "-" : "",
                 (unsigned long long)(size / TF_NS_PER_S), (unsigned long long)(size % TF_NS_PER_S / 1000));
    tf_out_cell(&out, mark->text);
    tf_out_literal(&out, "\t");
    tf_out_cell(&out, mark->value && *mark->value ? mark->value : "n/a");
    tf_out_literal(&out, "\t");
    tf_out_uint(&out, mark->t_mono_ns);
    tf_out_literal(&out, "\t");
    tf_out_utc(&out, mark->t_utc_ns);
    tf_out_literal(&out, "\t");
    tf_out_cell(&out, mark->source ? mark->source : "n/a");
    tf_out_literal(&out, "\t");
    tf_out_cell(&out, mark->t_from ? mark->t_from : "n/a");
    tf_out_literal(&out, "\n");
    if (out.full)
        return tf_fail(err, -EINVAL, "the mark is too long");
    r = tf_session_log_mark(s->log, row, (size_t)(out.at - row), wait, err);
    /* It counts as made when it is only late. */
    if (r == 0)
        *onset_ns = onset;
    return r;
}

int tf_session_mark(struct tf_session *s, const struct tf_mark *mark, int64_t *onset_ns, struct tf_error *err)
{
    return write_mark(s, mark, true, onset_ns, err);
}

int tf_session_mark_later(struct tf_session *s, const struct tf_mark *mark, int64_t *onset_ns,
                          struct tf_error *err)
{
    return write_mark(s, mark, false, onset_ns, err);
}

int tf_session_fleet(struct tf_session *s, const struct tf_fleet_row *row, struct tf_error *err)
{
    const struct tf_fleet_options o = {.folder = s->beh,
                                       .shown = s->folder,
                                       .stem = s->stem,
                                       .manifest = s->manifest,
                                       .t_start_ns = s->t_start_ns};
    int r = tf_fleet_row_check(row, err);

    if (r == 0 && !s->fleet)
        r = tf_fleet_table_create(&o, &s->fleet, err);
    return r < 0 ? r : tf_fleet_table_add(s->fleet, row, err);
}
