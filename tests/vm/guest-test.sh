# Runs as root in the guest (bash), in the folder shared with the host. Prints one line a check: "ok NAME" or "not ok NAME".
# LONG=1 (from ./options) runs the long figures.
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
[rtsp]
port=8554
fps-max=2
[http]
port=8080
C
}

# --- service -----------------------------------------------------------------------------------------------------
printf '[Service]\nWatchdogSec=4\nRestartSec=200ms\nStartLimitIntervalSec=0\n' >/etc/systemd/system/thermofaced.service.d/test.conf
systemctl daemon-reload
configure y16 640 480 0
marked
ok "service: starts before the camera exists" systemctl start thermofaced
ok "service: says that the camera is absent" within 5 journal 'thermal: .*video0'
ok "service: state is lost or opening" eval '[[ $(state state) =~ lost|opening ]]'
ok "service: its own user" eval '[ "$(ps -o user= -p "$(systemctl show -P MainPID thermofaced)")" = thermof+ ] ||
    [ "$(ps -o user= -p "$(systemctl show -P MainPID thermofaced)")" = thermoface ]'
systemd-analyze security --no-pager thermofaced >/tmp/security.txt
note "$(tail -n 1 /tmp/security.txt)"
ok "service: systemd-analyze security at most 2.0" systemd-analyze security --no-pager --threshold=20 thermofaced
$V
udevadm settle
v4l2-ctl -d0 -c osd_text_mode=2 >/dev/null
ok "service: finds the camera when it comes" within 60 is state running
ok "service: frames flow" more_frames
ok "service: STATUS names the camera" within 30 eval 'systemctl show -P StatusText thermofaced | grep -q thermal'
ok "udev: a name under /dev/thermoface" ls /dev/thermoface/
marked
pid=$(systemctl show -P MainPID thermofaced)
kill -STOP "$pid"
ok "watchdog: a hung daemon is restarted" within 80 eval '[ "$(systemctl show -P NRestarts thermofaced)" -ge 1 ]'
ok "watchdog: frames flow again" within 60 is state running
rm /etc/systemd/system/thermofaced.service.d/test.conf
printf '[Service]\nWatchdogSec=60\n' >/etc/systemd/system/thermofaced.service.d/test.conf
systemctl daemon-reload
systemctl restart thermofaced
within 60 is state running
marked
sed -i '$a [overlay]\npalette=white-hot' /etc/thermoface/thermofaced.conf
ok "reload: SIGHUP is taken" systemctl reload thermofaced
ok "reload: says what changed" within 30 journal 'palette'
ok "reload: capture went on" more_frames

# --- streams -----------------------------------------------------------------------------------------------------
ok "stream: ffprobe over TCP" timeout 90 ffprobe -v error -rtsp_transport tcp -show_entries stream=codec_name,width,height \
    -of csv=p=0 rtsp://127.0.0.1:8554/thermal
ok "stream: GStreamer over UDP" timeout 90 gst-launch-1.0 -q rtspsrc location=rtsp://127.0.0.1:8554/thermal protocols=udp \
    ! rtph264depay ! fakesink num-buffers=2
ok "stream: snapshot is a PNG" eval 'curl -s -m 20 -o /tmp/s.png "$http/snapshot.png?camera=thermal" &&
    head -c 4 /tmp/s.png | grep -q PNG'

# --- faults ------------------------------------------------------------------------------------------------------
records() { curl -sN -m "$1" "$http/landmarks?camera=thermal" >/tmp/records.ndjson; true; }
holes() { jq -s '[.[].frame] as $f | [range(1; $f | length) | select($f[.] != $f[. - 1] + 1)] | length' /tmp/records.ndjson; }
during() { records "$1" & local p=$!; sleep 2; eval "$2" >/dev/null; wait $p; }

during 6 'v4l2-ctl -d0 -c inject_v4l2_buf_flag_error=1'
ok "fault: buffer error flag gives a corrupt record" eval 'jq -se "any(.[]; .state == \"corrupt\" and (.flags | index(\"corrupt\")))" /tmp/records.ndjson'
ok "fault: buffer error flag leaves no hole" eval '[ "$(holes)" = 0 ]'
during 8 'v4l2-ctl -d0 -c percentage_of_dropped_buffers=30; sleep 3; v4l2-ctl -d0 -c percentage_of_dropped_buffers=0'
ok "fault: lost buffers are flagged as gaps" eval 'jq -se "any(.[]; .flags | index(\"gap\"))" /tmp/records.ndjson'
ok "fault: lost buffers are counted" eval 'jq -se ".[-1].dropped.driver > .[0].dropped.driver" /tmp/records.ndjson'
ok "fault: sequence and count agree" eval 'jq -se "(.[-1].sequence - .[0].sequence) - (.[-1].frame - .[0].frame) ==
    .[-1].dropped.driver - .[0].dropped.driver + .[-1].dropped.capture - .[0].dropped.capture" /tmp/records.ndjson'
for fault in inject_fatal_streaming_error disconnect; do
    marked
    was=$(state reopened)
    v4l2-ctl -d0 -c $fault=1 >/dev/null
    ok "fault: $fault is said in the journal" within 30 journal 'thermal: '
    ok "fault: $fault is survived" within 60 eval '[ "$(state reopened)" -gt '"$was"' ] && is state running'
