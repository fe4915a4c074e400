#!/bin/sh
# Builds the guest: Debian 12 with systemd, the stock kernel (vivid.ko is in it) and what thermofaced needs at run time.
# usage: build-image.sh OUT_DIR PACKAGE...     (root; about 2 minutes; leaves rootfs.ext4, vmlinuz, initrd.img, kver)
set -eu
out=$1
shift
mkdir -p "$out"
root=$(mktemp -d "$out/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

packages=systemd-sysv,udev,dbus,kmod,procps,iproute2,v4l-utils,linux-image-amd64,initramfs-tools,zstd
packages=$packages,ffmpeg,curl,jq,gstreamer1.0-tools,gstreamer1.0-libav
for package in "$@"; do
  packages=$packages,$package
done

# The initramfs carries only what finds the root disk and the shared folder.
mmdebstrap --mode=root --variant=minbase --include="$packages" \
  --aptopt='Apt::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"
    echo MODULES=list >"$1/etc/initramfs-tools/conf.d/vm"
    printf "COMPRESS=zstd\nCOMPRESSLEVEL=3\n" >>"$1/etc/initramfs-tools/conf.d/vm"
    printf "virtio_pci\nvirtio_blk\next4\n9p\n9pnet_virtio\n" >"$1/etc/initramfs-tools/modules"' \
  bookworm "$root"

# One unit runs the suite from the shared folder, then powers the guest off.
echo vm >"$root/etc/hostname"
mkdir -p "$root/share"
cat >"$root/etc/fstab" <<'F'
/dev/vda / ext4 defaults,noatime 0 0
share /share 9p trans=virtio,version=9p2000.L,msize=262144 0 0
F
cat >"$root/etc/systemd/system/guest-test.service" <<'U'
[Unit]
Description=test suite from the shared folder
RequiresMountsFor=/share
After=multi-user.target systemd-udev-settle.service
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/sh -c 'cd /share; /bin/bash ./guest-test.sh; echo $? >/share/rc; sync'
ExecStopPost=/bin/sh -c 'if [ -e /share/reboot ]; then rm /share/reboot; exec systemctl --no-block reboot; fi; exec systemctl --no-block poweroff'
StandardOutput=journal+console
StandardError=journal+console
U
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../guest-test.service "$root/etc/systemd/system/multi-user.target.wants/"
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
    e2scrub_reap.service getty@tty1.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# GStreamer's registry: scanning the plugins under emulation costs seconds.
chroot "$root" gst-inspect-1.0 rtspsrc >/dev/null 2>&1 || true

# What is installed in the guest keeps its documents.
rm -f "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp "$root"/boot/initrd.img-* "$out/initrd.img"
ls "$root/lib/modules" >"$out/kver"
rm -rf "$root"/boot/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
rm -f "$out/rootfs.ext4"
mke2fs -q -t ext4 -O ^has_journal -L root -d "$root" "$out/rootfs.ext4" 3500M
