#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's Xen, unmodified, as a Multiboot kernel whose modules are Debian's amd64 kernel and an initramfs: a
# paravirtualized dom0, a kernel in ring 3, runs programs. It finds VMX; LONG=1: and SVM. (There is no BIOS for Xen's
# real-mode code; AMD's bank 4 of machine checks, which Xen reads unasked, is not there.)
. "$(dirname "$0")/guestlib.sh"
need xen.elf linux-amd64 busybox-amd64
cat >"$TMP/dom0.sh" <<'END'
echo "dom0: $(cat /sys/hypervisor/type) $(cat /sys/hypervisor/version/major)"
i=0
while [ $i -lt 200 ]; do echo "line $((i * 7919 % 2003))"; i=$((i + 1)); done >/tmp/text
echo "dom0: sha256 $(sha256sum /tmp/text | cut -d' ' -f1)"
END
"$TOP_SRCDIR/guests/mkinitramfs" -f amd64 -o "$TMP/initrd" "$CACHE" "$TMP/dom0.sh" 2>"$TMP/err" ||
	skip_all "no initramfs: $(cat "$TMP/err")"
sum=$(awk 'BEGIN { for (i = 0; i < 200; i++) print "line", i * 7919 % 2003 }' | sha256sum | cut -d' ' -f1)

# xen CPU EXTENSION WORDS
xen()
{
	run_guest 500 --no-reboot --memory 1G --cpu "$1" --kernel "$CACHE/xen.elf" \
		--initrd "$CACHE/linux-amd64 console=hvc0 quiet panic=-1 run=dom0.sh,$TMP/initrd" \
		--append "no-real-mode console=com1 com1=115200,8n1 dom0_mem=600M noreboot $3"
	said "HVM: $2 enabled" "$1: Xen finds $2"
	said "dom0: xen 4" "$1: dom0 runs on it"
	said "dom0: sha256 $sum" "$1: dom0 runs programs"
	said "Entering ACPI S5 state" "$1: dom0 powers the machine off"
}

if [ -z "${LONG:-}" ]; then
	plan 4
	xen haswell,+vmx VMX ""
	exit 0
fi
plan 8
xen haswell,+vmx VMX ""
xen zen2,+svm SVM mce=0
