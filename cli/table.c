/*
 * The one table of thermoface's commands and their options: parsing, --help, suggestions, completion and
 * thermoface(1) come from it. A new option is a row here and a binding (struct tf_bind) in its command.
 */
#include <string.h>

#include "base/frame.h"
#include "cli/table.h"
#include "inference/face/face.h"

/* Options that several commands have in common. */
#define MODELS                                                                                               \
    {                                                                                                        \
        "models", TF_OPTION_TEXT, "DIR", "folder of the networks (TF_MODELS, else the shipped ones)",        \
            TF_VALUES_FOLDER                                                                                 \
    }
#define MODELS_UNUSED(own)                                                                                   \
    {                                                                                                        \
        "models", TF_OPTION_TEXT, "DIR", "not used here: " own " is a path of its own", TF_VALUES_FOLDER     \
    }
#define THREADS                                                                                              \
    {                                                                                                        \
        "threads", TF_OPTION_UINT, "N", "threads of the engine (1)", .min = 1, .max = 16                     \
    }
#define CPU                                                                                                  \
    {                                                                                                        \
        "cpu", TF_OPTION_TEXT, "LEVEL", "cap the instruction set (TF_CPU, else the best there is)",          \
            TF_VALUES_CPU                                                                                    \
    }
#define MIRROR                                                                                               \
    {                                                                                                        \
        "mirror", TF_OPTION_WORD, "WHEN",                                                                    \
            "read each face twice, as it is and mirrored: auto (up to 33 frames/s), no or yes",              \
            .words = "auto no yes"                                                                           \
    }
#define JSON                                                                                                 \
    {                                                                                                        \
        "json", TF_OPTION_FLAG, NULL, "print one JSON object on one line"                                    \
    }
#define JSON_ANSWER                                                                                          \
    {                                                                                                        \
        "json", TF_OPTION_FLAG, NULL, "print the service's answer as one JSON object"                        \
    }
#define FORMAT                                                                                               \
    {                                                                                                        \
        "format", TF_OPTION_TEXT, "ROW", "row of the camera-format table ('thermoface devices --formats')",  \
            TF_VALUES_FORMAT                                                                                 \
    }
#define ROTATE                                                                                               \
    {                                                                                                        \
        "rotate", TF_OPTION_ROTATE, "DEGREES",                                                               \
            "clockwise turn that makes the picture upright; auto: told "                                     \
            "from the faces",                                                                                \
            .words = "auto 0 90 180 270"                                                                     \
    }
#define FLIP                                                                                                 \
    {                                                                                                        \
        "flip", TF_OPTION_FLAG, NULL, "mirror the upright picture: the camera looks into a mirror"           \
    }
#define URL                                                                                                  \
    {                                                                                                        \
        "url", TF_OPTION_TEXT, "URL", "the service's HTTP address (http://127.0.0.1:8080)"                   \
    }
#define CREDENTIALS                                                                                          \
    {                                                                                                        \
        "credentials", TF_OPTION_TEXT, "FILE", "user:password on the file's first line", TF_VALUES_FILE      \
    }
#define TOKEN                                                                                                \
    {                                                                                                        \
        "token", TF_OPTION_TEXT, "FILE", "in place of a password: the file's first token, for looking",      \
            TF_VALUES_FILE                                                                                   \
    }
#define CA                                                                                                   \
    {                                                                                                        \
        "ca", TF_OPTION_TEXT, "FILE", "https: the certificate to trust (PEM; those of the system)",          \
            TF_VALUES_FILE                                                                                   \
    }

static const struct tf_option devices[] = {
    {"formats", TF_OPTION_FLAG, NULL, "list the rows of the camera-format table instead"},
    {0},
};

static const struct tf_option watch[] = {
    {"camera", TF_OPTION_TEXT, "NAME", "which camera (all of them)", TF_VALUES_CAMERA},
    URL,
    CREDENTIALS,
    TOKEN,
    CA,
    {"json", TF_OPTION_FLAG, NULL, "pass every record on as it comes, one JSON object a line"},
    {"seconds", TF_OPTION_UINT, "N", "end after N seconds (else on Ctrl-C)", .min = 1, .max = 1e9},
    {0},
};

static const struct tf_option record[] = {
    {"subject", TF_OPTION_TEXT, "LABEL", "start: who; letters and digits, 07 say"},
    {"session", TF_OPTION_TEXT, "LABEL", "start: which visit"},
    {"task", TF_OPTION_TEXT, "LABEL", "start: what is done, stroop say"},
    {"note", TF_OPTION_TEXT, "TEXT", "start: kept with the session"},
    {"emissivity", TF_OPTION_NUMBER, "X", "start: of skin (0.98); kept, not computed with", .min = 0.01,
     .max = 1},
    {"distance", TF_OPTION_NUMBER, "M", "start: metres from camera to face", .min = 0, .max = 1000},
    {"reflected", TF_OPTION_NUMBER, "C", "start: reflected temperature", .min = -273.15, .max = 2000},
    {"room", TF_OPTION_NUMBER, "C", "start: the room's temperature", .min = -100, .max = 100},
    {"humidity", TF_OPTION_NUMBER, "PERCENT", "start: the room's relative humidity", .min = 0, .max = 100},
    URL,
    CREDENTIALS,
    TOKEN,
    CA,
    JSON_ANSWER,
    {0},
};

