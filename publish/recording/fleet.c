/* A session's table of other computers: their clocks against ours, as somebody measured them. */
#include "publish/recording/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "publish/disk/folder.h"
#include "publish/disk/manifest.h"
#include "publish/record/text_out.h"
#include "publish/recording/session.h"

struct tf_fleet_table {
    char *shown, *name, *about;
    struct tf_manifest *manifest;
    uint64_t t_start_ns;
    unsigned rows;
    int fd;
};

static const char header[] = "onset\tt_mono_ns\tbox\tsession\tt_start_mono_ns\toffset_ns\terror_ns\t"
                             "utc_difference_ns\tsynchronised\n";
static const char description[] =
    "{\n  \"onset\": {\"Description\": \"Seconds since the session's start at which the other computer was "
    "measured\", \"Units\": \"s\"},\n"
    "  \"t_mono_ns\": {\"Description\": \"The same moment by this computer's CLOCK_MONOTONIC\", \"Units\": "
    "\"ns\"},\n"
    "  \"box\": {\"Description\": \"The other computer's name\"},\n"
    "  \"session\": {\"Description\": \"Its session; n/a: it records none\"},\n"
    "  \"t_start_mono_ns\": {\"Description\": \"The start of its session by its own CLOCK_MONOTONIC\", "
    "\"Units\": \"ns\"},\n"
    "  \"offset_ns\": {\"Description\": \"What to add to its t_mono_ns to get this computer's\", \"Units\": "
    "\"ns\"},\n"
    "  \"error_ns\": {\"Description\": \"How far off offset_ns is at most\", \"Units\": \"ns\"},\n"
    "  \"utc_difference_ns\": {\"Description\": \"Its CLOCK_REALTIME less this computer's at that moment, "
    "within error_ns\", \"Units\": \"ns\"},\n"
    "  \"synchronised\": {\"Description\": \"1: its kernel takes its CLOCK_REALTIME for synchronised, 0: it "
    "does not, n/a: it does not say\"}\n}\n";

int tf_fleet_row_check(const struct tf_fleet_row *row, struct tf_error *err)
{
    int r = tf_mark_check(&(struct tf_mark){.text = row->box, .value = row->session}, err);

    if (r < 0)
        tf_error_prefix(err, "the other computer's name and session, which are written as marks are");
    return r;
}

int tf_fleet_table_create(const struct tf_fleet_options *o, struct tf_fleet_table **ret, struct tf_error *err)
{
    struct tf_fleet_table *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return tf_fail(err, -ENOMEM, "no memory for a table");
    t->fd = -1;
    t->manifest = o->manifest;
    t->t_start_ns = o->t_start_ns;
    t->shown = strdup(o->shown);
    if (!t->shown || asprintf(&t->name, "%s_fleet.tsv", o->stem) < 0 ||
        asprintf(&t->about, "%s_fleet.json", o->stem) < 0) {
        r = tf_fail(err, -ENOMEM, "no memory for a table");
        goto fail;
    }
    r = tf_folder_put_new(o->folder, t->shown, t->about, description, sizeof(description) - 1, err);
    if (r < 0 && r != -EEXIST)
        goto fail;
    t->fd = tf_folder_file(o->folder, t->name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0644);
    r = t->fd < 0 ? t->fd : tf_write_all(t->fd, header, sizeof(header) - 1);
    if (r < 0) {
        tf_fail(err, r, "%s/%s: cannot be written: %s", t->shown, t->name, strerror(-r));
        goto fail;
    }
    if (t->manifest)
        tf_manifest_add(t->manifest, t->about, NULL, NULL);
    *ret = t;
    return 0;

fail:
    t->manifest = NULL;
    tf_fleet_table_close(t);
    return r;
}

static void put_known(struct tf_out *o, int64_t value, bool known)
{
    if (known)
        tf_out_int(o, value);
    else
        tf_out_literal(o, "n/a");
    tf_out_literal(o, "\t");
}

static int write_row(struct tf_fleet_table *t, const char *row, size_t size)
{
    struct stat before;
    int r;

    if (fstat(t->fd, &before) < 0)
        return -errno;
    r = tf_write_all(t->fd, row, size);
    /* Half a row would spoil the table. */
    if (r < 0 && ftruncate(t->fd, before.st_size) < 0)
        return -errno;
    if (r == 0 && fdatasync(t->fd) < 0)
        return -errno;
    return r;
}

int tf_fleet_table_add(struct tf_fleet_table *t, const struct tf_fleet_row *f, struct tf_error *err)
{
    int64_t onset = (int64_t)(f->t_mono_ns - t->t_start_ns);
    uint64_t size = onset < 0 ? (uint64_t)-onset : (uint64_t)onset;
    char row[4 * TF_MARK_MAX + 512];
    struct tf_out out = {.at = row, .end = row + sizeof(row)}, *o = &out;
    int r;

    if (t->rows == TF_FLEET_ROWS_MAX)
        return tf_fail(err, -ENOSPC, "%s: has %d rows already", t->name, TF_FLEET_ROWS_MAX);
    o->at +=
        snprintf(row, sizeof(row), "%s%llu.%06llu\t", onset < 0 ? "-" : "",
                 (unsigned long long)(size / TF_NS_PER_S), (unsigned long long)(size % TF_NS_PER_S / 1000));
    tf_out_uint(o, f->t_mono_ns);
    tf_out_literal(o, "\t");
    tf_out_cell(o, f->box);
    tf_out_literal(o, "\t");
    tf_out_cell(o, f->session && *f->session ? f->session : "n/a");
    tf_out_literal(o, "\t");
    put_known(o, f->t_start_ns, f->t_start_ns >= 0);
    put_known(o, f->offset_ns, true);
    put_known(o, (int64_t)f->error_ns, true);
    put_known(o, f->utc_difference_ns, f->has_utc_difference);
    put_known(o, f->synchronised, f->synchronised >= 0);
    o->at[-1] = '\n';
    if (o->full)
        return tf_fail(err, -EINVAL, "the row is too long");
    r = write_row(t, row, (size_t)(o->at - row));
    if (r < 0)
        return tf_fail(err, r, "%s/%s: cannot be written: %s", t->shown, t->name, strerror(-r));
    t->rows++;
    return 0;
}

void tf_fleet_table_close(struct tf_fleet_table *t)
{
    struct stat st;

    if (!t)
        return;
    if (t->fd >= 0) {
        if (t->manifest && fstat(t->fd, &st) == 0)
            tf_manifest_add(t->manifest, t->name, &st, NULL);
        close(t->fd);
    }
    free(t->shown);
    free(t->name);
    free(t->about);
    free(t);
}
