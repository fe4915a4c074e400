/* A session's marks: made, listed for those who look, taken back by a further row. JSON out. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/request.h"
#include "daemon/service.h"

/*
 * When the mark was: when its request came, or what the request says, which is neither to come nor before the
 * session.
 */
static int mark_time(const struct tf_service *service, const struct tf_mark_request *q, uint64_t *t_mono_ns,
                     struct tf_error *err)
{
    uint64_t came = *t_mono_ns, t = came;

    if (q->has_t_mono && q->has_age)
        return tf_fail(err, -EINVAL, "\"t_mono_ns\" and \"age_ms\" exclude each other");
    if (q->has_t_mono)
        t = (uint64_t)q->t_mono_ns;
    if (q->has_age)
        t = (uint64_t)(q->age_ms * 1e6) < came ? came - (uint64_t)(q->age_ms * 1e6) : 0;
    if (t > came)
        return tf_fail(err, -EINVAL,
                       "the mark's time is %.3f s in the future: compare clocks with GET /clock",
                       (double)(t - came) / 1e9);
    if ((q->has_t_mono || q->has_age) && t < service->session_start_ns)
        return tf_fail(err, -EINVAL, "the mark's time is %.3f s before the session",
                       (double)(service->session_start_ns - t) / 1e9);
    *t_mono_ns = t;
    return 0;
}

/* A row on the disk, or with `later` on its way there, and what is answered of it. */
static int put_row(struct tf_service *service, const struct tf_mark *mark, bool later, json_t **told,
                   struct tf_error *err)
{
    struct tf_mark m = *mark;
    char utc[TF_UTC_TEXT];
    int64_t onset;
    int r;

    m.t_utc_ns = (int64_t)m.t_mono_ns + tf_utc_offset_ns();
    r = later ? tf_session_mark_later(service->session, &m, &onset, err)
              : tf_session_mark(service->session, &m, &onset, err);
    if (r < 0) /* a file that is gone is not the client's mistake */
        return r == -ENOENT ? -EIO : r;
    service->marks++;
    tf_service_lsl_mark(service, &m);
    tf_utc_format(m.t_utc_ns, utc);
    *told = json_pack("{s:I,s:f,s:I,s:s,s:s?,s:s?}", "mark", (json_int_t)service->marks, "onset",
                      (double)onset / 1e9, "t_mono_ns", (json_int_t)m.t_mono_ns, "t_utc", utc, "source",
                      m.source, "t_from", m.t_from);
    return *told ? 0 : tf_fail(err, -ENOMEM, "the mark is made, but there is no memory to say so");
}

static int write_row(struct tf_service *service, const struct tf_mark *mark, json_t **told,
                     struct tf_error *err)
{
    return put_row(service, mark, false, told, err);
}

/* And says it to who is connected. */
static void remember(struct tf_service *service, const json_t *told, const char *text, const char *value)
{
    json_t *kept = json_copy((json_t *)told);

    if (!service->recent_marks)
        service->recent_marks = json_array();
    json_object_set_new(kept, "text", json_string(text));
    if (value)
        json_object_set_new(kept, "value", json_string(value));
    json_array_append_new(service->recent_marks, kept);
    if (json_array_size(service->recent_marks) > TF_MARKS_TOLD)
        json_array_remove(service->recent_marks, 0);
    tf_service_mqtt_mark(service, "mark", text, value, told);
}

json_t *tf_service_marks(const struct tf_service *service)
{
    return service->recent_marks ? json_deep_copy(service->recent_marks) : json_array();
}

void tf_service_forget_marks(struct tf_service *service)
{
    json_decref(service->recent_marks);
    service->recent_marks = NULL;
}

int tf_service_mark(struct tf_service *service, const struct tf_mark_request *q, uint64_t t_mono_ns,
                    char **answer)
{
    struct tf_error err = {0};
    json_t *told = NULL;
    int r = 0;

    if (!service->session)
        r = tf_fail(&err, -ENOTCONN, "nothing is being recorded: the mark has nowhere to go");
    else if (!q->text)
        r = tf_fail(&err, -EINVAL, "the mark has no text");
    if (r == 0)
        r = mark_time(service, q, &t_mono_ns, &err);
    if (r == 0)
        r = write_row(service,
                      &(struct tf_mark){.text = q->text,
                                        .value = q->value,
                                        .t_mono_ns = t_mono_ns,
                                        .source = "http",
                                        .t_from = q->has_t_mono || q->has_age ? "client" : "arrival"},
                      &told, &err);
    if (r < 0)
        return tf_request_error(r, &err, answer);
    remember(service, told, q->text, q->value);
    return tf_request_answer(told, 200, answer);
}

