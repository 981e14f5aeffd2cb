#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The shell over an engine that executes nothing: every command and every view, as text and as JSON. What needs
# a part that the engine lacks is not offered and answers in one line; nothing crashes.
. "$(dirname "$0")/../guests/guestlib.sh"
VITRINE=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/engine/vitrine-null
need
plan 16

# null [OPTION...]: run the commands in $TMP/script; output in $TMP/out, messages in $TMP/err. In $TMP, since
# commands with an argument may write a file of that name.
null()
{
	(cd "$TMP" && exec timeout -k 5 120 "$VITRINE" shell --no-rc --serial null --timeout 100 "$@" -x "$TMP/script" demo \
		</dev/null >"$TMP/out" 2>"$TMP/err")
	status=$?
}

# Commands that need a part of the engine, each with arguments that are right elsewhere.
missing()
{
	cat <<-'END'
	ccf|ccf|this engine has no translation cache
	discard|discard all|this engine has no translation cache
	retranslate|retranslate|this engine has no translation cache
	ccf-history|ccf-history|this engine has no translation cache
	ccf-savings|ccf-savings|this engine does not adapt translations
	policy|policy all callout|this engine has no choice of ways for sensitive instructions
	site|site 0x100000 callout|this engine has no choice of ways for sensitive instructions
	adapt|adapt off|this engine does not adapt translations
	count|count on|this engine has no fragments to count
	pin|pin|this engine has no fragments to pin
	unpin|unpin|this engine has no fragments to pin
	patch-code|patch-code 0x100000 90|this engine has no patches of translated code
	patches|patches|this engine has no patches of translated code
	unpatch|unpatch 1|this engine has no patches of translated code
	probe|probe 0x100000|this engine has no probes
	unprobe|unprobe all|this engine has no probes
	watch|watch 0x100000|this engine has no watchpoints
	rwatch|rwatch 0x100000|this engine has no watchpoints
	awatch|awatch -p 0x100000|this engine has no watchpoints
	break-on|break-on exception|this engine does not stop at events
	page|page $pc|this engine does not show its address translation
	gva2gpa|gva2gpa $pc|this engine does not show its address translation
	END
}

missing | cut -d'|' -f2 | sed 's/^/-/' >"$TMP/script"
null
missing | sed 's/^\([^|]*\)|[^|]*|/\1: /' >"$TMP/expected"
cat "$TMP/out" "$TMP/err" >"$TMP/all"
[ "$status" -eq 0 ] && cmp -s "$TMP/expected" "$TMP/all"
ok $? "commands without their part answer in one line each" "$(diff "$TMP/expected" "$TMP/all"; echo "status $status")"

missing | cut -d'|' -f1 | sed 's/^/-help /' >"$TMP/script"
null
missing | sed 's/^\([^|]*\)|[^|]*|/help \1: /' >"$TMP/expected"
cat "$TMP/out" "$TMP/err" >"$TMP/all"
[ "$status" -eq 0 ] && cmp -s "$TMP/expected" "$TMP/all"
ok $? "so does help on them" "$(diff "$TMP/expected" "$TMP/all"; echo "status $status")"

# The names of commands, from the first field of help's records.
cat >"$TMP/script" <<'END'
help all
END
null --json
sed -n 's/.*"command":"\([^" ]*\).*/\1/p' "$TMP/out" >"$TMP/commands"
missing | cut -d'|' -f1 >"$TMP/names"
[ "$(wc -l <"$TMP/commands")" -gt 40 ] && ! grep -Fxf "$TMP/names" "$TMP/commands" >"$TMP/offered"
ok $? "help does not offer them" "$(cat "$TMP/offered"; wc -l "$TMP/commands")"

