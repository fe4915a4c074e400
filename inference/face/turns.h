/*
 * Which quarter turn makes a camera's picture upright, told from the faces in it: single readings
 * (tf_analyser_read_turn) weighed against each other and summed up over many frames. Bookkeeping only;
 * docs/landmarks.md says what the evidence is and where the numbers come from.
 */
#ifndef TF_INFERENCE_FACE_TURNS_H
#define TF_INFERENCE_FACE_TURNS_H

#include <stdbool.h>
#include <stdint.h>

/* One reading of a frame in one turn. */
struct tf_turn_reading {
    bool found;     /* there was anything like a face */
    float evidence; /* 0 to 1: its points were read firmly, as those of an upright face are */
    float apart;    /* how far its readings lie apart, as a share of the face's size; of evidence > 0 */
};

enum tf_turns_verdict {
    TF_TURNS_OPEN,  /* too little was seen */
    TF_TURNS_CLEAR, /* `best` fits clearly better than any other */
    TF_TURNS_TIE,   /* faces are seen, and `best` and `second` fit them alike */
};

/* Evidence by which the best turn is ahead of the second, which is at least so many times smaller. */
#define TF_TURNS_AHEAD 4.0f
#define TF_TURNS_TIMES 2.0f
/* From so much evidence for the best one on, no clear verdict is a tie. */
#define TF_TURNS_TIE_FROM 12.0f
/* What is left of the evidence after a round of the four turns: the last hundred rounds or so count. */
#define TF_TURNS_KEEP 0.985f
/* At most so many readings in a frame, and after so many rounds without a face-like thing only every so many
 * times as often. */
#define TF_TURNS_BURST 4
#define TF_TURNS_IDLE_ROUNDS 3
#define TF_TURNS_IDLE 4

struct tf_turns {
    float sum[4]; /* by quarter turns clockwise */
    struct tf_turn_reading round[4];
    uint32_t next;
    uint32_t empty; /* rounds in a row in which nothing was found */
    bool begun;
    uint64_t due_ns; /* capture time of the next reading */
    uint32_t rounds; /* since the last reset */
    enum tf_turns_verdict verdict;
    uint16_t best, second; /* degrees; meaningful once there is a verdict */
};

void tf_turns_reset(struct tf_turns *turns);
/*
 * Whether a reading is due in the frame of that capture time, when one is wanted every `every_ns`: of which
 * turn. Ask until it says no. Depends on capture times alone.
 */
bool tf_turns_due(struct tf_turns *turns, uint64_t t_mono_ns, uint64_t every_ns, uint16_t *rotate);
/* What the reading that was due gave. */
void tf_turns_add(struct tf_turns *turns, const struct tf_turn_reading *reading);

/*
 * A turn that is only looked after is read in rounds with a rest between them: it costs next to nothing once
 * there is a verdict, while nobody is in view and where faces do not tell. A round that speaks against the
 * verdict is followed by others at once, until there is another one.
 */
#define TF_TURNS_REST_SETTLED_NS 30000000000ull
#define TF_TURNS_REST_EMPTY_NS 5000000000ull
#define TF_TURNS_REST_UNCLEAR_NS 10000000000ull
/* So many rounds with a face that bring no verdict are unclear. */
#define TF_TURNS_UNCLEAR 12
/* So many rounds in a row that speak for the turn that was given are enough to believe it for now: it takes
 * more to say that a person was wrong than that they were right. */
#define TF_TURNS_AGREED 2

struct tf_turns_rest {
    uint64_t until_ns; /* capture time; 0: no rest */
    uint64_t length_ns;
    uint32_t rounds;  /* seen of turns->rounds */
    uint32_t unclear; /* rounds with a face since the last verdict */
    uint32_t agreed;  /* of these, the last ones that spoke for the given turn */
};

/* Whether no reading is wanted in the frame of that capture time. */
bool tf_turns_resting(struct tf_turns_rest *rest, struct tf_turns *turns, uint64_t t_mono_ns);
/* After readings of a frame, and a reset where there was a verdict: begins a rest when a round has ended and
 * is no reason to go on. `settled`: the turn of the last verdict, -1: none yet. `given`: the one to be
 * believed meanwhile, -1: none, where no time is to be lost. */
void tf_turns_may_rest(struct tf_turns_rest *rest, const struct tf_turns *turns, int settled, int given,
                       uint64_t t_mono_ns);

#endif