static const struct tf_option fleet[] = {
    {"subject", TF_OPTION_TEXT, "LABEL", "start: who; letters and digits, 07 say"},
    {"session", TF_OPTION_TEXT, "LABEL", "start: which visit"},
    {"task", TF_OPTION_TEXT, "LABEL", "start: what is done, stroop say"},
    {"note", TF_OPTION_TEXT, "TEXT", "start: kept with the session"},
    {"keep-going", TF_OPTION_FLAG, NULL, "start: record with the boxes that can, when others cannot"},
    CREDENTIALS,
    CA,
    JSON_ANSWER,
    {0},
};

static const struct tf_option mark[] = {
    {"value", TF_OPTION_TEXT, "TEXT", "what goes with it: a number, a word"},
    URL,
    CREDENTIALS,
    CA,
    JSON_ANSWER,
    {0},
};

static const struct tf_option verify[] = {
    {"trim", TF_OPTION_FLAG, NULL, "take a last line without an end (of a crash) out of tables"},
    {"renew", TF_OPTION_FLAG, NULL,
     "take the digests of files anew that were changed on purpose, or were not taken"},
    {0},
};

static const struct tf_option run[] = {
    FORMAT,
    ROTATE,
    FLIP,
    {"scale", TF_OPTION_NUMBER, "X", "row y16: degrees C = value * scale + offset", .min = 0, .max = 1e6},
    {"offset", TF_OPTION_NUMBER, "X", "row y16: see --scale", .min = -1e6, .max = 1e6},
    {"ndjson", TF_OPTION_TEXT, "FILE", "write the records, one JSON object a line ('-': standard output)",
     TF_VALUES_FILE},
    {"outlines", TF_OPTION_FLAG, NULL, "--ndjson says where each region was measured"},
    {"csv", TF_OPTION_TEXT, "FILE", "write the records as CSV, one row a frame ('-': standard output)",
     TF_VALUES_FILE},
    {"csv-faces", TF_OPTION_TEXT, "FILE", "write CSV with one row for each face ('-': standard output)",
     TF_VALUES_FILE},
    {"csv-profile", TF_OPTION_WORD, "NAME", "columns: thermoface (default) or openface",
     .words = "thermoface openface"},
    {"video", TF_OPTION_TEXT, "FILE", "write the annotated video (H.264; .mkv or .mp4)", TF_VALUES_FILE},
    {"codec", TF_OPTION_TEXT, "NAME", "libavcodec's encoder for --video (libx264)", TF_VALUES_ENCODER},
    {"preset", TF_OPTION_TEXT, "NAME", "its preset (superfast of libx264)"},
    {"quality", TF_OPTION_UINT, "N", "of --video: 1 (best) to 51; 6 more halve the bits (23)", .min = 1,
     .max = 51},
    {"palette", TF_OPTION_TEXT, "NAME", "colours of --video (iron)", TF_VALUES_PALETTE},
    {"overwrite", TF_OPTION_FLAG, NULL, "replace output files that exist"},
    {"raw", TF_OPTION_TEXT, "WxH:PIXFMT@FPS", "the file is headerless pictures: 160x120:gray16le@9"},
    {"stream", TF_OPTION_TEXT, "N", "the file's stream, as ffprobe counts (the one that fits)"},
    {"fps", TF_OPTION_NUMBER, "N", "rate of pictures that have no times (25)", .min = 0.001, .max = 1000},
    {"no-frozen", TF_OPTION_FLAG, NULL, "repeated pictures are no closed shutter: they are measured"},
    {"limit", TF_OPTION_UINT, "N", "stop after N frames", .min = 1, .max = 1e15},
    {"camera", TF_OPTION_TEXT, "NAME", "camera's name in the records (thermal)"},
    {"faces", TF_OPTION_UINT, "N", "most faces in a frame (4)", .min = 1, .max = TF_FACES_MAX},
    MIRROR,
    {"no-filter", TF_OPTION_FLAG, NULL, "leave out points_filtered"},
    MODELS,
    {"segmentation", TF_OPTION_TEXT, "FILE", "network that marks the parts of faces; --video shows them",
     TF_VALUES_FILE},
    {"region-masks", TF_OPTION_FLAG, NULL, "measure regions within these parts"},
    THREADS,
    CPU,
    {"output", TF_OPTION_TEXT, "FOLDER",
     "sessions, several inputs: where results go (the data set's derivatives/thermoface)", TF_VALUES_FOLDER},
    {"subject", TF_OPTION_TEXT, "LABEL", "videos: name results in --output as BIDS has it; 07, say"},
    {"session", TF_OPTION_TEXT, "LABEL", "with --subject: which visit"},
    {"task", TF_OPTION_TEXT, "LABEL", "with --subject: what was done; stroop, say"},
    {"jobs", TF_OPTION_UINT, "N", "sessions, several inputs: so many at once (one a processor)", .min = 1,
     .max = 64},
    {"no-video", TF_OPTION_FLAG, NULL, "sessions, several inputs: no annotated video"},
    {"physio-rate", TF_OPTION_NUMBER, "HZ", "sessions, several inputs: of the physio table (5)", .min = 0.1,
     .max = 100},
    {"regions", TF_OPTION_TEXT, "FILE",
     "own regions: [region NAME] sections, alone or in a thermofaced.conf (docs/regions.md); a session's are "
     "taken "
     "from it otherwise",
     TF_VALUES_FILE},
    {"black-body", TF_OPTION_TEXT, "X,Y,W,H",
     "a reference in the upright picture: corrected columns beside the raw ones"},
    {"black-body-temperature", TF_OPTION_NUMBER, "C", "its true temperature", .min = -40, .max = 550},
    {"archive", TF_OPTION_FLAG, NULL,
     "only pack FFVHUFF videos to FFV1; replaced when every pixel is the same"},
    {"shard", TF_OPTION_TEXT, "K/N",
     "only the K-th of N shares of the data set, 1/N to N/N, balanced by frames (docs/cluster.md)"},
    {"list", TF_OPTION_FLAG, NULL,
     "only say what would be made, by share, and what is done (--shard all/N: all)"},
    {"merge", TF_OPTION_FLAG, NULL,
     "only check that every result is whole and current, and write one table; --csv: all rows, too"},
    {"json", TF_OPTION_FLAG, NULL, "--list, --merge: print one JSON object on one line"},
    {"quiet", TF_OPTION_FLAG, NULL, "no progress, no summary"},
    {0},
};

