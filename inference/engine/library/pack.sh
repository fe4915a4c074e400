#!/bin/sh
# Joins static libraries into one object, hides what is not public (visibility) and archives it: an application's own symbols,
# its own copy of the ONNX schema say, cannot collide with ours.
# usage: pack.sh OUTPUT FOLDER OBJCOPY AR CC... -- LIBRARY...
set -eu
output=$1 folder=$2 objcopy=$3 ar=$4
shift 4
compiler=
while [ "$1" != -- ]; do
  compiler="$compiler $1"
  shift
done
shift
mkdir -p "$folder"
$compiler -r -nostdlib -Wl,--whole-archive "$@" -Wl,--no-whole-archive -o "$folder/tf_engine.o"
"$objcopy" --localize-hidden "$folder/tf_engine.o"
rm -f "$output"
"$ar" rcsD "$output" "$folder/tf_engine.o"
