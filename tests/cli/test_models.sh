#!/bin/bash
# Model files that are missing or broken end with 1 and name the file; good ones are described and measured.
. "$(dirname "$0")/tap.sh"
models=$2/models

: >"$folder/empty.onnx"
head -c 5000 /dev/urandom >"$folder/noise.onnx"
echo "this is a text" >"$folder/text.onnx"
for command in model "bench model"; do
    bad 1 'missing\.onnx' "$command: missing file" $command "$folder/missing.onnx"
    bad 1 'empty\.onnx' "$command: empty file" $command "$folder/empty.onnx"
    bad 1 'noise\.onnx' "$command: random bytes" $command "$folder/noise.onnx"
    bad 1 'text\.onnx' "$command: a text" $command "$folder/text.onnx"
    bad 1 "$(basename "$folder")" "$command: a folder" $command "$folder"
done
bad 1 'no-such-folder' "run: a models folder that is not there" run synthetic --limit 1 --models "$folder/no-such-folder"

for name in landmarks68 finder; do
    model=$models/$name.onnx
    if [ ! -f "$model" ]; then
        skip "$name" "$name.onnx is not there"
        continue
    fi
    head -c $(($(stat -c %s "$model") / 2)) "$model" >"$folder/half.onnx"
    bad 1 'half\.onnx' "$name: first half of the file" model "$folder/half.onnx"
    bad 2 'level|mmx' "$name: unknown CPU level" model --cpu mmx "$model"

    good "$name is described" model "$model"
    grep -q '^input .*1x1x' "$folder/stdout" && grep -q 'MAC in' "$folder/stdout" && grep -q 'tf\.task' "$folder/stdout"
    result $? "$name: input, work and metadata are shown"
    good "$name as JSON" model "$model" --json
    jq -e '.macs > 100000 and .arena_bytes > 0 and (.steps | length) == .nodes and
        ([.steps[].macs] | add) == .macs and .metadata["tf.task"] != null' "$folder/stdout" >/dev/null
    result $? "$name: JSON adds up"

    good "$name is measured" bench model "$model" --runs 20 --json
    [ "$(wc -l <"$folder/stdout")" = 1 ] &&
        jq -e '[keys_unsorted[]] == ["model","threads","cpu","runs","median_ms","min_ms","gmacs_per_s","peak_share"] and
            .runs == 20 and .threads == 1 and .median_ms > 0 and .min_ms > 0 and .min_ms <= .median_ms and
            .gmacs_per_s > 0 and .peak_share > 0 and .peak_share < 1.1' "$folder/stdout" >/dev/null
    result $? "$name: one line of the promised JSON"
    good "$name is measured on the generic level with two threads" bench model "$model" --runs 5 --cpu generic --threads 2 --json
    jq -e '.cpu == "generic" and .threads == 2' "$folder/stdout" >/dev/null
    result $? "$name: level and threads are those asked for"
done

good "kernels are measured" bench kernels --json
jq -e '[.. | objects | select(has("kernel"))] | length > 0' "$folder/stdout" >/dev/null
result $? "kernels: JSON lists them"
done_testing
