# Runs as root in the guest, twice (before and after a reboot), in the folder shared with the host: the Debian packages as
# someone who installs them meets them. debs/: the packages; upgrade/: the same, one version later.
exec >>out.txt 2>&1
. ./guest-lib.sh
config=/etc/thermoface/thermofaced.conf
data=/var/lib/thermoface/recordings
install() { timeout 600 apt-get install -y -o Dpkg::Use-Pty=0 "$@" </dev/null; }
export DEBIAN_FRONTEND=noninteractive
pid() { systemctl show -P MainPID thermofaced; }
as() { # USER COMMAND...
    local user=$1
    shift
    runuser -u "$user" -- "$@" </dev/null
}
sums() { (cd /var/lib/thermoface && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
recording() { [[ $(as alice thermoface record status) = recording* ]]; }
# On an emulated processor frames and pictures may be lost, which "stop" says and ends with 1; what is there is complete.
stopped() { [[ $(as alice thermoface record stop) = complete* ]]; }

if [ ! -e /var/lib/vm-rebooted ]; then
    note "kernel $(uname -r), $(nproc) processors, up after $began s"
    cp -r debs upgrade /root/
    ok "package: installed without the network" install /root/debs/thermoface*.deb
    ok "package: completely" eval '[ -z "$(dpkg --audit)" ] && dpkg --verify thermoface && dpkg --verify thermoface-models'
    note "installed after $(at) s"
    ok "package: the service is enabled" systemctl is-enabled thermofaced
    ok "package: and runs" within 120 systemctl is-active --quiet thermofaced
    ok "package: the shipped configuration is valid" thermofaced --config $config --check-config
    ok "package: its camera delivers" within 120 is state running
    ok "package: frames flow" more_frames
    curl -sN -m 60 "$http/landmarks?camera=thermal" | head -n 40 >/tmp/records.ndjson
    ok "package: the face of the shipped configuration is found" jq -se 'any(.[]; .faces | length > 0)' /tmp/records.ndjson
    ok "package: RTSP is served" timeout 120 ffprobe -v error -rtsp_transport tcp -show_entries stream=codec_name \
        -of csv=p=0 rtsp://127.0.0.1:8554/thermal
    for file in /usr/share/man/man8/thermofaced.8.gz /usr/share/man/man1/thermoface.1.gz /lib/udev/rules.d/70-thermoface.rules \
        /usr/share/doc/thermoface/copyright /usr/share/doc/thermoface/docs/service.md /usr/share/thermoface/models/LICENSE \
        /usr/share/bash-completion/completions/thermoface; do
        ok "package: ${file##*/} is there" [ -e "$file" ]
    done
    systemd-analyze security --no-pager thermofaced >/tmp/security.txt
    note "$(tail -n 1 /tmp/security.txt)"
    ok "package: systemd-analyze security at most 2.0" systemd-analyze security --no-pager --threshold=20 thermofaced

    # --- limits ------------------------------------------------------------------------------------------------------
    ok "limits: descriptors" grep -qE '^Max open files +16384 +16384' /proc/$(pid)/limits
    ok "limits: no core file" grep -qE '^Max core file size +0 +0' /proc/$(pid)/limits
    ok "limits: out of memory, others go first" [ "$(cat /proc/$(pid)/oom_score_adj)" = -500 ]
    ok "limits: threads" [ "$(systemctl show -P TasksMax thermofaced)" = 4096 ]
    total=$(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) * 1024))
    ok "limits: memory, three quarters" eval '[ "$(systemctl show -P MemoryMax thermofaced)" -gt $((total * 7 / 10)) ] &&
        [ "$(systemctl show -P MemoryMax thermofaced)" -lt $((total * 8 / 10)) ]'
    note "memory $(systemctl show -P MemoryCurrent thermofaced), threads $(systemctl show -P TasksCurrent thermofaced), descriptors $(ls /proc/$(pid)/fd | wc -l)"

    # --- the group -----------------------------------------------------------------------------------------------------
    useradd --create-home --groups thermoface-lab alice
    useradd --create-home bob
    ok "lab: a member starts a recording" as alice thermoface record start --subject 01 --task rest
    ok "lab: frames are recorded" within 60 eval 'as alice thermoface record status --json | jq -e ".cameras[0].frames > 20"'
    ok "lab: marks" as alice thermoface mark "lamp off"
    ok "lab: the status names the session" within 30 eval 'systemctl show -P StatusText thermofaced | grep -q "^recording sub-01_"'
    ok "lab: and stops it" stopped
    ok "lab: the member verifies what was recorded" as alice thermoface verify $data
    ok "lab: and reads every file" eval '[ "$(as alice find $data -type f | wc -l)" -ge 8 ] &&
        as alice find $data -type f -exec head -c 1 {} + >/dev/null && [ -z "$(as alice find $data ! -readable)" ]'
    ok "lab: and can change none" [ -z "$(as alice find $data -writable ! -type l)" ]
    ok "lab: nor delete" eval '! as alice rm -rf $data/sub-01 && [ -d $data/sub-01 ]'
    ok "lab: who is not in the group reads nothing" eval '! as bob ls $data'
    ok "lab: nor the configuration" eval '! as bob cat $config'
    ok "lab: a member reads the configuration" as alice thermofaced --config $config --check-config
    # The first call starts polkit, for which the bus may not wait long enough under emulation.
    ok "lab: a member stops the service" eval 'within 120 as alice systemctl --no-ask-password stop thermofaced && ! systemctl is-active thermofaced'
    ok "lab: and starts it" eval 'as alice systemctl --no-ask-password start thermofaced && systemctl is-active thermofaced'
    ok "lab: and reloads it" as alice systemctl --no-ask-password reload thermofaced
    ok "lab: but no other service" eval '! as alice systemctl --no-ask-password stop polkit'
    ok "lab: nor enables or disables this one" eval '! as alice systemctl --no-ask-password disable thermofaced'
    ok "lab: who is not in the group does not stop it" eval '! as bob systemctl --no-ask-password stop thermofaced && systemctl is-active thermofaced'

    # --- upgrade -------------------------------------------------------------------------------------------------------
    within 120 is state running
    # Few frames: the guest's disk is small, and an upgrade under emulation takes minutes.
    sed -i 's/^#palette=iron/palette=white-hot/; 0,/^#fps=0/s//fps=5/; s/^#free-space-min=.*/free-space-min=64/' $config
    ok "upgrade: the configuration is edited" grep -qx palette=white-hot $config
    systemctl restart thermofaced
    within 120 is state running
    cp -p $config /root/edited.conf
    as alice thermoface record start --subject 02 --task rest
    within 30 eval 'systemctl show -P StatusText thermofaced | grep -q "^recording sub-02_"'
    before=$(pid)
    ok "upgrade: while a session is recorded" install /root/upgrade/thermoface*.deb
    cp /tmp/ok.log /tmp/upgrade.log
    ok "upgrade: is one" eval 'dpkg-query -W -f "\${Version}" thermoface | grep -q next'
    ok "upgrade: asked nothing about the configuration" eval '! grep -qi "configuration file" /tmp/upgrade.log'
    ok "upgrade: the session goes on, in the same process" eval '[ "$(pid)" = "$before" ] && recording'
    ok "upgrade: and says how the new version is started" grep -q 'systemctl restart thermofaced' /tmp/upgrade.log
    ok "upgrade: the session ends complete" stopped
    ok "upgrade: verified" as alice thermoface verify $data
    ok "upgrade: once more, nothing is recorded" install --reinstall /root/upgrade/thermoface_*.deb
    ok "upgrade: the new version runs" eval '[ "$(pid)" != "$before" ] && systemctl is-active thermofaced'
    ok "upgrade: the edited configuration is as it was" cmp $config /root/edited.conf
    ok "upgrade: with its owner and mode" [ "$(stat -c '%U %G %a' $config)" = "root thermoface-lab 640" ]
    ok "upgrade: to the new example beside it" grep -q 'next version says more' /usr/share/thermoface/thermofaced.conf.example
    sums >/root/sums
    touch /var/lib/vm-rebooted reboot
    note "asks for the reboot after $(at) s"
    sync
    exit 98 # what the host sees if there is no second time
