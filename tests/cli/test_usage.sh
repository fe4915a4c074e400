#!/bin/bash
# Wrong usage ends with 2 and says why; --help and --version with 0.
. "$(dirname "$0")/tap.sh"

good "--version" --version
cp "$folder/stdout" "$folder/version"
for option in -v -V; do
    good "$option" $option
    cmp -s "$folder/stdout" "$folder/version"
    result $? "$option prints what --version prints"
done
cp "$folder/version" "$folder/stdout"
grep -qE '^thermoface [0-9]+\.[0-9]+' "$folder/stdout"
result $? "--version names a version"
good "--help" --help
for command in devices watch record mark verify run plot report eval bench model; do
    run --help
    grep -qE "^  $command " "$folder/stdout"
    result $? "--help lists $command"
done
run --help
cp "$folder/stdout" "$folder/help"
! grep -nE '^.{81,}' "$folder/help" >"$folder/stderr"
result $? "--help is at most 80 columns wide"
for word in -h help; do
    good "$word" $word
    cmp -s "$folder/stdout" "$folder/help"
    result $? "$word prints what --help prints"
done
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\)  .*/\1/p' "$folder/help")
groups="calibrate eval bench"
for group in $groups; do
    run $group --help
    for word in $(sed -n '/^WHAT:/,/^$/s/^  \([a-z][a-z0-9]*\)  .*/\1/p' "$folder/stdout"); do
        commands="$commands
$group $word"
    done
done
[ "$(wc -l <<<"$commands")" -ge 22 ]
result $? "commands and groups: $(wc -l <<<"$commands")"
while read -r command; do
    good "$command --help" $command --help
    cp "$folder/stdout" "$folder/help"
    grep -q "^Usage: thermoface ${command}" "$folder/help"
    result $? "$command --help says how it is used"
    good "$command -h" $command -h
    cmp -s "$folder/stdout" "$folder/help"
    result $? "$command -h prints what --help prints"
    good "help $command" help $command
    cmp -s "$folder/stdout" "$folder/help"
    result $? "help $command prints what --help prints"
    # Columns, not bytes.
    ! grep -nE '^.{81,}' "$folder/help" >"$folder/stderr"
    result $? "$command --help is at most 80 columns wide"
done <<<"$commands"

