#!/bin/bash
# `run`, `bench pipeline`, `watch` and `devices` on what every machine has: clips made here and the synthetic subject.
. "$(dirname "$0")/tap.sh"
source_root=$2

bad 1 'missing\.mkv' "run: missing input" run "$folder/missing.mkv"
: >"$folder/empty.mkv"
bad 1 'empty\.mkv' "run: empty input" run "$folder/empty.mkv"
head -c 20000 /dev/urandom >"$folder/noise.mkv"
bad 1 'noise\.mkv' "run: random bytes" run "$folder/noise.mkv"
echo "no video" >"$folder/text.txt"
bad 1 'text\.txt' "run: a text" run "$folder/text.txt"
bad 1 "$(basename "$folder")" "run: a folder" run "$folder"
bad 2 'no-such-row' "run: unknown format row" run synthetic --limit 1 --format no-such-row

if ! [ -f "$source_root/models/landmarks68.onnx" ] || ! [ -f "$source_root/models/finder.onnx" ]; then
    skip "runs" "the networks are not there"
    done_testing
    exit
fi

# 25 frames of 16-bit gray, 160x120, about 27 to 36 degrees in centikelvin, lossless.
clip=$folder/clip.mkv
ffmpeg -v error -y -f lavfi -i "color=black:size=160x120:rate=9,format=gray16le,geq=lum='30000+X*4+Y*2+N'" \
    -frames:v 25 -c:v ffv1 "$clip" 2>"$folder/stderr" </dev/null
result $? "a clip is made"

mkdir "$folder/d.mkv"
good "run writes all three outputs" run "$clip" --format lepton3-y16 --rotate 90 --ndjson "$folder/out.ndjson" \
    --csv "$folder/out.csv" --video "$folder/out.mkv"
grep -q '25 frames' "$folder/stderr"
result $? "the summary counts the frames"
jq -se 'length == 25 and [.[].frame] == [range(25)] and all(.unit == "celsius" and .latency_us == null and
    (.state == "no_face" or .state == "ok"))' "$folder/out.ndjson" >/dev/null
result $? "NDJSON: 25 records without holes, no latency offline"
[ "$(wc -l <"$folder/out.csv")" = 26 ]
result $? "CSV: header and 25 rows"
shape=$(ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=codec_name,width,height,nb_read_frames \
    -of csv=p=0 "$folder/out.mkv" 2>&1)
IFS=, read -r codec width height frames <<<"$shape"
[ "$codec" = h264 ] && [ "$frames" = 25 ] && [ "$height" -ge 480 ] && [ "$height" -gt "$width" ]
result $? "video: h264, upright, enlarged, 25 frames ($shape)"

bad 1 'out\.csv exists: --overwrite' "an output that exists is kept, and --overwrite named" run "$clip" --format lepton3-y16 --csv "$folder/out.csv"
[ "$(wc -l <"$folder/out.csv")" = 26 ]
result $? "and is whole"
good "--overwrite replaces it, --limit shortens" run "$clip" --format lepton3-y16 --csv "$folder/out.csv" --overwrite --limit 7
[ "$(wc -l <"$folder/out.csv")" = 8 ]
result $? "7 rows"
for option in --ndjson --video; do
    : >"$folder/there.mkv"
    bad 1 'there.mkv exists: --overwrite replaces it' "$option on a file that exists names --overwrite" \
        run "$clip" --format lepton3-y16 $option "$folder/there.mkv"
done
rm "$folder/there.mkv"
good "a device is no file to lose" run "$clip" --format lepton3-y16 --csv /dev/null --limit 2

# A recording for those who have none, and README's lines on it.
good "sample" sample "$folder/recording.mkv" --seconds 3
grep -q '^Try: thermoface run .*recording.mkv --format lepton3-y16 --rotate 90' "$folder/stderr"
result $? "says how to go on"
shape=$(ffprobe -v error -count_packets -show_entries stream=codec_name,width,height,pix_fmt,nb_read_packets \
    -of csv=p=0 "$folder/recording.mkv")
