/* Whether confidences mean what they say: pairs of a probability and what came of it, summed up. */
#ifndef TF_CLI_EVAL_TRUST_H
#define TF_CLI_EVAL_TRUST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

#define TF_TRUST_BINS 10

struct tf_trust {
    struct tf_trust_pair {
        float said;  /* the probability, 0 to 1 */
        float right; /* what it speaks of: the share that was right, 0 to 1 */
        bool bad;    /* what it should warn of */
    } * pairs;
    size_t count, room;
};

/* -ENOMEM. */
int tf_trust_add(struct tf_trust *trust, float said, float right, bool bad, struct tf_error *err);
void tf_trust_finish(struct tf_trust *trust);

/* Area under the ROC curve of a low probability as a sign of what is bad (1 perfect, 0.5 chance); NAN where
 * all or none are. Sorts the pairs. */
double tf_trust_auc(struct tf_trust *trust);
/* Expected calibration error: over bins of a tenth, the mean difference between what was said and what was
 * right, by how many there are (M. Naeini et al., AAAI 2015). NAN without pairs. */
double tf_trust_ece(const struct tf_trust *trust);
/* {"n","mean","right","auc15","ece","reliability":[{"from","to","n","mean","right"},…]}; empty bins are left
 * out. */
json_t *tf_trust_json(struct tf_trust *trust);

#endif
