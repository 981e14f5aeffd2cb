#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The interface that gdb's plug-ins for kernels (pwndbg, gef, gdb-pt-dump) use, queried and parsed as they do it:
# detection of QEMU, `monitor info mem`, `info tlb`, `gva2gpa`, `gpa2hva` with /proc/PID/mem, and
# PhyMemMode. If qemu-system-i386 is installed it runs the same guest, and the answers are compared.
. "$(dirname "$0")/gdblib.sh"
need_gdb
plan 12

cat >"$TMP/tools.py" <<'END'
import os
import re
import sys

import gdb


def monitor(line):
    return gdb.execute("monitor " + line, to_string=True)


def packet(text):
    out = gdb.execute("maintenance packet " + text, to_string=True)
    return re.search(r'received: "(.*)"', out).group(1)


def mem():
    """Ranges as pwndbg and gef cut them."""
    out = []
    for line in monitor("info mem").splitlines():
        ranges, size, rights = line.split()
        start, end = (int(x, 16) for x in ranges.split("-"))
        if end - start != int(size, 16) or rights[1] != "r":
            print("BAD " + line)
        out.append(line)
    return out


gdb.execute("set pagination off")
print("OFF " + monitor("info mem").strip())
gdb.execute("break run", to_string=True)
gdb.execute("continue", to_string=True)
print("SSTEPBITS " + packet("Qqemu.sstepbits"))
print("OFFSETS [%s]" % packet("qOffsets"))
for line in mem():
    print("MEM " + line)
for line in monitor("info tlb").splitlines()[:16]:
    print("TLB " + line)
gpa = int(monitor("gva2gpa 0xc0100000").split(" ")[-1], 16)
print("GPA %x" % gpa)
packet("Qqemu.PhyMemMode:1")
gdb.execute("maintenance flush dcache")
physical = bytes(gdb.selected_inferior().read_memory(gpa, 4096))
packet("Qqemu.PhyMemMode:0")
gdb.execute("maintenance flush dcache")
print("PHYSICAL %s" % (physical == bytes(gdb.selected_inferior().read_memory(0xC0100000, 4096))))
hva = int(monitor("gpa2hva 0x%x" % gpa).split(" ")[-1], 16)
try:
    fd = os.open("/proc/%s/mem" % os.environ["GUEST_PID"], os.O_RDONLY)
    print("PROC %s" % (os.pread(fd, 4096, hva) == physical))
except PermissionError:
    print("PROC denied")
gdb.execute("kill")
END

# ask ELF: run gdb on the stub at $SOCK; answers in $TMP/NAME
ask()
{
	GUEST_PID=${2% } timeout -k 5 400 gdb -nx -q -batch -iex 'set auto-load off' "$ELF" -ex "set remotetimeout 60" -ex "target remote $SOCK" \
		-x "$TMP/tools.py" >"$TMP/$1" 2>&1 </dev/null
	cp "$TMP/$1" "$TMP/out"
}

start_guest --wait-gdb --serial null demo
# start_guest runs it under timeout(1): its only child
child_of $guest_pid
ask vitrine "$child"
guest_status
shows "^OFF PG disabled$" "info mem without paging"
shows "^SSTEPBITS ENABLE=1,NOIRQ=2,NOTIMER=4$" "plug-ins detect a QEMU"
shows '^OFFSETS \[\]$' "and none that runs a process"
shows "^MEM [0-9a-f]\{16\}-[0-9a-f]\{16\} [0-9a-f]\{16\} -rw$" "info mem"
hides "^BAD" "the lines of info mem are consistent"
shows "^TLB [0-9a-f]\{16\}: [0-9a-f]\{16\} --P[-D][-A]---W$" "info tlb"
shows "^GPA 100000$" "gva2gpa"
shows "^PHYSICAL True$" "PhyMemMode reads the same bytes"
if grep -q "^PROC denied" "$TMP/out"; then
	skip "gpa2hva and /proc/PID/mem" "the host does not allow reading another process"
else
	shows "^PROC True$" "gpa2hva and /proc/PID/mem read the same"
fi

if command -v qemu-system-i386 >/dev/null; then
	rm -f "$SOCK"
	timeout -k 5 400 qemu-system-i386 -cpu max -m 512 -kernel "$ELF" -display none -serial null -S -no-reboot \
		-device isa-debug-exit -chardev "socket,path=$SOCK,server=on,wait=off,id=g" -gdb chardev:g \
		</dev/null >/dev/null 2>&1 &
	guest_pid=$!
	wait_socket "$SOCK"
	child_of $guest_pid
	ask qemu "$child"
	stop_guest
	for what in MEM OFF; do
		grep "^$what" "$TMP/vitrine" >"$TMP/a"
		grep "^$what" "$TMP/qemu" >"$TMP/b"
		[ -s "$TMP/b" ] && cmp -s "$TMP/a" "$TMP/b"
		ok $? "the same answers as QEMU ($what)" "$(diff "$TMP/a" "$TMP/b")"
	done
	# accessed and dirty bits depend on what was touched
	for who in vitrine qemu; do
		sed -n 's/^\(TLB .* --P\)../\1/p' "$TMP/$who" >"$TMP/$who.tlb"
	done
	[ -s "$TMP/qemu.tlb" ] && cmp -s "$TMP/vitrine.tlb" "$TMP/qemu.tlb"
	ok $? "info tlb lists the same pages as QEMU" "$(diff "$TMP/vitrine.tlb" "$TMP/qemu.tlb")"
else
	for _ in 1 2 3; do
		skip "comparison with QEMU" "no qemu-system-i386"
	done
fi
