#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The dashboard's panes and the shell's commands show the same values at a stop of one
# session.
. "$(dirname "$0")/tuilib.sh"
need_tmux
command -v python3 >/dev/null || skip_all "no python3"
plan 37
start 160x44 screen-256color --no-rc --control "unix:$TMP/control" -c 'tbreak check_processes' -c c -c 's 5' demo
sees "stopped" "stopped at a breakpoint"

# command_output LINE: execute LINE in a shell; its output is in $TMP/out.
command_output()
{
	timeout 100 "$VITRINE" attach "$TMP/control" -c "$1" >"$TMP/out" 2>&1
}

# same COMMAND...: does COMMAND, which reads a copy of the screen in $TMP/pane, print the value of $shell?
same()
{
	screen >"$TMP/pane"
	pane=$("$@")
	[ -n "$shell" ] && [ "$shell" = "$pane" ]
}

# The registers pane shows a register as "name hexdigits".
key 1
until_true has Registers
register()
{
	grep -oE "(^|[^a-z_])$1 +[0-9a-f]+" "$TMP/pane" | head -1 | awk '{ print $NF }' | sed 's/^0*\(.\)/\1/'
}
command_output "info registers"
for r in eax ecx edx ebx esp ebp esi edi eip eflags cs cr0 cr2 cr3 cr4; do
	shell=$(awk -v r=$r '$1 == r { print $2; exit }' "$TMP/out" | sed 's/^0x//')
	until_true same register $r
	ok $? "\$$r: $shell" "pane: $pane"
done

# Traps and callouts: "name count" in both.
key 3
until_true has "Traps by cause"
traps()
{
	grep -E "^$1 " "$TMP/pane" | awk '{ print $2; exit }'
}
command_output "info traps"
for n in fill true-fault code-write fpe; do
	shell=$(awk -v n=$n '$1 == n { print $2; exit }' "$TMP/out")
	until_true same traps $n
	ok $? "traps, $n: $shell" "pane: $pane"
done

# The page walk of an address.
key 4
# (the address may change while the screen's panes appear)
same_walk()
{
	screen >"$TMP/pane"
	addr=$(grep -oE '[0-9a-f]{8} → physical' "$TMP/pane" | cut -c1-8)
	pane=$(grep -oE 'physical [0-9a-f]{8}' "$TMP/pane" | cut -c10-)
	[ -n "$addr" ] || return 1
	command_output "page 0x$addr"
	shell=$(grep -oE '> 0x[0-9a-f]+' "$TMP/out" | head -1 | cut -c5-)
	[ -n "$shell" ] && [ "$shell" = "$pane" ]
}
until_true same_walk
ok $? "page walk of $addr: $shell" "pane: $pane"

# Interrupts taken.
key 5
until_true has "Interrupts"
command_output "info pit"
shell=$(awk '$1 == "0" { print $7 + 0 "/" $8; exit }' "$TMP/out")
irqs=$(awk '$1 == "0" { print $NF; exit }' "$TMP/out")
raised()
{
	screen | grep -qE "^.*[^0-9]0 +2 +[0-9.]+ +$irqs "
}
until_true raised
ok $? "timer interrupts raised: $irqs" "$shell; $(screen)"

# The fragment under the cursor and the command ccf: the same guest instructions.
key 2
until_true has "Fragments"
until_true has "chain"
same_instructions()
{
	screen >"$TMP/pane"
	pc=$(grep -oE 'Fragment [0-9a-f]{8}' "$TMP/pane" | cut -c10-)
	command_output "ccf 0x$pc"
	bad=
	for a in $(grep -oE '^c0[0-9a-f]{6} [^|]*(ident|window|callout|chain|in-tc)' "$TMP/pane" | sed '/live/d' | cut -c1-8 | sort -u); do
		grep -qi "0x$a" "$TMP/out" || bad="$bad $a"
	done
	[ -n "$pc" ] && [ -z "$bad" ]
}
until_true same_instructions
ok $? "fragment $pc: pane and command show the same instructions" "not in the command's output:$bad"

# press KEY, and wait until the screen changes.
press()
{
	shown=$(screen)
	key "$1"
	until_true changed
}

changed()
{
	[ "$(screen)" != "$shown" ]
}

zoomed()
{
	screen | sed -n 3p | grep -q "^ $name "
}

tables_agree()
{
	screen >"$TMP/pane"
	python3 "$TOP_SRCDIR/tests/tui/tables.py" "$TMP/pane" "$TMP/control" "$@" >"$TMP/tables" 2>&1
}

# Whole tables: the zoomed pane against the same command through the control socket.
pane_agrees()
{
	# pane_agrees SCREEN NAME COMMAND KEY...: the pane called NAME against COMMAND.
	number=$1
	name=$2
	shift 2
	key "$number"
	until_true has "$name"
	for i in $(seq 1 40); do
		! has " $name " || break
		press o
	done
	key z
	until_true zoomed
	until_true tables_agree "$@"
	ok $? "$name and $1: $(cat "$TMP/tables")" "$(cat "$TMP/tables" "$TMP/pane")"
	key z
}
pane_agrees 3 "Traps by cause" "info traps" cause
pane_agrees 3 "Callouts by kind" "info callouts" kind
pane_agrees 3 "Exceptions" "info exceptions" kind
pane_agrees 3 "Adaptation" "info causes" cause
pane_agrees 3 "Costliest fragments" "info ccf" "host address"
pane_agrees 3 "By guest pc" "info trap-sites" "guest pc" cause
pane_agrees 3 "Adaptation log" "info adapt" "#"
pane_agrees 3 "Sensitive instructions" "info ways" kind way
pane_agrees 2 "Fragments" "info ccf" "host address"
pane_agrees 4 "Windows" "info windows" id
pane_agrees 5 "I/O ports" "info ports" first last

# After a step, panes and message show the same place, another one than before.
code_pc()
{
	screen >"$TMP/pane"
	pc=$(grep -oE '▶ [0-9a-f]{8}' "$TMP/pane" | cut -d' ' -f2)
	[ -n "$pc" ]
}
at_pc()
{
	code_pc && [ "$pc" != "$before" ] && grep -q "step at 0x$pc" "$TMP/pane"
}
key 1
until_true code_pc
before=$pc
key s
until_true at_pc
ok $? "after a step the code pane and the message name the same pc" "$(cat "$TMP/pane")"
eip_at_pc()
{
	eip=$(screen | grep -oE 'eip [0-9a-f]{8}' | cut -d' ' -f2)
	[ "$eip" = "$pc" ]
}
until_true eip_at_pc
ok $? "and the registers pane too" "eip $eip, pc $pc"
key q y
ends 0 "q ends with status 0"
