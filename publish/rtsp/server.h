/*
 * Inside of the process that serves RTSP; not for other rooms.
 *
 * One thread (the main loop) accepts, answers and counts: whoever waits (for a description, for the next key
 * picture) waits as an entry in a list, not as a blocked thread. GStreamer's own threads carry pictures: a
 * few for each camera, none for each viewer. What they share with the main loop is in tf_mount and guarded by
 * its lock.
 */
#ifndef TF_PUBLISH_RTSP_SERVER_H
#define TF_PUBLISH_RTSP_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include <gio/gio.h>
#include <gst/app/gstappsrc.h>
#include <gst/rtsp-server/rtsp-server.h>

#include "publish/rtsp/link.h"

#define TF_HEADERS_MAX 1024

struct tf_server;
struct tf_mount;

/* A connection that GStreamer serves. */
struct tf_conn {
    struct tf_server *server;
    GstRTSPClient *client;        /* a reference of ours */
    GstRTSPSessionPool *sessions; /* of this connection alone: nobody can name another's session */
    char ip[INET6_ADDRSTRLEN];
    bool limited;        /* counts against clients-per-address */
    int fd;              /* a duplicate, for asking the kernel and for ending it from the guard */
    int64_t deadline_us; /* for having a session; 0: it has one */
    int64_t stuck_us;    /* since when nothing of what waits has been taken; 0: not so */
    uint64_t acked;
    uint64_t received;  /* the guard's */
    atomic_bool nobody; /* has no session: for the guard */

    char nonce[33];
    bool authorised; /* the last request was */
    bool refused;    /* the first of `requests` is to get its 401 */
    unsigned failures;

    /* Requests whose turn has not come: the first waits for something, the others for the first. */
    GQueue *requests;       /* of GstRTSPMessage */
    struct tf_mount *wants; /* what the first waits for: its description or its next key picture */
    bool plays, admitted, closing, draining;
    guint timer;           /* GSource id of a delayed refusal; 0: none */
    uint32_t seq, rtptime; /* of the first packet, while `admitted` */
};

struct tf_mount {
    struct tf_server *server;
    char name[TF_RTSP_NAME_MAX + 1];
    char path[TF_RTSP_NAME_MAX + 2]; /* "/name" */
    float fps;
    struct tf_link_ring ring;
    uint8_t headers[TF_HEADERS_MAX];
    size_t headers_size;
    int64_t wanted_us; /* until when pictures are asked for, for want of headers */
    GstRTSPMediaFactory *factory;
    GstRTSPMedia *media; /* from the first headers on, always playing */
    GstRTSPStreamTransport *tap;
    GstAppSrc *appsrc;
    GstElement *payloader;
    bool wait_key;

    pthread_mutex_t lock;
    pthread_cond_t change;
    unsigned joiners;      /* wait for the next key picture */
    bool admitting, ended; /* the streaming thread holds it until the main loop has let them in */
    bool sent;             /* something was */
    uint32_t seq, rtptime; /* of the packet that comes next */
    uint16_t last_seq;     /* that the thread of interleaved viewers has seen */
};

struct tf_pending;

struct tf_server {
    int control, listener, bell;
    struct tf_link_message setup;
    GMainLoop *loop;
    GstRTSPAuth *auth;
    GstRTSPMountPoints *points;
    GstRTSPThreadPool *threads;
    GTlsCertificate *certificate;
    GList *pending; /* struct tf_pending, the oldest first */
    unsigned pending_count, pending_max;
    struct tf_mount *mounts[TF_RTSP_MOUNTS_MAX];
    size_t mount_count;
    int64_t said_us[4]; /* when something was last said in the log, by kind */
    unsigned unsaid[4];
    uint64_t logins_failed, logins_told;

    atomic_ullong beat;   /* of the main loop, for the guard */
    pthread_mutex_t lock; /* over conns: the guard reads them */
    GList *conns;         /* the oldest first */
    unsigned conn_count, conn_max;
};

void tf_server_log(struct tf_server *s, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At most once in ten seconds of a kind, with how often it was not said. */
enum tf_said { TF_SAID_LOGIN, TF_SAID_FULL, TF_SAID_SLOW, TF_SAID_OTHER };
void tf_server_say(struct tf_server *s, enum tf_said kind, const char *text, const char *ip);
int64_t tf_server_now_us(void);

/* admit.c: connections before GStreamer knows of them */
void tf_admit_start(struct tf_server *s);
/* Every quarter of a second: deadlines. */
void tf_admit_tend(struct tf_server *s);

/* conn.c: connections that it serves */
/* Takes the descriptor. */
void tf_conn_create(struct tf_server *s, int fd, const char *ip, uint16_t port);
struct tf_conn *tf_conn_of(GstRTSPClient *client);
void tf_conn_tend(struct tf_server *s);
/* Ends the oldest of those without a session; false: there is none. */
bool tf_conn_evict(struct tf_server *s);
unsigned tf_conn_sessions(struct tf_server *s, const char *ip);
/* Counts who plays and tells the service. */
void tf_conn_count(struct tf_server *s);
/* What the request waited for is there: it and what came after it are handled now. */
void tf_conn_resume(struct tf_conn *c);
void tf_conn_close(struct tf_conn *c);
/* True: the request is kept for later. */
bool tf_conn_defer(struct tf_conn *c, const GstRTSPMessage *request, struct tf_mount *wants, bool plays);
void tf_conn_guard_start(struct tf_server *s);

/* request.c: what is asked of GStreamer's authorisation, which is every request */
GstRTSPAuth *tf_request_auth_new(void);
GType tf_client_get_type(void);

/* media.c: one camera's stream */
struct tf_mount *tf_mount_create(struct tf_server *s, const char *name, float fps, int memory);
struct tf_mount *tf_mount_find(struct tf_server *s, const char *path);
/* Pictures from the ring into the stream. */
void tf_mount_feed(struct tf_mount *m);
bool tf_mount_ready(const struct tf_mount *m);
void tf_mount_join(struct tf_mount *m, int change);

/* sdp.c: a description from parameter sets. The caller frees it. */
char *tf_sdp_text(const struct tf_mount *m, const char *server_ip);
/* Parameter sets of a picture (Annex B) into `headers`; the size, 0: it has none. */
size_t tf_sdp_headers(const uint8_t *data, size_t size, uint8_t headers[TF_HEADERS_MAX]);

#endif
