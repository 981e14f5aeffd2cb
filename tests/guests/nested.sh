#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A hypervisor that is not ours: Linux' KVM in Debian's 686-pae kernel, unmodified, with our client (guests/kvm). The embedded
# guest's checks pass in its guest. LONG=1: with kvm_intel and kvm_amd, with nested paging and without, Debian's 686 kernel, too.
. "$(dirname "$0")/guestlib.sh"
need linux-686 linux-686-pae busybox kvm-686-pae/kvm.ko
BUILD=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
[ -s "$BUILD/guests/kvm/kvm" ] || skip_all "no guests/kvm/kvm (make check builds it)"

both=$TMP/inner.gz:initrd.gz
"$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/inner.gz" "$CACHE" "$TOP_SRCDIR/guests/kvm/inner.sh" 2>"$TMP/err" &&
	"$TOP_SRCDIR/guests/mkinitramfs" -f 686-pae -o "$TMP/initrd" "$CACHE" "$TOP_SRCDIR/guests/kvm/outer.sh" "$CACHE"/kvm-686-pae/*.ko \
		"$BUILD/guests/kvm/kvm" "$BUILD/guests/demo/demo.elf" ${LONG:+"$CACHE/linux-686:linux" "$both"} 2>>"$TMP/err" ||
	skip_all "no initramfs: $(cat "$TMP/err")"

# outer CPU VENDOR MODULE GUESTS
outer()
{
	run_guest 500 --no-reboot --memory 512M --cpu "$1" --kernel "$CACHE/linux-686-pae" --initrd "$TMP/initrd" \
		--append "console=ttyS0 quiet panic=-1 mitigations=off run=outer.sh vendor=$2 module=$3 guests=$4"
	grep -qF "demo: all checks passed" "$TMP/out" && grep -qF "demo ended with 1" "$TMP/out" &&
		[ "$(grep -c PASS "$TMP/out")" -ge 55 ] && ! grep -q FAIL "$TMP/out"
	ok $? "kvm_$2 $3: the embedded guest's checks pass" "$(grep FAIL "$TMP/out"); $(detail)"
}

# linux VENDOR MODULE: the other guest of outer().
linux()
{
	said "nested: sha256 $sum, " "kvm_$1 $2: Debian's 686 kernel boots and runs programs"
	grep -q "linux ended with 0" "$TMP/out" && [ "$status" -eq 0 ]
	ok $? "kvm_$1 $2: it ends, and so does the guest" "$(detail)"
}

if [ -z "${LONG:-}" ]; then
	plan 1
	outer haswell,+vmx intel ept=1 demo
	exit 0
fi
plan 12
sum=$(awk 'BEGIN { for (i = 0; i < 200; i++) print "line", i * 7919 % 2003 }' | sha256sum | cut -d' ' -f1)
for module in ept=1 ept=0; do
	outer haswell,+vmx intel $module both
	linux intel $module
done
# On another host than AMD's, the processor is a model of theirs.
amd=host
grep -q AuthenticAMD /proc/cpuinfo || amd=zen2
for module in npt=1 npt=0; do
	outer $amd,+svm amd $module both
	linux amd $module
done