static const struct tf_option sample[] = {
    {"seconds", TF_OPTION_UINT, "N", "its length (10)", .min = 1, .max = 3600},
    {"format", TF_OPTION_TEXT, "ROW",
     "what the camera would be: a row of the camera-format table (lepton3-y16)", TF_VALUES_FORMAT},
    {"rotate", TF_OPTION_ROTATE, "DEGREES",
     "how it would be mounted: the turn that makes the picture upright (90)", .words = "0 90 180 270"},
    {"source", TF_OPTION_TEXT, "SOURCE", "synthetic:KEY=VALUE,…: another person, noise … (docs/cameras.md)",
     .words = "synthetic synthetic:glasses=1 synthetic:faces=2 synthetic:empty=1"},
    {"overwrite", TF_OPTION_FLAG, NULL, "replace the file if it exists"},
    {0},
};

static const struct tf_option report[] = {
    {"output", TF_OPTION_TEXT, "FILE", "the page (report.html)", TF_VALUES_FILE},
    {"overwrite", TF_OPTION_FLAG, NULL, "replace a page that exists"},
    {"no-verify", TF_OPTION_FLAG, NULL, "leave out what 'thermoface verify' says, which decodes all videos"},
    {"no-pictures", TF_OPTION_FLAG, NULL, "leave out the pictures at marks"},
    {0},
};

static const struct tf_option export[] = {
    {"to", TF_OPTION_WORD, "FORMAT",
     "tiff, npy: frames; mat, hdf5: tables, marks, and frames if asked; edf: temperatures at a steady rate, "
     "and marks; csv: a row for each face; remux: the video with duration and index",
     .words = "tiff npy mat hdf5 edf csv remux"},
    {"output", TF_OPTION_TEXT, "PATH", "the file, or a folder that is there (this one)", TF_VALUES_FILE},
    {"overwrite", TF_OPTION_FLAG, NULL, "replace output files that exist"},
    {"camera", TF_OPTION_TEXT, "NAME", "of several cameras this one's recordings only"},
    {"frames", TF_OPTION_TEXT, "FIRST:LAST", "only these, counted from 0 in the raw video: 100:199"},
    {"from", TF_OPTION_NUMBER, "S", "only from so many seconds after the session's start on", .min = -1e9,
     .max = 1e9},
    {"until", TF_OPTION_NUMBER, "S", "only up to so many seconds after it", .min = -1e9, .max = 1e9},
    {"celsius", TF_OPTION_FLAG, NULL, "frames in degrees C, 32-bit floats (counts as captured)"},
    {"with-frames", TF_OPTION_FLAG, NULL, "mat, hdf5: the frames, too"},
    {"rate", TF_OPTION_UINT, "HZ", "edf: samples a second (the physio table's, else 5)", .min = 1,
     .max = 1000},
    FORMAT,
    {"scale", TF_OPTION_NUMBER, "X", "row y16: degrees C = value * scale + offset", .min = 0, .max = 1e6},
    {"offset", TF_OPTION_NUMBER, "X", "row y16: see --scale", .min = -1e6, .max = 1e6},
    {"raw", TF_OPTION_TEXT, "WxH:PIXFMT@FPS", "the file is headerless pictures: 160x120:gray16le@9"},
    {"quiet", TF_OPTION_FLAG, NULL, "no progress, no summary"},
    {0},
};

