/* The table of hand-placed points (docs/training.md): read again, and written whole after every change. */
#include <errno.h>
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "cli/annotate.h"
#include "cli/eval_csv.h"
#include "cli/eval_six.h"

#define PATH_BYTES 4096

const char *const tf_annotate_yaws[] = {"frontal", "quarter", "profile", NULL};
const char *const tf_annotate_qualities[] = {"good", "fair", "poor", NULL};

bool tf_annotate_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == ',' || *c == '"' || *c == 127)
            return false;
    return true;
}

static void point_name(int points, int k, char axis, char ret[32])
{
    if (points == TF_SIX)
        snprintf(ret, 32, "%s_%c", tf_six_names[k], axis);
    else
        snprintf(ret, 32, "%c%d", axis, k);
}

/* --- reading --- */

struct columns {
    int file, rec, frame, rotate, person, glasses, mask, yaw, quality, point[TF_POINTS][2];
};

static int find_columns(const struct tf_csv *csv, int points, struct columns *c, struct tf_error *err)
{
    const struct {
        const char *name;
        int *column;
    } wanted[] = {{"file", &c->file},
                  {"rec", &c->rec},
                  {"frame", &c->frame},
                  {"rotate", &c->rotate},
                  {points == TF_SIX ? "person" : "subject", &c->person},
                  {"glasses", &c->glasses},
                  {"mask", &c->mask},
                  {"yaw", &c->yaw},
                  {"quality", &c->quality}};
    char name[32];

    if (tf_csv_has_column(csv, points == TF_SIX ? "x67" : "eye_r_x"))
        return tf_fail(err, -EINVAL, "%s: a table of %d points; say --points %d, or another --output",
                       csv->path, points == TF_SIX ? TF_POINTS : TF_SIX,
                       points == TF_SIX ? TF_POINTS : TF_SIX);
    for (size_t i = 0; i < TF_COUNT(wanted); i++) {
        *wanted[i].column = tf_csv_column(csv, wanted[i].name, err);
        if (*wanted[i].column < 0)
            return tf_fail(err, -EINVAL,
                           "%s:1: column '%s' is missing: not a table of thermoface annotate; say another "
                           "--output",
                           csv->path, wanted[i].name);
    }
    for (int k = 0; k < points; k++) {
        for (int i = 0; i < 2; i++) {
            point_name(points, k, i == 0 ? 'x' : 'y', name);
            c->point[k][i] = tf_csv_column(csv, name, err);
            if (c->point[k][i] < 0)
                return c->point[k][i];
        }
    }
    return 0;
}

static int text_field(const struct tf_csv *csv, int column, char *ret, size_t size, struct tf_error *err)
{
    if ((size_t)snprintf(ret, size, "%s", csv->field[column]) >= size)
        return tf_fail(err, -E2BIG, "%s:%u: %s: longer than %zu characters", csv->path, csv->line,
                       csv->header[column], size - 1);
    return 0;
}

static int read_row(const struct tf_csv *csv, const struct columns *c, int points, struct tf_table_row *row,
                    struct tf_error *err)
{
    const struct {
        int column;
        char *text;
        size_t size;
    } texts[] = {{c->file, row->file, sizeof(row->file)},
                 {c->rec, row->rec, sizeof(row->rec)},
                 {c->person, row->label.person, sizeof(row->label.person)},
                 {c->yaw, row->label.yaw, sizeof(row->label.yaw)},
                 {c->quality, row->label.quality, sizeof(row->label.quality)}};
    double value;
    int r = 0;

    row->line = csv->line;
    row->label.there = true;
    for (size_t i = 0; i < TF_COUNT(texts) && r == 0; i++)
        r = text_field(csv, texts[i].column, texts[i].text, texts[i].size, err);
    if (r == 0)
        r = tf_csv_number(csv, c->frame, 0, 1e9, &value, err);
    row->frame = r == 0 ? (uint64_t)value : 0;
    if (r == 0)
        r = tf_csv_number(csv, c->rotate, 0, 270, &value, err);
    row->rotate = r == 0 ? (uint16_t)value : 0;
    if (r == 0)
        r = tf_csv_number(csv, c->glasses, 0, 1, &value, err);
    row->label.glasses = r == 0 && value > 0;
    if (r == 0)
        r = tf_csv_number(csv, c->mask, 0, 1, &value, err);
    row->label.mask = r == 0 && value > 0;
    for (int k = 0; k < points && r == 0; k++) {
        row->label.seen[k] = *csv->field[c->point[k][0]] || *csv->field[c->point[k][1]];
        for (int i = 0; i < 2 && r == 0 && row->label.seen[k]; i++) {
            r = tf_csv_number(csv, c->point[k][i], -65536, 65536, &value, err);
            row->label.point[k][i] = r == 0 ? (float)value : 0;
        }
    }
    return r;
}

