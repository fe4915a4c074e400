# Runs as root in the guest (bash), in the folder shared with the host. Prints one line a check: "ok NAME" or "not ok NAME".
# ./options: CYCLES of unplugging, RECORD_SECONDS, PARTS to run.
exec >out.txt 2>&1
set -o pipefail
. ./options
V='modprobe vivid n_devs=1 node_types=0x101 num_inputs=2 input_types=0xc num_outputs=1 output_types=0x1'
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

note "kernel $(uname -r), $(nproc) processors, up after $began s"
cp -a root/. /
ldconfig
systemd-sysusers && systemd-tmpfiles --create thermoface.conf
udevadm control --reload
mkdir -p /etc/systemd/system/thermofaced.service.d /etc/thermoface
systemctl daemon-reload

configure() { # FORMAT WIDTH HEIGHT FPS
    cat >/etc/thermoface/thermofaced.conf <<C
[camera thermal]
source=/dev/video0
format=$1
width=$2
height=$3
fps=$4
analyse=no
frozen=no
[rtsp]
port=8554
fps-max=2
[http]
port=8080
C
}

for part in ${PARTS:-service cameras formats}; do
    note "$part, after $(at) s"
    . ./guest-$part.sh
done

note "journal's last lines:"
journalctl -q -u thermofaced -o cat -n 12 | sed 's/^/#   /'
ok "guest: no failed unit" eval '! systemctl list-units --failed --no-legend | grep -v guest-test'
passed=$(grep -c '^ok ' out.txt)
failed=$(grep -c '^not ok ' out.txt)
# Everything once more, as tables.
table() { # PREFIX TITLE
    printf '# %s\n' "$2"
    sed -nE "s/^(ok|not ok|skip) $1: (.*)/\\2\\t\\1/p" out.txt | awk -F'\t' '{ printf "#   %-76s %s\n", $1, $2 }'
}
table format "formats"
table fault "faults"
note "guest ran $(($(cut -d. -f1 /proc/uptime) - began)) s"
echo "$passed passed, $failed failed"
exit $((failed > 0))