static const struct tf_option plot[] = {
    {"output", TF_OPTION_TEXT, "FILE", "the picture, .png or .svg (NAME_plot.png here)", TF_VALUES_FILE},
    {"regions", TF_OPTION_TEXT, "LIST", "names with commas, or all (nose_tip,forehead and others)",
     TF_VALUES_REGION, .words = "all"},
    {"recording", TF_OPTION_TEXT, "PART", "of several recordings those whose name has this part"},
    {"size", TF_OPTION_SIZE, "WxH", "of the picture in pixels (1200x800)", .min = 300, .max = 10000},
    {"overwrite", TF_OPTION_FLAG, NULL, "replace a picture that exists"},
    {0},
};

static const struct tf_option annotate[] = {
    {"output", TF_OPTION_TEXT, "CSV", "the table; pictures go to images/ beside it (points.csv here)",
     TF_VALUES_FILE},
    {"points", TF_OPTION_WORD, "N", "points a face: 6 (default) or 68", .words = "6 68"},
    {"frames", TF_OPTION_UINT, "N", "frames of each recording (20)", .min = 1, .max = 10000},
    {"choose", TF_OPTION_WORD, "HOW",
     "spread over time (default), or doubtful: of each stretch the frame that the network is least sure of",
     .words = "spread doubtful"},
    {"port", TF_OPTION_UINT, "N", "port on 127.0.0.1 (one that is free)", .min = 0, .max = 65535},
    FORMAT,
    {"rotate", TF_OPTION_ROTATE, "DEGREES",
     "clockwise turn that makes the picture upright; a session's recording says its own (0)",
     .words = "0 90 180 270"},
    FLIP,
    {"scale", TF_OPTION_NUMBER, "X", "row y16: degrees C = value * scale + offset", .min = 0, .max = 1e6},
    {"offset", TF_OPTION_NUMBER, "X", "row y16: see --scale", .min = -1e6, .max = 1e6},
    {"raw", TF_OPTION_TEXT, "WxH:PIXFMT@FPS", "the file is headerless pictures: 160x120:gray16le@9"},
    {"stream", TF_OPTION_TEXT, "N", "the file's stream, as ffprobe counts (the one that fits)"},
    {"fps", TF_OPTION_NUMBER, "N", "rate of pictures that have no times (25)", .min = 0.001, .max = 1000},
    MODELS,
    THREADS,
    CPU,
    {0},
};

#define CALIBRATION                                                                                          \
    {"output", TF_OPTION_TEXT, "FILE", "the calibration to write", TF_VALUES_FILE},                          \
    {                                                                                                        \
        "overwrite", TF_OPTION_FLAG, NULL, "replace the file if it exists"                                   \
    }
#define SIZE_OF(which, of)                                                                                   \
    {                                                                                                        \
        which "-size", TF_OPTION_SIZE, "WxH", of, .min = 8, .max = 4096                                      \
    }
#define FORMAT_OF(which)                                                                                     \
    {                                                                                                        \
        which "-format", TF_OPTION_TEXT, "ROW", "of a video: row of the camera-format table",                \
            TF_VALUES_FORMAT                                                                                 \
    }
#define ROTATE_OF(which)                                                                                     \
    {                                                                                                        \
        which "-rotate", TF_OPTION_ROTATE, "DEGREES", "of a video: clockwise turn, or auto",                 \
            .words = "auto 0 90 180 270"                                                                     \
    }
#define AFFINE                                                                                               \
    {                                                                                                        \
        "model", TF_OPTION_WORD, "NAME", "affine (default) or homography", .words = "affine homography"      \
    }
#define MAX_SKEW                                                                                             \
    {                                                                                                        \
        "max-skew", TF_OPTION_NUMBER, "MS", "frames of one moment are at most so far apart (25)",            \
            .min = 0, .max = 1000                                                                            \
    }
#define THRESHOLD(is)                                                                                        \
    {                                                                                                        \
        "threshold", TF_OPTION_NUMBER, "PX", "a point further off is wrong, thermal pixels (" is ")",        \
            .min = 0.01, .max = 1000                                                                         \
    }

