/* One camera's media: packets come in by tf_rtsp_push, RTP goes out by gst-rtsp-server. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish/rtsp/server.h"

/*
 * Pictures that may wait for the network before we drop: half a second at 60 frames/s. Beyond it everything
 * up to the next key picture is dropped, for a viewer cannot use what refers to a lost picture.
 */
#define QUEUE_PICTURES 32
#define QUEUE_BYTES (16u << 20)

/*
 * Our media class only exists for its RTP session's options: sender reports must give the time of capture
 * (rtcp-sync-send-time off), not of sending, against the wall clock read beside the pipeline's monotonic
 * clock.
 */
typedef struct {
    GstRTSPMedia parent;
} TfMedia;
typedef struct {
    GstRTSPMediaClass parent;
} TfMediaClass;

GType tf_media_get_type(void);
G_DEFINE_TYPE(TfMedia, tf_media, GST_TYPE_RTSP_MEDIA)

static gboolean setup_rtpbin(GstRTSPMedia *media, GstElement *rtpbin)
{
    g_object_set(rtpbin, "rtcp-sync-send-time", FALSE, NULL);
    gst_util_set_object_arg(G_OBJECT(rtpbin), "ntp-time-source", "ntp");
    return TRUE;
}

static void tf_media_class_init(TfMediaClass *klass)
{
    GST_RTSP_MEDIA_CLASS(klass)->setup_rtpbin = setup_rtpbin;
}

static void tf_media_init(TfMedia *media)
{
}

static GQuark mount_quark(void)
{
    return g_quark_from_static_string("tf-rtsp-mount");
}

struct tf_rtsp_mount *tf_rtsp_mount_of(GstRTSPMedia *media)
{
    return g_object_get_qdata(G_OBJECT(media), mount_quark());
}

static void forget_media(struct tf_rtsp_mount *mount, GstRTSPMedia *media)
{
    GstRTSPMedia *old = NULL;
    GstAppSrc *appsrc = NULL;

    pthread_mutex_lock(&mount->lock);
    if (!media || mount->media == media) {
        old = mount->media;
        appsrc = mount->appsrc;
        mount->media = NULL;
        mount->appsrc = NULL;
    }
    pthread_mutex_unlock(&mount->lock);
    /* Outside the lock: the last reference runs GStreamer's teardown. */
    g_clear_object(&appsrc);
    g_clear_object(&old);
}

static void on_unprepared(GstRTSPMedia *media, struct tf_rtsp_mount *mount)
{
    forget_media(mount, media);
    tf_rtsp_mount_count(mount);
}

/* A viewer's RTCP asks for a key picture (PLI, FIR): it arrives as an event on its way upstream. */
static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer context)
{
    struct tf_rtsp_mount *mount = context;
    const GstStructure *structure = gst_event_get_structure(GST_PAD_PROBE_INFO_EVENT(info));

    if (structure && gst_structure_has_name(structure, "GstForceKeyUnit"))
        atomic_store(&mount->key_wanted, true);
    return GST_PAD_PROBE_OK;
}

static void release_probe(gpointer context)
{
    struct tf_rtsp_mount *mount = context;

    tf_rtsp_unref(mount->rtsp);
}

static void release_handler(gpointer context, GClosure *closure)
{
    release_probe(context);
}

/*
 * The running time of the media is the monotonic clock itself (base time 0), so that our stamps need no
 * conversion and none can come before the start.
 */
static void set_clock(GstElement *element)
{
    GstObject *pipeline = gst_object_get_parent(GST_OBJECT(element));
    GstClock *clock = gst_system_clock_obtain();

    if (pipeline && GST_IS_PIPELINE(pipeline)) {
        gst_pipeline_use_clock(GST_PIPELINE(pipeline), clock);
        gst_element_set_start_time(GST_ELEMENT(pipeline), GST_CLOCK_TIME_NONE);
        gst_element_set_base_time(GST_ELEMENT(pipeline), 0);
    }
    gst_object_unref(clock);
    if (pipeline)
        gst_object_unref(pipeline);
}

/* The first viewer is on the way: DESCRIBE waits for the first packet, so that the encoder has to start now.
 */
