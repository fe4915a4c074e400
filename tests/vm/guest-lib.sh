# Sourced by what runs in the guest: results, and how to ask the service.
set -o pipefail
http=http://127.0.0.1:8080
began=$(cut -d. -f1 /proc/uptime)

ok() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >/tmp/ok.log 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name (status $?)"
        tail -n 8 /tmp/ok.log | sed 's/^/#   /'
    fi
}
note() { echo "# $*"; }
skip() { echo "skip $1: $2"; }
state() { curl -s -m 5 $http/state | jq -r ".cameras[0].$1"; }
# Waits at most $1 seconds until the command after it succeeds.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.2
    done
}
metric() { curl -s -m 5 $http/metrics | awk -v k="thermoface_$1" 'index($0, k " ") == 1 { print int($2) }'; }
at() { echo $(($(cut -d. -f1 /proc/uptime) - began)); }
is() { [ "$(state "$1")" = "$2" ]; }
journal() { journalctl -q -u thermofaced -o cat --since "@$mark" | grep -E "$1"; }
marked() { mark=$(date +%s.%N); }
more_frames() { local was; was=$(state frames); within "${1:-60}" eval '[ "$(state frames)" -gt '"$was"' ]'; }
