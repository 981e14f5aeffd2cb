#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The other faces over an engine that executes nothing: the dashboard on a terminal, real gdb, the control
# socket with an attached shell. Nothing crashes; what the engine lacks says so.
. "$(dirname "$0")/../tui/tuilib.sh"
VITRINE=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/engine/vitrine-null
ELF=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo/demo.elf
SOCK=$TMP/gdb
S=$TMP/control
[ -x "$VITRINE" ] || skip_all "no vitrine-null at $VITRINE"
need_tmux
command -v gdb >/dev/null || skip_all "no gdb"
gdb -nx -batch -ex 'set architecture i386' >/dev/null 2>&1 || skip_all "gdb knows no i386"
plan 46

# ---- the dashboard ----

alive()
{
	[ ! -s "$TMP/status" ]
}

for engine in fails idle; do
	start 160x44 screen-256color --no-rc --name $engine demo
	sees "stopped" "$engine: the dashboard comes up"
	while read -r number word; do
		key "$number"
		until_true has "$word" && alive
		ok $? "$engine: screen $number" "$(screen)"
		for k in Tab Down Enter Escape PgDn s; do
			key $k
		done
	done <<-'END'
	1 Registers
	2 Fragments
	3 Traps
	4 Windows
	5 Interrupts
	6 switches
	7 Who
	8 zeros
	END
	key 2
	until_true has "no view"
	ok $? "$engine: a pane without its view says so" "$(screen)"
	key 1
	for k in s n b c; do
		key $k
	done
	until_true has "Registers" && alive
	ok $? "$engine: stepping, a breakpoint, running" "$(screen)"
	key q
	sleep 0.2
	[ -s "$TMP/status" ] || key y
	until_true test -s "$TMP/status"
	[ "$(cat "$TMP/status")" -lt 126 ]
	ok $? "$engine: q ends it" "status $(cat "$TMP/status"); $(cat "$TMP/err")"
done
for name in machine translation traps spaces devices io memory sharing; do
	timeout -k 5 60 "$VITRINE" tui --no-rc --dump $name --size 100x30 demo >"$TMP/dump" 2>&1
	[ $? -eq 0 ] && [ -s "$TMP/dump" ]
	ok $? "--dump $name" "$(head -3 "$TMP/dump")"
done

# ---- gdb ----

start_guest()
{
	rm -f "$SOCK"
	timeout -k 5 300 "$VITRINE" run --gdb "unix:$SOCK" --wait-gdb --control "unix:$S" "$@" demo </dev/null >"$TMP/guest" 2>"$TMP/err" &
	guest=$!
	wait_socket "$SOCK"
}

# ended STATUS NAME
ended()
{
	wait "$guest"
	status=$?
	[ $status -eq "$1" ]
	ok $? "$2" "status $status; $(cat "$TMP/err")"
}

run_gdb()
{
	{
		echo "set pagination off"
		echo "set confirm off"
		echo "set remotetimeout 60"
		echo "target remote $SOCK"
		cat
	} >"$TMP/commands"
	timeout -k 5 200 gdb -nx -q -batch -iex 'set auto-load off' "$ELF" -x "$TMP/commands" >"$TMP/out" 2>&1 </dev/null
}

shows()
{
	grep -q -- "$1" "$TMP/out"
	ok $? "$2" "$(tail -25 "$TMP/out")"
}

start_guest --name idle
run_gdb <<'END'
info registers
x/3i $pc
stepi
p $eax = 7
p $eax
set var *(int*)0x200000 = 5
p *(int*)0x200000
break *$pc
continue
monitor info cpus
monitor ccf
monitor info ccf
monitor help
monitor break-on exception
monitor page $pc
delete
watch *(int*)0x200000
maint packet Z2,200000,4
kill
END
shows "^eip " "gdb: info registers"
shows "^=> 0x" "gdb: x/i"
shows "^\$2 = 7" "gdb: a register is written"
shows "^\$3 = 5" "gdb: memory is written"
shows "^Breakpoint 1" "gdb: a breakpoint stops the guest"
shows "null" "gdb: monitor info cpus"
shows "^ccf: this engine has no translation cache" "gdb: monitor commands without their part say so"
shows 'received: ""' "gdb: watchpoints are not offered"
ended 0 "gdb: kill switches the guest off"

start_guest --name fails
run_gdb <<'END'
stepi
info registers eip
continue
monitor info cpus
END
shows "signal\|terminated\|exited" "gdb: an engine that fails is a guest that died"
ended 125 "and the run ends with the engine's error"

# ---- the control socket ----

start_guest --name idle
got=$(timeout 60 "$VITRINE" attach "$S" -c 'print 40 + 2' -c 'info cpus' 2>&1)
echo "$got" | grep -q '^42'
ok $? "attach: commands" "$got"
got=$(timeout 60 "$VITRINE" attach --json "$S" -c ccf 2>&1)
echo "$got" | grep -q 'this engine has no translation cache'
ok $? "attach --json: a missing part" "$got"
timeout 60 "$VITRINE" attach "$S" -c poweroff >/dev/null 2>&1
ended 0 "attach: poweroff ends the run"
