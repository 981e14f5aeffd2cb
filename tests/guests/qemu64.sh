#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's QEMU with KVM in a Debian amd64 with systemd boots Debian's cloud-amd64 kernel, which runs programs (LONG=1: 200 MB of
# packages): qemu-system-x86_64-microvm, and with machine q35, whose BIOS runs in real mode, by kvm_intel and kvm_amd, with
# nested paging, with shadow page tables, and with EPT but without unrestricted guests. Prints how long each took, by the guest's clock.
# (The nested kernel resets by a triple fault, as microvm has nothing else; Linux' KVM with ept=0 leaves CR4.SMEP set when a guest
# switches paging off, as the reset by way of the BIOS does.)
. "$(dirname "$0")/guestlib.sh"
[ -n "${LONG:-}" ] || skip_all "set LONG=1"
need linux-cloud-amd64 busybox-amd64 kvm-cloud-amd64/kvm.ko
PATH=$PATH:/sbin:/usr/sbin
for p in mkfs.ext4 apt-get dpkg; do
	command -v $p >/dev/null || skip_all "no $p"
done
image=$CACHE/qemu-cloud-amd64.img
[ -s "$image" ] || "$TOP_SRCDIR/guests/mkrootfs" -f cloud-amd64 -S -s 2G -o "$image" -p qemu-system-x86 "$CACHE" >"$TMP/made" 2>&1 ||
	skip_all "$(tail -1 "$TMP/made")"
mkdir "$TMP/in"
"$TOP_SRCDIR/guests/mkinitramfs" -d -f cloud-amd64 -o "$TMP/initrd" "$CACHE" 2>"$TMP/err" &&
	"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/in/initrd.gz" "$CACHE" "$TOP_SRCDIR/guests/kvm/inner.sh" 2>>"$TMP/err" ||
	skip_all "no initramfs: $(cat "$TMP/err")"
cp "$CACHE"/kvm-cloud-amd64/*.ko "$CACHE/linux-cloud-amd64" "$TMP/in/"
cat >"$TMP/in/qemu.sh" <<'END'
cd /t
for word in $(cat /proc/cmdline); do
	case $word in
	vendor=*) vendor=${word#vendor=} ;;
	module=*) module=${word#module=} ;;
	esac
done
now()
{
	cut -d' ' -f1 /proc/uptime
}
insmod irqbypass.ko && insmod kvm.ko && insmod "kvm-$vendor.ko" "$module" || echo "no KVM"
for machine in microvm q35; do
	qemu=qemu-system-x86_64-microvm
	[ $machine = microvm ] || qemu=qemu-system-x86_64
	began=$(now)
	$qemu -M $machine -enable-kvm -cpu host -m 128 -nodefaults -display none -serial stdio -no-reboot \
		-kernel linux-cloud-amd64 -initrd initrd.gz -append "console=ttyS0 quiet panic=-1 reboot=t run=inner.sh" </dev/null >o 2>&1
	echo "outer: $machine ended with $?"
	sed "s/^/$machine | /" o
	echo "$machine took $(now) $began"
done
systemctl poweroff
END
tar cf "$TMP/tar" -C "$TMP/in" .
truncate -s %1M "$TMP/tar"
printf 'mkdir -p /t; tar xf /dev/vdc -C /t; systemctl stop serial-getty@ttyS0; exec sh /t/qemu.sh >/dev/ttyS0 2>&1\n' >"$TMP/begin"
truncate -s 1M "$TMP/begin"
sum=$(awk 'BEGIN { for (i = 0; i < 200; i++) print "line", i * 7919 % 2003 }' | sha256sum | cut -d' ' -f1)

# qemu CPU VENDOR MODULE
qemu()
{
	rm -f "$TMP/overlay"
	run_guest 900 --no-reboot --memory 1G --cpu "$1" --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
		--disk "$image,bus=virtio,overlay=$TMP/overlay" --disk "$TMP/begin,bus=virtio" --disk "$TMP/tar,bus=virtio" \
		--append "console=ttyS0 quiet systemd.show_status=0 root=/dev/vda1 panic=-1 run=/dev/vdb vendor=$2 module=$3"
	for machine in microvm q35; do
		grep -q "$machine | nested: sha256 $sum, " "$TMP/out" && grep -q "outer: $machine ended with 0" "$TMP/out"
		ok $? "kvm_$2 $3, $machine: Debian's cloud-amd64 kernel boots in QEMU and runs programs" "$(detail)"
		sed -n "s/.*$machine took \([0-9.]*\) \([0-9.]*\)/\1 \2/p" "$TMP/out" | awk '{ printf "# %.1f s\n", $1 - $2 }'
	done
	ended 0 "kvm_$2 $3: the guest ends"
}

plan 15
for module in ept=1 ept=0 unrestricted_guest=0; do qemu haswell,+vmx intel $module; done
for module in npt=1 npt=0; do qemu zen2,+svm amd $module; done
