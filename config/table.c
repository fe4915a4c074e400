/* The configuration's one definition: sections, keys, types, defaults, limits, help. */
#include <stddef.h>

#include "base/count.h"
#include "config/table.h"

/* By their enumerations in config.h; the last is NULL. */
static const char *const paces[] = {
    [TF_CONFIG_PACE_RECORDED] = "recorded", [TF_CONFIG_PACE_FAST] = "fast", NULL};
static const char *const profiles[] = {
    [TF_CONFIG_CSV_THERMOFACE] = "thermoface", [TF_CONFIG_CSV_OPENFACE] = "openface", NULL};
static const char *const mirrors[] = {
    [TF_CONFIG_MIRROR_AUTO] = "auto", [TF_CONFIG_MIRROR_NO] = "no", [TF_CONFIG_MIRROR_YES] = "yes", NULL};
static const char *const uses[] = {[TF_CONFIG_PAIR_BETTER] = "better",
                                   [TF_CONFIG_PAIR_ALWAYS] = "always",
                                   [TF_CONFIG_PAIR_NEVER] = "never",
                                   NULL};
static const char *const pair_pictures[] = {[TF_CONFIG_PAIR_NO_PICTURE] = "none",
                                            [TF_CONFIG_PAIR_SIDE_BY_SIDE] = "side-by-side",
                                            [TF_CONFIG_PAIR_INSET] = "picture-in-picture",
                                            NULL};
static const char *const codecs[] = {[TF_CONFIG_CODEC_AUTO] = "auto",
                                     [TF_CONFIG_CODEC_FFV1] = "ffv1",
                                     [TF_CONFIG_CODEC_FFVHUFF] = "ffvhuff",
                                     NULL};
static const char *const visibles[] = {
    [TF_CONFIG_VISIBLE_LOSSLESS] = "lossless", [TF_CONFIG_VISIBLE_H264] = "h264", NULL};
static const char *const spaces[] = {
    [TF_CONFIG_COORDINATES_PIXELS] = "pixels", [TF_CONFIG_COORDINATES_FACE] = "face", NULL};
static const char *const viewers[] = {
    [TF_CONFIG_RECORDINGS_CONTROL] = "control", [TF_CONFIG_RECORDINGS_WATCH] = "watch", NULL};
static const char *const protocols[] = {[TF_CONFIG_MQTT_3_1_1] = "3.1.1", [TF_CONFIG_MQTT_5] = "5", NULL};

static const char *const trigger_kinds[] = {[TF_CONFIG_TRIGGER_EVDEV] = "evdev",
                                            [TF_CONFIG_TRIGGER_SERIAL] = "serial",
                                            [TF_CONFIG_TRIGGER_LINE] = "serial-line",
                                            [TF_CONFIG_TRIGGER_GPIO] = "gpio",
                                            NULL};
static const char *const edges[] = {[TF_CONFIG_EDGE_RISING] = "rising",
                                    [TF_CONFIG_EDGE_FALLING] = "falling",
                                    [TF_CONFIG_EDGE_BOTH] = "both",
                                    NULL};
static const char *const splits[] = {[TF_CONFIG_SPLIT_BYTE] = "byte", [TF_CONFIG_SPLIT_LINE] = "line", NULL};
static const char *const biases[] = {[TF_CONFIG_BIAS_AS_IS] = "as-is",
                                     [TF_CONFIG_BIAS_UP] = "pull-up",
                                     [TF_CONFIG_BIAS_DOWN] = "pull-down",
                                     [TF_CONFIG_BIAS_OFF] = "disabled",
                                     NULL};

/* Words of which the value is read otherwise. */
static const char *const rotations[] = {"auto", "0", "90", "180", "270", NULL};
/* base/cpu.h's ladder; tests/config holds the two lists against each other. */
static const char *const cpus[] = {"generic", "avx2",    "avxvnni", "avx512vnni", "amx",
                                   "neon",    "dotprod", "i8mm",    NULL};

#define AT(type, field) offsetof(struct tf_config_##type, field)

