/* The places of HTTP's connections, and which one goes when all are taken. */
#include "base/clock.h"
#include "publish/http/place.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SECOND TF_NS_PER_S
#define HEADERS_NS (5 * SECOND)   /* from accept to the end of the headers */
#define HANDSHAKE_NS (5 * SECOND) /* more, where a TLS handshake comes first */
#define BODY_NS (10 * SECOND)     /* 16 KiB at most */
#define PENALTY_NS (30 * SECOND)
#define IDLE_NS (30 * SECOND)   /* to the end of the next request's headers */
#define ANSWER_NS (30 * SECOND) /* a picture over a thin line */
#define DRAINING 64             /* ended, but not closed yet: beyond the places */

struct tf_address tf_address_of(const struct sockaddr *from)
{
    struct tf_address a = {0};

    if (from->sa_family == AF_INET) {
        a.bytes[10] = a.bytes[11] = 0xff;
        memcpy(a.bytes + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        memcpy(a.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
    }
    return a;
}

static bool is_v4(const struct tf_address *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

/* One machine has a whole /64 of IPv6 to choose from. */
bool tf_address_same(const struct tf_address *a, const struct tf_address *b)
{
    return memcmp(a->bytes, b->bytes, is_v4(a) ? 16 : 8) == 0;
}

bool tf_address_local(const struct tf_address *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return is_v4(a) ? a->bytes[12] == 127 : memcmp(a->bytes, one, sizeof(one)) == 0;
}

void tf_place_end(struct tf_places *places, struct tf_place *place)
{
    place->ended = true;
    places->ended++;
    shutdown(place->fd, SHUT_RDWR);
}

/* The one that goes first, of one address or of all (NULL); NULL: all are in earnest use. */
static struct tf_place *victim(const struct tf_places *places, const struct tf_address *of)
{
    struct tf_place *worst = NULL;

    for (struct tf_place *p = places->first; p; p = p->next) {
        if (p->ended || p->phase >= TF_PLACE_WAITING || (of && !tf_address_same(&p->address, of)))
            continue;
        if (!worst || (int)p->phase * 2 + p->control < (int)worst->phase * 2 + worst->control)
            worst = p;
    }
    return worst;
}

/* Room for one more: false when there is none. */
static bool make_room(struct tf_places *places, const struct tf_address *of)
{
    struct tf_place *gone = victim(places, of);

    if (!gone)
        return false;
    places->displaced++;
    tf_place_end(places, gone);
    return true;
}

static unsigned of_address(const struct tf_places *places, const struct tf_address *address)
{
    unsigned n = 0;

    for (const struct tf_place *p = places->first; p; p = p->next)
        n += !p->ended && tf_address_same(&p->address, address);
    return n;
}

struct tf_place *tf_place_take(struct tf_places *places, int fd, const struct tf_address *address,
                               bool limited, uint64_t now_ns)
{
    struct tf_place *p = NULL;

    limited = limited && places->address_max;
    if (places->count < places->max + DRAINING &&
        (!limited || of_address(places, address) < places->address_max || make_room(places, address)) &&
        (places->count - places->ended < places->max || make_room(places, NULL)))
        p = calloc(1, sizeof(*p));
    if (!p) {
        places->refused++;
        return NULL;
    }
    places->accepted++;
    places->count++;
    p->fd = fd;
    p->address = *address;
    p->limited = limited;
    p->previous = places->last;
    *(places->last ? &places->last->next : &places->first) = p;
    places->last = p;
    p->phase = TF_PLACE_OPENING;
    p->since_ns = now_ns;
    p->due_ns = now_ns + HEADERS_NS + (places->tls ? HANDSHAKE_NS : 0);
    return p;
}

void tf_place_free(struct tf_places *places, struct tf_place *p)
{
    if (!p)
        return;
    *(p->previous ? &p->previous->next : &places->first) = p->next;
    *(p->next ? &p->next->previous : &places->last) = p->previous;
    places->count--;
    places->ended -= p->ended;
    free(p);
}

void tf_place_enter(struct tf_places *places, struct tf_place *p, enum tf_place_phase phase, uint64_t now_ns)
{
    static const uint64_t longest[] = {
        [TF_PLACE_OPENING] = HEADERS_NS, [TF_PLACE_BODY] = BODY_NS,        [TF_PLACE_PENALTY] = PENALTY_NS,
        [TF_PLACE_IDLE] = IDLE_NS,       [TF_PLACE_ANSWERING] = ANSWER_NS, [TF_PLACE_WAITING] = 0,
        [TF_PLACE_STREAMING] = 0,
    };
    uint64_t due = longest[phase] ? now_ns + longest[phase] : 0;

    if (phase == TF_PLACE_OPENING && p->due_ns && p->due_ns < due)
        due = p->due_ns;
    if (phase == TF_PLACE_IDLE)
        p->control = false;
    p->phase = phase;
    p->since_ns = now_ns;
    p->due_ns = due;
}

void tf_places_expire(struct tf_places *places, uint64_t now_ns)
{
    for (struct tf_place *p = places->first; p; p = p->next)
        if (!p->ended && p->due_ns && p->due_ns <= now_ns) {
            places->expired++;
            tf_place_end(places, p);
        }
}
