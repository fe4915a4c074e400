/*
 * Choices of the configuration as the rooms below name them. config/ includes none of those, so each has its
 * enumeration twice; here they are held against each other.
 */
#ifndef TF_DAEMON_CHOICES_H
#define TF_DAEMON_CHOICES_H

#include "capture/source.h"
#include "config/config.h"
#include "inference/face/face.h"
#include "capture/trigger.h"
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

TF_SAME(TF_CONFIG_TRIGGER_EVDEV, TF_TRIGGER_EVDEV);
TF_SAME(TF_CONFIG_TRIGGER_SERIAL, TF_TRIGGER_SERIAL);
TF_SAME(TF_CONFIG_TRIGGER_LINE, TF_TRIGGER_LINE);
TF_SAME(TF_CONFIG_TRIGGER_GPIO, TF_TRIGGER_GPIO);
static inline enum tf_trigger_kind tf_choice_trigger_kind(int kind)
{
    return (enum tf_trigger_kind)kind;
}

TF_SAME(TF_CONFIG_EDGE_RISING, TF_TRIGGER_RISING);
TF_SAME(TF_CONFIG_EDGE_FALLING, TF_TRIGGER_FALLING);
TF_SAME(TF_CONFIG_EDGE_BOTH, TF_TRIGGER_BOTH);
static inline enum tf_trigger_edge tf_choice_trigger_edge(int edge)
{
    return (enum tf_trigger_edge)edge;
}

TF_SAME(TF_CONFIG_SPLIT_BYTE, TF_TRIGGER_SPLIT_BYTE);
TF_SAME(TF_CONFIG_SPLIT_LINE, TF_TRIGGER_SPLIT_LINE);
static inline enum tf_trigger_split tf_choice_trigger_split(int split)
{
    return (enum tf_trigger_split)split;
}

TF_SAME(TF_CONFIG_BIAS_AS_IS, TF_TRIGGER_BIAS_AS_IS);
TF_SAME(TF_CONFIG_BIAS_UP, TF_TRIGGER_BIAS_UP);
TF_SAME(TF_CONFIG_BIAS_DOWN, TF_TRIGGER_BIAS_DOWN);
TF_SAME(TF_CONFIG_BIAS_OFF, TF_TRIGGER_BIAS_OFF);
static inline enum tf_trigger_bias tf_choice_trigger_bias(int bias)
{
    return (enum tf_trigger_bias)bias;
}

#endif
