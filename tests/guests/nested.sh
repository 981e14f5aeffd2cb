#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A hypervisor that is not ours: Linux' KVM in Debian's 686-pae kernel, unmodified, with our client (guests/kvm). The embedded
# guest's checks pass in its guest. LONG=1: with kvm_intel and kvm_amd, with nested paging and without, Debian's 686 kernel, too.
. "$(dirname "$0")/guestlib.sh"
need linux-686 linux-686-pae busybox kvm-686-pae/kvm.ko
BUILD=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
[ -s "$BUILD/guests/kvm/kvm" ] || skip_all "no guests/kvm/kvm (make check builds it)"

# In the nested guest. The guest has no ACPI to power off.
cat >"$TMP/inner.sh" <<'END'
i=0
while [ $i -lt 200 ]; do echo "line $((i * 7919 % 2003))"; i=$((i + 1)); done >/tmp/text
echo "nested: sha256 $(sha256sum /tmp/text | cut -d' ' -f1), $(uname -r)"
reboot -f
END
# In the guest; vendor=, module= and guests= are words of its command line.
cat >"$TMP/outer.sh" <<'END'
for word in $(cat /proc/cmdline); do
	case $word in
	vendor=*) vendor=${word#vendor=} ;;
	module=*) module=${word#module=} ;;
	guests=*) guests=${word#guests=} ;;
	esac
done
insmod /irqbypass.ko && insmod /kvm.ko && insmod "/kvm-$vendor.ko" "$module" || echo "no KVM"
# Linux' KVM saves a task's state in the format of the TSS that it switches to; kvm_amd drops bits 3 to 0 of TPR.
skip=-task-with-a-16-bit-TSS
[ "$vendor" = intel ] || skip="$skip -local-APIC"
echo "outer: began $(cut -d' ' -f1 /proc/uptime)"
/kvm -m 64 /demo.elf $skip
echo "outer: demo ended with $?, $(cut -d' ' -f1 /proc/uptime)"
[ "$guests" = both ] || exit 0
/kvm -m 128 -i /initrd.gz /linux console=ttyS0 quiet panic=-1 run=inner.sh
echo "outer: linux ended with $?, $(cut -d' ' -f1 /proc/uptime)"
END
both=$TMP/inner.gz:initrd.gz
"$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/inner.gz" "$CACHE" "$TMP/inner.sh" 2>"$TMP/err" &&
	"$TOP_SRCDIR/guests/mkinitramfs" -f 686-pae -o "$TMP/initrd" "$CACHE" "$TMP/outer.sh" "$CACHE"/kvm-686-pae/*.ko \
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
for module in npt=1 npt=0; do
	if ! grep -q AuthenticAMD /proc/cpuinfo; then
		for i in 1 2 3; do
			skip "kvm_amd $module" "the host's processor is not AMD's, and no model is"
		done
		continue
	fi
	outer host,+svm amd $module both
	linux amd $module
done