static void on_configure(GstRTSPMediaFactory *factory, GstRTSPMedia *media, struct tf_rtsp_mount *mount)
{
    GstElement *element = gst_rtsp_media_get_element(media);
    GstElement *source = gst_bin_get_by_name_recurse_up(GST_BIN(element), "source");
    GstPad *pad = gst_element_get_static_pad(source, "src");
    GstCaps *caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING, "byte-stream",
                                        "alignment", G_TYPE_STRING, "au", NULL);
    GstRTSPMedia *old;
    GstAppSrc *old_source;

    g_object_set(source, "caps", caps, "format", GST_FORMAT_TIME, "is-live", TRUE, "do-timestamp", FALSE,
                 "block", FALSE, "emit-signals", FALSE, "min-latency", (gint64)0, "max-buffers", (guint64)0,
                 "max-bytes", (guint64)0, "max-time", (guint64)0, NULL);
    gst_app_src_set_stream_type(GST_APP_SRC(source), GST_APP_STREAM_TYPE_STREAM);
    gst_caps_unref(caps);
    set_clock(element);
    tf_rtsp_ref(mount->rtsp);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_event, mount, release_probe);
    gst_object_unref(pad);
    gst_rtsp_media_set_reusable(media, FALSE);
    g_object_set_qdata(G_OBJECT(media), mount_quark(), mount);
    tf_rtsp_ref(mount->rtsp);
    g_signal_connect_data(media, "unprepared", G_CALLBACK(on_unprepared), mount, release_handler, 0);

    pthread_mutex_lock(&mount->lock);
    old = mount->media;
    old_source = mount->appsrc;
    mount->media = g_object_ref(media);
    mount->appsrc = GST_APP_SRC(source);
    mount->wait_key = true;
    pthread_mutex_unlock(&mount->lock);
    g_clear_object(&old_source);
    g_clear_object(&old);
    gst_object_unref(element);
    atomic_store(&mount->key_wanted, true);
    tf_rtsp_mount_count(mount);
}

struct tally {
    GstRTSPMedia *media;
    unsigned playing;
};

static GstRTSPFilterResult tally_media(GstRTSPSession *session, GstRTSPSessionMedia *item, gpointer context)
{
    struct tally *tally = context;

    if (gst_rtsp_session_media_get_media(item) == tally->media &&
        gst_rtsp_session_media_get_rtsp_state(item) == GST_RTSP_STATE_PLAYING)
        tally->playing++;
    return GST_RTSP_FILTER_KEEP;
}

static GstRTSPFilterResult tally_session(GstRTSPSessionPool *pool, GstRTSPSession *session, gpointer context)
{
    g_list_free_full(gst_rtsp_session_filter(session, tally_media, context), g_object_unref);
    return GST_RTSP_FILTER_KEEP;
}

void tf_rtsp_mount_count(struct tf_rtsp_mount *mount)
{
    struct tally tally = {0};

    pthread_mutex_lock(&mount->lock);
    if (mount->media)
        tally.media = g_object_ref(mount->media);
    pthread_mutex_unlock(&mount->lock);
    if (tally.media) {
        g_list_free_full(gst_rtsp_session_pool_filter(mount->rtsp->sessions, tally_session, &tally),
                         g_object_unref);
        /* A media that is being prepared has a viewer who waits for its first picture. */
        if (!tally.playing)
            tally.playing = 1;
        g_object_unref(tally.media);
    }
    atomic_store(&mount->viewers, tally.playing);
}

bool tf_rtsp_mount_end(struct tf_rtsp_mount *mount)
{
    GstRTSPMedia *media = NULL;

    pthread_mutex_lock(&mount->lock);
    if (mount->media)
        media = g_object_ref(mount->media);
    pthread_mutex_unlock(&mount->lock);
    if (!media)
        return false;
    /*
     * The sessions that go with their clients unprepare the media; an error on its bus ends the wait of a
     * DESCRIBE that no packet has come for. (To ask for its status would wait as well.)
     */
    GstElement *element = gst_rtsp_media_get_element(media);
    if (element)
        GST_ELEMENT_ERROR(element, RESOURCE, CLOSE, ("the server ends"), (NULL));
    if (element)
        gst_object_unref(element);
    g_object_unref(media);
    return true;
}

static bool name_is_usable(const char *name)
{
    size_t length = strlen(name);

    if (!length || length > TF_RTSP_NAME_MAX)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
            return false;
    return true;
}

int tf_rtsp_mount_create(struct tf_rtsp *rtsp, const char *name, struct tf_rtsp_mount **ret,
                         struct tf_error *err)
{
    struct tf_rtsp_mount *mount;
    GstRTSPMountPoints *points;