int tf_annotate_read(struct tf_annotate_table *table, const char *path, int points, struct tf_error *err)
{
    struct tf_csv *csv = calloc(1, sizeof(*csv));
    struct columns columns;
    int r;

    memset(table, 0, sizeof(*table));
    table->path = path;
    table->points = points;
    if (!csv)
        return tf_fail(err, -ENOMEM, "out of memory");
    r = tf_csv_open(csv, path, err);
    if (r == -ENOENT) {
        free(csv);
        return 0;
    }
    if (r == 0)
        r = find_columns(csv, points, &columns, err);
    while (r >= 0 && (r = tf_csv_next(csv, err)) > 0) {
        struct tf_table_row *grown;

        if (table->row_count == TF_ANNOTATE_ITEMS_MAX) {
            r = tf_fail(err, -E2BIG, "%s: more than %d rows", path, TF_ANNOTATE_ITEMS_MAX);
            break;
        }
        grown = realloc(table->rows, (table->row_count + 1) * sizeof(*grown));
        if (!grown) {
            r = tf_fail(err, -ENOMEM, "out of memory");
            break;
        }
        table->rows = grown;
        memset(&grown[table->row_count], 0, sizeof(*grown));
        r = read_row(csv, &columns, points, &grown[table->row_count], err);
        if (r < 0)
            break;
        table->row_count++;
    }
    tf_csv_close(csv);
    free(csv);
    return r;
}

/* --- writing --- */

static void write_head(FILE *f, int points)
{
    char x[32], y[32];

    fprintf(f, "file,rec,frame,rotate,%s,source,glasses,mask,yaw,quality",
            points == TF_SIX ? "person" : "subject");
    for (int k = 0; k < points; k++) {
        point_name(points, k, 'x', x);
        point_name(points, k, 'y', y);
        fprintf(f, ",%s,%s", x, y);
    }
    fputc('\n', f);
}

static void write_row(FILE *f, const char *file, const char *rec, uint64_t frame, int rotate,
                      const struct tf_label *label, int points)
{
    /* rotate is of the recording; the picture stands upright in its file. */
    fprintf(f, "%s,%s,%llu,%d,%s,own,%d,%d,%s,%s", file, rec, (unsigned long long)frame, rotate,
            label->person, label->glasses, label->mask, label->yaw, label->quality);
    for (int k = 0; k < points; k++) {
        if (label->seen[k])
            fprintf(f, ",%.2f,%.2f", (double)label->point[k][0], (double)label->point[k][1]);
        else
            fputs(",,", f);
    }
    fputc('\n', f);
}

int tf_annotate_keep(struct tf_annotate_table *table, struct tf_error *err)
{
    for (size_t i = 0; i < table->row_count; i++) {
        const struct tf_table_row *row = &table->rows[i];
        size_t size = 0;
        char *text = NULL, **grown;
        FILE *f;

        if (row->used)
            continue;
        grown = realloc(table->kept, (table->kept_count + 1) * sizeof(*grown));
        if (!grown)
            return tf_fail(err, -ENOMEM, "out of memory");
        table->kept = grown;
        f = open_memstream(&text, &size);
        if (!f)
            return tf_fail(err, -ENOMEM, "out of memory");
        write_row(f, row->file, row->rec, row->frame, row->rotate, &row->label, table->points);
        if (fclose(f) != 0) {
            free(text);
            return tf_fail(err, -ENOMEM, "out of memory");
        }
        table->kept[table->kept_count++] = text;
    }
    return 0;
}

void tf_annotate_free(struct tf_annotate_table *table)
{
    for (size_t i = 0; i < table->kept_count; i++)
        free(table->kept[i]);
    free(table->kept);
    free(table->rows);
    memset(table, 0, sizeof(*table));
}

