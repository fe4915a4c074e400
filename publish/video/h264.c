/* H.264's parameter sets, as libavcodec finds them. */
#include <string.h>

#include <libavcodec/bsf.h>

#include "publish/video/h264.h"

/* The filter hands a packet's SPS and PPS over as side data and the packet on as it is. */
static size_t filtered(AVBSFContext *filter, AVPacket *packet, uint8_t *ret, size_t capacity)
{
    const uint8_t *found;
    size_t size = 0;

    if (av_bsf_send_packet(filter, packet) < 0 || av_bsf_receive_packet(filter, packet) < 0)
        return 0;
    found = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (!found || size > capacity)
        return 0;
    memcpy(ret, found, size);
    return size;
}

size_t tf_h264_parameters(const uint8_t *data, size_t size, uint8_t *ret, size_t capacity)
{
    const AVBitStreamFilter *by = av_bsf_get_by_name("extract_extradata");
    AVPacket *packet = av_packet_alloc();
    AVBSFContext *filter = NULL;
    size_t length = 0;

    if (!by || !packet || size > INT32_MAX || av_bsf_alloc(by, &filter) < 0)
        goto out;
    filter->par_in->codec_type = AVMEDIA_TYPE_VIDEO;
    filter->par_in->codec_id = AV_CODEC_ID_H264;
    if (av_bsf_init(filter) < 0)
        goto out;
    /* Not reference counted: the filter copies it, with the padding that its parser reads. */
    packet->data = (uint8_t *)(uintptr_t)data;
    packet->size = (int)size;
    length = filtered(filter, packet, ret, capacity);

out:
    av_bsf_free(&filter);
    av_packet_free(&packet);
    return length;
}
