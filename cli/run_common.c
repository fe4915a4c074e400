/* What one video to named files and many to a folder share: options, and what is said of the turn. */
#include <stdio.h>
#include <string.h>

#include "cli/run.h"
#include "pipeline/models.h"
#include "pipeline/pipeline.h"

struct tf_pipeline_options tf_run_options(const struct tf_run *r)
{
    struct tf_pipeline_options options = {
        .source = {.format = r->format,
                   .rotate = r->rotate,
                   .flip = r->flip,
                   .scale = (float)r->scale,
                   .offset = (float)r->offset,
                   .fps = (float)r->fps,
                   .raw = r->raw,
                   .stream = r->stream,
                   .frozen = !r->no_frozen,
                   .pace = TF_PACE_FAST,
                   .limit = r->limit},
        .analyser = {.models = tf_models_folder(r->models),
                     .segmentation = r->segmentation,
                     .region_masks = r->region_masks,
                     .threads = (int)r->threads,
                     .cpu = r->cpu,
                     .faces_max = (uint32_t)r->faces,
                     .filter = !r->no_filter,
                     .mirror = r->mirror_mode,
                     .track = true},
        .analyse = true,
        .black_body_c = (float)r->black_body_c,
        .overlay = tf_overlay_defaults(),
        .encoder = {.codec = r->codec, .preset = r->preset, .quality = (uint32_t)r->quality},
    };

    memcpy(options.black_body, r->rectangle, sizeof(options.black_body));
    return options;
}

void tf_run_say_turn(const struct tf_turn_status *turn, const char *name)
{
    const char *gap = *name ? ": " : "";

    switch (turn->state) {
    case TF_TURN_WRONG:
        fprintf(stderr,
                "%s%swarning: faces do not stand upright with --rotate %u: --rotate %u fits clearly better, "
                "and what "
                "was measured is not what it is called (--rotate auto finds the turn)\n",
                name, gap, turn->rotate, turn->better);
        break;
    case TF_TURN_TIE:
        fprintf(stderr, "%s%swarning: --rotate auto: %u and %u fit the faces alike; read with --rotate %u\n",
                name, gap, turn->rotate, turn->better, turn->rotate);
        break;
    case TF_TURN_UNDECIDED:
        fprintf(stderr, "%s%swarning: --rotate auto: no face told the turn; read with --rotate %u\n", name,
                gap, turn->rotate);
        break;
    case TF_TURN_DECIDED:
        fprintf(stderr, "%s%supright with --rotate %u, told from the faces\n", name, gap, turn->rotate);
        break;
    case TF_TURN_CONFIGURED:
        break;
    }
}