# each NAME [OPTION...]: every command of help: bare, with an address, with a number; the session survives all.
each()
{
	name=$1
	shift
	for c in $(grep -vxE 'quit|source|dump|load' "$TMP/commands"); do
		echo "-$c"
		echo "-$c \$pc"
		echo "-$c 1"
		echo "-$c 0x100000 4"
		echo "-reset" # the guest of an engine that fails has ended after each run
		echo "-stop"
		echo "-file clear"
	done >"$TMP/lines"
	{
		cat "$TMP/lines"
		echo "echo survived"
	} >"$TMP/script"
	null "$@"
	[ "$status" -eq 0 ] && grep -q survived "$TMP/out"
	ok $? "$name: every command, with and without arguments" "status $status; $(cat "$TMP/out" "$TMP/err" | tail -5)"
}
each "text"
each "JSON" --json
[ "$(grep -vc '^[[{].*[]}]$' "$TMP/out")" -eq 0 ]
ok $? "every line of it is JSON" "$(grep -v '^[[{].*[]}]$' "$TMP/out" | head -5)"
timeout -k 5 60 python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$TMP/out" 2>"$TMP/py"
ok $? "and parses" "$(tail -2 "$TMP/py")"
# A processor that does not get on: what runs must be ended by the limits of the commands themselves.
for c in 'stepi 5' 'nexti 2' '-run-until 0 max 20' 'tbreak *$pc' continue 'continue &' stop 'profile 0.2' \
	'backtrace' 'x/3i $pc' 'disassemble' 'set $eax = 5' 'set *(u32)0x200000 = 7' 'expect *(u32)0x200000 == 7' 'info registers' \
	'expect $eax == 5' 'info break' 'statehash' 'gpa2hva 0x200000' 'find 0x200000 64 07000000' reset poweroff; do
	echo "$c"
done >"$TMP/script"
null --name idle
[ "$status" -eq 0 ]
ok $? "a processor that does not get on: run control, memory and registers" "status $status; $(tail -3 "$TMP/err")"
grep -q '^breakpoint 1 at' "$TMP/out"
ok $? "it stops at a breakpoint" "$(cat "$TMP/out")"

# Views.
cat >"$TMP/script" <<'END'
info
END
null --json
sed -n 's/.*"view":"\([^"]*\)".*/\1/p' "$TMP/out" >"$TMP/views"
[ "$(wc -l <"$TMP/views")" -gt 20 ] && ! grep -xE 'tc|ccf|traps|trap-sites|callouts|ways|exceptions|policy|causes|sites|adapt|costs|history|savings|pins|patches|probes|refusals|mem|tlb|mmu|windows' "$TMP/views" >"$TMP/offered"
ok $? "info offers no view of the translator or of its memory" "$(cat "$TMP/offered"; wc -l "$TMP/views")"
for option in '' --json; do
	sed 's/^/-info /' "$TMP/views" >"$TMP/lines"
	{
		cat "$TMP/lines"
		echo "-info ccf"
		echo "-info mem"
		echo "-pick \$n traps count"
		echo "echo survived"
	} >"$TMP/script"
	null $option
	[ "$status" -eq 0 ] && grep -q survived "$TMP/out"
	ok $? "every view can be shown $option" "status $status; $(tail -3 "$TMP/err")"
done
cat >"$TMP/script" <<'END'
-info ccf
-info sites
-info windows
END
null
[ "$(cat "$TMP/out" "$TMP/err" | grep -c "no view '\(ccf\|sites\|windows\)'")" -eq 3 ]
ok $? "a view that is not there is one line" "$(cat "$TMP/out" "$TMP/err")"
cat >"$TMP/script" <<'END'
info cpus
END
null
grep -q null "$TMP/out"
ok $? "info cpus names the engine" "$(cat "$TMP/out")"

# What the engine says goes through to the user.
timeout -k 5 60 "$VITRINE" run --serial null demo </dev/null >"$TMP/out" 2>"$TMP/err"
[ $? -eq 125 ] && grep -q 'the null engine executes nothing' "$TMP/err"
ok $? "run ends with the engine's error and status 125" "$(cat "$TMP/err")"
timeout -k 5 60 "$VITRINE" run --serial null --name idle --timeout 0.3 demo </dev/null >"$TMP/out" 2>"$TMP/err"
[ $? -eq 124 ]
ok $? "a run that does not get on ends at its time limit" "$(cat "$TMP/err")"
