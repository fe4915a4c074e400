/* thermoface eval: scores networks against labelled data; the metrics are those that docs/landmarks.md
 * defines. */
#ifndef TF_CLI_EVAL_H
#define TF_CLI_EVAL_H

/* argv[0] is the evaluation's name. Each returns the exit status (base/options.h). */
int tf_eval_visible68(int argc, char **argv);
int tf_eval_points(int argc, char **argv);
int tf_eval_thermal6(int argc, char **argv);
int tf_eval_stills(int argc, char **argv);
int tf_eval_vectors(int argc, char **argv);
int tf_eval_segmentation(int argc, char **argv);

#endif
