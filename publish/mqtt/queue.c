/* Lists of messages. */
#include "publish/mqtt/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tf_mqtt_message_create(const char *topic, const char *payload, enum tf_mqtt_kind kind,
                           struct tf_mqtt_message **ret)
{
    size_t name = strlen(topic) + 1, size = strlen(payload);
    struct tf_mqtt_message *m = malloc(sizeof(*m) + name + size + 1);

    if (!m)
        return -ENOMEM;
    *m = (struct tf_mqtt_message){.kind = kind, .size = size};
    m->payload = m->topic + name;
    memcpy(m->topic, topic, name);
    memcpy(m->payload, payload, size + 1);
    *ret = m;
    return 0;
}

void tf_mqtt_list_push(struct tf_mqtt_list *l, struct tf_mqtt_message *m)
{
    m->next = NULL;
    if (l->last)
        l->last->next = m;
    else
        l->first = m;
    l->last = m;
    l->count++;
}

/* `before`: the one before it; NULL: it is the first. */
static struct tf_mqtt_message *unlink_after(struct tf_mqtt_list *l, struct tf_mqtt_message *before)
{
    struct tf_mqtt_message *m = before ? before->next : l->first;

    if (!m)
        return NULL;
    if (before)
        before->next = m->next;
    else
        l->first = m->next;
    if (l->last == m)
        l->last = before;
    l->count--;
    m->next = NULL;
    return m;
}

struct tf_mqtt_message *tf_mqtt_list_pop(struct tf_mqtt_list *l)
{
    return unlink_after(l, NULL);
}

struct tf_mqtt_message *tf_mqtt_list_pop_cheapest(struct tf_mqtt_list *l)
{
    for (int kind = TF_MQTT_NOW; kind <= TF_MQTT_EVENT; kind++) {
        struct tf_mqtt_message *before = NULL, *m = l->first;

        while (m && m->kind != (enum tf_mqtt_kind)kind) {
            before = m;
            m = m->next;
        }
        if (m)
            return unlink_after(l, before);
    }
    return NULL;
}

struct tf_mqtt_message *tf_mqtt_list_take(struct tf_mqtt_list *l, int mid)
{
    struct tf_mqtt_message *before = NULL, *m = l->first;

    while (m && m->mid != mid) {
        before = m;
        m = m->next;
    }
    return m ? unlink_after(l, before) : NULL;
}

uint32_t tf_mqtt_list_keep_events(struct tf_mqtt_list *l)
{
    struct tf_mqtt_list kept = {0};
    struct tf_mqtt_message *m;
    uint32_t freed = 0;

    while ((m = tf_mqtt_list_pop(l))) {
        if (m->kind == TF_MQTT_EVENT) {
            tf_mqtt_list_push(&kept, m);
        } else {
            free(m);
            freed++;
        }
    }
    *l = kept;
    return freed;
}

void tf_mqtt_list_prepend(struct tf_mqtt_list *l, struct tf_mqtt_list *front)
{
    if (!front->first)
        return;
    front->last->next = l->first;
    l->first = front->first;
    if (!l->last)
        l->last = front->last;
    l->count += front->count;
    *front = (struct tf_mqtt_list){0};
}

void tf_mqtt_list_clear(struct tf_mqtt_list *l)
{
    struct tf_mqtt_message *m;

    while ((m = tf_mqtt_list_pop(l)))
        free(m);
}
