#!/bin/sh
# Builds v4l2loopback.ko for the guest's kernel on the host. usage: build-v4l2loopback.sh IMAGE_DIR    (root, Debian 12)
# Status 77: the kernel's headers or the module's source cannot be had; the checks that need it are then skipped.
set -eu
image=$(realpath "$1")
kernel=$(cat "$image/kver")
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "linux-headers-$kernel" make gcc || exit 77
work=$(mktemp -d "$image/loopback.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download v4l2loopback-dkms || exit 77
dpkg -x v4l2loopback-dkms_*.deb .
make -s -C "/usr/src/linux-headers-$kernel" M="$(echo "$work"/usr/src/v4l2loopback-*)" modules
cp usr/src/v4l2loopback-*/v4l2loopback.ko "$image/"
