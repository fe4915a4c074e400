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

# follow PID TEXT COMMAND...: while PID runs, says how far it is, which COMMAND prints: on a terminal in one line that is
# written over, elsewhere a line every ten seconds. Returns PID's status.
follow()
{
    local pid=$1 text=$2 now last= next=$((SECONDS + 10))
    shift 2
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.3
        now=$("$@")
        [ -n "$now" ] && [ "$now" != "$last" ] || continue
        if [ -t 2 ]; then
            printf '\r\033[K%s: %s' "$text" "$now" >&2
        elif [ $SECONDS -ge $next ]; then
            say "  $text: $now"
            next=$((SECONDS + 10))
        else
            continue
        fi
        last=$now
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
    wait "$pid"
}

# missing_packages GROUP...: those of the groups in scripts/packages that this machine lacks, one a line.
missing_packages()
{
    local group wanted
    command -v dpkg-query >/dev/null || return 0 # not Debian: meson will say what it misses
    wanted=$(for group in "$@"; do sed -n "s/^$group //p" "$root/scripts/packages"; done | sort -u)
    # One call: a call for each package would take the second in which the demo says what it does.
    comm -23 <(echo "$wanted") \
        <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

# need_packages GROUP...: installs what the groups list and this machine lacks.
need_packages()
{
    local missing as_root=() log=$root/out/packages.log
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "packages are missing and there is no sudo; as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        as_root=(sudo)
        # Its question for the password belongs to the terminal, not into the log; without a terminal it must need none.
        if ! sudo -n true 2>/dev/null; then
            [ -t 2 ] && sudo -v </dev/tty ||
                die "sudo wants a password and there is no terminal to ask at; as root: scripts/install-packages $*"
        fi
    fi
    say "Installing ${#missing[@]} packages with apt-get (a minute or two; log: out/packages.log)"
    mkdir -p "$root/out"
    {
        # Frontends wait for one another here, as unattended-upgrades runs on many machines.
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 update &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=1 \
                install -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 </dev/null &
    follow $! "packages" apt_progress "$log" || {
        grep -vE '^(dl|pm)status:' "$log" | tail -n 15 >&2
        die "apt-get failed: $(grep -E '^(E|W|Err)[ :]' "$log" | grep -m 1 '^E' || tail -n 1 "$log")"
    }
}

# apt_progress LOG: "41 %: Unpacking gcc", from APT::Status-Fd's lines.
apt_progress()
{
    tail -c 4000 "$1" 2>/dev/null | grep -aE '^(dl|pm)status:' | tail -n 1 |
        awk -F: '{ printf "%s %d %%: %s\n", $1 == "dlstatus" ? "fetching" : "installing", $3, $4 }'
}

# configure FOLDER OPTION...: meson setup, also when the folder is there already.
configure()
{
    local folder=$1 log
    shift
    log=$root/out/${folder##*/}.setup.log
    mkdir -p "$root/out"
    if [ -f "$folder/build.ninja" ]; then
        [ $# = 0 ] || meson configure "$folder" "$@"
    else
        meson setup "$folder" "$root" "$@"
    fi >"$log" 2>&1 </dev/null || {
        tail -n 15 "$log" >&2
        say "meson setup failed: $(grep -m 1 -E 'ERROR' "$log" || tail -n 1 "$log")"
        return 1
    }
}

# compile FOLDER TARGET...: ninja, which says how far it is, and no more unless it fails.
compile()
{
    local folder=$1 log
    shift
    log=$root/out/${folder##*/}.build.log
    ninja -C "$folder" "$@" >"$log" 2>&1 </dev/null &
    follow $! "building" ninja_progress "$log" || {
        grep -E -A 12 'error:|^FAILED|warning:|undefined reference|multiple definition' "$log" | head -n 60 >&2
        say "(the whole log: out/${folder##*/}.build.log)"
        say "the build failed: $(grep -m 1 -E 'error:|undefined reference|multiple definition' "$log" || tail -n 1 "$log")"
        return 1
    }
}

# ninja_progress LOG: "120 of 324 files".
ninja_progress()
{
    tail -c 2000 "$1" 2>/dev/null | sed -nE 's|^\[([0-9]+)/([0-9]+)\].*|\1 of \2 files|p' | tail -n 1
}
