/* The description of a stream (RFC 8866, RFC 6184) from its parameter sets, without any picture. */
#include <string.h>

#include "publish/rtsp/server.h"

/* The next NAL unit of an Annex B stream; NULL at the end. */
static const uint8_t *next_unit(const uint8_t *at, const uint8_t *end, size_t *size)
{
    const uint8_t *begin, *next;

    while (end - at >= 4 && !(at[0] == 0 && at[1] == 0 && at[2] == 1))
        at++;
    if (end - at < 4)
        return NULL;
    begin = at + 3;
    next = begin;
    while (next < end && !(end - next >= 3 && next[0] == 0 && next[1] == 0 && next[2] <= 1))
        next++;
    *size = (size_t)(next - begin);
    return begin;
}

size_t tf_sdp_headers(const uint8_t *data, size_t size, uint8_t headers[TF_HEADERS_MAX])
{
    static const uint8_t start[4] = {0, 0, 0, 1};
    const uint8_t *unit, *end = data + size;
    bool sps = false, pps = false;
    size_t length, used = 0;

    for (unit = data; (unit = next_unit(unit, end, &length)); unit += length) {
        int type = unit[0] & 31;

        if (type != 7 && type != 8)
            continue;
        if (length < 4 - (type == 8) * 2 || used + sizeof(start) + length > TF_HEADERS_MAX)
            return 0;
        memcpy(headers + used, start, sizeof(start));
        memcpy(headers + used + sizeof(start), unit, length);
        used += sizeof(start) + length;
        sps |= type == 7;
        pps |= type == 8;
    }
    return sps && pps ? used : 0;
}

char *tf_sdp_text(const struct tf_mount *m, const char *server_ip)
{
    bool v6 = strchr(server_ip, ':') != NULL;
    const uint8_t *unit, *end = m->headers + m->headers_size;
    GString *sets = g_string_new(NULL);
    char profile[8] = "", rate[48] = "", number[32];
    size_t length;
    char *text;

    for (unit = m->headers; (unit = next_unit(unit, end, &length)); unit += length) {
        char *base64 = g_base64_encode(unit, length);

        if ((unit[0] & 31) == 7 && !*profile)
            g_snprintf(profile, sizeof(profile), "%02x%02x%02x", unit[1], unit[2], unit[3]);
        g_string_append_printf(sets, "%s%s", sets->len ? "," : "", base64);
        g_free(base64);
    }
    if (m->fps > 0)
        g_snprintf(rate, sizeof(rate), "a=framerate:%s\r\n",
                   g_ascii_formatd(number, sizeof(number), "%.6g", (double)m->fps));
    text = g_strdup_printf("v=0\r\n"
                           "o=- %" G_GINT64_FORMAT " 1 IN %s %s\r\n"
                           "s=%s\r\n"
                           "i=thermoface\r\n"
                           "t=0 0\r\n"
                           "a=tool:thermoface\r\n"
                           "a=type:broadcast\r\n"
                           "a=control:*\r\n"
                           "a=range:npt=now-\r\n"
                           "m=video 0 RTP/AVP 96\r\n"
                           "c=IN %s\r\n"
                           "a=rtpmap:96 H264/90000\r\n"
                           "%s"
                           "a=fmtp:96 packetization-mode=1;profile-level-id=%s;sprop-parameter-sets=%s\r\n"
                           "a=control:stream=0\r\n"
                           "a=ts-refclk:local\r\n"
                           "a=mediaclk:sender\r\n",
                           g_get_real_time() / G_USEC_PER_SEC, v6 ? "IP6" : "IP4", server_ip, m->name,
                           v6 ? "IP6 ::" : "IP4 0.0.0.0", rate, profile, sets->str);
    g_string_free(sets, TRUE);
    return text;
}
