/*
 * Choices of the configuration as the rooms below name them. config/ includes none of those, so each has its
 * enumeration twice; here they are held against each other.
 */
#ifndef TF_DAEMON_CHOICES_H
#define TF_DAEMON_CHOICES_H

#include "capture/source.h"
#include "config/config.h"
#include "inference/face/face.h"
#include "inference/face/pairing.h"
#include "publish/recording/recording.h"

#define TF_SAME(a, b) _Static_assert((int)(a) == (int)(b), #a " is not " #b)

TF_SAME(TF_CONFIG_PACE_RECORDED, TF_PACE_RECORDED);
TF_SAME(TF_CONFIG_PACE_FAST, TF_PACE_FAST);
static inline enum tf_source_pace tf_choice_pace(int pace)
{
    return (enum tf_source_pace)pace;
}

TF_SAME(TF_CONFIG_MIRROR_AUTO, TF_MIRROR_AUTO);
TF_SAME(TF_CONFIG_MIRROR_NO, TF_MIRROR_NO);
TF_SAME(TF_CONFIG_MIRROR_YES, TF_MIRROR_YES);
static inline enum tf_mirror tf_choice_mirror(int mirror)
{
    return (enum tf_mirror)mirror;
}

TF_SAME(TF_CONFIG_PAIR_BETTER, TF_PAIR_USE_BETTER);
TF_SAME(TF_CONFIG_PAIR_ALWAYS, TF_PAIR_USE_ALWAYS);
TF_SAME(TF_CONFIG_PAIR_NEVER, TF_PAIR_USE_NEVER);
static inline enum tf_pair_use tf_choice_pair_use(int use)
{
    return (enum tf_pair_use)use;
}

TF_SAME(TF_CONFIG_CODEC_AUTO, TF_RECORDING_AUTO);
TF_SAME(TF_CONFIG_CODEC_FFV1, TF_RECORDING_FFV1);
TF_SAME(TF_CONFIG_CODEC_FFVHUFF, TF_RECORDING_FFVHUFF);
static inline enum tf_recording_codec tf_choice_codec(int codec)
{
    return (enum tf_recording_codec)codec;
}

#endif
