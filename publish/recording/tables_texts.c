/* What the tables beside a recording mean, for readers and for BIDS' validator. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "publish/recording/tables_disk.h"

/* A new file; nothing that exists is replaced. Takes the object over. */
static int write_json(struct tf_disk *disk, const char *path, json_t *object, struct tf_error *err)
{
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL, *line;
    char whole[4096 + 16];
    int r;

    snprintf(whole, sizeof(whole), "%s.json", path);
    json_decref(object);
    if (!text || asprintf(&line, "%s\n", text) < 0) {
        free(text);
        return tf_fail(err, -ENOMEM, "%s: out of memory", whole);
    }
    r = tf_disk_put(disk, whole, line, strlen(line), false, true, err);
    free(text);
    free(line);
    return r;
}

static json_t *column(const char *description, const char *units)
{
    return units ? json_pack("{s:s,s:s}", "Description", description, "Units", units)
                 : json_pack("{s:s}", "Description", description);
}

static const char *unit(const struct tf_tables_options *o)
{
    return o->celsius ? "degrees Celsius" : "counts";
}

/* Own regions of faces, then of the picture. */
static const char *own_name(const struct tf_own_names *own, uint32_t i)
{
    return i < own->faces ? own->face[i] : own->area[i - own->faces];
}

static json_t *signals(const struct tf_tables_options *o)
{
    static const struct {
        const char *name, *description;
        bool temperature;
    } fields[] = {
        {"mean", "Mean of the region's pixels", true},
        {"median", "Median of the region's pixels", true},
        {"min", "Smallest value of the region", true},
        {"max", "Largest value of the region", true},
        {"sd", "Standard deviation within the region", true},
        {"n", "Pixels of the region that were measured", false},
        {"valid", "1: nothing speaks against it; else why says what does", false},
        {"mean_corrected", "The mean plus black_body_offset, beside the raw mean", true},
        {"excluded", "Pixels of the region that were left out: beyond the camera's limits, or dead", false},
        {"why",
         "Why it is not valid: few_pixels, outside, range, doubtful_points, covered, turned; n/a where it is",
         false},
    };
    json_t *d = json_object();
    char name[64 + TF_OWN_NAME_MAX];

    json_object_set_new(d, "onset",
                        column("Time of the frame since the session's start, CLOCK_MONOTONIC", "s"));
    json_object_set_new(d, "frame", column("Number of the frame: the row of the frames' table", NULL));
    json_object_set_new(d, "t_mono_ns",
                        column("Capture time, CLOCK_MONOTONIC of the recording computer", "ns"));
    json_object_set_new(d, "t_utc", column("The same moment by its CLOCK_REALTIME", NULL));
    json_object_set_new(d, "state", column("ok, no_face, skipped, corrupt or stale", NULL));
    json_object_set_new(
        d, "flags",
        column("ffc: shutter closed, not the scene; ffc_settling: temperatures step. Such frames are marked, "
               "never interpolated",
               NULL));
    json_object_set_new(d, "id", column("The face's number", NULL));
    for (int i = 0; i < TF_REGIONS; i++)
        for (size_t k = 0; k < TF_COUNT(fields); k++) {
            snprintf(name, sizeof(name), "%s_%s", tf_region_name((enum tf_region)i), fields[k].name);
            json_object_set_new(d, name,
                                column(fields[k].description, fields[k].temperature ? unit(o) : NULL));
        }
    for (uint32_t i = 0; i < o->own->faces + o->own->areas; i++)
        for (size_t k = 0; k < TF_COUNT(fields); k++) {
            snprintf(name, sizeof(name), "%s_%s", own_name(o->own, i), fields[k].name);
            json_object_set_new(d, name,
                                column(fields[k].description, fields[k].temperature ? unit(o) : NULL));
        }
    json_object_set_new(
        d, "nose_minus_forehead",
        column("Mean of the nose tip less mean of the forehead, where both are valid", unit(o)));
    json_object_set_new(d, "breathing_rate",
                        column("From the nostrils' temperature over the last 30 s, band 0.1 to 0.85 Hz",
                               "breaths per minute"));
    json_object_set_new(
        d, "breathing_quality",
        column("Share of the band's power in the peak: near 1 for regular breath, about 0.3 for "
               "noise",
               NULL));
    json_object_set_new(d, "black_body_mean", column("Measured temperature of the reference", unit(o)));
    json_object_set_new(d, "black_body_n", column("Its pixels", NULL));
    json_object_set_new(d, "black_body_offset",
                        column("Its true temperature less the measured one", unit(o)));
    json_object_set_new(d, "pose_Rx", column("Head pose in OpenFace's way: positive looks down", "radians"));
    json_object_set_new(d, "pose_Ry", column("Positive looks to the subject's right", "radians"));
    json_object_set_new(d, "pose_Rz", column("Positive is clockwise as the viewer sees it", "radians"));
    json_object_set_new(d, "glasses", column("Probability that the face wears glasses", NULL));
    json_object_set_new(d, "mask", column("The same of a mask; n/a: not known", NULL));
    return d;
}

