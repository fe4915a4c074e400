/* thermoface report: recordings of a folder as one page that needs nothing else. */
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "cli/commands.h"
#include "config.h"
#include "publish/recording/tables.h"

#define RECORDINGS_MAX 64
#define THUMBNAILS_MAX 100 /* of the page */
#define VERDICT_MAX (64u << 10)
#define DESCRIPTION_MAX (4 << 20) /* bytes */
#define SETTINGS_MAX 200
#define PATH_BYTES (4096 + 640)

struct report {
    const struct tf_usage *usage;
    const char *output;
    bool overwrite, no_verify, no_pictures;
    FILE *file;
    int thumbnails;
};

static void path_of(const struct tf_recording_found *r, const char *ending, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s%s", r->folder, r->stem, ending);
}

static bool is_there(const struct tf_recording_found *r, const char *ending)
{
    char path[PATH_BYTES];
    struct stat st;

    path_of(r, ending, path);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A small file of JSON; NULL with `why` where it cannot be read. */
static json_t *load_json(const char *path, char why[256])
{
    json_error_t problem = {0};
    struct stat st;
    json_t *d = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(why, 256, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > DESCRIPTION_MAX) {
        snprintf(why, 256, "not a file of at most %d MiB", DESCRIPTION_MAX >> 20);
    } else {
        d = json_loadfd(fd, 0, &problem);
        snprintf(why, 256, "%s", d ? "" : problem.text);
        if (d && !json_is_object(d)) {
            snprintf(why, 256, "not a JSON object");
            json_decref(d);
            d = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return d;
}

/* --- verify --- */

/* In a process of its own, whose output is read: what verify says is for a terminal. */
static int run_verify(const char *folder, char *text, size_t size)
{
    char *argv[] = {(char *)"verify", (char *)"--", (char *)folder, NULL};
    int out[2], status = -1;
    size_t n = 0;
    pid_t child;

    fflush(NULL);
    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        status = tf_cmd_verify(3, argv);
        fflush(NULL);
        _exit(status);
    }
    close(out[1]);
    while (child > 0) {
        char piece[4096];
        ssize_t got = read(out[0], piece, sizeof(piece));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got && n + 1 < size; i++)
            text[n++] = piece[i];
    }
    text[n] = '\0';
    close(out[0]);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_verdict(struct report *p, const char *folder, bool recordings)
{
    char *text = malloc(VERDICT_MAX);
    int status;

    fputs("<h2>Is it whole?</h2>\n", p->file);
    if (p->no_verify || !recordings || !text) {
        fprintf(p->file, "<p>%s</p>\n",
                !recordings ? "Nothing to verify: there are results here, and no recording."
                            : "Not verified (--no-verify).");
        free(text);
        return;
    }
    status = run_verify(folder, text, VERDICT_MAX);
    fprintf(p->file, "<p class=\"%s\">thermoface verify: %s</p>\n<pre>", status == 0 ? "good" : "bad",
            status == 0   ? "all right"
            : status == 1 ? "there are problems"
                          : "could not be run");
    tf_html_text(p->file, text, VERDICT_MAX);
    fputs("</pre>\n", p->file);
    free(text);
}

/* --- one recording --- */

static void write_row(FILE *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void write_row(FILE *f, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fputs("<tr>", f);
    tf_html_cell(f, "th", name);
    tf_html_cell(f, "td", text);
    fputs("</tr>\n", f);
}

static const char *text_of(const json_t *d, const char *key)
{
    const char *text = json_string_value(json_object_get(d, key));

    return text ? text : "";
}

static bool events_are_there(const struct tf_recording_found *r)
{
    const char *end = strstr(r->stem, "_recording-");
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/%.*s_events.tsv", r->folder, end ? (int)(end - r->stem) : 0, r->stem);
    return !end || access(path, F_OK) == 0;
}

/* `d`: its description, or NULL; what that one says was not recorded is not missing. */
static void write_missing(FILE *f, const struct tf_recording_found *r, bool session, const json_t *d,
                          const char *why)
{
    const bool derived = !d || json_object_get(d, "PhysioSamplingFrequency");
    const bool annotated =
        !d || json_object_get(d, "AnnotatedPictureCount") || !json_is_true(json_object_get(d, "Complete"));
    const struct {
        const char *ending, *what;
        bool missing;
    } files[] = {
        {"_video.json", "its description: settings and losses are not known",
         session && !is_there(r, "_video.json")},
        {"_video.mkv", "the raw video",
         session && !is_there(r, "_video.mkv") && !is_there(r, "_split-0001_video.mkv")},
        {"_frames.csv", "the frames' table", !is_there(r, "_frames.csv")},
        {"_frames.ndjson", "the records", !is_there(r, "_frames.ndjson")},
        {"_signals.tsv", "the signals", derived && !is_there(r, "_signals.tsv")},
        {"_physio.tsv.gz", "the physio table", derived && !is_there(r, "_physio.tsv.gz")},
        {"_desc-annotated_video.mkv", "the annotated video: there are no pictures of marks",
         annotated && !is_there(r, "_desc-annotated_video.mkv")},
        {"_events.tsv", "the marks", session && !events_are_there(r)},
    };
    bool any = *why;

    for (size_t i = 0; i < TF_COUNT(files); i++)
        any |= files[i].missing;
    if (!any)
        return;
    fputs("<h3>What is missing</h3>\n<ul class=\"bad\">\n", f);
    if (*why) {
        fputs("<li>Its description cannot be read: ", f);
        tf_html_text(f, why, 256);
        fputs("</li>\n", f);
    }
    for (size_t i = 0; i < TF_COUNT(files); i++)
        if (files[i].missing)
            fprintf(f, "<li>…%s: %s</li>\n", files[i].ending, files[i].what);
    fputs("</ul>\n", f);
}

static void write_summary(FILE *f, const json_t *d, const struct tf_curves *c, bool curves)
{
    static const char *const names[5] = {"with a face", "without a face", "not analysed (skipped)", "damaged",
                                         "shutter closed, or repeated"};

    fputs("<h3>Summary</h3>\n<table>\n", f);
    if (d) {
        write_row(f, "camera", "%.100s, %.100s", text_of(d, "Camera"), text_of(d, "Device"));
        write_row(f, "begun", "%.100s", text_of(d, "SessionStart"));
        write_row(f, "ended properly", "%s",
                  json_is_true(json_object_get(d, "Complete")) ? "yes"
                  : *text_of(d, "Error")                       ? text_of(d, "Error")
                                                               : "no");
        if (*text_of(d, "Note"))
            write_row(f, "note", "%.400s", text_of(d, "Note"));
    }
    if (curves) {
        write_row(f, "rows", "%llu, over %.1f s", (unsigned long long)c->rows, c->t1 - c->t0);
        for (int i = 0; i < 5; i++)
            if (c->states[i])
                write_row(f, names[i], "%llu (%.1f %%)", (unsigned long long)c->states[i],
                          100.0 * (double)c->states[i] / (double)c->rows);
        if (c->other_state)
            write_row(f, "of an unknown state", "%llu", (unsigned long long)c->other_state);
        if (c->damaged)
            write_row(f, "rows that are damaged", "%llu", (unsigned long long)c->damaged);
    }
    fputs("</table>\n", f);
}

static void write_losses(FILE *f, const json_t *d)
{
    static const char *const keys[][2] = {
        {"DriverLostFrameCount", "before us: camera, cable or driver"},
        {"CaptureLostFrameCount", "here, before the recording: processor or buffers"},
        {"RefusedFrameCount", "refused by the raw video's encoder"},
        {"LostRowCount", "rows that the tables could not take"},
        {"NotAnalysedFrameCount", "recorded, but not analysed in time"},
        {"AnnotatedPicturesLost", "pictures of the annotated video"}};
    const json_t *places = json_object_get(d, "AnnotatedPicturesLostBy"), *value;
    const char *key;

    if (!d)
        return;
    fputs("<h3>Losses by place</h3>\n<table>\n", f);
    for (size_t i = 0; i < TF_COUNT(keys); i++) {
        const json_t *n = json_object_get(d, keys[i][0]);

        if (json_is_integer(n))
            write_row(f, keys[i][1], "%lld", (long long)json_integer_value(n));
    }
    json_object_foreach((json_t *)places, key, value) if (json_is_integer(value) && json_integer_value(value))
        write_row(f, key, "%lld of these pictures", (long long)json_integer_value(value));
    fputs("</table>\n", f);
}

static void write_regions(FILE *f, const struct tf_curves *c, const char *unit)
{
    fputs("<h3>Valid frames by region</h3>\n<table>\n<tr><th>region</th><th>valid, of all rows</th><th>of "
          "those with a "
          "face</th><th>mean, ",
          f);
    tf_html_text(f, unit, 32);
    fputs("</th></tr>\n", f);
    for (int i = 0; i < c->regions; i++) {
        const struct tf_curve *one = &c->curve[i];

        fputs("<tr>", f);
        tf_html_cell(f, "th", one->name);
        fprintf(f, "<td class=\"n\">%.1f %%</td>", 100.0 * (double)one->valid / (double)c->rows);
        if (c->states[0] && one->valid <= c->states[0])
            fprintf(f, "<td class=\"n\">%.1f %%</td>", 100.0 * (double)one->valid / (double)c->states[0]);
        else
            fputs("<td class=\"n\">–</td>", f);
        if (one->valid)
            fprintf(f, "<td class=\"n\">%.3f</td>", one->sum / (double)one->valid);
        else
            fputs("<td class=\"n\">–</td>", f);
        fputs("</tr>\n", f);
    }
    fputs("</table>\n", f);
}

static void write_shutter(FILE *f, const struct tf_curves *c)
{
    fputs("<h3>Shutter</h3>\n", f);
    if (!c->shutters) {
        fputs("<p>No frame says that it was closed, or that temperatures settled after it.</p>\n", f);
        return;
    }
    fputs("<p>Closed, or temperatures settling after it (gray in the curves):</p>\n<table>\n<tr><th>from, "
          "s</th><th>to, s</th></tr>\n",
          f);
    for (int i = 0; i < c->shutters; i++)
        fprintf(f, "<tr><td class=\"n\">%.2f</td><td class=\"n\">%.2f</td></tr>\n", c->shutter[i].from,
                c->shutter[i].to);
    fputs("</table>\n", f);
    if (c->shutters_more)
        fprintf(f, "<p>Frames of later times that are left out: %llu.</p>\n",
                (unsigned long long)c->shutters_more);
}

static void write_base64(FILE *f, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16 | (i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0) |
                     (i + 2 < size ? data[i + 2] : 0);

        fputc(digits[v >> 18], f);
        fputc(digits[v >> 12 & 63], f);
        fputc(i + 1 < size ? digits[v >> 6 & 63] : '=', f);
        fputc(i + 2 < size ? digits[v & 63] : '=', f);
    }
}

static void write_picture(struct report *p, struct tf_film *film, double at, const struct tf_mark_read *mark)
{
    size_t size = 0;
    uint8_t *data = p->thumbnails < THUMBNAILS_MAX ? tf_film_picture(film, at, &size) : NULL;

    if (!data)
        return;
    p->thumbnails++;
    fputs("<img alt=\"The annotated picture at the mark ", p->file);
    tf_html_text(p->file, mark->text, 100);
    fputs("\" src=\"data:image/jpeg;base64,", p->file);
    write_base64(p->file, data, size);
    fputs("\"/>", p->file);
    free(data);
}

static void write_marks(struct report *p, const struct tf_recording_found *r, const json_t *d,
                        const struct tf_curves *c, const struct tf_mark_read *marks, int count)
{
    const json_t *start = json_object_get(d, "AnnotatedStartTime");
    double begin = json_is_number(start) ? json_number_value(start) : c ? c->t0 : 0;
    struct tf_film *film = NULL;
    char path[PATH_BYTES];

    fputs("<h3>Marks</h3>\n", p->file);
    if (!count) {
        fputs("<p>None.</p>\n", p->file);
        return;
    }
    path_of(r, "_desc-annotated_video.mkv", path);
    if (!p->no_pictures && is_there(r, "_desc-annotated_video.mkv"))
        film = tf_film_open(path);
    fputs("<ul class=\"marks\">\n", p->file);
    for (int i = 0; i < count; i++) {
        fputs("<li><figure>", p->file);
        if (film && marks[i].t >= begin - 1)
            write_picture(p, film, marks[i].t - begin, &marks[i]);
        fprintf(p->file, "<figcaption>%d: %.3f s: ", i + 1, marks[i].t);
        tf_html_text(p->file, marks[i].text, 1000);
        if (*marks[i].value) {
            fputs(" = ", p->file);
            tf_html_text(p->file, marks[i].value, 250);
        }
        fputs("</figcaption></figure></li>\n", p->file);
    }
    fputs("</ul>\n", p->file);
    if (count == TF_MARKS_MAX)
        fprintf(p->file, "<p>Only the first %d are listed.</p>\n", TF_MARKS_MAX);
    if (film && p->thumbnails == THUMBNAILS_MAX)
        fprintf(p->file, "<p>Pictures: the first %d of the page.</p>\n", THUMBNAILS_MAX);
    tf_film_close(film);
}

static const char *unit_of(const struct tf_recording_found *r, const json_t *d)
{
    const char *unit;
    char path[PATH_BYTES], why[256];
    json_t *signals;
    bool counts;

    if (d)
        return strcmp(text_of(d, "Unit"), "counts") == 0 ? "counts" : "°C";
    path_of(r, "_signals.json", path);
    signals = load_json(path, why);
    unit = json_string_value(json_object_get(json_object_get(signals, "forehead_mean"), "Units"));
    counts = unit && strcmp(unit, "counts") == 0;
    json_decref(signals);
    return counts ? "counts" : "°C";
}

static void write_recording(struct report *p, const struct tf_recording_found *r)
{
    char path[PATH_BYTES], why[256] = "";
    struct tf_mark_read *marks = NULL;
    struct tf_curves *c = calloc(1, sizeof(*c));
    struct tf_error err = {0};
    bool session, curves;
    const char *unit;
    json_t *d = NULL;
    double start;
    int count;

    tf_html_cell(p->file, "h2", r->stem);
    fputc('\n', p->file);
    /* Results have no raw video and no description; a recording has at least one of them. */
    session = is_there(r, "_video.json") || is_there(r, "_video.mkv") || is_there(r, "_split-0001_video.mkv");
    path_of(r, "_video.json", path);
    if (is_there(r, "_video.json"))
        d = load_json(path, why);
    start = json_number_value(json_object_get(d, "SessionStartMonotonicNs"));
    curves = c && tf_curves_read(r->folder, r->stem, start > 0 && start < 9e18 ? (uint64_t)start : 0, c,
                                 &err) == 0;
    count = tf_marks_read(r->folder, r->stem, &marks);
    count = count > 0 ? count : 0;
    unit = unit_of(r, d);
    write_missing(p->file, r, session, d, why);
    write_summary(p->file, d, c, curves);
    if (curves) {
        fputs("<h3>Curves</h3>\n<p>Smallest and largest value in each of some hundred spans of time, of "
              "valid frames "
              "only; dashed: marks, by number.</p>\n",
              p->file);
        tf_curves_write(p->file, c, unit, marks, count);
        write_regions(p->file, c, unit);
    } else {
        fputs("<p class=\"bad\">There are no curves: ", p->file);
        tf_html_text(p->file, err.text, 500);
        fputs("</p>\n", p->file);
    }
    write_losses(p->file, d);
    if (curves)
        write_shutter(p->file, c);
    write_marks(p, r, d, curves ? c : NULL, marks, count);
    if (d) {
        fputs("<h3>Settings</h3>\n", p->file);
        tf_html_json(p->file, d, SETTINGS_MAX);
    } else if (!session) {
        fputs("<h3>Settings</h3>\n<p>These are results of thermoface run, which leaves no description of "
              "itself: they "
              "are those of its command.</p>\n",
              p->file);
    }
    json_decref(d);
    free(marks);
    if (c)
        tf_curves_free(c);
    free(c);
}

static void write_report(struct report *p, const char *folder, const struct tf_recording_found *found,
                         int count)
{
    bool recordings = false;
    char title[4200], utc[TF_UTC_TEXT];

    for (int i = 0; i < count; i++)
        recordings |= is_there(&found[i], "_video.json") || is_there(&found[i], "_video.mkv") ||
                      is_there(&found[i], "_split-0001_video.mkv");
    tf_utc_format(tf_utc_now_ns(), utc);
    snprintf(title, sizeof(title), "thermoface: %.4000s", folder);
    tf_html_head(p->file, title);
    tf_html_cell(p->file, "h1", title);
    fprintf(p->file, "\n<p>%d recording%s. Written by thermoface %s, %s.</p>\n", count, TF_PLURAL(count),
            TF_VERSION, utc);
    if (count > RECORDINGS_MAX)
        fprintf(p->file,
                "<p class=\"bad\">Only the first %d are in this page: ask for a subject's folder.</p>\n",
                RECORDINGS_MAX);
    write_verdict(p, folder, recordings);
    for (int i = 0; i < count && i < RECORDINGS_MAX && !tf_interrupted(); i++)
        write_recording(p, &found[i]);
    tf_html_end(p->file);
}

/* Beside its place, then in it: a page is whole or not there. */
static int write_file(struct report *p, const char *folder, const struct tf_recording_found *found, int count)
{
    char part[PATH_BYTES];
    int fd, r = 0;

    if (!p->overwrite && access(p->output, F_OK) == 0)
        return tf_command_error(p->usage, "%s exists and is not overwritten: see --overwrite", p->output);
    snprintf(part, sizeof(part), "%.4600s.part", p->output);
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    p->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!p->file) {
        r = errno;
        if (fd >= 0)
            close(fd);
        return tf_command_error(p->usage, "%s: cannot be written: %s", part, strerror(r));
    }
    write_report(p, folder, found, count);
    r = ferror(p->file) ? EIO : 0;
    if (fclose(p->file) != 0 && !r)
        r = errno;
    if (tf_interrupted()) {
        unlink(part);
        return tf_command_error(p->usage, "stopped before the end: nothing was written");
    }
    if (!r && rename(part, p->output) < 0)
        r = errno;
    if (r) {
        unlink(part);
        return tf_command_error(p->usage, "%s: cannot be written: %s", p->output, strerror(r));
    }
    puts(p->output);
    return TF_EXIT_OK;
}

int tf_cmd_report(int argc, char **argv)
{
    struct report p = {.output = "report.html"};
    const struct tf_bind bind[] = {
        {"output", &p.output},
        {"overwrite", &p.overwrite},
        {"no-verify", &p.no_verify},
        {"no-pictures", &p.no_pictures},
        {0},
    };
    const struct tf_usage *usage = tf_command("report");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_recording_found *found = NULL;
    int status, n;

    p.usage = usage;
    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    tf_catch_interrupt();
    n = tf_find_results(arguments[0], &found);
    if (n < 0)
        return tf_command_error(usage, "%s: %s%s", arguments[0], strerror(-n),
                                n == -ENOTDIR ? ": give the folder of a session (docs/recording.md)" : "");
    status = n ? write_file(&p, arguments[0], found, n)
               : tf_command_error(usage, "%s: no recording is in it, and no table of one", arguments[0]);
    free(found);
    return status;
}
