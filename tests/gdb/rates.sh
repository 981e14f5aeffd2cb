#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb's single-step and breakpoint rates on the embedded guest, with vitrine's and with QEMU's
# stub, alternating in one run; the best of three each. Not part of `make check`: it needs QEMU
# and an idle host.
#   tests/gdb/rates.sh [BUILD]
TOP_SRCDIR=$(cd "$(dirname "$0")/../.." && pwd)
TOP_BUILDDIR=$(cd "${1:-$TOP_SRCDIR/build}" && pwd)
VITRINE=$TOP_BUILDDIR/vitrine
. "$TOP_SRCDIR/tests/gdb/gdblib.sh"
need_gdb
command -v qemu-system-i386 >/dev/null || skip_all "no qemu-system-i386"

# measure WHO: append "WHO NAME RATE" lines to $TMP/rates.
measure()
{
	rm -f "$SOCK"
	case $1 in
	vitrine)
		timeout 100 "$VITRINE" run --gdb "unix:$SOCK" --wait-gdb --serial null demo </dev/null >/dev/null 2>&1 &
		;;
	qemu)
		timeout 100 qemu-system-i386 -cpu max -m 512 -kernel "$ELF" -display none -serial null -S -no-reboot \
			-device isa-debug-exit -chardev "socket,path=$SOCK,server=on,wait=off,id=g" -gdb chardev:g \
			</dev/null >/dev/null 2>&1 &
		;;
	esac
	guest_pid=$!
	while [ ! -S "$SOCK" ] && kill -0 $guest_pid; do
		sleep 0.1
	done
	timeout 90 gdb -nx -q -batch "$ELF" -ex "target remote $SOCK" -x "$TOP_SRCDIR/tests/gdb/rates.py" 2>&1 </dev/null |
		sed -n "s/^RATE/$1/p" >>"$TMP/rates"
	stop_guest
}

for _ in 1 2 3; do
	measure vitrine
	measure qemu
done
awk '{ if ($3 > best[$1, $2]) best[$1, $2] = $3 }
END {
	printf "%-8s %12s %12s %8s\n", "", "vitrine /s", "qemu /s", "ratio"
	split("stepi break", names)
	for (i = 1; i <= 2; i++) {
		v = best["vitrine", names[i]]; q = best["qemu", names[i]]
		printf "%-8s %12d %12d %8.2f\n", names[i], v, q, q ? v / q : 0
	}
}' "$TMP/rates"
