#!/bin/bash
# thermofaced's command line: usage, what it says of a configuration, and where the networks are.
. "$(dirname "$0")/tap.sh"
thermoface_program=$(realpath "$3")
conf=$folder/t.conf

good "--help" --help
cp "$folder/stdout" "$folder/help"
grep -q '^Usage: thermofaced' "$folder/help" && ! grep -qE '^.{81,}' "$folder/help"
result $? "--help says how it is used, in 80 columns"
good "-h" -h
cmp -s "$folder/stdout" "$folder/help"
result $? "-h prints what --help prints"
good "--version" --version
cp "$folder/stdout" "$folder/version"
grep -qE '^thermofaced [0-9]+\.[0-9]+' "$folder/version"
result $? "--version names a version"
good "-v" -v
cmp -s "$folder/stdout" "$folder/version"
result $? "-v prints what --version prints"
bad 2 '--config FILE is missing' "no configuration"
bad 2 '--chek-config: no such option; did you mean --check-config' "mistyped option" --chek-config
bad 2 'one argument too many' "an argument" -c "$conf" more
bad 1 "none.conf: No such file" "a configuration that is not there" --config "$folder/none.conf"

# All that is wrong with a file, in the order of its lines.
cat >"$conf" <<'END'
key=before
[camera thermal]
sorce=/dev/video0
width=abc
height=120
offset=3
this line is nothing
format=lepton9
[camra two]
source=synthetic
loop=maybe
[camera thermal]
source=/dev/video1
[camera B]
source=x
[http]
address=0.0.0.0
port=99999
port=8080
prot=8080
[pair rig]
thermal=thermal
visible=nobody
[overlay]
palette=plaid
[http]
foo=bar
[recording
[inference]
region-masks=yes
cpu=sse2
END
bad 1 "^$conf:1: key stands before" "a file with many errors" --check-config -c "$conf"
sed -E "s|^$conf:([0-9]+): .*|\1|" "$folder/stderr" | tr '\n' ' ' >"$folder/lines"
[ "$(cat "$folder/lines")" = "1 3 4 6 7 8 9 12 14 17 18 19 20 25 26 28 30 31 " ]
result $? "each is named with its line, in order, and none that another one explains ($(cat "$folder/lines"))"
for words in "3: unknown key sorce .*did you mean source" "6: .camera thermal. sets an offset without a scale" \
    "7: expected .section. or key=value" "8: there is no format row" "9: unknown section" \
    "12: a second .camera thermal." "17: .http. would listen on 0.0.0.0" "19: port is set twice" \
    "25: palette .plaid. is not known" "28: expected .section." "30: .*needs a segmentation network"; do
    grep -qE "^$conf:$words" "$folder/stderr"
    result $? "line $words"
done
bad 1 "^$conf:31: " "the service does not start and says as much" -c "$conf"
{ echo "[camera a]"; echo "source=synthetic"; for i in $(seq 70); do echo "no-such-key-$i=1"; done; } >"$conf"
bad 1 "^$conf: and 20 more" "more errors than anybody reads" --check-config -c "$conf"
[ "$(wc -l <"$folder/stderr")" = 51 ] && tail -2 "$folder/stderr" | grep -q "^$conf:52: "
result $? "the first 50 are listed"
printf '[overlay]\npoints=maybe\n' >"$conf"
bad 1 "^$conf: no camera: write a section" "what is missing comes after what is wrong" --check-config -c "$conf"
[ "$(head -1 "$folder/stderr" | grep -c ":2: ")" = 1 ]
result $? "which comes first"
head -c 300000 /dev/zero | tr '\0' '#' >"$conf"
bad 1 "larger than 256 KiB" "a file that is too large" --check-config -c "$conf"

printf '[camera a]\nsource=synthetic\n[recording]\nvideo=/tmp/%%n.gif\n' >"$conf"
bad 1 "^$conf:4: /tmp/camera.gif: .gif files .gif. do not hold H.264" "a video= that no video fits" --check-config -c "$conf"
printf '[camera a]\nsource=synthetic\n[recording]\nvideo=/tmp/%%n\n' >"$conf"
good "a video= without an ending is Matroska" --check-config -c "$conf"

# Networks that are not where they are looked for.
printf '[camera a]\nsource=synthetic\n' >"$conf"
good "a configuration that is right" --check-config -c "$conf"
grep -q 'all right' "$folder/stdout"
result $? "is said to be"
TF_MODELS=$folder/none bad 1 '--models.*models=DIR.*TF_MODELS' "networks that are not there" --check-config -c "$conf"
TF_MODELS=$folder/none bad 1 '--models.*models=DIR.*TF_MODELS' "networks that are not there, at the start" -c "$conf"
printf '[camera a]\nsource=synthetic\n[inference]\nmodels=%s\n' "$folder/none" >"$conf"
bad 1 "^$conf:4: .*none/landmarks68.onnx: .*models=DIR" "a models= that is not there" --check-config -c "$conf"
printf '[camera a]\nsource=synthetic\nanalyse=no\n[inference]\nmodels=%s\n' "$folder/none" >"$conf"
good "nobody needs networks who looks for no faces" --check-config -c "$conf"

thermofaced=$thermoface
thermoface=$thermoface_program
TF_MODELS=$folder/none bad 1 '--models.*models=DIR.*TF_MODELS' "thermoface run without networks" \
    run synthetic --limit 1
bad 1 '--models.*models=DIR.*TF_MODELS' "thermoface bench pipeline without networks" \
    bench pipeline --seconds 1 --models "$folder/none"
touch "$folder/a.csv"
bad 1 '--models.*models=DIR.*TF_MODELS' "thermoface eval visible68 without networks" \
    eval visible68 "$folder/a.csv" --images "$folder" --models "$folder/none"
cp "$thermoface" "$folder/moved"
thermoface=$folder/moved
run run synthetic --limit 1
if [ $status = 0 ]; then
    skip "a moved build says where it looked" "the networks are installed"
else
    [ $status = 1 ] && grep -q -- '--models.*models=DIR.*TF_MODELS' "$folder/stderr"
    result $? "a moved build says where it looked, and what to do"
fi
thermoface=$thermofaced
done_testing
