#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The shell on a 64-bit guest that runs: the event of entering the mode, breakpoints and backtraces in 64-bit code,
# probes, patches, traces; a saved state runs on exactly as the one that was saved.
. "$(dirname "$0")/../guests/guestlib.sh"
KERNEL=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo64/demo64.elf
need
[ -s "$KERNEL" ] || skip_all "no demo64.elf"
plan 18

# session OPTION...: commands on standard input, output in $TMP/out.
session()
{
	timeout 300 "$VITRINE" shell --no-rc --serial null --cpu zen2 --kernel "$KERNEL" --append "insn trap page user" "$@" \
		>"$TMP/out" 2>&1
}

# shows PATTERN NAME
shows()
{
	grep -q -- "$1" "$TMP/out"
	ok $? "$2" "$(tail -30 "$TMP/out")"
}

session <<'END'
break-on mode long
continue
info registers efer
delete
break-on fragment 0xffffffff80000000 to 0xffffffffffffffff
continue
delete
until *check_timer_loop
backtrace 2
info registers rip
disassemble/2
probe check_timer_loop
probe check_timer_loop+0x43 "rip %x, rsp %x" $pc,$rsp if $rsp > 0xffffffff80000000
trace check_timer_loop+0x43 "traced at %a" $pc
watch 0xfffffffffffff000 8
stepi
nexti 2
break check_timer_loop+0x43
continue
continue
info probes
unprobe all
delete
patch-code check_timer_loop+0x43 asm "add rax, 2"
disassemble/1 check_timer_loop+0x43
finish
page $rsp
info mem
END
shows "^mode long at 0x0010[0-9a-f]* <start+" "the event of IA-32e mode"
shows "^efer  *0x[0-9a-f]*  .*LMA" "which is on then"
shows "^fragment 0xffffffff801[0-9a-f]*, [0-9]* instructions\?, at 0xffffffff801" "the first code of the upper half"
shows "^until at 0xffffffff801[0-9a-f]* <check_timer_loop>" "until an address of the upper half"
shows "^#1 0xffffffff801[0-9a-f]* [a-z_]*+0x[0-9a-f]* guests/demo64/[a-z_]*.c:[0-9]* (" "a backtrace"
shows "^rip  0xffffffff801" "rip"
shows "^=>  0xffffffff801[0-9a-f]*  check_timer_loop " "64-bit code"
shows "^rip ffffffff801[0-9a-f]*, rsp ffffffff8" "a probe's line"
shows "^traced at check_timer_loop+0x43" "a trace"
shows "^watch 4 at 0xfffffffffffff000" "a watchpoint in the last page"
shows "^breakpoint 5 at 0xffffffff801[0-9a-f]* <check_timer_loop+0x43>" "a breakpoint"
shows "^ *1  0xffffffff801[0-9a-f]*  check_timer_loop  *1 .*inline" "a probe counts"
shows "^ *2  0xffffffff801[0-9a-f]*  check_timer_loop+0x43  *[1-9]" "and another, with a condition"
shows "add rax, 0x02  (patch 1)" "a patch by assembly text"
shows "^0xffffffff8[0-9a-f]* -> 0x00[0-9a-f]*, page of" "a page walk"
shows "^ffffffff8[0-9a-f]*-[0-9a-f]* [0-9a-f]* -r" "ranges of the upper half"

printf 'run-icount 2000000\nstatehash\nsave-state %s\nrun-icount 4000000\nstatehash\n' "$TMP/state" | session --clock icount
grep " at icount [24]000000$" "$TMP/out" | grep -v '^state' >"$TMP/want"
printf 'load-state %s\nstatehash\nrun-icount 4000000\nstatehash\ninfo registers r15 rip cs\n' "$TMP/state" | session --clock icount
grep " at icount [24]000000$" "$TMP/out" | grep -v '^state' >"$TMP/got"
[ "$(wc -l <"$TMP/want")" -eq 2 ] && cmp -s "$TMP/want" "$TMP/got"
ok $? "a saved state is the same, and runs on the same" "$(cat "$TMP/want" "$TMP/out")"
shows "^rip  *0x" "in 64-bit code"
