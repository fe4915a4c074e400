# Sourced by guest-test.sh: which camera, its controls and shutter, absences, and a recording through all of them.
mkdir -p /var/lib/thermoface/rec
mount /dev/vdb /var/lib/thermoface/rec
chown thermoface:thermoface /var/lib/thermoface/rec
conf=/etc/thermoface/thermofaced.conf
printf '[Unit]\nStartLimitIntervalSec=0\n' >/etc/systemd/system/thermofaced.service.d/often.conf
systemctl daemon-reload
camera() { # SOURCE MORE...: a configuration of one camera
    {
        printf '[camera thermal]\nsource=%s\nformat=y16\nanalyse=no\npictures=no\nfrozen=no\n' "$1"
        shift
        printf '%s\n' "$@"
        printf '[rtsp]\nenabled=no\n[http]\nport=8080\n[recording]\ndirectory=/var/lib/thermoface/rec\nfree-space-min=1\n'
    } >$conf
}
post() { curl -s -m 20 -X POST -H 'Content-Type: application/json' -d "$2" "$http$1"; }
code() { curl -s -m 20 -o /tmp/answer -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d "$2" "$http$1"; }
fresh() { systemctl restart thermofaced && within 60 is state running; }
control() { v4l2-ctl -d "$1" -C "$2" | sed 's/.*: //'; }
bus=/sys/bus/platform/drivers/vivid
plug() { echo vivid.0 >$bus/bind; udevadm settle; }
unplug() { echo vivid.0 >$bus/unbind; udevadm settle; }

# --- which camera -------------------------------------------------------------------------------------------------
modprobe -r vivid 2>/dev/null
modprobe vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0,0
udevadm settle
thermoface devices >/tmp/devices.txt
sed 's/^/#   /' /tmp/devices.txt | cut -c 1-150
ok "which: devices tells two cameras of one kind apart" eval \
    '[ "$(sed -n "s/ *configure as  \([^ ]*\).*/\1/p" /tmp/devices.txt | sort -u | wc -l)" = 2 ]'
ok "which: devices lists controls" grep -q 'controls .*brightness=[0-9]* (0..255)' /tmp/devices.txt
v4l2-ctl -d0 --set-fmt-video=width=640,height=480,pixelformat='Y16 ' >/dev/null
v4l2-ctl -d1 --set-fmt-video=width=320,height=180,pixelformat='Y16 ' >/dev/null
ok "which: the first by its bus" ./vm-grab '/dev/video*#platform:vivid-000' y16 640x480 3
ok "which: the second by its bus" eval './vm-grab "/dev/video*#platform:vivid-001" y16 320x180 3 &&
    v4l2-ctl -d1 -c brightness=99'