fi

note "up again after $began s"
ok "reboot: the service runs" within 120 systemctl is-active --quiet thermofaced
ok "reboot: its camera delivers" within 120 is state running
ok "reboot: the edited configuration is as it was" cmp $config /root/edited.conf
ok "reboot: and in force" eval 'journalctl -q -b -u thermofaced -o cat | grep -q ready && grep -qx palette=white-hot $config'
ok "reboot: recordings are as they were" eval 'sums | cmp - /root/sums'

# --- where not everybody on the machine may control it: who can read the password file -------------------------------
(umask 027 && echo "lab:$(head -c 12 /dev/urandom | base64)" >/etc/thermoface/lab.credentials && chgrp thermoface-lab /etc/thermoface/lab.credentials)
sed -i 's|^\[http\]|[http]\ncredentials=/etc/thermoface/lab.credentials|' $config
cp -p $config /root/edited.conf
systemctl restart thermofaced
ok "lab: with a password the service runs" within 120 systemctl is-active --quiet thermofaced
ok "lab: which a member does not have to type" within 60 as alice thermoface record start --subject 03 --task rest
sleep 3
ok "lab: nobody else stops the recording" eval '! as bob thermoface record stop && ! curl -sf -X POST -H "Content-Type: application/json" -d "{}" $http/record/stop'
ok "lab: but the member does" stopped
sums >/root/sums
ok "remove: the package goes" timeout 300 apt-get remove -y thermoface
ok "remove: the service has ended" eval '! systemctl is-active thermofaced && ! pgrep -x thermofaced'
ok "remove: configuration and recordings stay" eval 'cmp $config /root/edited.conf && sums | cmp - /root/sums'
ok "purge: the package goes" timeout 300 apt-get purge -y thermoface
ok "purge: recordings stay" eval '[ "$(grep -c video.mkv /root/sums)" -ge 3 ] && sums | cmp - /root/sums'
ok "purge: the configuration does not" [ ! -e $config ]
ok "purge: what an administrator put beside it does" [ -s /etc/thermoface/lab.credentials ]
ok "purge: nor any other file of the package" eval '! dpkg -l thermoface | grep -q "^[ir]" && [ ! -e /usr/bin/thermofaced ] &&
    [ ! -e /lib/systemd/system/thermofaced.service ] && [ -z "$(find /etc/systemd -name "thermofaced*")" ]'
ok "again: installed after all that" install /root/upgrade/thermoface*.deb
ok "again: runs, with the shipped configuration" eval 'within 120 is state running && cmp $config /usr/share/thermoface/thermofaced.conf.example'
ok "again: the recordings are the members' as before" as alice thermoface verify $data
ok "guest: no failed unit" eval '! systemctl list-units --failed --no-legend | grep -v guest-test'
note "journal's last lines:"
journalctl -q -u thermofaced -o cat -n 6 | sed 's/^/#   /'
note "the second half ran $(at) s"
exit $(($(grep -c '^not ok ' out.txt) > 0))
