/*
 * Encoded pictures as fragmented MP4 (ISO/IEC 14496-12), as Media Source Extensions read it: a header, then
 * each picture as a fragment of its own, sent as soon as it is encoded.
 *
 * The decode time of a picture is its capture stamp: CLOCK_MONOTONIC, in microseconds.
 */
#ifndef TF_PUBLISH_VIDEO_FRAGMENT_H
#define TF_PUBLISH_VIDEO_FRAGMENT_H

#include "publish/video/encoder.h"
#include "publish/video/live.h"

struct tf_fragmenter;

/* `live` is not owned and outlives it. 0 or -ENOMEM. */
int tf_fragmenter_create(struct tf_live *live, struct tf_fragmenter **ret);
/* Accepts NULL. */
void tf_fragmenter_destroy(struct tf_fragmenter *fragmenter);
/*
 * Gives a packet to those who watch. Nothing happens without them, and none is kept from the others by an
 * error of libavformat's: the next key picture begins anew. From one thread. Accepts NULL.
 */
void tf_fragmenter_packet(struct tf_fragmenter *fragmenter, const struct tf_encoder *encoder,
                          const struct tf_packet *packet);
/* The encoder ends: the next one has another header. Accepts NULL. */
void tf_fragmenter_end(struct tf_fragmenter *fragmenter);

#endif