/* The task's label stands in the name, "task-stroop_". */
static void task_of(const char *stem, char *text, size_t size)
{
    const char *task = strstr(stem, "_task-");

    snprintf(text, size, "%.*s", task ? (int)strcspn(task + 6, "_") : 7, task ? task + 6 : "unknown");
}

static json_t *physio(const struct tf_tables_options *o)
{
    double rate = o->physio_rate > 0 ? (double)o->physio_rate : TF_PHYSIO_RATE;
    json_t *d = json_object(), *columns = json_array();
    char text[256], task[80];

    json_object_set_new(d, "SamplingFrequency", json_real(rate));
    /* A sample stands for the middle of its time. */
    json_object_set_new(d, "StartTime", json_real(0.5 / rate));
    json_object_set_new(d, "Columns", columns);
    for (int i = 0; i < TF_REGIONS; i++) {
        const char *name = tf_region_name((enum tf_region)i);

        snprintf(text, sizeof(text),
                 "Mean temperature of the region %s, averaged over the frames of the sample", name);
        json_array_append_new(columns, json_string(name));
        json_object_set_new(d, name, column(text, unit(o)));
    }
    json_array_append_new(columns, json_string("nose_minus_forehead"));
    json_object_set_new(d, "nose_minus_forehead",
                        column("Nose tip less forehead, averaged over the frames of the sample", unit(o)));
    json_array_append_new(columns, json_string("frames"));
    json_object_set_new(d, "frames", column("Frames with a face in the sample's time", NULL));
    for (uint32_t i = 0; i < o->own->faces + o->own->areas; i++) {
        snprintf(text, sizeof(text),
                 "Mean temperature of the laboratory's own region %s, %s, averaged over %s",
                 own_name(o->own, i), i < o->own->faces ? "on the face" : "of the picture",
                 i < o->own->faces ? "the frames of the sample"
                                   : "all frames of the sample, with a face or without");
        json_array_append_new(columns, json_string(own_name(o->own, i)));
        json_object_set_new(d, own_name(o->own, i), column(text, unit(o)));
    }
    task_of(o->stem, task, sizeof(task));
    json_object_set_new(d, "Description",
                        json_string("Region temperatures of the largest face at a steady rate, measured in "
                                    "thermal video"));
    json_object_set_new(d, "PhysioType", json_string("generic"));
    json_object_set_new(d, "TaskName", json_string(task));
    json_object_set_new(
        d, "Resampling",
        json_string("A sample is the mean of the valid frames within its time; n/a where there is "
                    "none. Nothing is interpolated."));
    return d;
}