static int close_whole(FILE *f, const char *part, const char *path, struct tf_error *err)
{
    bool bad = fflush(f) != 0 || ferror(f) || fsync(fileno(f)) < 0;
    int code = errno;

    if (fclose(f) != 0 && !bad) {
        bad = true;
        code = errno;
    }
    if (!bad && rename(part, path) == 0)
        return 0;
    if (!bad)
        code = errno;
    unlink(part);
    return tf_fail(err, -code, "%s: cannot be written: %s", path, strerror(code));
}

static FILE *open_part(const char *path, char part[PATH_BYTES + 16], struct tf_error *err)
{
    FILE *f;

    snprintf(part, PATH_BYTES + 16, "%s.part", path);
    f = fopen(part, "we");
    if (!f)
        tf_fail(err, -errno, "%s: cannot be written: %s", part, strerror(errno));
    return f;
}

/* A gray PNG of 16 bits, or 8, holding the values as they are. */
static int encode(const struct tf_item *item, AVPacket *packet)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
    AVFrame *frame = av_frame_alloc();
    int r = context && frame ? 0 : AVERROR(ENOMEM);

    if (r == 0) {
        context->width = frame->width = item->width;
        context->height = frame->height = item->height;
        context->pix_fmt = item->wide ? AV_PIX_FMT_GRAY16BE : AV_PIX_FMT_GRAY8;
        frame->format = context->pix_fmt;
        context->time_base = (AVRational){1, 1};
        context->thread_count = 1;
        r = avcodec_open2(context, codec, NULL);
    }
    if (r >= 0)
        r = av_frame_get_buffer(frame, 0);
    for (int y = 0; r >= 0 && y < item->height; y++) {
        uint8_t *line = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];

        for (int x = 0; x < item->width; x++) {
            uint16_t v = item->pixels[(size_t)y * item->width + (size_t)x];

            if (item->wide) {
                line[2 * x] = (uint8_t)(v >> 8);
                line[2 * x + 1] = (uint8_t)v;
            } else {
                line[x] = (uint8_t)v;
            }
        }
    }
    if (r >= 0)
        r = avcodec_send_frame(context, frame);
    if (r >= 0)
        r = avcodec_send_frame(context, NULL);
    if (r >= 0)
        r = avcodec_receive_packet(context, packet);
    av_frame_free(&frame);
    avcodec_free_context(&context);
    return r;
}

static int save_picture(const struct tf_annotate_table *table, const struct tf_item *item,
                        struct tf_error *err)
{
    const char *slash = strrchr(table->path, '/');
    char folder[PATH_BYTES], path[PATH_BYTES], part[PATH_BYTES + 16];
    AVPacket *packet;
    struct stat st;
    FILE *f;
    int r;

    if ((size_t)snprintf(folder, sizeof(folder), "%.*simages", slash ? (int)(slash - table->path + 1) : 0,
                         table->path) >= sizeof(folder) ||
        (size_t)snprintf(path, sizeof(path), "%s/%s", folder, item->file) >= sizeof(path))
        return tf_fail(err, -ENAMETOOLONG, "%s: the path is too long", table->path);
    if (stat(path, &st) == 0)
        return 0;
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return tf_fail(err, -errno, "%s: cannot be made: %s", folder, strerror(errno));
    packet = av_packet_alloc();
    if (!packet)
        return tf_fail(err, -ENOMEM, "out of memory");
    r = encode(item, packet);
    if (r < 0) {
        r = tf_fail(err, -EIO, "%s: cannot be encoded as PNG", path);
    } else {
        f = open_part(path, part, err);
        r = f ? 0 : -EIO;
        if (f) {
            fwrite(packet->data, 1, (size_t)packet->size, f);
            r = close_whole(f, part, path, err);
        }
    }
    av_packet_free(&packet);
    return r;
}

int tf_annotate_save(const struct tf_annotate_table *table, const struct tf_items *items,
                     const struct tf_item *changed, struct tf_error *err)
{
    char part[PATH_BYTES + 16];
    FILE *f;
    int r = changed && changed->label.there ? save_picture(table, changed, err) : 0;

    if (r < 0)
        return r;
    f = open_part(table->path, part, err);
    if (!f)
        return -EIO;
    write_head(f, table->points);
    for (size_t i = 0; i < table->kept_count; i++)
        fputs(table->kept[i], f);
    for (size_t i = 0; i < items->count; i++) {
        const struct tf_item *item = &items->list[i];

        if (item->label.there)
            write_row(f, item->file, item->rec, item->frame, item->rotate, &item->label, table->points);
    }
    return close_whole(f, part, table->path, err);
}
