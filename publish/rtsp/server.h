/* What the files of publish/rtsp share; not for other rooms. */
#ifndef TF_PUBLISH_RTSP_SERVER_H
#define TF_PUBLISH_RTSP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include <gst/app/gstappsrc.h>
#include <gst/rtsp-server/rtsp-server.h>

#include "publish/rtsp/rtsp.h"

#define TF_RTSP_MOUNTS_MAX 64
#define TF_RTSP_NAME_MAX 63
#define TF_RTSP_ROLE "viewer"

struct tf_rtsp_mount {
    struct tf_rtsp *rtsp;
    char name[TF_RTSP_NAME_MAX + 1];
    char path[TF_RTSP_NAME_MAX + 2]; /* "/name" */
    GstRTSPMediaFactory *factory;

    pthread_mutex_t lock; /* guards media, appsrc, wait_key */
    GstRTSPMedia *media;  /* the shared media while there is one; a reference of ours */
    GstAppSrc *appsrc;    /* its entry; a reference of ours */
    bool wait_key;        /* pictures lost: nothing is of use before the next key picture */

    atomic_uint viewers; /* what tf_rtsp_viewers says */
    atomic_bool key_wanted;
    atomic_ullong dropped;
};

/*
 * Counted, for signals of clients and media that GStreamer's threads are still closing may come after
 * tf_rtsp_destroy: each handler holds a reference.
 */
struct tf_rtsp {
    atomic_uint references;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    GstRTSPServer *server;
    GstRTSPSessionPool *sessions;
    GSource *listener, *timer;
    uint16_t port;
    uint32_t clients_max;
    bool credentials;

    pthread_mutex_t lock; /* guards mounts */
    struct tf_rtsp_mount *mounts[TF_RTSP_MOUNTS_MAX];
    size_t mount_count;
};

struct tf_rtsp *tf_rtsp_ref(struct tf_rtsp *rtsp);
void tf_rtsp_unref(struct tf_rtsp *rtsp);

/* mount.c */
int tf_rtsp_mount_create(struct tf_rtsp *rtsp, const char *name, struct tf_rtsp_mount **ret,
                         struct tf_error *err);
/* No new media from now on. */
void tf_rtsp_mount_close(struct tf_rtsp_mount *mount);
void tf_rtsp_mount_destroy(struct tf_rtsp_mount *mount);
/* Counts who plays. Any thread. */
void tf_rtsp_mount_count(struct tf_rtsp_mount *mount);
/* Ends the media, also one that a viewer still waits for; returns whether there was one. */
bool tf_rtsp_mount_end(struct tf_rtsp_mount *mount);
/* The mount that serves this media, or NULL. */
struct tf_rtsp_mount *tf_rtsp_mount_of(GstRTSPMedia *media);

#endif