static const struct tf_option calibrate_points[] = {
    SIZE_OF("thermal", "the thermal camera's upright picture"),
    SIZE_OF("visible", "the visible camera's upright picture"),
    CALIBRATION,
    {"model", TF_OPTION_WORD, "NAME", "homography (default; six points or more) or affine (four)",
     .words = "homography affine"},
    THRESHOLD("3"),
    JSON,
    {0},
};

static const struct tf_option calibrate_faces[] = {
    CALIBRATION,
    AFFINE,
    MAX_SKEW,
    {"shift", TF_OPTION_NUMBER, "S", "seconds to add to the visible camera's times (0)", .min = -1e6,
     .max = 1e6},
    THRESHOLD("0.15 eye distances"),
    SIZE_OF("thermal", "of records: the upright picture"),
    SIZE_OF("visible", "of records: the upright picture"),
    FORMAT_OF("thermal"),
    FORMAT_OF("visible"),
    ROTATE_OF("thermal"),
    ROTATE_OF("visible"),
    MODELS,
    THREADS,
    CPU,
    JSON,
    {0},
};

static const struct tf_option calibrate_live[] = {
    {"thermal", TF_OPTION_TEXT, "NAME", "the thermal camera", TF_VALUES_CAMERA},
    {"visible", TF_OPTION_TEXT, "NAME", "the visible camera", TF_VALUES_CAMERA},
    {"seconds", TF_OPTION_UINT, "N", "how long to look (30)", .min = 1, .max = 3600},
    URL,
    CREDENTIALS,
    TOKEN,
    CA,
    CALIBRATION,
    AFFINE,
    MAX_SKEW,
    THRESHOLD("0.15 eye distances"),
    JSON,
    {0},
};

#define IMAGES                                                                                               \
    {                                                                                                        \
        "images", TF_OPTION_TEXT, "DIR", "folder of the pictures that the CSV names", TF_VALUES_FOLDER       \
    }
#define POINTS(model_help)                                                                                   \
    IMAGES, {"model", TF_OPTION_TEXT, "FILE", model_help, TF_VALUES_FILE}, MODELS, THREADS, CPU,             \
        {"box-off", TF_OPTION_NUMBER,                                                                        \
         "PERCENT", "move each box by this share of its longer side, in a direction of its own (0)",         \
         .min = 0,  .max = 100},                                                                             \
        {"readings", TF_OPTION_UINT,                                                                         \
         "N",        "read N times, each from the box of the last one's points, as a tracker does (1)",      \
         .min = 1,   .max = 16},                                                                             \
        {"mirror", TF_OPTION_FLAG, NULL, "read each face twice, as it is and mirrored, and take the mean"},  \
        JSON

static const struct tf_option eval_visible68[] = {
    POINTS("the landmark network (landmarks68.onnx of --models)"),
    {0},
};

static const struct tf_option eval_points[] = {
    POINTS("the landmark network"),
    {0},
};

static const struct tf_option eval_thermal6[] = {
    {"recordings", TF_OPTION_TEXT, "DIR", "folder of the recordings (REC.mkv)", TF_VALUES_FOLDER},
    {"negative", TF_OPTION_TEXT, "CSV", "stretches with nobody in view: counts false faces", TF_VALUES_FILE},
    {"format", TF_OPTION_TEXT, "ROW", "row of the camera-format table to read them with (lepton3-y16)",
     TF_VALUES_FORMAT},
    {"rotate", TF_OPTION_ROTATE, "DEGREES", "clockwise turn that makes them upright (90)",
     .words = "0 90 180 270"},
    MODELS,
    THREADS,
    CPU,
    MIRROR,
    JSON,
    {0},
};

static const struct tf_option eval_stills[] = {
    IMAGES,
    MODELS,
    THREADS,
    CPU,
    MIRROR,
    {"points", TF_OPTION_TEXT, "FILE", "write the 68 points of each judged face, an object a line",
     TF_VALUES_FILE},
    {"clue", TF_OPTION_UINT, "N", "for fitting confidences: points have clue N (1 to 5) in their place",
     .min = 1, .max = 5},
    JSON,
    {0},
};

static const struct tf_option eval_segmentation[] = {
    IMAGES,
    {"model", TF_OPTION_TEXT, "FILE", "the segmentation network", TF_VALUES_FILE},
    MODELS_UNUSED("--model"),
    THREADS,
    CPU,
    JSON,
    {0},
};

static const struct tf_option eval_vectors[] = {
    {"input", TF_OPTION_TEXT, "F32", "samples, one after the other: 32-bit floats, little endian",
     TF_VALUES_FILE},
    {"expect", TF_OPTION_TEXT, "F32", "the outputs that they must give", TF_VALUES_FILE},
    MODELS_UNUSED("MODEL"),
    THREADS,
    CPU,
    JSON,
    {0},
};

