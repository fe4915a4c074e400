/* thermoface eval: scores networks against labelled data; the metrics are those that docs/landmarks.md
 * defines. */
#ifndef TF_CLI_EVAL_H
#define TF_CLI_EVAL_H

/* argv[0] is "eval", argv[1] what to evaluate. Returns the exit status (cli/options.h). */
int tf_cmd_eval(int argc, char **argv);

/* The single evaluations; argv[0] is the evaluation's name. */
int tf_eval_visible68(int argc, char **argv);
int tf_eval_points(int argc, char **argv);
int tf_eval_thermal6(int argc, char **argv);
int tf_eval_vectors(int argc, char **argv);
int tf_eval_segmentation(int argc, char **argv);

#endif
