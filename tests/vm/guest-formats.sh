# Sourced by guest-test.sh: every row of the camera table, pixel for pixel through capture.
# --- formats, pixel for pixel -------------------------------------------------------------------------------------
modprobe -r vivid 2>/dev/null
$V
udevadm settle
# vivid's output feeds its input: same timings, size, fourcc and colorspace on both sides.
by_vivid() { # ROW FOURCC WIDTH HEIGHT BYTES PATTERN EXPECT BYTESPERLINE
    # From the beginning: it keeps rectangles of the size before.
    modprobe -r vivid
    $V
    udevadm settle
    v4l2-ctl -d0 -i 1 -c osd_text_mode=2 >/dev/null
    v4l2-ctl -d0 --set-dv-bt-timings index=9 >/dev/null
    v4l2-ctl -d1 --set-dv-bt-timings index=9 >/dev/null
    v4l2-ctl -d0 -c loop_video=1 >/dev/null
    v4l2-ctl -d0 --set-fmt-video=width=$3,height=${4%/*},pixelformat="$2",bytesperline=$8,colorspace=rec709 >/dev/null
    v4l2-ctl -d1 --set-fmt-video-out=width=$3,height=${4%/*},pixelformat="$2",bytesperline=0,colorspace=rec709 >/dev/null
    v4l2-ctl -d1 --stream-out-mmap=4 --stream-from=patterns/$6 --stream-loop --stream-count=4000 >/dev/null 2>&1 &
    grab /dev/video0 "$@"
}
by_loopback() {
    ./vm-feed /dev/video9 "${2/ /_}" $3x$4 20 patterns/$6 $5 &
    grab /dev/video9 "$@"
}
grab() { # DEVICE ROW FOURCC WIDTH HEIGHT BYTES PATTERN EXPECT
    local writer=$! status try
    # The writer takes its time on a slow machine, and until then there is no picture, or noise.
    for try in 1 2 3 4 5; do
        sleep 1.5
        ./vm-grab $1 $2 $4x$5 20 patterns/$8
        status=$?
        [ $status != 0 ] || break
    done
    kill $writer
    wait $writer 2>/dev/null
    return $status
}
telemetry() { # the camera's temperature, one repeated frame and two lost ones in four, the shutter's states
    "$@" && grep -qE 'sensor 31.25 duplicates [1-9][0-9]* imminent [1-9][0-9]* closed [1-9][0-9]*; .* dropped [1-9]' /tmp/ok.log
}
loopback=no
if [ -s v4l2loopback.ko ]; then
    modprobe videodev
    insmod v4l2loopback.ko video_nr=9 exclusive_caps=0 card_label=pattern && loopback=yes
fi
while read -r via row fourcc w h bytes pattern expect stride want; do
    name="format: $row $fourcc ${w}x$h"
    [ $stride = 0 ] || name="$name, stride $stride left by another program"
    [ $via = vivid ] || [ $loopback = yes ] || { skip "$name" "no v4l2loopback"; continue; }
    [ $want = - ] && want=
    ok "$name" $want by_$via $row "${fourcc/_/ }" $w $h $bytes $pattern $expect $stride
    note "  $(tail -n 1 /tmp/ok.log)"
done <formats
[ $loopback = no ] || rmmod v4l2loopback
modprobe -r vivid

# --- what vivid paints by itself, against another reader's view of it ----------------------------------------------
$V
udevadm settle
v4l2-ctl -d0 -c osd_text_mode=2 >/dev/null
painted() { # ROW FOURCC AS: what v4l2-ctl reads as AS is what capture gives for ROW
    v4l2-ctl -d0 --set-fmt-video=width=640,height=480,pixelformat="$3" --stream-mmap --stream-count=1 --stream-to=/tmp/painted >/dev/null 2>&1
    ./vm-grab /dev/video0 $1 640x480 20 /tmp/painted
}
ok "format: y16-be Y16_BE 640x480" painted y16-be 'Y16 -BE' 'Y16 '
note "  $(tail -n 1 /tmp/ok.log)"
ok "format: grey GREY 640x480" painted grey GREY GREY
ok "format: a size that the driver changes is refused" eval './vm-grab /dev/video0 y16 648x500 1; [ $? = 1 ]'
note "  $(tail -n 1 /tmp/ok.log)"
modprobe -r vivid

