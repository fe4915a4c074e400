# Sourced by guest-test.sh: the service under systemd, streams, vivid's faults, unplugging over and over.
# --- service -----------------------------------------------------------------------------------------------------
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec=4\nRestartSec=200ms\n' >/etc/systemd/system/thermofaced.service.d/test.conf
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
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec=60\n' >/etc/systemd/system/thermofaced.service.d/test.conf
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
# A PAUSE that its own TEARDOWN interrupts makes it exit with 1, after all pictures.
gstreamer() {
    timeout 90 gst-launch-1.0 -q rtspsrc location=rtsp://127.0.0.1:8554/thermal protocols=udp \
        ! rtph264depay ! fakesink num-buffers=2 2>/tmp/gst-launch || grep -q 'gst_rtspsrc_pause ()' /tmp/gst-launch
}
ok "stream: GStreamer over UDP" gstreamer
ok "stream: snapshot is a PNG" eval 'curl -s -m 20 -o /tmp/s.png "$http/snapshot.png?camera=thermal" &&
    head -c 4 /tmp/s.png | grep -q PNG'

# --- from outside --------------------------------------------------------------------------------------------------
# The host reads it through a forwarded port, once the file "outside" is there.
net=$(ls /sys/class/net | grep -v lo | head -n 1)
ip addr add 10.0.2.15/24 dev "$net"
ip link set "$net" up
install -d -m 0700 /etc/credstore
(umask 077; echo lab:outside >/etc/credstore/thermoface.rtsp)
cp /etc/thermoface/thermofaced.conf /tmp/inside.conf
sed -i 's/^port=8554/address=0.0.0.0\nport=8554/' /etc/thermoface/thermofaced.conf
systemctl restart thermofaced
within 60 is state running
touch outside
within 150 test -s outside-done
note "outside: $(tr '\n' ' ' <outside-done)"
ok "stream: ffprobe from outside, with a password" grep -q '^h264,' outside-done
ok "stream: without a password it is refused" grep -q '401 Unauthorized' outside-done
rm /etc/credstore/thermoface.rtsp
cp /tmp/inside.conf /etc/thermoface/thermofaced.conf
systemctl restart thermofaced
within 60 is state running

# --- faults ------------------------------------------------------------------------------------------------------
records() { curl -sN -m "$1" "$http/landmarks?camera=thermal" >/tmp/records.ndjson; true; }
holes() { jq -s '[.[].frame] as $f | [range(1; $f | length) | select($f[.] != $f[. - 1] + 1)] | length' /tmp/records.ndjson; }
during() { records "$1" & local p=$!; sleep 2; eval "$2" >/dev/null; wait $p; }

during 6 'v4l2-ctl -d0 -c inject_v4l2_buf_flag_error=1'
ok "fault: buffer error flag gives a corrupt record" eval 'jq -se "any(.[]; .state == \"corrupt\" and (.flags | index(\"corrupt\")))" /tmp/records.ndjson'
ok "fault: buffer error flag is in the metrics" eval '[ "$(metric "frames_state_total{camera=\"thermal\",state=\"corrupt\"}")" -ge 1 ]'
ok "fault: buffer error flag leaves no hole" eval '[ "$(holes)" = 0 ]'
during 8 'v4l2-ctl -d0 -c percentage_of_dropped_buffers=30; sleep 3; v4l2-ctl -d0 -c percentage_of_dropped_buffers=0'
ok "fault: lost buffers are flagged as gaps" eval 'jq -se "any(.[]; .flags | index(\"gap\"))" /tmp/records.ndjson'
ok "fault: lost buffers are counted" eval 'jq -se ".[-1].dropped.driver > .[0].dropped.driver" /tmp/records.ndjson'
ok "fault: lost buffers are in the metrics" eval '[ "$(metric "dropped_total{camera=\"thermal\",place=\"driver\"}")" -ge 1 ]'
ok "fault: sequence and count agree" eval 'jq -se "(.[-1].sequence - .[0].sequence) - (.[-1].frame - .[0].frame) ==
    .[-1].dropped.driver - .[0].dropped.driver + .[-1].dropped.capture - .[0].dropped.capture" /tmp/records.ndjson'
for fault in inject_fatal_streaming_error disconnect; do
    marked
    was=$(state reopened)
    v4l2-ctl -d0 -c $fault=1 >/dev/null
    ok "fault: $fault is said in the journal" within 30 journal 'thermal: '
    ok "fault: $fault is survived" within 60 eval '[ "$(state reopened)" -gt '"$was"' ] && is state running'
    ok "fault: $fault is in the metrics" eval '[ "$(metric "reopened_total{camera=\"thermal\"}")" -gt '"$was"' ] && [ "$(metric "up{camera=\"thermal\"}")" = 1 ]'
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

# --- unplugged: what an operator sees -----------------------------------------------------------------------------
bus=/sys/bus/platform/drivers/vivid
picture() { # 16 x 16 gray values of the stream
    timeout 60 ffmpeg -v error -rtsp_transport tcp -i rtsp://127.0.0.1:8554/thermal -frames:v 1 -vf scale=16:16,format=gray \
        -f rawvideo - </dev/null | od -An -tu1 -v -w1
}
apart() { paste "$1" "$2" | awk '{ d = $1 - $2; s += d < 0 ? -d : d; n++ } END { print int(s / n); exit !(n == 256) }'; }
picture >/tmp/running.txt
marked
echo vivid.0 >$bus/unbind
ok "fault: unplugged is in the journal" within 20 journal 'thermal: lost: .*unplugged'
ok "fault: unplugged is in /state" within 20 is state lost
ok "fault: unplugged is in the metrics" eval '[ "$(metric "up{camera=\"thermal\"}")" = 0 ]'
ok "fault: unplugged is in /healthz" eval '[ "$(curl -s -m 5 -o /tmp/health -w "%{http_code}" $http/healthz)" = 503 ] && grep -q "thermal: lost" /tmp/health'
picture >/tmp/card.txt
ok "fault: unplugged: the stream goes on with another picture, the card" eval 'echo "$(apart /tmp/running.txt /tmp/card.txt)"; [ "$(apart /tmp/running.txt /tmp/card.txt)" -ge 15 ]'
note "  mean difference of the pictures: $(head -n 1 /tmp/ok.log) of 255"
echo vivid.0 >$bus/bind
ok "fault: unplugged, and back" within 60 is state running

# --- unplug and replug --------------------------------------------------------------------------------------------
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
# Not one more than after the third. Fewer it may be: the last viewer's threads end some time after he has gone.
number() { sed -E "s/.*$1 ([0-9]+).*/\\1/" <<<"$2"; }
ok "replug: descriptors and threads flat" eval '[ "$(number descriptors "$after")" -le "$(number descriptors "$early")" ] &&
    [ "$(number threads "$after")" -le "$(number threads "$early")" ]'
# Once: what an operator would see.
stopped() {
    local best=99999 t try
    for try in 1; do
        t=$(date +%s%3N)
        systemctl stop thermofaced
        t=$(($(date +%s%3N) - t))
        [ $t -ge $best ] || best=$t
        [ $best -ge 2000 ] || break
        systemctl start thermofaced
        within 60 is state running
    done
    systemctl stop thermofaced
    echo "$best ms"
    [ $best -lt 2000 ]
}
ok "stop: within 2 s" stopped
grep -h ' ms' /tmp/ok.log | sed 's/^/# stop took /'

