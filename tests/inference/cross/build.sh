#!/bin/sh
# Builds tests of the engine for 64-bit Arm, statically: build.sh COMPILER SOURCE_ROOT FOLDER [PB_C ARCHIVE]
# Without the last two FOLDER/test_kernels_aarch64; with the generated ONNX reader and protobuf-c's archive for that processor the
# whole engine's FOLDER/test_networks_aarch64 and test_vectors_aarch64.
# Each level's file is compiled for that level alone, as inference/engine/meson.build does.
set -eu
cc=$1 root=$2 out=$3 pb_c=${4:-} archive=${5:-}
tests=kernels
[ -z "$pb_c" ] || tests="networks vectors"
work=$out/test_${tests% *}_aarch64.d
mkdir -p "$work"
flags="-O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -ffp-contract=off -D_GNU_SOURCE
  -I$root/tests/inference/cross -I$root -DTF_SOURCE_ROOT=\"$root\""
files="base/clock.c base/cpu.c base/error.c inference/engine/kernels/peak.c inference/engine/mem.c inference/engine/kernels/generic.c inference/engine/kernels/dispatch.c
  inference/engine/kernels/pack.c inference/engine/kernels/arm/conv_neon.c inference/engine/kernels/arm/dw_neon.c
  inference/engine/kernels/arm/elementwise_neon.c tests/inference/support.c"
objects=
compile() {
  object=$work/$(basename "$1").o
  # shellcheck disable=SC2086
  "$cc" $flags ${2:-} -c "$1" -o "$object"
  objects="$objects $object"
}
if [ -n "$pb_c" ]; then
  # The headers of protobuf-c are the same for every processor, but the folder that holds them holds the host's, too.
  mkdir -p "$work/include"
  ln -sfn /usr/include/protobuf-c "$work/include/protobuf-c"
  flags="$flags -I$work/include -I$(dirname "$pb_c")"
  for file in "$root"/inference/engine/*.c; do
    case ${file##*/} in
    mem.c) ;;
    *) files="$files inference/engine/${file##*/}" ;;
    esac
  done
  for file in "$root"/inference/engine/ops/*.c; do
    files="$files inference/engine/ops/$(basename "$file")"
  done
  compile "$pb_c" -w
fi
for file in $files; do
  compile "$root/$file"
done
compile "$root/inference/engine/kernels/arm/conv_dotprod.c" -march=armv8.2-a+dotprod
compile "$root/inference/engine/kernels/arm/conv_i8mm.c" -march=armv8.2-a+dotprod+i8mm
for test in $tests; do
  shared=$objects
  compile "$root/tests/inference/test_$test.c"
  # shellcheck disable=SC2086
  "$cc" -static -o "$out/test_${test}_aarch64" $objects ${archive:+"$archive"} -lm -lpthread
  objects=$shared
done
