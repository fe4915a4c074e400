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
