#!/bin/bash
# The recipe of models/landmarks68.onnx, one command from data to file; docs/training.md explains the steps.
#
#   training/landmarks68.sh [--quick] [OUTPUT]
#
# OUTPUT: by default landmarks68.onnx in the folder of runs (training/out, or TF_TRAINING_OUT), never the shipped file.
# A run that was broken off goes on when it is called again. --quick: every step anew on a few faces, to see that all runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${TF_TRAINING_OUT:-$here/out}
quick=() quicker=() processes=(--processes 2 --threads 1)
if [ "${1-}" = --quick ]; then
    quick=(--quick) quicker=(--quick --batch 8) processes=(--threads 1) out=$out/quick
    export TF_TRAINING_OUT=$out
    shift
fi
file=${1-$out/landmarks68.onnx}
[ $# -le 1 ] && [ -n "$file" ] && [ "${file#-}" = "$file" ] || { sed -n '4s/^# */usage: /p' "$0" >&2; exit 2; }
mkdir -p "$out" "$(dirname "$file")"
# What the epochs with real thermal faces have in common.
weak=(--pseudo "$out/weak.npz:0.3" --reshape --mild --steady --look 0.35 --empty 0.12 --threads 1)
run()
{
    echo "landmarks68: $*"
    "$here/$@"
}
run train.py landmarks68 --epochs 40 --out "$out/landmarks68" "${processes[@]}" "${quicker[@]}"
[ -f "$out/weak.npz" ] || run weak.py --landmarks "$out/landmarks68/last.pt" --around 8 --out "$out/weak.npz"
run train.py landmarks68 --init "$out/landmarks68/last.pt" --out "$out/landmarks68-weak" "${weak[@]}" \
    --lr 6e-4 --epochs 3 "${quicker[@]}"
run train.py landmarks68 --init "$out/landmarks68-weak/last.pt" --out "$out/landmarks68-clean" "${weak[@]}" \
    --lr 8e-4 --epochs 9 --clean 3 "${processes[@]}" "${quicker[@]}"
run quantise.py landmarks68 --checkpoint "$out/landmarks68-clean/last.pt" --pseudo "$out/weak.npz:0.3" \
    --output "$file" "${quick[@]}"
echo "landmarks68: $file"
