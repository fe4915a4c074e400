/* Stands in for announcements in builds without avahi-client (-Dmdns=disabled). */
#include <errno.h>

#include "publish/net/announce.h"

bool tf_announce_is_built(void)
{
    return false;
}

int tf_announce_create(const struct tf_announce_options *options, struct tf_announce **ret,
                       struct tf_error *err)
{
    return tf_fail(err, -ENOSYS, "mDNS: this build has none (meson option mdns needs libavahi-client-dev)");
}

void tf_announce_destroy(struct tf_announce *announce)
{
}
