#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Linux' KVM in Debian's cloud-amd64 kernel, unmodified, with our client (guests/kvm). The checks of the embedded 64-bit
# guest pass in its guest, and the same kernel boots: with kvm_amd and kvm_intel, with nested paging; LONG=1: with shadow
# page tables, too, and all of it with --verify-tc. The stress guest finds accessed bits as it expects them.
. "$(dirname "$0")/guestlib.sh"
need linux-cloud-amd64 busybox-amd64 kvm-cloud-amd64/kvm.ko
BUILD=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
[ -s "$BUILD/guests/kvm/kvm" ] || skip_all "no guests/kvm/kvm (make check builds it)"

"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/inner.gz" "$CACHE" "$TOP_SRCDIR/guests/kvm/inner.sh" 2>"$TMP/err" &&
	"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/initrd" "$CACHE" "$TOP_SRCDIR/guests/kvm/outer.sh" \
		"$CACHE"/kvm-cloud-amd64/*.ko "$BUILD/guests/kvm/kvm" "$BUILD/guests/demo64/demo64.elf:demo.elf" "$BUILD/guests/stress64/stress64.elf:stress.elf" \
		"$CACHE/linux-cloud-amd64:linux" "$TMP/inner.gz:initrd.gz" 2>>"$TMP/err" || skip_all "no initramfs: $(cat "$TMP/err")"
sum=$(awk 'BEGIN { for (i = 0; i < 200; i++) print "line", i * 7919 % 2003 }' | sha256sum | cut -d' ' -f1)

# outer CPU VENDOR MODULE GUESTS [OPTION...]
outer()
{
	cpu=$1 vendor=$2 module=$3 guests=$4
	shift 4
	run_guest 300 --no-reboot --memory 512M --cpu "$cpu" "$@" --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
		--append "console=ttyS0 quiet panic=-1 mitigations=off run=outer.sh vendor=$vendor module=$module guests=$guests"
	grep -qF "nested: sha256 $sum, " "$TMP/out"
	ok $? "kvm_$vendor $module${*:+ $*}: Debian's cloud-amd64 kernel boots and runs programs" "$(detail)"
	grep -q "linux ended with 0" "$TMP/out" && [ "$status" -eq 0 ] && ! grep -q "verifier: " "$TMP/err"
	ok $? "kvm_$vendor $module${*:+ $*}: it ends, and so does the guest" "$(detail)"
	[ "$guests" = both ] || return 0
	grep -qF "demo ended with 1" "$TMP/out" && [ "$(grep -c PASS "$TMP/out")" -ge 60 ] && ! grep -q FAIL "$TMP/out"
	ok $? "kvm_$vendor $module${*:+ $*}: the embedded guest's checks pass" "$(grep FAIL "$TMP/out"; detail)"
}

# stress CPU VENDOR MODULE
stress()
{
	run_guest 300 --no-reboot --memory 512M --cpu "$1" --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
		--append "console=ttyS0 quiet panic=-1 mitigations=off run=outer.sh vendor=$2 module=$3 guests=stress"
	said "stress64: all as expected" "kvm_$2 $3: the stress guest"
}

shadow=
if [ -n "${LONG:-}" ]; then
	shadow=yes
	plan 28
else
	plan 7
fi
for verify in "" ${LONG:+--verify-tc}; do
	for module in npt=1 ${shadow:+npt=0}; do outer zen2,+svm amd $module both $verify; done
	for module in ept=1 ${shadow:+ept=0}; do outer haswell,+vmx intel $module both $verify; done
done
stress haswell,+vmx intel ept=1 # the one with PCIDs
if [ -n "$shadow" ]; then
	stress haswell,+vmx intel ept=0
	for module in npt=1 npt=0; do stress zen2,+svm amd $module; done
fi
