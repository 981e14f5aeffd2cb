#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb on Debian's 64-bit cloud kernel, with the symbols that Vitrine finds in its memory. One session goes from the first
# instruction, in 32-bit code, to the kernel and to a program; then detach and reconnect.
. "$(dirname "$0")/gdblib.sh"
need_gdb
need linux-cloud-amd64 busybox-amd64
gdb -nx -batch -ex 'set architecture i386:x86-64' >/dev/null 2>&1 || skip_all "gdb knows no x86-64"
gdb -nx -batch -ex 'python 1' >/dev/null 2>&1 || skip_all "a gdb without Python"
LOOPER=$BUILD/tests/gdb/looper64.elf
[ -s "$LOOPER" ] || skip_all "no looper64.elf (make check builds it)"
echo /looper64.elf >"$TMP/loop.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/initrd" "$CACHE" "$TMP/loop.sh" "$LOOPER" \
	2>"$TMP/err" || skip_all "no initramfs: $(cat "$TMP/err")"
plan 30

linux64()
{
	"$@" --cpu zen2 --memory 256M --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
		--append "console=ttyS0 panic=-1 nokaslr loglevel=0 $run"
}

run= linux64 timeout 400 "$VITRINE" shell --no-rc --serial null -c 'wait "shell ready" 300' -c "symbols save $TMP/System.map" \
	-c quit >"$TMP/out" 2>&1 </dev/null
[ "$(wc -l <"$TMP/System.map")" -gt 10000 ]
ok $? "the symbols of the guest's own kernel are saved" "$(tail -5 "$TMP/out")"

GUEST_LIMIT=1000 run=run=loop.sh linux64 start_guest --gdb-files --wait-gdb
GDB_LIMIT=900 run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine.gdb
source $TOP_SRCDIR/gdbstub/vitrine_gdb.py
target remote $SOCK
vitrine symbols $TMP/System.map
info registers efer
break start_kernel
continue
info registers efer rip
backtrace 2
stepi
nexti
delete
break rest_init
continue
monitor backtrace
delete
watch *(long *) &jiffies
continue
continue
monitor backtrace
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
break __ia32_sys_getppid
continue
finish
monitor symbols load $LOOPER
continue
monitor backtrace
monitor info registers gs_base kernel_gs_base
delete
set \$was = \$rsp
set \$xmm9.v2_int64[0] = 0x123456789abcdef
print/x \$xmm9.v2_int64[0]
stepi
print \$was - \$rsp
detach
target remote $SOCK
info registers efer
info threads
monitor threads tasks
info threads
python
def other(name):
    next(t for t in gdb.selected_inferior().threads() if t.name and t.name.startswith(name)).switch()
other("kthreadd")
end
x/i \$pc
info registers rax rbx
stepi
python
try:
    gdb.execute("set \$rbx = 1")
except gdb.error as e:
    print("REFUSED", e)
end
thread 1
monitor threads cpus
echo CPUS\n
info threads
detach
END
hides "rejected\|too long\|too short\|Truncated" "one layout of registers fits all modes"
shows "symbols from" "an ELF64 file of the list"
shows "^efer  *0x0 " "the session begins in 32-bit code"
shows "^Breakpoint 1, 0xffffffff[0-9a-f]* in start_kernel" "a breakpoint in the kernel"
shows "^efer  *0xd01 " "which is 64-bit code"
shows "^rip  *0xffffffff.* <start_kernel>" "its program counter"
shows "^#1  0xffffffff81[0-9a-f]* in secondary_startup_64" "gdb's backtrace without tables"
shows "^Breakpoint 2, 0xffffffff[0-9a-f]* in rest_init" "the next breakpoint"
shows "^#[0-9]* 0xffffffff[0-9a-f]* start_kernel+0x[0-9a-f]* (orc)" "Vitrine's backtrace, by the kernel's tables"
[ "$(grep -c 'Hardware watchpoint 3: \*(long \*) &jiffies' "$TMP/out")" -ge 3 ]
ok $? "a watchpoint on jiffies, twice" "$(grep -A4 'Hardware watchpoint 3' "$TMP/out")"
shows "^#[0-9]* 0xffffffff[0-9a-f]* asm_[a-z_]*interrupt+0x[0-9a-f]* (orc)" "in the timer's interrupt"
shows "^Breakpoint 4, bump ()" "a program's function"
shows "^#1  0x[0-9a-f]* in start ()" "its caller, by frame information"
shows "^\$[0-9]* = 1" "its variable"
shows "^Run till exit\|^start ()" "finish"
shows "^\$[0-9]* = 5" "a conditional watchpoint on it"
shows "Breakpoint 6, 0xffffffff[0-9a-f]* in __[a-z0-9]*_sys_getppid" "its system call in the kernel"
shows "^#[0-9]* 0xffffffff[0-9a-f]* .*do_int80\|^#[0-9]* 0xffffffff[0-9a-f]* .*int80.*(orc)" "the kernel's entry in the backtrace"
shows "^#[0-9]* 0x0*2000[0-9a-f]* parent+0x[0-9a-f]* .*(orc)" "and the program behind it"
shows "^#[0-9]* 0x0*2000[0-9a-f]* start+0x[0-9a-f]* .*(cfi)" "whose caller its own tables give"
shows "^\$[0-9]* = 0x123456789abcdef" "a vector register is written"
[ "$(grep -c '^efer  *0xd01 ' "$TMP/out")" -eq 2 ] && [ "$(grep -c 'detached' "$TMP/out")" -eq 2 ]
ok $? "detach and reconnect" "$(tail "$TMP/out")"
shows "Thread 1.*CPU 0" "the processor as a thread"
shows '^  *[0-9]* .*1000002 "kthreadd 2" (S) .*schedule' "tasks as threads, where the kernel switched them out"
shows "^=> 0xffffffff[0-9a-f]* <__*schedule" "a task's program counter"
grep -q '^rbx *0x' "$TMP/out" && grep -q '^rax *<unavailable>' "$TMP/out"
ok $? "registers that are saved, and others" "$(grep '^r[ab]x\|^e[ab]x' "$TMP/out")"
shows "can be neither stepped nor resumed: select thread 1" "it cannot be stepped"
shows "^REFUSED" "nor changed"
[ "$(sed -n '/^CPUS/,$p' "$TMP/out" | grep -c 'Thread 1\.')" -eq 1 ]
ok $? "and threads are processors again" "$(sed -n '/^CPUS/,$p' "$TMP/out")"
stop_guest
