# Shared by the scripts here: set-up on a bare Debian 12. Sourced by bash, with $root set.

say()
{
    printf '%s\n' "$*" >&2
}

die()
{
    say "${0##*/}: $*"
    exit 1
}

# need_packages GROUP...: installs what scripts/packages lists for these groups and this machine lacks.
need_packages()
{
    local group package missing=() as_root=()
    command -v dpkg-query >/dev/null || return 0 # not Debian: meson will say what it misses
    for group in "$@"; do
        while read -r package; do
            [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
                missing+=("$package")
        done < <(sed -n "s/^$group //p" "$root/scripts/packages")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "these packages are missing; install them as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing ${#missing[@]} packages with apt-get (log: out/packages.log)"
    mkdir -p "$root/out"
    {
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
                "${missing[@]}"
    } >"$root/out/packages.log" 2>&1 </dev/null || {
        tail -n 20 "$root/out/packages.log" >&2
        die "apt-get failed; the packages wanted are: ${missing[*]}"
    }
}

# configure FOLDER OPTION...: meson setup, also when the folder is there already.
configure()
{
    local folder=$1
    shift
    mkdir -p "$root/out"
    if [ -f "$folder/build.ninja" ]; then
        [ $# = 0 ] || meson configure "$folder" "$@"
    else
        meson setup "$folder" "$root" "$@"
    fi >"$root/out/${folder##*/}.setup.log" 2>&1 </dev/null || {
        tail -n 30 "$root/out/${folder##*/}.setup.log" >&2
        return 1
    }
}

# compile FOLDER TARGET...: ninja, quiet unless it fails.
compile()
{
    local folder=$1
    shift
    ninja -C "$folder" "$@" >"$root/out/${folder##*/}.build.log" 2>&1 </dev/null || {
        grep -E -A 12 'error:|^FAILED|warning:|undefined reference|multiple definition' "$root/out/${folder##*/}.build.log" | head -n 60 >&2
        say "(the whole log: out/${folder##*/}.build.log)"
        return 1
    }
}