bad 2 'Usage' "no command"
bad 2 "'fly' is no command" "unknown command" fly
bad 2 'INPUT... missing' "run without input" run
bad 2 'name files of one input' "run with two inputs to one file" run a.mkv b.mkv --csv "$folder/a.csv"
bad 1 'No such file' "run with two inputs that are not there" run a.mkv b.mkv --output "$folder/out"
bad 2 'belong to a session' "jobs for one video" run a.mkv --jobs 2
bad 2 'must be X,Y,W,H' "black body without a size" run a.mkv --black-body 1,2
bad 2 'needs --black-body-temperature' "black body without its temperature" run a.mkv --black-body 1,2,3,4
bad 2 "names of regions" "plot of what can be no region" plot . --regions 'nose tip'
bad 2 '--fly: no such option$' "unknown option" run a.mkv --fly
bad 2 'no such option; did you mean --palette' "mistyped option: a letter too few" run a.mkv --palete iron
bad 2 'no such option; did you mean --limit' "mistyped option: swapped letters, with a value" run a.mkv --limti=3
bad 2 'begins several options: --thermal-size, --thermal-format' "beginning of several options lists them" calibrate faces a b --thermal
bad 2 'did you mean homography' "mistyped word" calibrate points a --model homografy
bad 2 "'wacth' is no command; did you mean 'watch'" "mistyped command" wacth
bad 2 "'benchmark' is no command; did you mean 'bench'" "longer word for a command" benchmark
bad 2 "bench: 'kernel' is no command; did you mean 'kernels'" "mistyped word of a group" bench kernel --json
bad 2 "'wacth' is no command; did you mean 'watch'" "help of a mistyped command" help wacth
bad 2 "one word too many" "help of two commands" help run plot
bad 2 '-x: no such option' "unknown short option" run a.mkv -x
bad 2 '--limit needs a value' "option without its value" run a.mkv --limit
bad 2 'takes no value' "flag with a value" run a.mkv --overwrite=yes
bad 2 '0, 90, 180 or 270' "rotation of 45 degrees" run a.mkv --rotate 45
bad 2 'whole number' "negative limit" run a.mkv --limit -1
bad 2 'whole number' "limit with letters" run a.mkv --limit 10k
bad 2 'whole number' "hexadecimal limit" run a.mkv --limit 0x10
bad 2 'whole number' "limit beyond 64 bits" run a.mkv --limit 99999999999999999999
bad 2 'from 1 to 16' "too many threads" run a.mkv --threads 17
bad 2 'is empty' "empty option" run a.mkv --csv ''
bad 2 'number from' "scale that is not a number" run a.mkv --scale nan
bad 2 '--csv-profile excel: must be thermoface or openface' "unknown CSV profile" run a.mkv --csv "$folder/a.csv" --csv-profile excel
bad 2 '--mirror maybe: must be auto, no or yes' "unknown time to read twice" run a.mkv --mirror maybe
bad 2 '--mirror maybe: must be auto, no or yes' "unknown time to read twice, bench" bench pipeline --mirror maybe
bad 2 'needs --csv' "CSV profile without CSV" run a.mkv --csv-profile openface
bad 2 'two outputs' "one file for two outputs" run a.mkv --csv "$folder/a" --ndjson "$folder/a"
bad 2 'standard output' "both record streams to standard output" run a.mkv --csv - --ndjson -
bad 2 'needs a file' "video to standard output" run a.mkv --video -
bad 2 '--cpu sse9: must be generic, avx2' "unknown level of the processor" run a.mkv --cpu sse9
bad 2 '--cpu avx3: .*did you mean avx2' "mistyped level" bench model a.onnx --cpu avx3
bad 2 '--format lepton3-y61: must be lepton3-y16, .* or optris-yuyv; did you mean lepton3-y16' "mistyped row" run a.mkv --format lepton3-y61
bad 2 'did you mean iron' "mistyped palette" run a.mkv --palette irn
bad 2 'an argument is empty: expected INPUT' "empty input" run ''
bad 2 'an argument is empty' "empty mark" mark ''
bad 2 '1 to 63 of the characters' "camera that is no name" run a.mkv --camera 'A b'
bad 2 'synthetic has no end' "synthetic to a folder" run synthetic --output "$folder/out"
bad 2 'expected http://HOST:PORT' "address of another kind" watch --url ftp://host --seconds 1
bad 2 '--palette plaid: must be iron, white-hot' "unknown palette" run a.mkv --video "$folder/a.mkv" --palette plaid
bad 2 'Usage: thermoface bench WHAT' "bench without a subject" bench
bad 2 "'cheese'" "bench of something else" bench cheese
bad 2 'WIDTHxHEIGHT' "size without a height" bench pipeline --size 640
bad 2 'WIDTHxHEIGHT' "size with a tail" bench pipeline --size 640x512x3
bad 2 'WIDTHxHEIGHT' "size of nothing" bench pipeline --size 0x0
bad 2 'number from' "frame rate of zero" bench pipeline --fps 0
bad 2 'FILE missing' "model without a file" model
bad 2 'one argument too many' "devices with an argument" devices /dev/video0
bad 2 'Usage: thermoface eval WHAT' "eval without a subject" eval
bad 2 'Usage: thermoface calibrate WHAT' "calibrate without a way" calibrate
bad 2 'start, stop or status' "record of something else" record cheese
bad 2 'needs --subject and --task' "record start without a subject" record start --task t
bad 2 'belong to start' "record stop with a subject" record stop --subject 1
bad 2 'TEXT missing' "mark without a text" mark
bad 2 'not UTF-8' "mark that is not UTF-8" mark $'\xff'
bad 1 'is thermofaced running' "mark without a service" mark a --url http://127.0.0.1:9
run verify "$folder/none"
[ $status = 1 ] && grep -q 'none: No such file' "$folder/stdout" && grep -q '1 problem' "$folder/stderr"
result $? "verify of a folder that is not there"
mkdir "$folder/empty"
bad 1 "no recorded session" "run of a folder without sessions" run "$folder/empty"
bad 1 "no such recording" "plot of a folder without sessions" plot "$folder/empty"
bad 1 'no recording is in it' "verify of an empty folder" verify "$folder/empty"
good "words after -- are arguments, not options" model --help -- --json

run run a.mkv --rotate 45
grep -q "Try 'thermoface run --help'" "$folder/stderr"
result $? "wrong usage points at --help"
done_testing
