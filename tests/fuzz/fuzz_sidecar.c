/* A recording's description of itself from any bytes: taken with values in their limits, or refused in words.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run_sidecar.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_sidecar s;
    struct tf_error err = {0};

    memset(&s, 0xa5, sizeof(s));
    if (tf_sidecar_read((const char *)data, size, &s, &err) < 0) {
        if (!err.text[0] || s.rotate != 0xa5a5)
            abort();
        return 0;
    }
    if (s.rotate % 90 || s.rotate > 270 || !memchr(s.camera, 0, sizeof(s.camera)) ||
        s.faces_max > TF_FACES_MAX || !isfinite(s.scale) || !isfinite(s.offset) || !isfinite(s.fps) ||
        !isfinite(s.black_body_c) || !(s.physio_rate >= 0 && s.physio_rate <= 1000) ||
        s.t_start_ns > INT64_MAX || s.limits[0] > s.limits[1])
        abort();
    return 0;
}
