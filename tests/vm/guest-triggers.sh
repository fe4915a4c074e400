# Sourced by guest-test.sh: trigger inputs as the kernel makes them, keys by uinput, a line by gpio-sim; groups and DeviceAllow=.
drops=/etc/systemd/system/thermofaced.service.d
events() { ls -t /var/lib/thermoface/recordings/sub-*/beh/*_events.tsv | head -n 1; }
trigger() { curl -s -m 5 $http/state | jq -r ".triggers[] | select(.name == \"$1\") | .$2"; }
trigger_is() { [ "$(trigger "$1" "$2")" = "$3" ]; }
record() { curl -s -m 30 -H 'Content-Type: application/json' -d "$2" "$http/record/$1" | grep -q '"state":"\(recording\|complete\)"'; }
marks() { awk -F'\t' -v s="trigger $1" 'NR > 1 && $7 == s && $8 == "kernel" { print $5 }' "$(events)"; }
# Each stamp lies after its press and before the next one; how much after is said.
judge() { # WHAT PRESSES
    paste -d' ' "$2" <(marks "$1") | awk -v what="$1" '
        NF == 2 { late = ($2 - $1) / 1000; if (late < 0 || (n && $1 < before)) bad++; before = $2; at[n++] = late; next }
        { bad++ }
        END {
            for (i = 0; i < n; i++) for (k = i; k && at[k] < at[k - 1]; k--) { t = at[k]; at[k] = at[k - 1]; at[k - 1] = t }
            for (i = 0; i < n; i++) { sum += at[i]; square += at[i] * at[i] }
            if (n) printf "# %s: %d presses, from the write to the stamp: median %.0f us, p95 %.0f us, max %.0f us, sd %.0f us\n",
                what, n, at[int(n / 2)], at[int(n * 0.95)], at[n - 1], sqrt(square / n - sum / n * sum / n)
            exit bad > 0 || n == 0
        }' | tee -a judged.txt
    return "${PIPESTATUS[1]}"
}

modprobe uinput
mkfifo /tmp/press
: >/tmp/keys.out
./vm-press keys /tmp/press >/tmp/keys.out &
keys=$!
within 20 test -s /tmp/keys.out
ln -sfn "/dev/input/$(head -n 1 /tmp/keys.out)" /dev/tf-keys
ls -lL /dev/tf-keys
gpio=
if modprobe gpio-sim; then
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    sim=/sys/kernel/config/gpio-sim/tf
    mkdir -p $sim/bank0/line3
    echo 8 >$sim/bank0/num_lines
    echo pedal >$sim/bank0/line3/name
    echo 1 >$sim/live
    gpio=/dev/$(cat $sim/bank0/chip_name)
    pull=$(ls -d /sys/devices/platform/"$(cat $sim/dev_name)"/gpiochip*/sim_gpio3/pull)
    udevadm settle
    ls -l "$gpio"
fi
cat >/etc/thermoface/thermofaced.conf <<C
[camera thermal]
source=synthetic
width=160
height=120
fps=5
analyse=no
pictures=no
[recording]
directory=/var/lib/thermoface/recordings
annotated=no
[trigger space]
device=/dev/tf-keys
key=KEY_SPACE
grab=yes
rate=200
C
[ -z "$gpio" ] || cat >>/etc/thermoface/thermofaced.conf <<C
[trigger pedal]
kind=gpio
device=$gpio
line=pedal
rate=200
[trigger contact]
kind=gpio
device=$gpio
line=5
edge=both
debounce=300ms
C
marked
systemctl restart thermofaced
ok "triggers: without the drop-in the unit lets nobody at the keys" within 60 journal 'trigger space: .*(not allowed|permission denied)'
note "$(journal 'trigger space' | head -n 1)"
mkdir -p $drops
grep -v -e '^SupplementaryGroups' /usr/share/thermoface/triggers.conf.example >$drops/triggers.conf
systemctl daemon-reload
marked
systemctl restart thermofaced
ok "triggers: without the group it is said which" within 60 journal 'trigger space: .*in the group input'
cp /usr/share/thermoface/triggers.conf.example $drops/triggers.conf
systemctl daemon-reload
systemctl restart thermofaced
ok "triggers: with the drop-in the keys are there" within 60 trigger_is space state running
ok "triggers: systemd-analyze security at most 2.5 with it" systemd-analyze security --no-pager --threshold=25 thermofaced
note "$(systemd-analyze security --no-pager thermofaced | tail -n 1)"
within 60 is state running
ok "triggers: a session" record start '{"subject":"07","task":"keys"}'
echo "press 50 40" >/tmp/press
within 60 eval '[ "$(wc -l </tmp/keys.out)" -ge 51 ]'
tail -n +2 /tmp/keys.out >/tmp/pressed
ok "triggers: 50 presses are 50 marks" within 20 eval '[ "$(marks space | wc -l)" = 50 ]'
ok "triggers: each with the kernel's stamp, after its press and before the next" judge space /tmp/pressed
note "$(grep -o 'space: .*' judged.txt | tail -n 1)"

marked
echo end >/tmp/press
wait $keys
ok "triggers: keys that are unplugged are said" within 20 journal 'trigger space: .*(gone|not there)'
ok "triggers: and are lost in /state" trigger_is space state lost
./vm-press keys /tmp/press >/tmp/keys.out &
keys=$!
within 20 test -s /tmp/keys.out
ln -sfn "/dev/input/$(head -n 1 /tmp/keys.out)" /dev/tf-keys
ok "triggers: they come back" within 30 trigger_is space state running
ok "triggers: once" trigger_is space reopened 1
echo "press 1 40" >/tmp/press
ok "triggers: and make marks again" within 20 eval '[ "$(marks space | wc -l)" = 51 ]'
if [ -n "$gpio" ]; then
    ok "triggers: a GPIO line by its name" trigger_is pedal state running
    ./vm-press pull "$pull" 50 40 >/tmp/pulled
    ok "triggers: 50 pulses are 50 marks" within 20 eval '[ "$(marks pedal | wc -l)" = 50 ]'
    ok "triggers: a pulse has the kernel's stamp, after it was made and before the next" judge pedal /tmp/pulled
    note "$(grep -o 'pedal: .*' judged.txt | tail -n 1)"
    contact=${pull/sim_gpio3/sim_gpio5}
    ./vm-press pull "$contact" 3 20 >/dev/null # within 60 ms: one change and its bouncing
    ok "triggers: what bounces is one change" within 10 eval '[ "$(marks contact | wc -l)" = 1 ]'
    ok "triggers: and the rest is counted" within 5 trigger_is contact left_out.bounced 5
    marked
    echo 0 >$sim/live
    ok "triggers: a chip that goes is said" within 20 journal 'trigger pedal: .*(gone|not there|No such)'
else
    skip "triggers" "this kernel has no gpio-sim"
fi
ok "triggers: the session is complete" record stop '{}'
echo end >/tmp/press
rm -rf $drops/triggers.conf /tmp/press
systemctl daemon-reload