static const struct tf_option bench_model[] = {
    THREADS,
    {"runs", TF_OPTION_UINT, "N", "timed runs, after a tenth as many to warm up (200)", .min = 1, .max = 1e6},
    CPU,
    {"input", TF_OPTION_TEXT, "F32", "the first input, as raw float32 (a fixed pattern of bytes)",
     TF_VALUES_FILE},
    {"layers", TF_OPTION_UINT, "N", "print the N layers that cost most first", .min = 1, .max = 1000},
    JSON,
    {0},
};

static const struct tf_option bench_kernels[] = {
    {"ms", TF_OPTION_UINT, "N", "time for each kernel and shape (50)", .min = 1, .max = 10000},
    JSON,
    {0},
};

static const struct tf_option bench_pipeline[] = {
    {"source", TF_OPTION_TEXT, "SOURCE", "synthetic (default) or a video file, played at its own speed",
     TF_VALUES_FILE, .words = "synthetic"},
    FORMAT,
    ROTATE,
    FLIP,
    {"size", TF_OPTION_SIZE, "WxH", "size of the synthetic picture", .min = 32, .max = TF_FRAME_DIM_MAX},
    {"fps", TF_OPTION_NUMBER, "N", "frame rate of the synthetic camera", .min = 0.1, .max = 1000},
    {"seconds", TF_OPTION_UINT, "N", "length of the run (10)", .min = 1, .max = 86400},
    {"video", TF_OPTION_TEXT, "FILE", "also draw, encode and write the annotated video (replaced)",
     TF_VALUES_FILE},
    MODELS,
    MIRROR,
    THREADS,
    CPU,
    JSON,
    {0},
};

static const struct tf_option model[] = {
    {"threads", TF_OPTION_UINT, "N", "plan for N threads (1)", .min = 1, .max = 16},
    CPU,
    JSON,
    {0},
};