modprobe -r vivid
$V
udevadm settle
link=$(ls /dev/v4l/by-path/*vivid*-video-index0 | head -n 1)
note "by path: $link"
camera "$link" width=640 height=480 fps=25 controls=brightness=77,contrast=33 ffc=button=1 ffc-hold=boolean=0
marked
ok "controls: running" fresh
ok "controls: set when the camera is opened" eval '[ "$(control "$link" brightness)" = 77 ] && [ "$(control "$link" contrast)" = 33 ]'
unplug
sleep 1
# Another device takes the number that was the camera's.
other=no
[ -s v4l2loopback.ko ] && modprobe videodev && insmod v4l2loopback.ko video_nr=0 card_label=other && other=yes
udevadm settle
plug
note "after replugging: $(readlink -f "$link")"
[ $other = no ] && skip "which: found by its identity under another number" "no v4l2loopback" ||
    ok "which: found by its identity under another number" eval '[ "$(readlink -f "$link")" != /dev/video0 ] && within 60 is state running && more_frames'
ok "controls: set again after replugging" eval '[ "$(control "$link" brightness)" = 77 ]'
ok "shutter: triggered by a control" eval '[ "$(code /camera/thermal/ffc "{}")" = 200 ]'
ok "shutter: held by a control" eval '[ "$(code /camera/thermal/ffc "{\"action\":\"hold\"}")" = 200 ] && [ "$(control "$link" boolean)" = 0 ]'
ok "shutter: not supported is said" eval '[ "$(code /camera/thermal/ffc "{\"action\":\"release\"}")" = 501 ] && grep -q "not supported" /tmp/answer'
ok "clock: rate, drift and the stamp's source" within 60 eval 'state clock | jq -e ".rate_hz > 1 and .drift_ppm != null and (.t_from | startswith(\"driver\"))"'
note "clock: $(state clock | jq -c .)"
ok "journal: entries carry the camera's name" eval 'journalctl -q -u thermofaced -o json --since "@$mark" |
    jq -se "any(.[]; .TF_CAMERA == \"thermal\" and ._SYSTEMD_UNIT == \"thermofaced.service\" and .PRIORITY != null)"'
[ $other = no ] || rmmod v4l2loopback

# --- permission denied ----------------------------------------------------------------------------------------------
systemctl stop thermofaced
node=$(readlink -f "$link")
chown root:root "$node"
chmod 600 "$node"
marked
systemctl start thermofaced
ok "fault: permission denied is said, with the group" within 20 journal 'permission denied.*video'
ok "fault: permission denied is in /state" eval 'state message | grep -q "permission denied"'
chgrp video "$node"
chmod 660 "$node"
ok "fault: permission denied is in the metrics" eval '[ "$(metric "up{camera=\"thermal\"}")" = 0 ]'
ok "fault: permission given: it runs" within 60 is state running

# --- a frozen picture -------------------------------------------------------------------------------------------------
# vivid's picture without text and movement is one picture.
v4l2-ctl -d "$link" -c osd_text_mode=2 >/dev/null
camera "$link" width=640 height=480 fps=25 settle=500ms
sed -i s/frozen=no/frozen=yes/ $conf
fresh
records() { curl -sN -m "$1" "$http/landmarks?camera=thermal" >/tmp/records.ndjson; true; }
v4l2-ctl -d "$link" -c osd_text_mode=0 >/dev/null
sleep 3
(sleep 2; v4l2-ctl -d "$link" -c osd_text_mode=2; sleep 3; v4l2-ctl -d "$link" -c osd_text_mode=0) >/dev/null &
records 9
wait $!
ok "shutter: a frozen picture is ffc, then settling" eval 'jq -se "([.[].flags[]] | index(\"ffc\") and index(\"ffc_settling\") and index(\"duplicate\")) and (.[0].flags == [])" /tmp/records.ndjson'

# --- a recording through an absence, and a camera that comes back with another size -----------------------------------
camera "$link" width=640 height=480
fresh
post /record/start '{"subject":"01","task":"gap"}' >/tmp/start.json
sleep 3
unplug
sleep 4
plug
within 60 is state running
sleep 3
post /record/stop '{}' >/tmp/stop.json
video=$(ls -t /var/lib/thermoface/rec/sub-01/beh/*gap*_video.mkv | head -n 1)
table=${video%_video.mkv}_frames.csv
gap() { ffprobe -v error -show_entries packet=pts_time -of csv=p=0 "$video" | sort -n | awk -F, 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most }'; }
note "longest step between stamps of the recording: $(gap) s"
ok "fault: a recording shows an absence as a gap of its length" eval 'gap | awk "{ exit !(\$1 >= 4 && \$1 < 60) }"'
ok "fault: and its first frame afterwards as one after a gap" grep -q ',gap\|gap,\|"gap' "$table"
camera "$link" width=0 height=0
v4l2-ctl -d "$link" --set-fmt-video=width=640,height=480,pixelformat='Y16 ' >/dev/null
fresh
note "size $(state width)x$(state height)"
post /record/start '{"subject":"01","task":"size"}' >/tmp/start.json
sleep 2
unplug
plug
within 60 eval '[ "$(state height)" != 480 ] && is state running'
note "came back with $(state width)x$(state height)"
sleep 2
post /record/stop '{}' >/tmp/stop.json
note "recording: $(cut -c 1-300 /tmp/stop.json)"
ok "fault: another size after replugging: it runs on" eval '[ "$(state height)" != 480 ] && more_frames'
ok "fault: another size: what does not fit the recording is counted" jq -e '[.. | .refused? // empty] | add > 0' /tmp/stop.json
ok "fault: another size: a new recording takes it" eval 'post /record/start "{\"subject\":\"01\",\"task\":\"new\"}" >/dev/null; sleep 2;
    post /record/stop "{}" | jq -e "[.. | .refused? // empty] | add == 0"'

# --- 640x512 at 60 frames a second, recorded ---------------------------------------------------------------------------
systemctl stop thermofaced # a camera that streams does not change its input
v4l2-ctl -d "$link" -i 1 >/dev/null
v4l2-ctl -d "$link" --set-dv-bt-timings gtf,width=640,height=512,fps=60 >/dev/null
camera "$link" width=640 height=512 buffers=32
fresh
post /record/start '{"subject":"01","task":"long"}' >/tmp/start.json
sleep "$RECORD_SECONDS"
post /record/stop '{}' >/tmp/stop.json
video=$(ls -t /var/lib/thermoface/rec/sub-01/beh/*long*_video.mkv | head -n 1)
table=${video%_video.mkv}_frames.ndjson
[ -s "$table" ] || table=$(ls -t /var/lib/thermoface/rec/sub-01/beh/*long*.ndjson | head -n 1)
packets=$(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$video")
jq -c -s --arg state "$(jq -r .state /tmp/stop.json)" --argjson packets "${packets:-0}" --argjson refused "$(jq '[.. | .refused? // empty] | add' /tmp/stop.json)" '
    {state: $state, sequences: (.[-1].sequence - .[0].sequence + 1), rows: length, video: $packets, refused: $refused,
     driver: (.[-1].dropped.driver - .[0].dropped.driver), capture: (.[-1].dropped.capture - .[0].dropped.capture),
     seconds: ((.[-1].t_mono_ns - .[0].t_mono_ns) / 1e9)}' "$table" >/tmp/long.json
note "640x512 Y16 for $RECORD_SECONDS s: $(cat /tmp/long.json)"
ok "record: delivered = recorded + counted drops, to the frame" eval '[ -s /tmp/long.json ] && jq -e \
    ".rows > 60 and .seconds > $RECORD_SECONDS - 5 and .sequences == .rows + .driver + .capture and .rows == .video + .refused" /tmp/long.json'
rm -rf /var/lib/thermoface/rec/*
systemctl stop thermofaced
v4l2-ctl -d "$link" -i 0 >/dev/null

# --- opens and never delivers ------------------------------------------------------------------------------------------
if [ -s v4l2loopback.ko ] && modprobe videodev && insmod v4l2loopback.ko video_nr=9 exclusive_caps=0 card_label=still; then
    head -c 614400 /dev/urandom >/tmp/noise
    ./vm-feed /dev/video9 Y16_ 640x480 30 /tmp/noise 614400 &
    feeder=$!
    sleep 1
    kill -STOP $feeder
    camera /dev/video9 width=640 height=480
    marked
    systemctl restart thermofaced
    ok "fault: a camera that opens and never delivers is no signal" within 60 is state no_signal
    ok "fault: and said in the journal" within 20 journal 'no signal'
    ok "fault: and in the metrics" eval '[ "$(metric "up{camera=\"thermal\"}")" = 0 ]'
    kill -CONT $feeder
    ok "fault: and runs once it delivers" within 60 is state running
    systemctl stop thermofaced
    kill $feeder
    wait $feeder 2>/dev/null
    rmmod v4l2loopback
else
    skip "fault: a camera that opens and never delivers" "no v4l2loopback"
fi
