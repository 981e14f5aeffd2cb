#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Watchpoints on all kinds of accesses, by linear and by physical address, with and without paging, on a
# device, in virtual-8086 and real mode; call stacks by call frame information. The guest is
# tests/guests/points: touched_* are the instructions after those that access its cell.
. "$(dirname "$0")/../guests/guestlib.sh"
need
GUEST=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/points.elf
[ -s "$GUEST" ] || skip_all "no points.elf (make check builds it)"
plan 26

# vit [OPTION...]: run the commands on standard input; the shell's output is in $TMP/out.
vit()
{
	shell_script --serial null --kernel "$GUEST" "$@"
}

# stops N LABEL: were there N stops right after the instruction?
stops()
{
	[ "$(grep -c "^watchpoint .*<touched_$2>" "$TMP/out")" -eq "$1" ]
}

# all_stops N: did each kind of access stop N times, and were there no other stops?
all_stops()
{
	for label in inc mov read cmpxchg bts stos push pop pushf call pushal lgs; do
		stops "$1" $label || return 1
	done
	[ "$(grep -c '^watchpoint' "$TMP/out")" -eq $((12 * $1)) ]
}

# watch_script COMMAND N: print a script that sets the watchpoint and continues N times.
watch_script()
{
	printf 'break forms\ncontinue\ndelete\n%s\n' "$1"
	for _ in $(seq 1 "$2"); do
		echo continue
	done
}

watch_script "awatch cell 4" 145 >"$TMP/linear"
watch_script "awatch -p cell 4" 289 >"$TMP/physical"
for how in --verify-tc "--clock icount" --no-chain; do
	# shellcheck disable=SC2086
	vit $how <"$TMP/linear"
	all_stops 12
	ok $? "every access to a linear address stops after its instruction ($how)" "$(grep '<touched' "$TMP/out" | sort | uniq -c)"
	# shellcheck disable=SC2086
	vit $how <"$TMP/physical"
	all_stops 24
	ok $? "to a physical one too, through both mappings ($how)" "$(grep '<touched' "$TMP/out" | sort | uniq -c)"
done
match '^awatch 2 at physical 0x[0-9a-f]*, 4 bytes$' "the message says that the address is physical"
match '^access to physical 0x' "so does each stop"
match '^guest exited: status 1$' "and the guest ran as without them"

watch_script "rwatch -p cell 4" 300 | vit
stops 0 mov && stops 0 stos && stops 24 read && stops 24 pop
ok $? "reads alone" "$(grep '<touched' "$TMP/out" | sort | uniq -c)"
watch_script "watch -p cell 4" 300 | vit
stops 0 read && stops 0 pop && stops 24 mov && stops 24 stos
ok $? "writes alone" "$(grep '<touched' "$TMP/out" | sort | uniq -c)"

vit <<'END'
break device
continue
delete
watch -p 0xb8000
watch 0x8b8000 2
info break
continue
delete 2
continue
delete
break *0x7000
watch 0x9010 2
continue
print $eflags & 0x20000
continue
x/i $pc
backtrace
continue
print $cr0 & 1
continue
stepi
print $eip
delete
continue
END
match '^watchpoint 2 at 0x[0-9a-f]* <touched_device>' "a device by its physical address, with paging"
match '^watchpoint 3 at 0x[0-9a-f]* <touched_device_alias>' "and by another linear one"
match 'watch +yes +0x000b8000 .* yes$' "info break distinguishes the address spaces"
match '^131072 ' "a breakpoint in virtual-8086 mode"
match '^=> *0x0000700b .*nop' "a watchpoint there"
match '^#0 0x0000700b' "a backtrace there is one frame"
[ "$(grep -c '^breakpoint 4 at 0x00007000:  mov ax, 0x900' "$TMP/out")" -eq 2 ] && grep -q '^0  0x0$' "$TMP/out"
ok $? "a breakpoint in real mode" "$(detail)"
[ "$(grep -c '^watchpoint 5 at 0x0000700b:  nop' "$TMP/out")" -eq 2 ]
ok $? "a watchpoint there" "$(detail)"
match '^step at 0x0000700c:  mov ax, 0x1234' "a step there"

vit <<'END'
watch -p cell if [cell] == 7
continue
delete
break paging_on
continue
-watch -p
-watch -p 0xfffffffffffffff 8
END
match 'new value 0x7$' "a condition"
match '^breakpoint 2 at .*<paging_on>' "a physical watchpoint that was deleted stops nothing"
[ "$(grep -c '^watch: ' "$TMP/out")" -eq 2 ]
ok $? "bad ones are one line" "$(detail)"

# ---- unwinding ----
stack='#1 .* unwind_middle.*cfi.*#2 .* unwind_recurse.*cfi.*#5 .* unwind_recurse.*cfi.*#6 .* unwind_outer.*cfi.*#7 .* start.*cfi'
{
	echo "tbreak unwind_inner"
	echo "continue"
	# every instruction of the function and of its caller's loop
	for _ in $(seq 1 40); do
		echo "backtrace"
		echo "stepi"
	done
	echo "-backtrace"
	echo "tbreak unwind_inner"
	echo "continue"
	echo "finish"
} | vit
tr '\n' ' ' <"$TMP/out" | sed 's/step at/\nstep at/g' >"$TMP/stacks"
n=$(grep -c "#0" "$TMP/stacks")
good=$(grep -c -e "#0 .* unwind_inner.*$stack" -e '#0 .* unwind_middle.*#1 .* unwind_recurse.*cfi.*#6 .* start.*cfi' "$TMP/stacks")
[ "$n" -eq 41 ] && [ "$good" -eq 41 ]
ok $? "the whole stack at every instruction, without frame pointers" "$good of $n; $(head -3 "$TMP/stacks")"
match '^finish at 0x[0-9a-f]* <unwind_middle' "finish by call frame information"

# damaged tables
at=$(printf '%d' "0x$(readelf -SW "$GUEST" | sed -n 's/.*\.eh_frame *PROGBITS *[0-9a-f]* *\([0-9a-f]*\).*/\1/p')")
bad=0
for i in $(seq 0 7 160); do
	cp "$GUEST" "$TMP/broken.elf"
	printf '\377\201\376' | dd of="$TMP/broken.elf" bs=1 seek=$((at + i)) conv=notrunc 2>/dev/null
	printf 'symbols clear\nsymbols load %s\nbreak unwind_inner\ncontinue\nbacktrace\n' "$TMP/broken.elf" | vit
	[ $status -eq 0 ] && grep -q '^#0 .*unwind_inner$' "$TMP/out" || bad=$((bad + 1))
done
[ $bad -eq 0 ]
ok $? "damaged tables do no harm" "$bad bad"