const struct tf_usage tf_commands[] = {
    {
        .program = "thermoface",
        .command = "devices",
        .brief = "list cameras, their formats and the row of the format table that fits",
        .summary = "Lists the cameras of this machine, what they offer, their controls, and which row of the "
                   "camera-format table fits.",
        .options = devices,
    },
    {
        .program = "thermoface",
        .command = "watch",
        .brief = "follow the records of a running thermofaced",
        .summary = "Follows a running thermofaced: one line a second for each camera, with rate, latency, "
                   "faces, temperatures, losses.",
        .options = watch,
    },
    {
        .program = "thermoface",
        .command = "record",
        .brief = "start, stop or look at the recording of a session",
        .arguments = "start|stop|status",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_words = "start stop status",
        .summary = "Starts, ends or shows a session: a running thermofaced records all its cameras.",
        .options = record,
        .notes = "The folder is set by directory in [recording] (docs/recording.md). For example:\n"
                 "  thermoface record start --subject 07 --session 2 --task stroop",
    },
    {
        .program = "thermoface",
        .command = "fleet",
        .brief = "start, stop or look at a session that several computers record",
        .arguments = "start|stop|status URL...",
        .arguments_min = 2,
        .arguments_max = 33,
        .arguments_words = "start stop status",
        .summary = "Starts, ends or shows one session on several computers, each of which runs thermofaced.",
        .options = fleet,
        .notes = "How far the computers' clocks are apart is measured at start and stop and stored with each "
                 "session (docs/fleet.md). For example:\n"
                 "  thermoface fleet start http://box1:8080 http://box2:8080 --subject 07",
    },
    {
        .program = "thermoface",
        .command = "mark",
        .brief = "mark a moment in the session that is being recorded",
        .arguments = "TEXT",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Marks this moment in the session that a running thermofaced records.",
        .options = mark,
        .notes = "The moment is that of the request's arrival, by the clock of the frames.",
    },
    {
        .program = "thermoface",
        .command = "verify",
        .brief = "check the files of recorded sessions",
        .arguments = "FOLDER",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FOLDER,
        .summary =
            "Checks recorded sessions: every file is what its manifest says, every frame decodes with its "
            "checksum, counts agree, clocks increase, lines are whole.",
        .options = verify,
        .notes = "FOLDER is a session's folder, a subject's, or the whole data set.",
    },
    {
        .program = "thermoface",
        .command = "run",
        .brief = "find, measure and draw the faces of videos or recorded sessions",
        .arguments = "INPUT...",
        .arguments_min = 1,
        .arguments_max = TF_ARGUMENTS_MAX,
        .arguments_values = TF_VALUES_FILE,
        .arguments_words = "synthetic",
        .summary = "Finds the faces of a video file and measures their regions, one record for every frame.",
        .options = run,
        .notes =
            "INPUT is a video that FFmpeg decodes, or 'synthetic:…' (docs/cli.md). For example:\n"
            "  thermoface run rec.mkv --format lepton3-y16 --rotate 90 --csv out.csv\n"
            "A folder of recorded sessions, or several videos: records, tables and annotated videos go to "
            "a folder; what is there already is not made again:\n"
            "  thermoface run study/ --jobs 2\n"
            "  thermoface run *.mkv --format lepton3-y16 --rotate 90 --output results\n"
            "INPUT may be a text with an input a line (.txt, .lst, .list), too, or a folder of videos; a "
            "cluster "
            "takes shares of them (docs/cluster.md):\n"
            "  thermoface run list.txt --shard 3/50 --output results",
    },
    {
        .program = "thermoface",
        .command = "sample",
        .brief = "make a recording of a rendered face, to try things on",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary =
            "Makes a recording to try things on without a camera: a rendered thermal face, as a camera "
            "of that format would record it (FFV1 in Matroska).",
        .options = sample,
        .notes = "For example:\n"
                 "  thermoface sample recording.mkv\n"
                 "  thermoface run recording.mkv --format lepton3-y16 --rotate 90 --csv out.csv",
    },
    {
        .program = "thermoface",
        .command = "report",
        .brief = "recorded sessions as one HTML page to read, send and print",
        .arguments = "FOLDER",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FOLDER,
        .summary =
            "Writes one HTML page about the recordings of a folder: curves, valid frames by region, losses, "
            "shutter times, marks with pictures, settings, and whether all is whole.",
        .options = report,
        .notes = "FOLDER has recordings (docs/recording.md), or what 'thermoface run --output' made. The "
                 "page needs no "
                 "network and no other file. What is missing or damaged is said in it. For example:\n"
                 "  thermoface report study/sub-07 --output sub-07.html",
    },
    {
        .program = "thermoface",
        .command = "export",
        .brief = "recordings in the formats of other programs",
        .arguments = "INPUT",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary =
            "Writes recordings in the formats of other programs: TIFF, NumPy, MATLAB, HDF5, EDF+, CSV by "
            "face, and videos that a crash has left without their end.",
        .options = export,
        .notes =
            "INPUT is a folder of recorded sessions, one recording (one of its files, or their common name), "
            "or a video. See docs/export.md. For example:\n"
            "  thermoface export study/sub-07 --to edf\n"
            "  thermoface export recording.mkv --format lepton3-y16 --to npy --celsius",
    },
    {
        .program = "thermoface",
        .command = "plot",
        .brief = "draw the region temperatures and marks of recorded sessions",
        .arguments = "FOLDER",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FOLDER,
        .summary = "Draws the regions' temperatures, breathing rate and marks of recorded sessions over "
                   "time.",
        .options = plot,
        .notes = "FOLDER has recordings (docs/recording.md), or what 'thermoface run --output' made. A gap "
                 "in a line: "
                 "no valid value. "
                 "Gray: the shutter was closed or temperatures settled after it. For example:\n"
                 "  thermoface plot study/sub-07 --output sub-07.svg",
    },
    {
        .program = "thermoface",
        .command = "annotate",
        .brief = "place points on frames of your own recordings, in a browser",
        .arguments = "RECORDING...",
        .arguments_min = 1,
        .arguments_max = TF_ARGUMENTS_MAX,
        .arguments_values = TF_VALUES_FILE,
        .summary =
            "Serves a page on this machine on which points are placed by hand on frames of recordings, "
            "for training and judging the landmark network.",
        .options = annotate,
        .notes = "RECORDING is a video, a still, or a folder of recorded sessions. Every change is saved at "
                 "once; a table that is there is gone on with. See docs/training.md. For example:\n"
                 "  thermoface annotate recording.mkv --rotate 90 --output own/points.csv",
    },
    {
        .program = "thermoface",
        .command = "calibrate",
        .brief = "register a thermal and a visible camera on one rig",
        .summary = "Finds where the visible camera's pixels lie in the thermal camera's picture.",
    },
    {
        .program = "thermoface",
        .command = "calibrate points",
        .brief = "from points matched by hand",
        .arguments = "CSV",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Registers two cameras from points that were matched by hand.",
        .options = calibrate_points,
        .notes = "CSV has a header with xt,yt,xv,yv: pixels of the upright thermal and visible pictures; (0, "
                 "0) is the centre of the upper left pixel. See docs/pairs.md.",
    },
    {
        .program = "thermoface",
        .command = "calibrate faces",
        .brief = "from recordings or records of a face that both saw",
        .arguments = "THERMAL VISIBLE",
        .arguments_min = 2,
        .arguments_max = 2,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Registers two cameras from a face that both recorded at the same time.",
        .options = calibrate_faces,
        .notes = "THERMAL and VISIBLE are records (*.ndjson; a session's or saved from /landmarks) or "
                 "videos. One person moves slowly about the place where people will sit. See docs/pairs.md.",
    },
    {
        .program = "thermoface",
        .command = "calibrate live",
        .brief = "from a face that both cameras of a running thermofaced see",
        .summary = "Registers two cameras from a face that both see now, through a running thermofaced.",
        .options = calibrate_live,
        .notes = "One person moves slowly about the place where people will sit. See docs/pairs.md.",
    },
    {
        .program = "thermoface",
        .command = "eval",
        .brief = "score the networks against labelled data",
        .summary = "Scores networks against labelled data, through the int8 engine that the service runs.",
        .notes = "docs/landmarks.md defines the metrics.",
    },
    {
        .program = "thermoface",
        .command = "eval visible68",
        .brief = "a 68-point network on photographs with 68 points",
        .arguments = "CSV",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Scores a 68-point network on pictures with 68 true points.",
        .options = eval_visible68,
        .notes = "Each face's crop comes from the tight box of its true points. NME is the mean distance "
                 "over the outer eye corners' distance (36, 45), in percent.",
    },
    {
        .program = "thermoface",
        .command = "eval thermal6",
        .brief = "finder, landmarks and tracker on thermal recordings",
        .arguments = "CSV",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Plays recordings as a camera would, tracker on, and judges the frames whose faces are "
                   "labelled.",
        .options = eval_thermal6,
        .notes = "CSV says recording (rec) and frame of each face; 'thermoface annotate' writes such tables. "
                 "A face counts as found when a reported nose lies within one eye distance of the true one.",
    },
    {
        .program = "thermoface",
        .command = "eval stills",
        .brief = "finder and landmarks on single thermal pictures",
        .arguments = "CSV",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Looks for the labelled faces in single thermal pictures, each by itself.",
        .options = eval_stills,
        .notes =
            "A face counts as found when a reported nose (right eye, where the nose is blank) lies within "
            "one eye distance of the true one. Rows of quality 'poor' are left out.",
    },
    {
        .program = "thermoface",
        .command = "eval points",
        .brief = "any landmark network, against the points its metadata names",
        .arguments = "CSV",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Scores a landmark network of any order on pictures with 68 true points.",
        .options = eval_points,
        .notes = "Each face's crop comes from the tight box of its true points. NME is the mean distance "
                 "over the outer eye corners' distance (36, 45), in percent.",
    },
    {
        .program = "thermoface",
        .command = "eval segmentation",
        .brief = "a segmentation network, against regions of the 68 points",
        .arguments = "CSV",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Scores a segmentation network on pictures with 68 true points: mean intersection over "
                   "union.",
        .options = eval_segmentation,
        .notes = "The true regions (background, skin, brows, eyes, nose, mouth) are drawn from the points.",
    },
    {
        .program = "thermoface",
        .command = "eval vectors",
        .brief = "the engine against recorded outputs of a model",
        .arguments = "MODEL",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Runs a model on recorded inputs and counts the quantised outputs that differ from "
                   "recorded ones.",
        .options = eval_vectors,
        .notes = "max_abs is in steps of the output's scale (for an output that is not quantised, in its own "
                 "unit).",
    },
    {
        .program = "thermoface",
        .command = "bench",
        .brief = "measure a model, the kernels or the whole pipeline",
        .summary = "Measures one network, every kernel on its own, or the whole way of a frame.",
        .notes = "Timings drift between machines and with load: compare figures of one machine, taken in one "
                 "go.",
    },
    {
        .program = "thermoface",
        .command = "bench model",
        .brief = "one run of a network",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Measures one run of a network: median, fastest, speed, and share of what the processor "
                   "can do.",
        .options = bench_model,
        .notes = "The peak is measured now, by a loop of the level's multiply-add instruction alone, times "
                 "the threads.",
    },
    {
        .program = "thermoface",
        .command = "bench kernels",
        .brief = "every kernel of the engine, alone",
        .summary = "Measures every kernel of the engine alone, at each instruction-set level this machine "
                   "has.",
        .options = bench_kernels,
    },
    {
        .program = "thermoface",
        .command = "bench pipeline",
        .brief = "the way of a frame, from the camera to the record",
        .summary = "Runs the pipeline by the clock and prints CPU per frame by stage and latency to the "
                   "record.",
        .options = bench_pipeline,
    },
    {
        .program = "thermoface",
        .command = "model",
        .brief = "describe a model file: operators, shapes, work, memory",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .arguments_values = TF_VALUES_FILE,
        .summary = "Describes an ONNX model: inputs, outputs, work, memory, metadata, and each step as it "
                   "will run.",
        .options = model,
    },
    {0},
};

const struct tf_usage *tf_command(const char *name)
{
    for (const struct tf_usage *u = tf_commands; u->command; u++)
        if (strcmp(u->command, name) == 0)
            return u;
    return NULL;
}