[ "$shape" = ffv1,160,120,gray16le,27 ]
result $? "is what a Lepton's recording is ($shape)"
good "run of the sample" run "$folder/recording.mkv" --format lepton3-y16 --rotate 90 --csv "$folder/s.csv" \
    --ndjson "$folder/s.ndjson" --video "$folder/s.mkv"
jq -se 'length == 27 and ([.[] | select(.faces != [])] | length) >= 26 and all(.unit == "celsius") and
    ([.[].faces[0].regions.forehead.mean // empty] | add / length | . > 33 and . < 36)' "$folder/s.ndjson" >/dev/null
result $? "finds the face, upright, with a forehead's temperature"
bad 1 'recording.mkv exists: --overwrite' "a sample replaces nothing" sample "$folder/recording.mkv"
good "other rows, lengths and mountings" sample "$folder/boson.mkv" --format boson-y16 --seconds 1 --rotate 0 \
    --source synthetic:fps=5,faces=2
good "are run, too" run "$folder/boson.mkv" --format boson-y16 --ndjson "$folder/boson.ndjson"
jq -se 'length == 5 and .[4].unit == "counts"' "$folder/boson.ndjson" >/dev/null
result $? "as that camera's"
bad 2 'format nosuch: must be lepton3-y16' "a sample of an unknown row" sample "$folder/c.mkv" --format nosuch
bad 1 'does not fit' "a sample in colour" sample "$folder/c.mkv" --format visible
bad 2 'must be synthetic' "a sample of something real" sample "$folder/c.mkv" --source /dev/video0
bad 1 'unknown key' "a sample with an unknown key" sample "$folder/c.mkv" --source synthetic:foo=1
bad 1 'No space left' "a sample on a full disk" sample /dev/full --seconds 60
[ -c /dev/full ] && [ ! -e "$folder/c.mkv" ]
result $? "removes no device, and a sample that fails leaves no file"

# What cannot be written is refused before the work: no frame is read, nothing is left behind.
for ending in gif webm png jpg m3u8 ogg wav apng mxf; do
    bad 2 "o\\.$ending: \\.$ending files .* do not hold H.264 video; use .mkv or .mp4" \
        "--video o.$ending" run "$clip" --format lepton3-y16 --video "$folder/o.$ending" --csv "$folder/o.csv"
    ! grep -q 'frames' "$folder/stderr" && [ ! -e "$folder/o.$ending" ] && [ ! -e "$folder/o.csv" ]
    result $? "leaves nothing behind"
done
bad 2 'no kind of video file ends in .xyz' "--video with an ending that is none" run "$clip" --video "$folder/o.xyz"
bad 2 'ending says what kind' "--video without an ending" run "$clip" --video "$folder/o"
bad 2 'do not hold H.264' "bench pipeline --video" bench pipeline --seconds 1 --video "$folder/o.gif"
for option in --csv --ndjson --video; do
    bad 1 'none/o.mkv cannot be written: No such file.*folder has to be there' "$option in no folder" \
        run "$clip" --format lepton3-y16 $option "$folder/none/o.mkv"
    bad 1 'is a folder' "$option on a folder" run "$clip" --format lepton3-y16 $option "$folder/d.mkv"
done 2>/dev/null
good "one frame" run "$clip" --format lepton3-y16 --limit 1
grep -q '^1 frame in' "$folder/stderr"
result $? "is one frame, not frames"
for ending in mp4 mov avi ts; do
    good "--video o.$ending" run "$clip" --format lepton3-y16 --video "$folder/o.$ending"
    [ "$(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$folder/o.$ending" | grep -c 25)" -ge 1 ]
    result $? "holds 25 pictures"
done
before=$(sha256sum <"$clip")
bad 2 'overwrite the input' "the input is never an output" run "$clip" --format lepton3-y16 --video "$clip" --overwrite
[ "$before" = "$(sha256sum <"$clip")" ]
result $? "and is whole"
bad 1 'no-such-folder' "an output in a folder that is not there" run "$clip" --format lepton3-y16 --csv "$folder/no-such-folder/a.csv"
bad 1 'boson-y16|size|160x120|lepton2' "a row that does not fit the clip names both" run "$clip" --format lepton2-y16
good "OpenFace's columns" run "$clip" --format lepton3-y16 --csv "$folder/openface.csv" --csv-profile openface
head -n 1 "$folder/openface.csv" | grep -q 'timestamp.*confidence.*x_0' && [ "$(wc -l <"$folder/openface.csv")" = 26 ]
result $? "OpenFace: header and 25 rows"
good "records on standard output" run "$clip" --format lepton3-y16 --ndjson - --quiet
jq -se 'length == 25' "$folder/stdout" >/dev/null && [ ! -s "$folder/stderr" ]
result $? "25 records there, silence on standard error"
if [ -w /dev/full ]; then
    bad 1 'No space left' "a full disk" run "$clip" --format lepton3-y16 --csv /dev/full --overwrite
else
    skip "a full disk" "no /dev/full"
fi

head -c $(($(stat -c %s "$clip") / 2)) "$clip" >"$folder/half.mkv"
run run "$folder/half.mkv" --format lepton3-y16 --ndjson "$folder/half.ndjson"
clean && { [ $status = 0 ] || [ $status = 1 ]; } && [ "$(wc -l <"$folder/half.ndjson")" -lt 25 ] &&
    jq -se '[.[].frame] == [range(length)]' "$folder/half.ndjson" >/dev/null
result $? "half a clip: fewer records, no hole, no crash"

# The synthetic subject: the same input gives the same bytes whatever the level and the threads.
good "the synthetic subject has a face" run synthetic --limit 40 --ndjson "$folder/a.ndjson" --quiet
jq -se 'length == 40 and ([.[] | select(.faces | length > 0)] | length) > 30 and
    all(.[].faces[]; (.points | length) == 68)' "$folder/a.ndjson" >/dev/null
result $? "68 points in most of 40 frames"
# Times are the clock's for a synthetic camera: leave them out.
strip() { jq -c 'del(.t_mono_ns, .t_utc)' "$1"; }
good "generic level, two threads" run synthetic --limit 40 --ndjson "$folder/b.ndjson" --cpu generic --threads 2 --quiet
cmp -s <(strip "$folder/a.ndjson") <(strip "$folder/b.ndjson")
result $? "gives the same records"

good "bench pipeline" bench pipeline --size 320x256 --fps 30 --seconds 2 --json
[ "$(wc -l <"$folder/stdout")" = 1 ] && jq -e '[keys_unsorted[]] == ["frames","skipped","cpu_us_per_frame","stages_us",
    "latency_us","rss_mb"] and .frames >= 30 and .frames <= 70 and .cpu_us_per_frame > 0 and .stages_us.landmarks > 0 and
    .latency_us.p50 > 0 and .latency_us.p50 <= .latency_us.p99 and .latency_us.p99 <= .latency_us.max and .rss_mb > 1' \
    "$folder/stdout" >/dev/null
result $? "prints the promised JSON"
sed 's/^/# /' "$folder/stdout"

bad 1 'no record came' "watch: nobody there" watch --url http://127.0.0.1:9 --seconds 1
bad 2 'http://HOST:PORT' "watch: not an address" watch --url ftp://127.0.0.1 --seconds 2
bad 1 'no-such-file' "watch: no credentials file" watch --credentials "$folder/no-such-file"
good "devices" devices
good "devices --formats" devices --formats
for row in lepton3-y16 lepton3-y16-telemetry lepton2-y16 lepton2-y16-telemetry infiray-256 boson-y16 y16 grey visible; do
    grep -qE "^$row +" "$folder/stdout"
    result $? "row $row is listed"
done
done_testing