const struct tf_section_info tf_sections[TF_SECTIONS] = {
    [TF_SECTION_CAMERA] = {"camera",
                           "One section for each camera, up to 8. NAME stands in records, addresses and file "
                           "names: at most 32 of "
                           "a-z, 0-9, _ and -.",
                           offsetof(struct tf_config, cameras), sizeof(struct tf_config_camera)},
    [TF_SECTION_PAIR] =
        {"pair",
         "A thermal and a visible camera on one rig, up to 4 pairs: each thermal frame's record "
         "names the visible frame nearest in time, and landmarks of the visible picture can "
         "serve the thermal one. NAME as for cameras.",
         offsetof(struct tf_config, pairs), sizeof(struct tf_config_pair)},
    [TF_SECTION_REGION] = {"region",
                           "A region or spot of your own, up to 16, measured, recorded and drawn like the "
                           "built-in ones. NAME stands in "
                           "records and columns: at most 32 of a-z, 0-9 and _, a letter first, and none of "
                           "ours (docs/regions.md).",
                           offsetof(struct tf_config, regions), sizeof(struct tf_config_region)},
    [TF_SECTION_TRIGGER] =
        {"trigger",
         "An input of which each event is a mark in the session that is recorded: a key, a "
         "byte or a line that changes. Up to 8 (docs/triggers.md). NAME as for cameras.",
         offsetof(struct tf_config, triggers), sizeof(struct tf_config_trigger)},
    [TF_SECTION_INFERENCE] = {"inference",
                              "Faces, landmarks and region temperatures; the same for all cameras.",
                              offsetof(struct tf_config, inference), 0},
    [TF_SECTION_OVERLAY] = {"overlay", "How the annotated picture looks.",
                            offsetof(struct tf_config, overlay), 0},
    [TF_SECTION_VIDEO] = {"video",
                          "How annotated pictures are encoded, once for viewers and files. The keys codec, "
                          "bitrate, gop and threads may also stand in [rtsp], their older place.",
                          offsetof(struct tf_config, video), 0},
    [TF_SECTION_RTSP] = {"rtsp", "Annotated video at rtsp://ADDRESS:PORT/NAME.",
                         offsetof(struct tf_config, rtsp), 0},
    [TF_SECTION_HTTP] = {"http", "Live records, state, metrics and snapshots over HTTP.",
                         offsetof(struct tf_config, http), 0},
    [TF_SECTION_RECORDING] =
        {"recording",
         "Files written while the service runs. In a path, %n stands for the camera's name, %t for the time "
         "of "
         "the start (20260301T101530Z) and %% for a percent sign. A file that exists is never overwritten.",
         offsetof(struct tf_config, recording), 0},
    [TF_SECTION_MQTT] = {"mqtt",
                         "States, region means and events at an MQTT broker, which many boxes share. Nothing "
                         "can be controlled through it. Without the section nothing is published.",
                         offsetof(struct tf_config, mqtt), 0},
    [TF_SECTION_LSL] =
        {"lsl",
         "Lab Streaming Layer: region temperatures, landmarks, frames and marks as streams on the "
         "net, and other programs' markers as marks (docs/lsl.md). Needs liblsl. Its streams ask "
         "for no password: whoever is on the net can read them.",
         offsetof(struct tf_config, lsl), 0},
};

#define CAMERA TF_SECTION_CAMERA
#define PAIR TF_SECTION_PAIR
#define REGION TF_SECTION_REGION
#define TRIGGER TF_SECTION_TRIGGER
#define INFERENCE TF_SECTION_INFERENCE
#define OVERLAY TF_SECTION_OVERLAY
#define VIDEO TF_SECTION_VIDEO
#define RTSP TF_SECTION_RTSP
#define HTTP TF_SECTION_HTTP
#define RECORDING TF_SECTION_RECORDING
#define MQTT TF_SECTION_MQTT
#define LSL TF_SECTION_LSL