static json_t *motion(const struct tf_tables_options *o)
{
    /* Kinds of channels that are not there, and what only the laboratory knows. */
    static const char *const none[] = {"ACCELChannelCount",  "ANGACCELChannelCount", "GYROChannelCount",
                                       "JNTANGChannelCount", "MAGNChannelCount",     "ORNTChannelCount",
                                       "VELChannelCount"};
    static const char *const unknown[] = {"TaskDescription",
                                          "Instructions",
                                          "InstitutionName",
                                          "InstitutionAddress",
                                          "InstitutionalDepartmentName",
                                          "DeviceSerialNumber",
                                          "Manufacturer",
                                          "ManufacturersModelName",
                                          "SubjectArtefactDescription"};
    json_t *d = json_object();
    char task[80];

    task_of(o->stem, task, sizeof(task));
    json_object_set_new(d, "TaskName", json_string(task));
    json_object_set_new(d, "SamplingFrequency", o->fps > 0 ? json_real((double)o->fps) : json_string("n/a"));
    json_object_set_new(d, "TrackingSystemName", json_string(o->camera));
    json_object_set_new(d, "MotionChannelCount", json_integer(1 + 3 * TF_POINTS));
    json_object_set_new(d, "LATENCYChannelCount", json_integer(1));
    json_object_set_new(d, "POSChannelCount", json_integer(2 * TF_POINTS));
    json_object_set_new(d, "MISCChannelCount", json_integer(TF_POINTS));
    json_object_set_new(d, "TrackedPointsCount", json_integer(TF_POINTS));
    json_object_set_new(d, "MissingValues", json_string("n/a"));
    for (size_t i = 0; i < TF_COUNT(none); i++)
        json_object_set_new(d, none[i], json_integer(0));
    for (size_t i = 0; i < TF_COUNT(unknown); i++)
        json_object_set_new(d, unknown[i], json_string("n/a"));
    json_object_set_new(d, "SoftwareVersions", json_string("thermoface " TF_VERSION));
    return d;
}

static int write_channels(struct tf_disk *disk, const char *path, struct tf_error *err)
{
    char whole[4096 + 16], *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    int r;

    snprintf(whole, sizeof(whole), "%s.tsv", path);
    if (!file)
        return tf_fail(err, -ENOMEM, "%s: out of memory", whole);
    fputs("name\tcomponent\ttype\ttracked_point\tunits\treference_frame\n"
          "latency\tn/a\tLATENCY\tn/a\ts\tn/a\n",
          file);
    for (int i = 0; i < TF_POINTS; i++)
        fprintf(file,
                "p%d_x\tx\tPOS\tp%d\tpx\timage\n"
                "p%d_y\ty\tPOS\tp%d\tpx\timage\n"
                "p%d_confidence\tn/a\tMISC\tp%d\tn/a\tn/a\n",
                i, i, i, i, i, i);
    r = fclose(file) == 0 ? tf_disk_put(disk, whole, text, size, false, true, err)
                          : tf_fail(err, -ENOMEM, "%s: out of memory", whole);
    free(text);
    return r;
}

static json_t *channels(void)
{
    /* Of a person who looks into the camera: x grows to his left, y downwards. */
    return json_pack(
        "{s:{s:s,s:{s:{s:s,s:s}}}}", "reference_frame", "Description",
        "Where coordinates count from. The points are 68 facial landmarks (iBUG order) of the "
        "largest face, a row for each frame; latency is the frame's time since the session's start",
        "Levels", "image", "SpatialAxes", "LI_", "Description",
        "Pixels of the upright picture; the origin is the centre of its upper left pixel");
}

int tf_tables_describe(const struct tf_tables_options *o, const struct tf_tables_paths *paths,
                       struct tf_disk *disk, struct tf_error *err)
{
    int r = write_json(disk, paths->signals, signals(o), err);

    if (r == 0)
        r = write_json(disk, paths->physio, physio(o), err);
    if (r == 0)
        r = write_json(disk, paths->motion, motion(o), err);
    if (r == 0)
        r = write_channels(disk, paths->channels, err);
    if (r == 0)
        r = write_json(disk, paths->channels, channels(), err);
    return r;
}
