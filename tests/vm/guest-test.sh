# Runs as root in the guest (bash), in the folder shared with the host. Prints one line a check: "ok NAME" or "not ok NAME".
# ./options: CYCLES of unplugging, RECORD_SECONDS, PARTS to run.
exec >out.txt 2>&1
. ./guest-lib.sh
. ./options
V='modprobe vivid n_devs=1 node_types=0x101 num_inputs=2 input_types=0xc num_outputs=1 output_types=0x1'

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

for part in ${PARTS:-service cameras formats triggers}; do
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
