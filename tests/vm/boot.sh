#!/bin/sh
# Boots the image with a folder shared, runs DIR/guest-test.sh in it as root and exits with its status.
# usage: boot.sh IMAGE_DIR DIR
# REBOOT=1: the guest may reboot. The root disk's changes are thrown away at the end. Software emulation always: a /dev/kvm may be there and still hang the kernel.
set -u
image=$(realpath "$1")
share=$(realpath "$2")
rm -f "$share/rc" "$share/reboot"
once=-no-reboot
[ "${REBOOT-}" != 1 ] || once=
# Room for recordings: sparse, and gone with the machine.
records=$(mktemp "$image/records-XXXXXX")
trap 'rm -f "$records"' EXIT
truncate -s 24G "$records" && mkfs.ext4 -q -F "$records" || exit 99
timeout "${LIMIT:-580}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G -nodefaults $once \
  -display none -serial "file:$share/console.log" -monitor none \
  -kernel "$image/vmlinuz" -initrd "$image/initrd.img" \
  -append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off random.trust_cpu=on" \
  -drive "file=$image/rootfs.ext4,format=raw,if=none,id=d,snapshot=on" -device virtio-blk-pci,drive=d \
  -drive "file=$records,format=raw,if=none,id=r,discard=unmap" -device virtio-blk-pci,drive=r \
  -virtfs "local,path=$share,mount_tag=share,security_model=none" -device virtio-rng-pci \
  -netdev "user,id=n,restrict=on${FORWARD:+,hostfwd=$FORWARD}" -device virtio-net-pci,netdev=n
status=$?
if [ ! -s "$share/rc" ]; then
  echo "the guest wrote no result (qemu ended with $status); its console ends:"
  tail -30 "$share/console.log"
  exit 99
fi
exit "$(cat "$share/rc")"
