/* Stands in for the RTSP server in builds without gst-rtsp-server (-Drtsp=disabled). */
#include <errno.h>
#include <stddef.h>

#include "publish/rtsp/rtsp.h"

int tf_rtsp_create(const struct tf_rtsp_options *options, struct tf_rtsp **ret, struct tf_error *err)
{
    return tf_fail(err, -ENOSYS,
                   "RTSP: this build has none (meson option rtsp needs libgstrtspserver-1.0-dev)");
}

void tf_rtsp_destroy(struct tf_rtsp *rtsp)
{
}

uint16_t tf_rtsp_port(const struct tf_rtsp *rtsp)
{
    return 0;
}

int tf_rtsp_mount(struct tf_rtsp *rtsp, const char *name, float fps, struct tf_rtsp_mount **ret,
                  struct tf_error *err)
{
    return tf_fail(err, -ENOSYS, "RTSP: this build has none");
}

int tf_rtsp_set_tls(struct tf_rtsp *rtsp, const struct tf_tls_pair *pair, struct tf_error *err)
{
    return tf_fail(err, -ENOSYS, "RTSP: this build has none");
}

int tf_rtsp_set_login(struct tf_rtsp *rtsp, const char *user, const char *password, struct tf_error *err)
{
    return tf_fail(err, -ENOSYS, "RTSP: this build has none");
}

uint64_t tf_rtsp_logins_failed(const struct tf_rtsp *rtsp)
{
    return 0;
}

int tf_rtsp_process(const struct tf_rtsp *rtsp)
{
    return 0;
}

bool tf_rtsp_is_worker(int argc, char **argv)
{
    return false;
}

int tf_rtsp_worker_main(void)
{
    return 1;
}

void tf_rtsp_headers(struct tf_rtsp_mount *mount, const uint8_t *data, size_t size, float fps)
{
}

void tf_rtsp_push(struct tf_rtsp_mount *mount, const struct tf_packet *packet)
{
}

uint32_t tf_rtsp_viewers(const struct tf_rtsp_mount *mount)
{
    return 0;
}

bool tf_rtsp_take_key_request(struct tf_rtsp_mount *mount)
{
    return false;
}

uint64_t tf_rtsp_dropped(const struct tf_rtsp_mount *mount)
{
    return 0;
}
