#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Symbols of a Linux guest's programs: of one at its linked address, and of a position-independent one, which each process has
# elsewhere. Places in files before their directory is named, functions, source lines and frames behind that; points
# and probes of one process.
. "$(dirname "$0")/../guests/guestlib.sh"
need linux-cloud-amd64 busybox-amd64
BUILD=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
for f in looper64.elf pie64.elf; do
	[ -s "$BUILD/tests/gdb/$f" ] || skip_all "no $f (make check builds it)"
done
mkdir -p "$TMP/root/bin"
cp "$BUILD/tests/gdb/looper64.elf" "$TMP/root"
cp "$BUILD/tests/gdb/pie64.elf" "$TMP/root/bin"
echo 'while :; do /pie64.elf; done & while :; do /looper64.elf; done' >"$TMP/loop.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/initrd" "$CACHE" "$TMP/loop.sh" "$BUILD/tests/gdb/looper64.elf" \
	"$BUILD/tests/gdb/pie64.elf" 2>"$TMP/err" || skip_all "no initramfs: $(cat "$TMP/err")"
plan 15

shell_script --serial null --memory 256M --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1 run=loop.sh" <<END
wait "shell ready" 250
break __ia32_sys_getppid task looper64.elf
continue
echo BEFORE
backtrace
symbols programs $TMP/root
echo AFTER
backtrace
x/2i 0x20001000
x/1a \$rsp
delete
symbols programs $TMP/root/bin
break __ia32_sys_getppid task pie64.elf
continue
echo ELSEWHERE
backtrace
finish
finish
finish
delete
probe __ia32_sys_getppid task looper64.elf
probe __ia32_sys_getppid task "pie64.elf" if \$pid > 1
probe __ia32_sys_getppid "getppid of %d, %s" \$pid, \$task + 0 task nosuch
probe __ia32_sys_getppid "pid %d" \$pid if \$tgid == 1
probe __ia32_sys_getppid
profile 1 file $TMP/folded
echo PROBES
info probes -j
patches save $TMP/saved
-symbols programs
END
sed -n '/^BEFORE/,/^AFTER/p' "$TMP/out" >"$TMP/before"
sed -n '/^AFTER/,/^ELSEWHERE/p' "$TMP/out" >"$TMP/after"
match '^breakpoint 1 in looper64.elf [0-9]+ at ' "a breakpoint of one program stops in it"
grep -q '^#[0-9]* 0x0*2000[0-9a-f]* looper64.elf+0x' "$TMP/before"
ok $? "without files there are places in them" "$(cat "$TMP/before")"
grep -q '^#[0-9]* 0x0*2000[0-9a-f]* looper64.elf!parent+0x[0-9a-f]* .*looper.c:[0-9]* (orc)' "$TMP/after"
ok $? "with them functions and source lines" "$(cat "$TMP/after")"
grep -q '^#[0-9]* 0x0*2000[0-9a-f]* looper64.elf!start+0x[0-9a-f]* .*looper.c:[0-9]* (cfi)' "$TMP/after"
ok $? "and callers, by the program's tables" "$(cat "$TMP/after")"
grep -q '0x0*20001000  looper64.elf!' "$TMP/after"
ok $? "x/i names them" "$(cat "$TMP/after")"
match '^breakpoint 2 in pie64.elf [0-9]+ at ' "a breakpoint of the other program"
sed -n '/^ELSEWHERE/,$p' "$TMP/out" | grep -q '^#[0-9]* 0x0*[57][0-9a-f]* pie64.elf![a-z]*+0x.*looper.c:[0-9]* (orc)'
ok $? "functions of a program at an address of its own, found by its name alone" "$(sed -n '/^ELSEWHERE/,$p' "$TMP/out")"
match '^finish in pie64.elf .*<pie64.elf![a-z]+\+0x' "a stop there says where"
match '^[^ ]*looper.c:[0-9]+' "and which line"
match '^ +[0-9]+ +[0-9.]+ +pie64.elf!' "profile names functions"
grep -q '^pie64.elf;.*pie64.elf!' "$TMP/folded" && grep -q '^looper64.elf;.*\[looper64.elf\]\|^looper64.elf;.*looper64.elf!' "$TMP/folded"
ok $? "its stacks begin with the task" "$(head -5 "$TMP/folded")"
probe()
{
	sed -n '/^PROBES/,$p' "$TMP/out" | grep -F "\"condition\":\"$1" | sed -n 's/.*"matched":\([0-9]*\).*/\1/p'
}
[ "$(probe 'task looper64.elf')" -gt 0 ] && [ "$(probe 'task \"pie64.elf')" -gt 0 ]
ok $? "probes count for one program" "$(sed -n '/^PROBES/,$p' "$TMP/out")"
[ "$(probe 'task nosuch')" -eq 0 ]
ok $? "and not for others" "$(sed -n '/^PROBES/,$p' "$TMP/out")"
grep -q '^probe 0x[0-9a-f]* task looper64.elf$' "$TMP/saved"
ok $? "they are saved as they were given" "$(cat "$TMP/saved")"
match 'usage: symbols ' "a directory is needed"
