#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb on Debian's kernel: Ctrl-C while it boots and while it idles, a breakpoint on the page fault
# handler with a condition, registers and page tables, detach and reconnect.
. "$(dirname "$0")/gdblib.sh"
need_gdb
need linux-686-pae busybox
[ -x "$RSP" ] || skip_all "no tests/gdb/rsp (make check builds it)"
"$TOP_SRCDIR/guests/mkinitramfs" -f 686-pae -o "$TMP/initrd" "$CACHE" 2>"$TMP/err" ||
	skip_all "no initramfs: $(cat "$TMP/err")"
plan 9

GUEST_LIMIT=200 start_guest --memory 256M --kernel "$CACHE/linux-686-pae" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1"
sleep 2
"$RSP" "$SOCK" 'p:?' P:c sleep:300 i | tail -1 >"$TMP/out"
awk '/T02/ { exit !($1 < 100) } { exit 1 }' "$TMP/out"
ok $? "Ctrl-C while it boots" "$(cat "$TMP/out")"
echo "# booting: $(cut -d' ' -f1,2 "$TMP/out")"
for _ in $(seq 1 60); do
	grep -q "vitrine: shell ready" "$TMP/guest" && break
	sleep 1
done
grep -q "vitrine: shell ready" "$TMP/guest"
ok $? "it boots on after the client went" "$(tail -5 "$TMP/guest")"
sleep 1
"$RSP" "$SOCK" 'p:?' P:c sleep:500 i | tail -1 >"$TMP/out"
awk '/T02/ { exit !($1 < 100) } { exit 1 }' "$TMP/out"
ok $? "Ctrl-C while it idles" "$(cat "$TMP/out")"
echo "# idle: $(cut -d' ' -f1,2 "$TMP/out")"

run_gdb <<END
set architecture i386
target remote $SOCK
info registers cr0 cr3 eip
x/2i \$pc
python
import json
idt = [json.loads(l) for l in gdb.execute("monitor info -j idt", to_string=True).splitlines()]
timer = [g["offset"] for g in idt if int(str(g["vector"]), 0) == 0x30]
gdb.execute("hbreak *%s" % timer[0])
end
continue
info break
stepi 5
monitor info mem limit=3
monitor info tlb limit=3
delete
detach
target remote $SOCK
info threads
detach
END
shows "^cr0  *0x8" "paging is on"
shows "^=> 0x.*:" "code at pc"
shows "^Breakpoint 1, 0x" "a breakpoint on an interrupt handler"
shows "^[0-9a-f]\{16\}-[0-9a-f]\{16\} [0-9a-f]\{16\} [-u]r[-w]" "info mem as QEMU prints it"
shows "^[0-9a-f]\{16\}: [0-9a-f]\{16\} [-X][-G][-P][-D]" "info tlb as QEMU prints it"
[ "$(grep -c 'detached' "$TMP/out")" -eq 2 ]
ok $? "detach and reconnect" "$(tail "$TMP/out")"
