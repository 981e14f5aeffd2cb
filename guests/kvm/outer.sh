# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the guest: loads KVM, then boots what guests= names (demo, linux, both; stress) in it. Words of the kernel's command line:
#   vendor=intel|amd  module=OPTION  guests=WHICH
guests=both
for word in $(cat /proc/cmdline); do
	case $word in
	vendor=*) vendor=${word#vendor=} ;;
	module=*) module=${word#module=} ;;
	guests=*) guests=${word#guests=} ;;
	esac
done
now()
{
	cut -d' ' -f1 /proc/uptime
}
insmod /irqbypass.ko && insmod /kvm.ko && insmod "/kvm-$vendor.ko" "$module" || echo "no KVM"
# Linux' KVM saves a task's state in the format of the TSS that it switches to; kvm_amd drops bits 3 to 0 of TPR.
skip=-task-with-a-16-bit-TSS
[ "$vendor" = intel ] || skip="$skip -local-APIC"
if [ "$guests" = stress ]; then
	/kvm -m 64 /stress.elf seed=3
	echo "outer: stress ended with $?"
	exit
fi
if [ "$guests" != linux ]; then
	began=$(now)
	/kvm -m 64 /demo.elf $skip
	echo "outer: demo ended with $?, $began to $(now)"
fi
if [ "$guests" != demo ]; then
	began=$(now)
	/kvm -m 128 -i /initrd.gz /linux console=ttyS0 quiet panic=-1 run=inner.sh
	echo "outer: linux ended with $?, $began to $(now)"
fi
