#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Steps through a REP, and breakpoints at it, in a few instructions of flat code.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 6

# mov ecx, 3; mov edi, 0x200000; rep stosb; nop; mov eax, -1; mov cr4, eax.
printf '\271\003\000\000\000\277\000\000\040\000\363\252\220\270\377\377\377\377\017\042\340' >"$TMP/code"

# vit COMMANDS: the shell's output is in $TMP/out.
vit()
{
	shell_script --flat "$TMP/code@0x100000"
}

vit <<'END_OF_SCRIPT'
stepi 2
stepi
print $ecx * 0x100 + $edi
stepi
stepi
print $ecx * 0x100 + $edi
END_OF_SCRIPT
[ "$(grep -c '^step at 0x0010000a' "$TMP/out")" -eq 3 ] && grep -q '0x200201$' "$TMP/out"
ok $? "stepi executes one iteration" "$(cat "$TMP/out")"
match '^step at 0x0010000c' "it leaves the REP with its last"
match '0x200003$' "which has done all of it"

vit <<'END_OF_SCRIPT'
break 0x10000a
continue
nexti
print $ecx
reset
break 0x10000d
continue
continue
info break
END_OF_SCRIPT
match '^step at 0x0010000c' "nexti executes all iterations"
[ "$(grep -c '^breakpoint 1 at' "$TMP/out")" -eq 2 ] && grep -q '^breakpoint 2 at 0x0010000d' "$TMP/out"
ok $? "a breakpoint at a REP stops once" "$(cat "$TMP/out")"

# A series of steps that does not end by itself: "1: jmp 1b".
printf '\353\376' >"$TMP/loop"
timeout -k 60 -s INT 2 "$VITRINE" shell --no-rc --serial null --flat "$TMP/loop@0x100000" -c "step 4000000000" \
	</dev/null >"$TMP/out" 2>&1
match '^stopped at 0x00100000' "Ctrl-C ends a long series of steps"