int tf_service_mark_from(struct tf_service *service, const struct tf_mark *mark, struct tf_error *err)
{
    json_t *told = NULL;
    int r;

    pthread_mutex_lock(&service->session_lock);
    if (!service->session)
        r = tf_fail(err, -ENOTCONN, "nothing is being recorded: the mark has nowhere to go");
    else if (mark->t_mono_ns < service->session_start_ns)
        r = tf_fail(err, -ERANGE, "the mark's time is %.3f s before the session",
                    (double)(service->session_start_ns - mark->t_mono_ns) / 1e9);
    else
        r = put_row(service, mark, true, &told, err);
    if (r == 0)
        remember(service, told, mark->text, mark->value);
    json_decref(told);
    pthread_mutex_unlock(&service->session_lock);
    return r;
}

static json_t *find(struct tf_service *service, int64_t number)
{
    json_t *mark;
    size_t i;

    json_array_foreach(service->recent_marks, i, mark)
    {
        if (json_integer_value(json_object_get(mark, "mark")) == number)
            return mark;
    }
    return NULL;
}

/* Nothing that was recorded is deleted: a row says that the other one does not count. */
int tf_service_undo(struct tf_service *service, const struct tf_mark_request *q, char **answer)
{
    json_t *mark = service->recent_marks ? find(service, q->mark) : NULL, *told = NULL, *anew = NULL;
    char text[TF_MARK_MAX + 1];
    struct tf_error err = {0};
    const char *old, *value;
    struct tf_mark m;
    int r = 0;

    if (!service->session)
        r = tf_fail(&err, -ENOTCONN, "nothing is being recorded: no mark can be taken back");
    else if (!mark)
        r = tf_fail(&err, -ENOENT, "this session has no mark %lld among its last %d", (long long)q->mark,
                    TF_MARKS_TOLD);
    else if (json_object_get(mark, "undone"))
        r = tf_fail(&err, -EALREADY, "mark %lld is taken back already", (long long)q->mark);
    /* Both rows or none: a new text that cannot be one must not cost the old mark. */
    if (r == 0 && q->text)
        r = tf_mark_check(&(struct tf_mark){.text = q->text, .value = q->value}, &err);
    if (r < 0)
        return tf_request_error(r, &err, answer);
    old = json_string_value(json_object_get(mark, "text"));
    value = json_string_value(json_object_get(mark, "value"));
    /* The moment and whose stamp it is stay, also where only the text was wrong. */
    m = (struct tf_mark){.text = text,
                         .value = value,
                         .t_mono_ns = (uint64_t)json_integer_value(json_object_get(mark, "t_mono_ns")),
                         .source = json_string_value(json_object_get(mark, "source")),
                         .t_from = json_string_value(json_object_get(mark, "t_from"))};
    if (strlen("undone: ") + strlen(old) > TF_MARK_MAX)
        r = tf_fail(&err, -EINVAL, "the mark's text is too long to be taken back");
    if (r == 0) {
        snprintf(text, sizeof(text), "undone: %s", old);
        r = write_row(service, &m, &told, &err);
    }
    if (r == 0)
        json_object_set_new(mark, "undone", json_true());
    m.text = q->text;
    m.value = q->value ? q->value : value;
    if (r == 0 && q->text)
        r = write_row(service, &m, &anew, &err);
    if (r < 0) {
        json_decref(told);
        return tf_request_error(r, &err, answer);
    }
    tf_service_mqtt_mark(service, "mark_undone", old, value, mark);
    if (anew) {
        remember(service, anew, q->text, q->value ? q->value : value);
        json_object_set_new(told, "new", anew);
    }
    return tf_request_answer(told, 200, answer);
}
