#!/bin/sh
# Builds the kernel tests for 64-bit Arm, statically: build.sh COMPILER SOURCE_ROOT OUTPUT
# Each level's file is compiled for that level alone, as inference/meson.build does.
set -eu
cc=$1 root=$2 out=$3
work=$out.d
mkdir -p "$work"
flags="-O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -ffp-contract=off -D_GNU_SOURCE -I$root/tests/inference/cross -I$root -DTF_SOURCE_ROOT=\"\""
objects=
compile() {
  object=$work/$(echo "$1" | tr / _).o
  # shellcheck disable=SC2086
  "$cc" $flags ${2:-} -c "$root/$1" -o "$object"
  objects="$objects $object"
}
for file in base/cpu.c base/error.c inference/mem.c inference/kernels/generic.c inference/kernels/dispatch.c \
  inference/kernels/pack.c inference/kernels/arm/conv_neon.c inference/kernels/arm/dw_neon.c \
  inference/kernels/arm/elementwise_neon.c tests/inference/support.c tests/inference/test_kernels.c; do
  compile "$file"
done
compile inference/kernels/arm/conv_dotprod.c -march=armv8.2-a+dotprod
compile inference/kernels/arm/conv_i8mm.c -march=armv8.2-a+dotprod+i8mm
# shellcheck disable=SC2086
"$cc" -static -o "$out" $objects -lm -lpthread
