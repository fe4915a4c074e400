#!/bin/bash
# Standard output that ends early: a reader that has gone is no matter, a full disk is a failure that is said.
. "$(dirname "$0")/tap.sh"
thermofaced=$3
here=$(dirname "$0")
models=$2/models
printf '[camera a]\nsource=synthetic\nanalyse=no\n' >"$folder/t.conf"
python3 "$here/fake_server.py" "$folder/port" 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do [ -s "$folder/port" ] && break; sleep 0.05; done
url=http://127.0.0.1:$(cat "$folder/port")

# check PROGRAM ARGUMENT...
check()
{
    local name
    name="$(basename "$1") ${*:2}"
    "$@" >/dev/full 2>"$folder/stderr" </dev/null
    status=$?
    [ $status = 1 ] && clean && grep -q "No space left on device" "$folder/stderr"
    result $? "${name//"$folder"/} on a full disk fails and says why"
    for how in "" $([[ $name == *help || $name == *json* ]] && echo --ignored); do
        # shellcheck disable=SC2086
        python3 "$here/no_reader.py" $how "$@" >"$folder/stderr"
        [ "$(cat "$folder/stderr")" = -13 ]
        result $? "${name//"$folder"/} without a reader ends quietly ${how#--}"
    done
}

for arguments in "--help" "--version" "-v" "help run" "run --help" "bench --help" "devices --formats" \
    "complete formats" "model $models/finder.onnx" "model $models/finder.onnx --json" \
    "bench model $models/finder.onnx --runs 2" "bench model $models/finder.onnx --runs 2 --json" \
    "bench pipeline --seconds 1" "bench pipeline --seconds 1 --json" "bench kernels --ms 1 --json" \
    "run synthetic --limit 40 --ndjson -" "run synthetic --limit 40 --csv -" \
    "watch --url $url --camera plain --json --seconds 3" "watch --url $url --camera plain --seconds 3"; do
    # shellcheck disable=SC2086
    check "$thermoface" $arguments
done
for arguments in --help --version --help-config "--check-config -c $folder/t.conf"; do
    # shellcheck disable=SC2086
    check "$thermofaced" $arguments
done

# Files are whole all the same.
python3 "$here/no_reader.py" "$thermoface" run synthetic --limit 20000 --ndjson - --csv "$folder/o.csv" \
    >"$folder/stderr"
[ "$(cat "$folder/stderr")" = -13 ] && [ "$(wc -l <"$folder/o.csv")" -lt 10000 ] &&
    [ -z "$(tail -c 1 "$folder/o.csv")" ]
result $? "other files end with a whole line"
# One that prints for long does not work on for nobody.
start=$SECONDS
python3 "$here/no_reader.py" "$thermoface" bench kernels --ms 2000 >"$folder/stderr"
[ "$(cat "$folder/stderr")" = -13 ] && [ $((SECONDS - start)) -lt 30 ]
result $? "bench kernels stops at once"
done_testing
