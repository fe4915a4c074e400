#!/bin/bash
# Lists that have to agree: scripts/packages and debian/control, the versions, the licences. TAP.    usage: test_lists.sh SOURCE
. "$1/tests/cli/tap.sh" none "$1"
cd "$1" || exit 99

# field PACKAGE FIELD: a dependency field of debian/control, one package a line ("source": the first paragraph).
field()
{
    awk -v package="$1" -v field="$2" '
        /^Source:/ { here = package == "source" } /^Package:/ { here = $2 == package }
        /^[^ ]/ { inside = here && index($0, field ":") == 1; if (inside) sub(/^[^:]*:/, "") }
        inside' debian/control | tr ',' '\n' | sed 's/(.*//; s/|.*//; s/[[:space:]]//g' | grep -v '^$' | sort -u
}
listed() { sed -n "s/^$1 //p" scripts/packages | sort -u; }

# What every build environment of Debian has.
essential='^(gcc|libc6-dev|ninja-build|make)$'
run_time='^(gstreamer1\.0-plugins-.*|fonts-.*|glib-networking|polkitd)$'
comm -3 <(listed build | grep -vE "$essential" | grep -vE "$run_time") <(field source Build-Depends | grep -vE '^(debhelper-compat|dh-sequence-.*)$') \
    >"$folder/stderr"
[ ! -s "$folder/stderr" ]
result $? "Build-Depends are the group build of scripts/packages"
comm -23 <(listed build | grep -E "$run_time") <(field thermoface Depends) >"$folder/stderr"
[ ! -s "$folder/stderr" ]
result $? "Depends have what the group build lists for the run time"
[ "$(field thermoface Depends | grep -cE 'plugins-(base|good|bad)|fonts-dejavu-core|glib-networking')" = 5 ]
result $? "Depends have RTSP's plugins, a font, TLS for RTSP"

version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
[ -n "$version" ] && [ "$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)" = "$version" ]
result $? "debian/changelog has the version of meson.build"

# The paragraph of debian/copyright that is a licence's text; an empty line is " ." there.
licence() { awk -v RS= -v first="License: $1" 'index($0, first "\n") == 1' debian/copyright | sed '1d; s/^ \.$//; s/^ //; /^$/d'; }
diff <(licence thermoface-models) <(sed '/^$/d' models/LICENSE) >"$folder/stderr"
result $? "debian/copyright has the whole licence of the networks"
diff <(licence Expat) <(sed '1,/^Copyright/d; /^$/d' LICENSE) >"$folder/stderr"
result $? "and that of the source"
for network in models/*.onnx; do
    grep -q "'$(basename "$network")'" models/meson.build
    result $? "$(basename "$network") is installed"
done
grep -q '^#directory=$' config/thermofaced.conf.example
result $? "the example has the key that the installed one sets"
! ls debian/*lintian-overrides debian/source/lintian-overrides 2>"$folder/stderr"
result $? "no tag of lintian is overridden"
done_testing
