#!/bin/bash
# `run` on each of the shared thermal recordings: as many records as frames, no hole, plausible temperatures, a video.
. "$(dirname "$0")/tap.sh"
recordings=$shared/data/thermal6/recordings
if ! ls "$recordings"/*.mkv >/dev/null 2>&1; then
    skip "recordings" "no recordings in $shared/data/thermal6"
    done_testing
    exit
fi
if [ ! -f "$2/models/landmarks68.onnx" ]; then
    skip "recordings" "the networks are not there"
    done_testing
    exit
fi
while IFS=, read -r rec frames _; do
    [ "$rec" != rec ] || continue
    good "$rec runs" run "$recordings/$rec.mkv" --format lepton3-y16 --rotate 90 --csv "$folder/out.csv" \
        --ndjson "$folder/out.ndjson" --video "$folder/out.mkv" --overwrite --quiet
    counted=$(ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=nb_read_frames -of csv=p=0 \
        "$recordings/$rec.mkv" 2>&1)
    [ "$counted" = "$frames" ] && [ "$(wc -l <"$folder/out.ndjson")" = "$frames" ] &&
        [ "$(wc -l <"$folder/out.csv")" = $((frames + 1)) ]
    result $? "$rec: a record for each of its $frames frames"
    jq -ne 'reduce inputs as $r ({n: 0, holes: 0, odd: 0};
        if $r.frame != .n or $r.sequence != .n then .holes += 1 else . end | .n += 1 |
        .odd += ([$r.faces[].regions[] | select(.valid) | select(.mean < 5 or .mean > 45 or .min > .mean or .max < .mean)] | length))
        | .holes == 0 and .odd == 0' "$folder/out.ndjson" >/dev/null
    result $? "$rec: sequence without holes, regions of 5 to 45 degrees"
    drawn=$(ffprobe -v error -count_packets -select_streams v:0 -show_entries stream=nb_read_packets -of csv=p=0 "$folder/out.mkv" 2>&1)
    ffmpeg -v error -xerror -i "$folder/out.mkv" -f null - 2>"$folder/stderr" </dev/null && [ "$drawn" = "$frames" ]
    result $? "$rec: an annotated picture for each frame, all decoded"
done <"$shared/data/thermal6/index.csv"
done_testing