done
for call in reqbufs qbuf streamon; do
    marked
    was=$(state reopened)
    v4l2-ctl -d0 -c inject_vidioc_${call}_error=1 >/dev/null
    v4l2-ctl -d0 -c disconnect=1 >/dev/null # the next opening meets the error
    ok "fault: VIDIOC_${call^^} error is survived" within 80 eval '[ "$(state reopened)" -gt '"$was"' ] && is state running'
done
marked
v4l2-ctl -d0 -i 1 >/dev/null 2>&1
systemctl stop thermofaced
v4l2-ctl -d0 --stream-mmap --stream-count=100000 >/dev/null 2>&1 &
holder=$!
sleep 1
systemctl start thermofaced
ok "fault: a device that another process holds is reported busy" within 20 journal '[Bb]usy|another|in use'
kill $holder
wait $holder
v4l2-ctl -d0 -i 0 >/dev/null 2>&1
ok "fault: and taken once it is free" within 60 is state running

# --- unplug and replug --------------------------------------------------------------------------------------------
bus=/sys/bus/platform/drivers/vivid
daemon() { systemctl show -P MainPID thermofaced; }
counts() { echo "descriptors $(ls /proc/$(daemon)/fd | wc -l) threads $(ls /proc/$(daemon)/task | wc -l) RSS $(awk '/VmRSS/ {print $2}' /proc/$(daemon)/status) kB"; }
pid=$(daemon)
before=$(counts)
note "before $CYCLES unplugs: $before"
sum=0 bad=0
for i in $(seq "$CYCLES"); do
    echo vivid.0 >$bus/unbind
    sleep 0.$((RANDOM % 9))
    was=$(state frames)
    echo vivid.0 >$bus/bind
    t0=$(date +%s%3N)
    if within 60 eval '[ "$(state frames)" -gt '"$was"' ]'; then sum=$((sum + $(date +%s%3N) - t0)); else bad=$((bad + 1)); fi
    [ $i != 3 ] || early=$(counts)
done
after=$(counts)
note "after the third: $early"
note "after $CYCLES unplugs: $after; mean from bind to a new record $((sum / CYCLES)) ms; not back in 30 s: $bad"
ok "replug: every time back" [ $bad = 0 ]
ok "replug: same process" [ "$(daemon)" = "$pid" ]
ok "replug: descriptors and threads flat" [ "${early% RSS*}" = "${after% RSS*}" ]
ok "stop: within 2 s" eval 't=$(date +%s%3N); systemctl stop thermofaced; t=$(($(date +%s%3N) - t)); echo "$t ms"; [ $t -lt 2000 ]'
grep -h ' ms' /tmp/ok.log | sed 's/^/# stop took /'

# --- formats, pixel for pixel -------------------------------------------------------------------------------------
# vivid's output feeds its input: same timings, size, fourcc and colorspace on both sides.
modprobe -r vivid
$V
udevadm settle
loop() { # ROW FOURCC WIDTH HEIGHT PATTERN EXPECT [BYTESPERLINE]
    v4l2-ctl -d0 -i 1 -c osd_text_mode=2 >/dev/null
    v4l2-ctl -d0 --set-dv-bt-timings index=9 >/dev/null
    v4l2-ctl -d1 --set-dv-bt-timings index=9 >/dev/null
    v4l2-ctl -d0 -c loop_video=1 >/dev/null
    v4l2-ctl -d0 --set-fmt-video=width=$3,height=$4,pixelformat="$2",bytesperline=${7:-0},colorspace=rec709 >/dev/null
    v4l2-ctl -d1 --set-fmt-video-out=width=$3,height=$4,pixelformat="$2",bytesperline=0,colorspace=rec709 >/dev/null
    v4l2-ctl -d1 --stream-out-mmap=4 --stream-from=patterns/$5 --stream-loop --stream-count=4000 >/dev/null 2>&1 &
    local writer=$!
    sleep 1.5
    ./vm-grab /dev/video0 $1 ${3}x$4 20 patterns/$6
    local status=$?
    kill $writer
    wait $writer 2>/dev/null
    return $status
}
while read -r row fourcc w h pattern expect stride; do
    ok "format: $row $fourcc ${w}x$h${stride:+ stride $stride}" loop $row "${fourcc/_/ }" $w $h $pattern $expect $stride
    note "  $(tail -n 1 /tmp/ok.log)"
done <formats
modprobe -r vivid

# --- formats that vivid's output does not take: its own picture, not compared ---------------------------------------
$V
udevadm settle
for format in y16-be grey visible; do
    ok "format: $format is captured" ./vm-grab /dev/video0 $format 640x480 20
    note "  $(tail -n 1 /tmp/ok.log)"
done
ok "format: a size that the driver changes is refused" eval './vm-grab /dev/video0 y16 648x500 1; [ $? = 1 ]'
note "  $(tail -n 1 /tmp/ok.log)"
modprobe -r vivid

note "journal's last lines:"
journalctl -q -u thermofaced -o cat -n 12 | sed 's/^/#   /'
ok "guest: no failed unit" eval '! systemctl list-units --failed --no-legend | grep -v guest-test'
passed=$(grep -c '^ok ' out.txt)
failed=$(grep -c '^not ok ' out.txt)
note "guest ran $(($(cut -d. -f1 /proc/uptime) - began)) s"
echo "$passed passed, $failed failed"
exit $((failed > 0))