const struct tf_key tf_keys[] = {
    {CAMERA, "source", TF_VALUE_TEXT, AT(camera, source), .required = true, .sample = "synthetic",
     .help = "Where frames come from: a device or a pattern under /dev (a /dev/v4l/by-id path survives "
             "replugging), "
             "a video file, or \"synthetic\", a rendered thermal face that needs no camera."},
    {CAMERA, "enabled", TF_VALUE_BOOL, AT(camera, enabled), "yes",
     .help = "Off: the section is checked and otherwise ignored."},
    {CAMERA, "format", TF_VALUE_WORD, AT(camera, format),
     .help = "Row of the camera-format table (\"thermoface devices\" lists them). Not set: the row that fits "
             "what the "
             "camera offers."},
    {CAMERA, "width", TF_VALUE_UINT16, AT(camera, width), "0", 0, 4096, .unit = "pixels",
     .help = "Width to ask the camera for, together with height. 0: the row's or the camera's own."},
    {CAMERA, "height", TF_VALUE_UINT16, AT(camera, height), "0", 0, 4096, .unit = "pixels",
     .help = "Height to ask the camera for, together with width."},
    {CAMERA, "fps", TF_VALUE_NUMBER, AT(camera, fps), "0", 0, 1000, .unit = "frames/s",
     .help = "Frame rate to ask the camera for. 0: its own."},
    {CAMERA, "rotate", TF_VALUE_ROTATE, AT(camera, rotate), "0", .choices = rotations, .unit = "degrees",
     .help = "Turns the picture clockwise so that faces are upright. auto: told from the faces as soon as "
             "somebody is "
             "there, and kept while the camera stays open."},
    {CAMERA, "flip", TF_VALUE_BOOL, AT(camera, flip), "no",
     .help = "Mirrors the upright picture, left to right: for a camera that looks into a mirror, so that "
             "right and left "
             "are the subject's."},
    {CAMERA, "scale", TF_VALUE_NUMBER, AT(camera, scale), "0", 0, 1000, .unit = "°C per count",
     .help = "For format y16: °C = count * scale + offset. 0: the camera does not measure temperature, and "
             "its unit is "
             "counts."},
    {CAMERA, "offset", TF_VALUE_NUMBER, AT(camera, offset), "0", -10000, 10000, .unit = "°C",
     .help = "For format y16, together with scale."},
    {CAMERA, "accept-size", TF_VALUE_BOOL, AT(camera, accept_size), "no",
     .help =
         "Take the size that the driver gives when it is not the one asked for; otherwise that is an error."},
    {CAMERA, "line-bytes", TF_VALUE_UINT, AT(camera, line_bytes), "0", 0, 65536, .unit = "bytes",
     .help =
         "Bytes of a line to ask a V4L2 driver for, padding included, where a capture card wants its lines "
         "aligned. 0: the driver's own."},
    {CAMERA, "pace", TF_VALUE_CHOICE, AT(camera, pace), "recorded", .choices = paces,
     .help = "A video file plays at its recorded speed, or as fast as its frames are taken."},
    {CAMERA, "loop", TF_VALUE_BOOL, AT(camera, loop), "no", .help = "A video file starts again at its end."},
    {CAMERA, "settle", TF_VALUE_DURATION, AT(camera, settle_ns), "10s", 0, 600,
     .help = "How long after a shutter calibration records carry the flag ffc_settling."},
    {CAMERA, "raw", TF_VALUE_TEXT, AT(camera, raw),
     .help = "The source is a file of headerless pictures: WIDTHxHEIGHT:PIXELFORMAT@RATE, such as "
             "160x120:gray16le@9, with FFmpeg's name of the pixel format."},
    {CAMERA, "stream", TF_VALUE_TEXT, AT(camera, stream),
     .help =
         "Of a file with several videos: the number of the one to take, as ffprobe counts. Not set: the one "
         "that fits the row."},
    {CAMERA, "frozen", TF_VALUE_BOOL, AT(camera, frozen), "yes",
     .help =
         "A thermal camera without telemetry that repeats a picture for a quarter of a second calibrates: "
         "its frames "
         "are flagged duplicate and ffc. Off: repeated pictures are taken for new ones."},
    {CAMERA, "controls", TF_VALUE_TEXT, AT(camera, controls),
     .help = "Controls of a V4L2 camera to set whenever it is opened, also after replugging: "
             "name=value,name=value. "
             "\"thermoface devices\" lists what it has."},
    {CAMERA, "ffc", TF_VALUE_TEXT, AT(camera, ffc),
     .help = "What makes a V4L2 camera calibrate its shutter on POST /camera/NAME/ffc: CONTROL=VALUE, or "
             "xu:UNIT:SELECTOR=BYTES (hex) for an extension unit of USB video. Not set: what is known of the "
             "camera."},
    {CAMERA, "ffc-hold", TF_VALUE_TEXT, AT(camera, ffc_hold),
     .help = "The same for keeping the camera from calibrating by itself."},
    {CAMERA, "ffc-release", TF_VALUE_TEXT, AT(camera, ffc_release),
     .help = "The same for letting it calibrate by itself again."},
    {CAMERA, "buffers", TF_VALUE_UINT, AT(camera, buffers), "32", 4, 64, .unit = "frames",
     .help = "Of a V4L2 camera: frames that may be on their way at once, those that wait for a recording "
             "among them. From 24, which leave a recording 5, to 32, the most that V4L2 gives, which leave "
             "it 13 (0.4 s at 30 frames/s); fewer are taken as 24, more as 32."},
    {CAMERA, "analyse", TF_VALUE_BOOL, AT(camera, analyse), "yes",
     .help = "Off: no faces are looked for; records say no_face."},
    {CAMERA, "pictures", TF_VALUE_BOOL, AT(camera, pictures), "yes",
     .help = "Off: no annotated pictures, hence no RTSP mount, video or snapshot of this camera."},
    {CAMERA, "black-body", TF_VALUE_RECT, AT(camera, black_body), .min = 0, .max = 4095, .unit = "pixels",
     .help = "A reference of known temperature in the upright picture. Records get its measured temperature "
             "and corrected region means beside the raw ones. Needs black-body-temperature."},
    {CAMERA, "black-body-temperature", TF_VALUE_NUMBER, AT(camera, black_body_temperature), "0", -40, 550,
     .unit = "°C", .help = "True temperature of the surface in the rectangle black-body."},

    {PAIR, "enabled", TF_VALUE_BOOL, AT(pair, enabled), "yes",
     .help = "Off: the section is checked and otherwise ignored."},
    {PAIR, "thermal", TF_VALUE_WORD, AT(pair, thermal), .required = true,
     .help = "Name of the thermal camera. A camera can be in one pair only."},
    {PAIR, "visible", TF_VALUE_WORD, AT(pair, visible), .required = true,
     .help = "Name of the visible camera."},
    {PAIR, "calibration", TF_VALUE_PATH, AT(pair, calibration),
     .help =
         "File that \"thermoface calibrate\" wrote: where a point of the visible picture lies in the thermal "
         "one. Not set: frames are paired, points are not."},
    {PAIR, "max-skew", TF_VALUE_DURATION, AT(pair, max_skew_ns), "50ms", 0, 1,
     .help =
         "How far apart in time two frames of a pair may be. Further off: the thermal record has no pair."},
    {PAIR, "wait", TF_VALUE_DURATION, AT(pair, wait_ns), "0", 0, 0.1,
     .help =
         "How long a thermal frame's analysis may wait for the visible camera's result of the same moment. "
         "0: "
         "it takes the nearest one that is there, mostly of the visible frame before. Capture never waits."},
    {PAIR, "use", TF_VALUE_CHOICE, AT(pair, use), "better", .choices = uses,
     .help =
         "When the visible camera's points, mapped, are used for the regions of the thermal picture: better "
         "(when the thermal points are less confident, or the thermal camera sees no face), always (where "
         "the "
         "visible camera sees the face), never."},
    {PAIR, "picture", TF_VALUE_CHOICE, AT(pair, picture), "side-by-side", .choices = pair_pictures,
     .help =
         "Picture of both cameras at rtsp://ADDRESS:PORT/NAME, with the pair's name, drawn while somebody "
         "watches."},

    {REGION, "enabled", TF_VALUE_BOOL, AT(region, enabled), "yes",
     .help = "Off: the section is checked and otherwise ignored."},
    {REGION, "camera", TF_VALUE_WORD, AT(region, camera),
     .help = "Name of the camera in whose picture it lies. Not set: all of them."},
    {REGION, "coordinates", TF_VALUE_CHOICE, AT(region, coordinates), "pixels", .choices = spaces,
     .help = "pixels: of the upright picture, measured in every frame, with a face or without. face: in eye "
             "distances "
             "from the middle between the eyes, x to the picture's right along the eyes, y down; it follows "
             "every "
             "face."},
    {REGION, "shape", TF_VALUE_SHAPE, AT(region, shape), .required = true,
     .help = "\"rectangle X,Y,W,H\", \"circle X,Y,R\" or \"polygon X,Y X,Y X,Y\" and so on."},
    {REGION, "corners", TF_VALUE_CORNERS, AT(region, corners),
     .help = "Further corners of the polygon, X,Y X,Y and so on, where they do not fit into one line."},

    {TRIGGER, "enabled", TF_VALUE_BOOL, AT(trigger, enabled), "yes",
     .help = "Off: the section is checked and otherwise ignored."},
    {TRIGGER, "kind", TF_VALUE_CHOICE, AT(trigger, kind), "evdev", .choices = trigger_kinds,
     .help = "evdev: keys and buttons of an input device. serial: bytes of a serial port. serial-line: its "
             "control lines. gpio: a line of a GPIO chip."},
    {TRIGGER, "device", TF_VALUE_PATH, AT(trigger, device), .required = true,
     .help = "/dev/input/by-id/… (evdev), /dev/serial/by-id/… or /dev/ttyS0, /dev/gpiochip0. A path by-id "
             "survives replugging."},
    {TRIGGER, "key", TF_VALUE_TEXT, AT(trigger, key),
     .help = "evdev: names of keys with blanks between (KEY_SPACE BTN_LEFT). serial: bytes as numbers (1 2 "
             "0x41). Not set: all of them."},
    {TRIGGER, "line", TF_VALUE_TEXT, AT(trigger, line),
     .help = "serial-line: cts, dsr, dcd, ri, one or several. gpio: the line's number or name."},
    {TRIGGER, "edge", TF_VALUE_CHOICE, AT(trigger, edge), "rising", .choices = edges,
     .help =
         "Which change is a mark: of a key, rising is the press and falling the release; of a line, rising "
         "is that it becomes active."},
    {TRIGGER, "active-low", TF_VALUE_BOOL, AT(trigger, active_low), "no",
     .help = "A line is active when it is low: a button that pulls it to ground."},
    {TRIGGER, "bias", TF_VALUE_CHOICE, AT(trigger, bias), "as-is", .choices = biases,
     .help = "gpio: the resistor inside the chip that holds an open line."},
    {TRIGGER, "grab", TF_VALUE_BOOL, AT(trigger, grab), "no",
     .help = "evdev: keep the device's keys from every other program, the console's login included."},
    {TRIGGER, "baud", TF_VALUE_UINT, AT(trigger, baud), "9600", 300, 4000000, .unit = "bit/s",
     .help = "Speed of the serial port; 8 data bits, no parity, 1 stop bit."},
    {TRIGGER, "split", TF_VALUE_CHOICE, AT(trigger, split), "byte", .choices = splits,
     .help = "serial: each byte is a mark, or each line of text."},
    {TRIGGER, "debounce", TF_VALUE_DURATION, AT(trigger, debounce_ns), "0", 0, 10,
     .help = "Changes of the same key, byte or line so soon after one that counted are left out and counted: "
             "20ms for a bare contact."},
    {TRIGGER, "rate", TF_VALUE_UINT, AT(trigger, rate), "20", 1, 1000, .unit = "marks/s",
     .help = "More marks than that are left out, counted and said: an input that chatters does not fill the "
             "events or the disk."},
    {TRIGGER, "text", TF_VALUE_TEXT, AT(trigger, text), "%n",
     .help = "The mark's text: %n the trigger's name, %k the key's name, the byte's number, the text or the "
             "line, %c a byte as a character, %e the change, %% a percent sign."},
    {TRIGGER, "value", TF_VALUE_TEXT, AT(trigger, value),
     .help = "The mark's value, written likewise. Not set: %k, with edge=both \"%k %e\"."},

    {INFERENCE, "models", TF_VALUE_PATH, AT(inference, models),
     .help = "Folder with landmarks68.onnx and finder.onnx. Not set: the installed one."},
    {INFERENCE, "landmarks", TF_VALUE_PATH, AT(inference, landmarks),
     .help = "Landmark network instead of the folder's."},
    {INFERENCE, "finder", TF_VALUE_PATH, AT(inference, finder),
     .help = "Face finder instead of the folder's."},
    {INFERENCE, "segmentation", TF_VALUE_PATH, AT(inference, segmentation),
     .help = "Segmentation network that marks the parts of each face: skin, brows, eyes, nose, mouth. Not "
             "set: none."},
    {INFERENCE, "region-masks", TF_VALUE_BOOL, AT(inference, region_masks), "no",
     .help = "Measure regions within the parts that the segmentation network marks, with larger discs. Needs "
             "segmentation."},
    {INFERENCE, "threads", TF_VALUE_UINT, AT(inference, threads), "1", 1, 16,
     .help = "Threads that compute, for each camera. Results do not depend on it."},
    {INFERENCE, "cpu", TF_VALUE_WORD, AT(inference, cpu), .choices = cpus,
     .help = "Highest instruction set to use. Not set: the best there is. Results do not depend on it."},
    {INFERENCE, "faces", TF_VALUE_UINT, AT(inference, faces), "4", 1, 8,
     .help = "Faces followed at once in a camera's picture."},
    {INFERENCE, "filter", TF_VALUE_BOOL, AT(inference, filter), "yes",
     .help = "Smooth the points over time (one-euro filter) into points_filtered. The points themselves are "
             "always in "
             "the record, as the network gave them."},
    {INFERENCE, "filter-min-cutoff", TF_VALUE_NUMBER, AT(inference, filter_min_cutoff), "0", 0, 100,
     .unit = "Hz",
     .help = "Cut-off frequency of the filter at rest; lower is smoother. 0: the filter's own default."},
    {INFERENCE, "filter-beta", TF_VALUE_NUMBER, AT(inference, filter_beta), "0", 0, 100,
     .help = "How much faster the filter follows a moving face. 0: the filter's own default."},
    {INFERENCE, "score", TF_VALUE_NUMBER, AT(inference, score), "0", 0, 1,
     .help = "A face whose score falls below is lost. 0: the network's own threshold."},
    {INFERENCE, "find-every", TF_VALUE_UINT, AT(inference, find_every), "0", 0, 1000, .unit = "frames",
     .help = "With a face in view, how often to look for further ones. 0: the tracker's own default."},
    {INFERENCE, "mirror", TF_VALUE_CHOICE, AT(inference, mirror), "auto", .choices = mirrors,
     .help =
         "Read each face twice, as it is and mirrored, and take the mean of its points: quieter, for twice "
         "the work. "
         "auto: where a camera gives at most 33 frames a second."},

    {OVERLAY, "palette", TF_VALUE_WORD, AT(overlay, palette), "iron", .live = true,
     .help = "Colours of the thermal picture: iron, white-hot, black-hot, viridis and others."},
    {OVERLAY, "range", TF_VALUE_RANGE, AT(overlay, range), "auto", -10000, 100000, .unit = "°C or counts",
     .live = true, .help = "Which temperatures the palette spans. auto: it follows the picture."},
    {OVERLAY, "lines", TF_VALUE_UINT, AT(overlay, lines), "480", 32, 2160,
     .help = "Smaller pictures are enlarged to at least so many lines before points and text are drawn."},
    {OVERLAY, "points", TF_VALUE_BOOL, AT(overlay, points), "yes", .live = true,
     .help = "Draw the 68 points."},
    {OVERLAY, "boxes", TF_VALUE_BOOL, AT(overlay, boxes), "yes", .live = true,
     .help = "Draw a box around each face."},
    {OVERLAY, "regions", TF_VALUE_BOOL, AT(overlay, regions), "yes", .live = true,
     .help = "Draw the regions with their temperatures."},
    {OVERLAY, "masks", TF_VALUE_BOOL, AT(overlay, masks), "yes", .live = true,
     .help = "Tint the parts of faces where a segmentation network runs."},
    {OVERLAY, "scale-bar", TF_VALUE_BOOL, AT(overlay, scale_bar), "yes", .live = true,
     .help = "Draw the palette with its range."},
    {OVERLAY, "banner", TF_VALUE_BOOL, AT(overlay, banner), "yes", .live = true,
     .help = "Say in the picture when the camera is away, calibrates its shutter, or inference is behind."},
    {OVERLAY, "clock", TF_VALUE_BOOL, AT(overlay, clock), "yes", .live = true,
     .help = "Draw capture time and frame number."},
    {OVERLAY, "filtered", TF_VALUE_BOOL, AT(overlay, filtered), "yes", .live = true,
     .help = "Draw the filtered points where there are any."},
    {OVERLAY, "pose", TF_VALUE_BOOL, AT(overlay, pose), "no", .live = true,
     .help = "Draw how each head is turned: axes to its left, upwards and straight ahead."},

    {VIDEO, "codec", TF_VALUE_WORD, AT(video, codec), "libx264",
     .help = "libavcodec's name of an H.264 encoder: libx264, or one of hardware: h264_vaapi, h264_v4l2m2m, "
             "h264_nvenc. One that does not open ends the start: nothing else is taken instead."},
    {VIDEO, "preset", TF_VALUE_WORD, AT(video, preset),
     .help = "The encoder's preset, from much speed to few bits: of libx264 ultrafast, superfast, veryfast, "
             "faster and on. Not set: superfast, and fast ones of others."},
    {VIDEO, "device", TF_VALUE_PATH, AT(video, device),
     .help = "Device of an encoder that takes pictures from its memory (h264_vaapi), such as "
             "/dev/dri/renderD128. Not set: the first one."},
    {VIDEO, "bitrate", TF_VALUE_RATE, AT(video, bitrate_kbps), "0", 0, 100000, .unit = "bit/s",
     .help = "Bits a second, with suffix k or M. 0: constant quality."},
    {VIDEO, "quality", TF_VALUE_UINT, AT(video, quality), "23", 1, 51,
     .help = "Of constant quality, as x264 counts: 1 is best, 6 more halve the bits."},
    {VIDEO, "gop", TF_VALUE_UINT, AT(video, gop), "0", 0, 1000, .unit = "frames",
     .help = "Frames between key frames. 0: two seconds."},
    {VIDEO, "threads", TF_VALUE_UINT, AT(video, threads), "1", 1, 16,
     .help = "Threads of the encoder, which share each picture: slices cost bits."},

    {RTSP, "enabled", TF_VALUE_BOOL, AT(rtsp, enabled), "yes", .help = "Off: no RTSP server."},
    {RTSP, "address", TF_VALUE_ADDRESS, AT(rtsp, address), "127.0.0.1",
     .help = "Address to listen on. Any other than a loopback address needs credentials."},
    {RTSP, "port", TF_VALUE_UINT16, AT(rtsp, port), "8554", 0, 65535, .help = "TCP port. 0: any free one."},
    {RTSP, "credentials", TF_VALUE_CREDENTIALS, AT(rtsp, credentials),
     .help = "File whose first line is user:password, or the name of a systemd credential. Not set: the "
             "credential "
             "\"rtsp\" if the service was given one, else nobody is asked."},
    {RTSP, "tls-certificate", TF_VALUE_CREDENTIALS, AT(rtsp, tls_certificate),
     .help = "PEM file (or the name of a systemd credential) with the server's certificate and its chain: "
             "the address is rtsps:// then. Read again on SIGHUP."},
    {RTSP, "tls-key", TF_VALUE_CREDENTIALS, AT(rtsp, tls_key),
     .help = "PEM file (or the name of a systemd credential) with the certificate's key, not encrypted."},
    {RTSP, "clients", TF_VALUE_UINT, AT(rtsp, clients), "16", 1, 256,
     .help = "Viewers at once, over all cameras."},
    {RTSP, "clients-per-address", TF_VALUE_UINT, AT(rtsp, clients_per_address), "8", 0, 256,
     .help = "Viewers at once from one address, this machine's and proxies apart. 0: no limit."},
    {RTSP, "proxies", TF_VALUE_TEXT, AT(rtsp, proxies),
     .help = "Addresses of proxies and relays that many viewers share, with blanks between: "
             "clients-per-address is "
             "not for them."},
    {RTSP, "fps-max", TF_VALUE_NUMBER, AT(rtsp, fps_max), "0", 0, 1000, .unit = "frames/s",
     .help = "Upper bound of the pictures' rate. 0: a picture for every frame. Records are not affected."},
    {RTSP, "mdns", TF_VALUE_BOOL, AT(rtsp, mdns), "no",
     .help = "Announce each camera's and pair's video by mDNS (_rtsp._tcp, with TLS _rtsps._tcp; TXT "
             "path=/NAME). Needs avahi-daemon and an address other than loopback."},

    {HTTP, "enabled", TF_VALUE_BOOL, AT(http, enabled), "yes", .help = "Off: no HTTP server."},
    {HTTP, "address", TF_VALUE_ADDRESS, AT(http, address), "127.0.0.1",
     .help = "Address to listen on. Any other than a loopback address needs credentials."},
    {HTTP, "port", TF_VALUE_UINT16, AT(http, port), "8080", 0, 65535, .help = "TCP port. 0: any free one."},
    {HTTP, "credentials", TF_VALUE_CREDENTIALS, AT(http, credentials),
     .help = "File whose first line is user:password, or the name of a systemd credential. Not set: the "
             "credential "
             "\"http\" if the service was given one, else nobody is asked."},
    {HTTP, "watch-credentials", TF_VALUE_CREDENTIALS, AT(http, watch_credentials),
     .help = "A second file of that kind: who may look, but not record, mark or move shutters."},
    {HTTP, "tokens", TF_VALUE_CREDENTIALS, AT(http, tokens),
     .help = "File with a bearer token a line, at least 16 characters each, for looking only (Prometheus, "
             "dashboards). Over TLS or on a loopback address."},
    {HTTP, "tls-certificate", TF_VALUE_CREDENTIALS, AT(http, tls_certificate),
     .help = "PEM file (or the name of a systemd credential) with the server's certificate and its chain: "
             "the address is https:// then. Read again on SIGHUP."},
    {HTTP, "tls-key", TF_VALUE_CREDENTIALS, AT(http, tls_key),
     .help = "PEM file (or the name of a systemd credential) with the certificate's key, not encrypted."},
    {HTTP, "clients", TF_VALUE_UINT, AT(http, clients), "32", 1, 1000,
     .help = "Readers of /landmarks at once."},
    {HTTP, "viewers", TF_VALUE_UINT, AT(http, viewers), "16", 1, 256,
     .help = "Viewers of /video.mp4 and /mjpeg at once, each picture of a page being one."},
    {HTTP, "clients-per-address", TF_VALUE_UINT, AT(http, clients_per_address), "16", 0, 1000,
     .help = "Connections of one address at once, but for this machine's own and those of proxies. 0: any "
             "number."},
    {HTTP, "proxies", TF_VALUE_TEXT, AT(http, proxies),
     .help = "Addresses, separated by commas, behind which many clients are: clients-per-address does not "
             "hold for them."},
    {HTTP, "queue", TF_VALUE_BYTES, AT(http, queue_bytes), "4M", 65536, 268435456, .unit = "bytes",
     .help = "How far a reader of /landmarks may fall behind before it loses whole records, in bytes with "
             "suffix K or "
             "M."},
    {HTTP, "recordings", TF_VALUE_CHOICE, AT(http, recordings), "control", .choices = viewers,
     .help = "Who may see recorded sessions (/sessions): control, those who may control the service; watch, "
             "those "
             "who may only look, too."},
    {HTTP, "mdns", TF_VALUE_BOOL, AT(http, mdns), "no",
     .help = "Announce the server by mDNS (_http._tcp, with TLS _https._tcp; TXT path=/). Needs avahi-daemon "
             "and an address other than loopback."},

    {RECORDING, "ndjson", TF_VALUE_TEMPLATE, AT(recording, ndjson),
     .help = "Records, one JSON object a line."},
    {RECORDING, "csv", TF_VALUE_TEMPLATE, AT(recording, csv), .help = "Records, one row a frame."},
    {RECORDING, "csv-profile", TF_VALUE_CHOICE, AT(recording, csv_profile), "thermoface", .choices = profiles,
     .help = "Columns of the CSV: all of ours, or OpenFace's names of what both have."},
    {RECORDING, "video", TF_VALUE_TEMPLATE, AT(recording, video),
     .help = "Annotated video, H.264 in Matroska (.mkv). It is encoded once for viewers and file."},
    {RECORDING, "directory", TF_VALUE_PATH, AT(recording, directory),
     .help = "Folder of sessions (\"thermoface record start\", POST /record/start). Not set: sessions are "
             "not recorded."},
    {RECORDING, "codec", TF_VALUE_CHOICE, AT(recording, codec), "auto", .choices = codecs,
     .help = "Of a session's raw video, bit for bit in each case: ffv1 is smaller, ffvhuff much faster. "
             "auto: ffv1 up to 5 million pixels a second."},
    {RECORDING, "visible", TF_VALUE_CHOICE, AT(recording, visible), "lossless", .choices = visibles,
     .help = "How a session stores cameras of visible light (colour): loss-free with codec, or much smaller "
             "as H.264."},
    {RECORDING, "annotated", TF_VALUE_BOOL, AT(recording, annotated), "yes",
     .help = "Sessions also keep the annotated video, as viewers see it; it is encoded once for all."},
    {RECORDING, "free-space-min", TF_VALUE_UINT, AT(recording, free_space_min), "1024", 0, 16777216,
     .unit = "MiB",
     .help = "A session is not started, and one that runs is ended properly, when less is free on its disk."},
    {RECORDING, "segment", TF_VALUE_DURATION, AT(recording, segment_ns), "0s", 0, 86400,
     .help = "A session's raw video goes on in a new file after so long; frame numbers go on. 0: one file."},
    {RECORDING, "segment-size", TF_VALUE_UINT, AT(recording, segment_size), "0", 0, 16777216, .unit = "MiB",
     .help = "The same when the file has become so large. 0: no limit."},
    {RECORDING, "tables", TF_VALUE_BOOL, AT(recording, tables), "yes",
     .help = "Sessions also get tables of the regions as signals, of the landmarks (BIDS motion) and of "
             "region temperatures at a steady rate (BIDS physio)."},
    {RECORDING, "physio-rate", TF_VALUE_NUMBER, AT(recording, physio_rate), "5", 0.1, 100, .unit = "Hz",
     .help = "Rate of the physio table: each sample is the mean of the frames in its time. More than the "
             "camera's frame rate leaves samples without a value."},

    {MQTT, "enabled", TF_VALUE_BOOL, AT(mqtt, enabled), "yes", .help = "Off: nothing is published."},
    {MQTT, "host", TF_VALUE_TEXT, AT(mqtt, host),
     .help = "The broker's name or address. Not set: nothing is published."},
    {MQTT, "port", TF_VALUE_UINT16, AT(mqtt, port), "0", 0, 65535,
     .help = "The broker's TCP port. 0: 1883, with tls 8883."},
    {MQTT, "topic", TF_VALUE_TEXT, AT(mqtt, topic),
     .help = "Base of all topics, one for each box. Not set: thermoface/HOSTNAME."},
    {MQTT, "client-id", TF_VALUE_TEXT, AT(mqtt, client_id),
     .help = "What the broker knows the connection by, where its access list asks for one. Not set: "
             "thermoface-HOSTNAME and something random, since two of one name throw each other out."},
    {MQTT, "credentials", TF_VALUE_CREDENTIALS, AT(mqtt, credentials),
     .help =
         "File whose first line is user:password, or the name of a systemd credential. Not set: the "
         "credential \"mqtt\" if the service was given one, else no login is sent. Read again on SIGHUP."},
    {MQTT, "tls", TF_VALUE_BOOL, AT(mqtt, tls), "no",
     .help = "Connect with TLS, and to a broker only whose certificate is valid and of that name."},
    {MQTT, "tls-ca", TF_VALUE_CREDENTIALS, AT(mqtt, tls_ca),
     .help = "PEM file (or the name of a systemd credential) with the authorities that may have signed the "
             "broker's certificate. Not set: those of the system."},
    {MQTT, "tls-certificate", TF_VALUE_CREDENTIALS, AT(mqtt, tls_certificate),
     .help = "PEM file (or the name of a systemd credential) with a certificate of our own, for brokers that "
             "ask for one."},
    {MQTT, "tls-key", TF_VALUE_CREDENTIALS, AT(mqtt, tls_key),
     .help = "PEM file (or the name of a systemd credential) with its key, not encrypted."},
    {MQTT, "protocol", TF_VALUE_CHOICE, AT(mqtt, protocol), "3.1.1", .choices = protocols,
     .help =
         "Version of MQTT: 3.1.1, which every broker knows, or 5, with which a broker says why it refuses."},
    {MQTT, "qos", TF_VALUE_UINT, AT(mqtt, qos), "1", 0, 1,
     .help = "Quality of service of all messages: 0 at most once, 1 at least once."},
    {MQTT, "keepalive", TF_VALUE_DURATION, AT(mqtt, keepalive_ns), "30s", 5, 3600,
     .help =
         "How long a connection may be silent before both sides ask. The last will follows one and a half "
         "times that after a box has lost its power."},
    {MQTT, "interval", TF_VALUE_DURATION, AT(mqtt, interval_ns), "1s", 0.1, 3600,
     .help = "Length of the intervals whose region means are published, one message a camera each."},
    {MQTT, "queue", TF_VALUE_UINT, AT(mqtt, queue), "256", 16, 10000, .unit = "messages",
     .help = "How many messages may wait for a broker that is slow, or (events only) away. The oldest is "
             "dropped, and counted."},
    {MQTT, "discovery", TF_VALUE_BOOL, AT(mqtt, discovery), "no",
     .help =
         "Describe cameras and regions to Home Assistant (MQTT discovery). no: what was described before is "
         "taken away."},
    {MQTT, "discovery-prefix", TF_VALUE_TEXT, AT(mqtt, discovery_prefix), "homeassistant",
     .help = "First level of discovery's topics."},

    {LSL, "enabled", TF_VALUE_BOOL, AT(lsl, enabled), "no",
     .help = "On: streams are offered and looked for."},
    {LSL, "required", TF_VALUE_BOOL, AT(lsl, required), "no",
     .help =
         "On: without liblsl the service does not start. Off: it says so and runs without these streams."},
    {LSL, "library", TF_VALUE_PATH, AT(lsl, library),
     .help = "File of the library. Not set: liblsl.so.2 or liblsl.so where the system looks for libraries."},
    {LSL, "name", TF_VALUE_WORD, AT(lsl, name), "thermoface",
     .help =
         "What names of streams begin with: NAME_CAMERA_regions and so on. At most 32 characters; give two "
         "services of one machine different ones."},
    {LSL, "regions", TF_VALUE_BOOL, AT(lsl, regions), "yes",
     .help =
         "A stream for each camera with the mean of each region, own ones too; NaN where it is not valid."},
    {LSL, "landmarks", TF_VALUE_BOOL, AT(lsl, landmarks), "no",
     .help = "A stream for each camera with the 68 points: x, y, confidence."},
    {LSL, "frames", TF_VALUE_BOOL, AT(lsl, frames), "yes",
     .help = "A stream for each camera with frame number, sequence and place in the session's raw video."},
    {LSL, "marks", TF_VALUE_BOOL, AT(lsl, marks), "yes",
     .help = "A stream with the marks of sessions, and with their start and stop."},
    {LSL, "faces", TF_VALUE_UINT, AT(lsl, faces), "1", 1, 8,
     .help =
         "Streams of regions and landmarks for each camera. 1: of the largest face. More: a face keeps its "
         "stream while it is followed."},
    {LSL, "markers", TF_VALUE_TEXT, AT(lsl, markers), "type='Markers'",
     .help =
         "Which streams of other programs are written into sessions as marks: an XPath predicate, such as "
         "type='Markers' and name='PsychoPy'. no: none."},
};
const size_t tf_key_count = TF_COUNT(tf_keys);
_Static_assert(TF_COUNT(tf_keys) <= TF_KEYS_MAX, "lines of keys are kept in a fixed array");
