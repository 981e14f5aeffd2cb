#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb on Debian's kernel: Ctrl-C during boot and in the idle loop, a breakpoint on an interrupt handler, registers
# and page tables, detach and reconnect; then with the symbols of the guest's own /proc/kallsyms: kernel functions,
# a program's lines and variables, 10,000 hits of a condition.
. "$(dirname "$0")/gdblib.sh"
need_gdb
need linux-686-pae busybox
[ -x "$RSP" ] || skip_all "no tests/gdb/rsp (make check builds it)"
"$TOP_SRCDIR/guests/mkinitramfs" -f 686-pae -o "$TMP/initrd" "$CACHE" 2>"$TMP/err" ||
	skip_all "no initramfs: $(cat "$TMP/err")"
plan 33

GUEST_LIMIT=1000 start_guest --memory 256M --kernel "$CACHE/linux-686-pae" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1"
until_true grep -q "Linux version" "$TMP/guest"
stops_soon 100 "Ctrl-C while it boots"
for _ in 1 2 3 4 5; do
	until_true grep -q "vitrine: shell ready" "$TMP/guest" && break
done
grep -q "vitrine: shell ready" "$TMP/guest"
ok $? "it boots on after the client has detached" "$(tail -5 "$TMP/guest")"
stops_soon 500 "Ctrl-C while it idles"

run_gdb <<END
set architecture i386
target remote $SOCK
info registers cr0 cr3 eip
x/2i \$pc
python
import json
idt = [json.loads(l) for l in gdb.execute("monitor info -j idt", to_string=True).splitlines()]
timer = [g["offset"] for g in idt if int(str(g["vector"]), 0) == 0xec]
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
stop_guest

# ---- with symbols ----
LOOPER=$BUILD/tests/gdb/looper.elf
if [ ! -s "$LOOPER" ] || ! gdb -nx -batch -ex 'python 1' >/dev/null 2>&1; then
	for _ in $(seq 1 18); do
		skip "with symbols" "no looper.elf, or a gdb without Python"
	done
	exit 0
fi
cat >"$TMP/inside.sh" <<'END'
grep -v '\[' /proc/kallsyms
END
echo /looper.elf >"$TMP/loop.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -f 686-pae -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" "$TMP/loop.sh" "$LOOPER" 2>"$TMP/err"
run_guest 400 --memory 256M --kernel "$CACHE/linux-686-pae" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1 nokaslr loglevel=0 run=inside.sh"
cp "$TMP/out" "$TMP/boot"
grep -E '^[0-9a-f]{8} [a-zA-Z] [^ ]*$' "$TMP/boot" >"$TMP/System.map"
[ "$(wc -l <"$TMP/System.map")" -gt 10000 ]
ok $? "reads the guest's kallsyms" "$(wc -l "$TMP/System.map")"

GUEST_LIMIT=1000 start_guest --gdb-files --wait-gdb --memory 256M --kernel "$CACHE/linux-686-pae" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1 nokaslr loglevel=0 run=loop.sh"
GDB_LIMIT=900 run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine.gdb
source $TOP_SRCDIR/gdbstub/vitrine_gdb.py
target remote $SOCK
vitrine symbols $TMP/System.map
break start_kernel
continue
stepi
nexti
info registers eip
delete
break rest_init
continue
backtrace
delete
python
import re
# the kernel's clock: a variable of 64 bits that get_jiffies_64 reads as two halves
at = sorted(int(a, 16) for a in re.findall(r"mov +0x(c[0-9a-f]{7}),%e", gdb.execute("x/30i get_jiffies_64", to_string=True)))
clock = next(a for a in at if a + 4 in at)
gdb.execute("watch *(unsigned *) %d" % clock)
end
continue
continue
backtrace 1
delete
add-symbol-file $LOOPER
break bump
continue
delete
backtrace
next
next
print rounds
finish
watch rounds if rounds == 5
continue
print rounds
delete
python
name = int(gdb.parse_and_eval("(int) &names[130]"))
gdb.selected_inferior().write_memory(name, b"----")
gdb.execute("watch *(int *) %d" % name)
end
continue
delete
python
gpa = int(gdb.execute("monitor gva2gpa %d" % name, to_string=True).split()[-1], 16)
gdb.execute("monitor watch -p %d" % gpa)
end
continue
monitor info break
monitor delete
break __ia32_sys_getppid
continue
backtrace 2
finish
delete
python
import time
b = gdb.Breakpoint("*__ia32_sys_getppid")
b.condition = "*(int *) %d >= 11000" % int(gdb.parse_and_eval("(int) &rounds"))
n = int(gdb.parse_and_eval("rounds"))
start = time.time()
gdb.execute("continue")
n = int(gdb.parse_and_eval("rounds")) - n
print("RATE %d hits, %.0f a second" % (n, n / (time.time() - start)))
end
monitor symbols load $TMP/System.map
monitor backtrace
monitor info ccf sort=-entries limit=3
vitrine ccf 3
info line parent
detach
target remote $SOCK
info threads
monitor threads tasks
info threads
python
def other(name):
    next(t for t in gdb.selected_inferior().threads() if t.name and t.name.startswith(name)).switch()