    if (!name_is_usable(name))
        return tf_fail(err, -EINVAL,
                       "RTSP: \"%s\" cannot be part of an address: use letters, digits, . _ - (at most %d)",
                       name, TF_RTSP_NAME_MAX);
    mount = calloc(1, sizeof *mount);
    if (!mount)
        return tf_fail(err, -ENOMEM, "RTSP: out of memory");
    pthread_mutex_init(&mount->lock, NULL);
    mount->rtsp = rtsp;
    strcpy(mount->name, name);
    mount->path[0] = '/';
    strcpy(mount->path + 1, name);

    mount->factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_media_gtype(mount->factory, tf_media_get_type());
    /* Packets are whole pictures with their parameter sets already: no parser is needed between. */
    gst_rtsp_media_factory_set_launch(
        mount->factory, "( appsrc name=source ! rtph264pay name=pay0 pt=96 config-interval=-1 )");
    gst_rtsp_media_factory_set_shared(mount->factory, TRUE);
    gst_rtsp_media_factory_set_latency(mount->factory, 0);
    gst_rtsp_media_factory_set_suspend_mode(mount->factory, GST_RTSP_SUSPEND_MODE_NONE);
    gst_rtsp_media_factory_set_stop_on_disconnect(mount->factory, TRUE);
    gst_rtsp_media_factory_set_protocols(mount->factory, GST_RTSP_LOWER_TRANS_UDP | GST_RTSP_LOWER_TRANS_TCP);
    /* AVP alone: with AVPF the description would have the one video twice, and players wait for both. */
    gst_rtsp_media_factory_set_profiles(mount->factory, GST_RTSP_PROFILE_AVP);
    if (rtsp->credentials)
        gst_rtsp_media_factory_add_role(mount->factory, TF_RTSP_ROLE, GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                        G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                        G_TYPE_BOOLEAN, TRUE, NULL);
    g_signal_connect(mount->factory, "media-configure", G_CALLBACK(on_configure), mount);

    points = gst_rtsp_server_get_mount_points(rtsp->server);
    gst_rtsp_mount_points_add_factory(points, mount->path, g_object_ref(mount->factory));
    g_object_unref(points);
    *ret = mount;
    return 0;
}

void tf_rtsp_mount_close(struct tf_rtsp_mount *mount)
{
    GstRTSPMountPoints *points = gst_rtsp_server_get_mount_points(mount->rtsp->server);

    gst_rtsp_mount_points_remove_factory(points, mount->path);
    g_object_unref(points);
    g_signal_handlers_disconnect_by_data(mount->factory, mount);
    forget_media(mount, NULL);
}

void tf_rtsp_mount_destroy(struct tf_rtsp_mount *mount)
{
    if (!mount)
        return;
    g_object_unref(mount->factory);
    pthread_mutex_destroy(&mount->lock);
    free(mount);
}

void tf_rtsp_push(struct tf_rtsp_mount *mount, const struct tf_packet *packet)
{
    GstAppSrc *appsrc = NULL;

    pthread_mutex_lock(&mount->lock);
    if (mount->appsrc) {
        bool full = gst_app_src_get_current_level_buffers(mount->appsrc) >= QUEUE_PICTURES ||
                    gst_app_src_get_current_level_bytes(mount->appsrc) + packet->size > QUEUE_BYTES;
        if (full || (mount->wait_key && !packet->key)) {
            atomic_fetch_add(&mount->dropped, 1);
            if (!mount->wait_key)
                atomic_store(&mount->key_wanted, true);
            mount->wait_key = true;
        } else {
            mount->wait_key = false;
            appsrc = g_object_ref(mount->appsrc);
        }
    }
    pthread_mutex_unlock(&mount->lock);
    if (!appsrc)
        return;

    GstBuffer *buffer = gst_buffer_new_memdup(packet->data, packet->size);
    GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = packet->t_mono_ns; /* set_clock */
    if (!packet->key)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_app_src_push_buffer(appsrc, buffer);
    gst_object_unref(appsrc);
}

uint32_t tf_rtsp_viewers(const struct tf_rtsp_mount *mount)
{
    return atomic_load(&mount->viewers);
}

bool tf_rtsp_take_key_request(struct tf_rtsp_mount *mount)
{
    return atomic_exchange(&mount->key_wanted, false);
}

uint64_t tf_rtsp_dropped(const struct tf_rtsp_mount *mount)
{
    return atomic_load(&mount->dropped);
}
