#!/bin/bash
# The installed engine as another program meets it: meson install into an empty folder, then only what lies there, found by
# pkg-config. TAP.    usage: test_engine_library.sh BUILD SOURCE CC...
set -u
build=$1 source=$2
shift 2
cc=("$@")
. "$source/tests/cli/tap.sh" none "$source"
root=$folder/root

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$folder/stderr" 2>&1
result $? "meson install"
pc=$(find "$root" -name tf_engine.pc)
[ -s "$pc" ]
result $? "tf_engine.pc is installed"
prefix=$(sed -n 's/^prefix=//p' "$pc")
# Only this folder and libprotobuf-c of the system; nothing of the source tree.
export PKG_CONFIG_PATH=${pc%/*}
mkdir "$folder/example"
cp "$source"/docs/examples/engine/* "$folder/example"
cd "$folder/example" || exit 99
# The package's paths begin with the prefix, which is inside the folder here.
wrapper=$folder/pkg-config
printf '#!/bin/sh\nexec pkg-config --define-variable=prefix=%s "$@"\n' "$root$prefix" >"$wrapper"
chmod +x "$wrapper"
export PKG_CONFIG=$wrapper
[ "$("$wrapper" --modversion tf_engine)" = "$(sed -n "s/^  version: '\(.*\)',/\1/p" "$source/meson.build")" ]
result $? "its version is the project's"
make CC="${cc[*]}" CFLAGS='-O1 -Wall -Wextra -Werror' >"$folder/stderr" 2>&1
result $? "the example compiles without a warning"
./run_model edges.onnx >"$folder/stdout" 2>"$folder/stderr"
result $? "and runs"
# The same edges from the definition: Sobel's filters, u8 with steps of 4 and 8.
python3 - >"$folder/expected" <<'P'
N = 48
p = [[200 if (x + .5 - N / 2) ** 2 + (y + .5 - N / 2) ** 2 < (N / 3) ** 2 else 40 for x in range(N)] for y in range(N)]
at = lambda y, x: p[y][x] if 0 <= y < N and 0 <= x < N else 0
k = [(-1, -1, -1), (-1, 1, 1), (0, -1, -2), (0, 1, 2), (1, -1, -1), (1, 1, 1)]
u8 = lambda v: max(0, min(255, round(v)))
def edge(y, x):
    slopes = (sum(f * at(y + a, x + b) for a, b, f in k), sum(f * at(y + b, x + a) for a, b, f in k))
    return 8 * u8(sum(4 * u8(s * sign / 4) for s in slopes for sign in (1, -1)) / 8)
e = [[edge(y, x) for x in range(N)] for y in range(N)]
most = max(map(max, e))
print("input picture, 1x1x48x48, quantised\noutput edges, 1x1x48x48, quantised")
for y in range(0, N, 2):
    print("".join(" .:-=+*%#"[e[y][x] * 8 // most] if e[y][x] else " " for x in range(N)))
P
diff "$folder/expected" "$folder/stdout" >"$folder/stderr"
result $? "its result is what the definition of the network gives"
./run_model --bench edges.onnx >"$folder/stdout" 2>"$folder/stderr" && grep -q 'ms a run' "$folder/stdout"
result $? "the example measures"
printf 'no model' >broken.onnx
./run_model broken.onnx >"$folder/stdout" 2>"$folder/stderr"
[ $? = 1 ] && grep -q 'broken.onnx' "$folder/stderr"
result $? "a file that is no model is an error that names it"
printf 'P5 4 4 255\n0123456789abcdef' >small.pgm
./run_model edges.onnx small.pgm >"$folder/stdout" 2>"$folder/stderr"
[ $? = 1 ] && grep -q 'small.pgm: not an 8-bit binary PGM of 48x48' "$folder/stderr"
result $? "so is a picture of another size"
python3 make_edges.py made.onnx 2>"$folder/stderr" && cmp made.onnx edges.onnx
result $? "edges.onnx is what make_edges.py writes"

library=$(find "$root" -name libtf_engine.a)
nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort >"$folder/symbols"
cat "$root$prefix"/include/thermoface/*.h | tr -s ' \n*' '\n' | sed -n 's/^\(tf_[a-z0-9_]*\)(.*/\1/p' | sort -u >"$folder/declared"
comm -3 "$folder/symbols" "$folder/declared" >"$folder/stderr"
[ -s "$folder/symbols" ] && [ ! -s "$folder/stderr" ]
result $? "what the headers declare is what the library offers, and nothing else"
! grep -rn '#include "' "$root$prefix/include/thermoface" >"$folder/stderr"
result $? "the headers need nothing of the source tree"
if command -v g++ >/dev/null; then
    printf '#include <thermoface/engine.h>\nint main() { tf_engine *e = nullptr; tf_error r = {}; return tf_engine_open("none.onnx", nullptr, &e, &r) == -2 ? 0 : 1; }\n' >as_cpp.cc
    g++ -Wall -Werror $("$wrapper" --cflags tf_engine) -o as_cpp as_cpp.cc $("$wrapper" --libs tf_engine) 2>"$folder/stderr" && ./as_cpp
    result $? "C++ may include it"
else
    skip "C++ may include it" "no g++"
fi
done_testing