other("kthreadd")
end
x/i \$pc
info registers eax ebx
stepi
python
try:
    gdb.execute("set \$ebx = 1")
except gdb.error as e:
    print("REFUSED", e)
end
thread 1
monitor threads cpus
echo CPUS\n
info threads
kill
END
shows "^[0-9]* symbols from .*System.map" "vitrine symbols reads the list"
shows "^Breakpoint 1, 0xc[0-9a-f]* in start_kernel ()" "a breakpoint at a kernel symbol"
shows "^eip .*<start_kernel+" "stepi into a call and nexti out of it"
grep -A6 "in rest_init ()" "$TMP/out" | grep -q "#[123] .* in start_kernel ()"
ok $? "backtrace" "$(cat "$TMP/out")"
[ "$(grep -c "^Hardware watchpoint 3: " "$TMP/out")" -ge 3 ] && grep -q "^#0 .*\(timer\|tick\|jiff\)" "$TMP/out"
ok $? "a watchpoint on a kernel variable" "$(cat "$TMP/out")"
shows "^Breakpoint 4, bump () at .*looper.c:" "a breakpoint in a program"
shows "^#1 .* in start () at .*looper.c:" "its backtrace"
shows "^\$1 = 1" "next over a line whose variable is not in memory yet"
shows "^start () at\|in start () at" "finish"
shows "^\$2 = 5" "a conditional watchpoint on its variable"
awk '/^Hardware watchpoint 6:/ { seen = 1 } seen && /^New value/ { getline; exit !/^0xc/ }' "$TMP/out"
ok $? "a watchpoint on the program's memory that the kernel writes" "$(cat "$TMP/out")"
shows "^ *[0-9]*  watch  yes .*  1  .*yes$" "a physical watchpoint there"
shows "^Breakpoint 7, 0xc.* in __ia32_sys_getppid ()" "a breakpoint in its system call"
shows "^RATE 1[01][0-9]\{3\} hits" "a condition that holds more than 10,000 times"
echo "# $(grep ^RATE "$TMP/out")"
shows "^#1 .* ia32_sys_call.*(\(frame pointer\|stack top\))" "vitrine's own backtrace, by frame pointers"
shows "^0xc[0-9a-f]*  *[0-9].*  [a-z_]" "fragments with symbols"
shows '^  *[0-9]* .*1000002 "kthreadd 2" (S) .*schedule' "tasks as threads, where the kernel switched them out"
shows "^=> 0x[cd][0-9a-f]* <__*schedule" "a task's program counter"
grep -q '^ebx *0x' "$TMP/out" && grep -q '^eax *<unavailable>' "$TMP/out"
ok $? "registers that are saved, and others" "$(grep '^r[ab]x\|^e[ab]x' "$TMP/out")"
shows "can be neither stepped nor resumed: select thread 1" "it cannot be stepped"
shows "^REFUSED" "nor changed"
[ "$(sed -n '/^CPUS/,$p' "$TMP/out" | grep -c 'Thread 1\.')" -eq 1 ]
ok $? "and threads are processors again" "$(sed -n '/^CPUS/,$p' "$TMP/out")"
guest_status
ok $? "kill" "status $status"
