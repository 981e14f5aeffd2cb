#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Each screen at 80x24 and 200x50 on the embedded guest: on a terminal, and printed without
# one, with the same text.
. "$(dirname "$0")/tuilib.sh"
need_tmux

# Texts that must be on each screen, as "NUMBER NAME TEXT|TEXT ...".
expected()
{
	cat <<-END
	1 machine Code|Registers|Stack|Memory|check_processes|eflags|Console|PASS
	2 translation Fragments|guest pc|callouts|Cache|ident|in-tc
	3 traps Traps by cause|Callouts by kind|Exceptions|Costliest fragments|true-fault|#PF|Adaptation log|promoted for
	4 spaces Windows|Page walk|Counters|physical|fill_pages
	5 devices Interrupts|Interrupt controllers|Timer|Serial port|I/O ports|PCI|master
	6 io World switches|Hosted I/O|Networks|Throughput|Drives|processor|vmm
	7 memory VMs|Pool|Who pays|Pages by state|private|ballooned
	8 sharing Hash table|hints|Contents|zeros|Chain|of bucket|Copy-on-write breaks|reclaimed
	9 vmx VMCS, VMCB|Exits|Last exits|Controls|no VMX or SVM
	0 kernel Kernel|Tasks|Modules|Kernel log
	END
}

# shown_as_printed: does the screen called $name show the text in $TMP/printed?
shown_as_printed()
{
	screen | sed '1,2d;$d' | sed '$d' | tr -d '[:blank:]' | sed 's/[0-9a-f]\{12\}/HOST/g' >"$TMP/shown"
	[ -s "$TMP/printed" ] && [ "$(wc -l <"$TMP/shown")" -eq "$(wc -l <"$TMP/printed")" ] &&
		case $name in
		machine | devices) cmp -s "$TMP/shown" "$TMP/printed" ;;
		esac
}

# The second line says where time went: its shares add up to all of it, but for rounding.
time_adds_up()
{
	screen | sed -n 2p | tr -s ' ' '\n' | awk '/^[0-9.]+%$/ { n++; sum += $1 } END { exit !(n >= 7 && sum > 96 && sum < 104) }'
}

plan 50
for size in 80x24 200x50; do
	start $size screen-256color --no-rc --clock icount -c 'tbreak check_processes' -c c -c 'share all' -c s demo
	sees "stopped" "$size: the dashboard starts with the guest stopped"
	expected >"$TMP/expected"
	while read -r number name words; do
		key "$number"
		until_true has "$(echo "$words" | cut -d'|' -f1)"
		missing=
		oldifs=$IFS
		IFS='|'
		for word in $words; do
			IFS=$oldifs
			until_true has "$word" || missing="$missing '$word'"
			IFS='|'
		done
		IFS=$oldifs
		until_true time_adds_up || missing="$missing, a line of time that adds up"
		[ -z "$missing" ]
		ok $? "$size: screen $name has its texts" "missing:$missing
$(screen)"
		# The line of time, the message and host addresses, which differ between processes, are left out.
		"$VITRINE" tui --no-rc --clock icount -c 'tbreak check_processes' -c c -c 'share all' -c s --dump "$name" --size $size demo |
			sed '1,2d;$d' | sed '$d' | tr -d '[:blank:]' | sed 's/[0-9a-f]\{12\}/HOST/g' >"$TMP/printed"
		until_true shown_as_printed
		ok $? "$size: --dump $name prints what the terminal shows" "$(diff "$TMP/shown" "$TMP/printed" | head -10)"
	done <"$TMP/expected"
	wide=$("$VITRINE" tui --no-rc --dump machine --size $size demo | wc -L)
	[ "$wide" -le "${size%x*}" ]
	ok $? "$size: no line is too long" "$wide columns"
	key q y
	ends 0 "$size: q ends with status 0"
done

"$VITRINE" tui --no-rc --batch -n 3 -d 1 --dump traps --append loop demo >"$TMP/out" 2>"$TMP/err"
ok $? "--batch ends with status 0" "$(cat "$TMP/err")"
[ "$(grep -c 'Traps by cause' "$TMP/out")" -eq 3 ]
ok $? "--batch -n 3 prints three screens" "$(cat "$TMP/out")"
grep -qE '^fill +[0-9]+ +[1-9]' "$TMP/out"
ok $? "--batch shows rates" "$(cat "$TMP/out")"
"$VITRINE" tui --no-rc --dump nosuch demo >"$TMP/out" 2>"$TMP/err"
[ $? -eq 2 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ]
ok $? "an unknown screen is a usage error in one line" "$(cat "$TMP/err")"
