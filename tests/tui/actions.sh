#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The menu of an address, the adaptation log, the mouse, the guest's keyboard.
. "$(dirname "$0")/tuilib.sh"
need_tmux
plan 37

# mouse BUTTON X Y ...: a press and release, as a terminal in SGR mode sends it. Wheel: 64 up, 65 down. Several are
# sent at once.
mouse()
{
	t send-keys -t v -l "$(while [ $# -gt 0 ]; do
		printf '\033[<%d;%d;%dM\033[<%d;%d;%dm' "$1" "$2" "$3" "$1" "$2" "$3"
		shift 3
	done)"
}

# ---- the mouse ----
start 100x30 xterm-256color --no-rc --append loop -c 'tbreak check_processes' -c c demo
until_true has "Registers"
mouse 0 26 1
sees "Fragments" "a click on a tab"
until_true has " Fragments "
first_row()
{
	first=$(screen | sed -n 5p | grep -oE '^[0-9a-f]{8}')
	[ -n "$first" ]
}
until_true first_row
mouse 0 10 7
chosen()
{
	row=$(screen | sed -n 7p | cut -c1-8)
	has "Fragment $row"
}
until_true chosen
ok $? "a click on a row chooses its fragment" "$(screen)"
for i in 1 2 3 4 5 6 7 8; do mouse 65 10 7; done
scrolled()
{
	[ "$(screen | sed -n 5p | cut -c1-8)" != "$first" ]
}
until_true scrolled
ok $? "the wheel scrolls" "$(screen)"
below()
{
	y=$(screen | grep -n '^Fragment ' | cut -d: -f1)
	[ -n "$y" ]
}
until_true below
mouse 0 10 $((y + 2))
sees " Fragment " "a click on a pane gives it the keys"
mouse 0 10 7
until_true has " Fragments "
# Two clicks are a double click if the dashboard reads them within 0.4 seconds; a single click must be older than that.
for attempt in 1 2 3 4 5; do
	sleep 0.6
	mouse 0 10 7 0 10 7
	patience=50 until_true has "a letter, or Enter" && break
done
sees "a letter, or Enter" "a double click opens the menu"
mouse 0 10 30
until_true has_not "a letter, or Enter"
ok $? "a click outside closes it" "$(screen)"
mouse 0 36 30
sees " running" "a click on a function key"
key Space
until_true has " stopped"
key q y
ends 0 "q ends with status 0"

# The older mouse protocol, of screen and tmux: three bytes, each with 32 added.
start 100x30 screen-256color --no-rc demo
until_true has "Registers"
t send-keys -t v -l "$(printf '\033[M \072\041')"
sees "Fragments" "a click, from a terminal of the older kind"
key q y
until_true test -s "$TMP/status"

# ---- the menu of an address ----
# The fragment after check_timer's first branch runs once a call.
at=$(timeout 200 "$VITRINE" shell --no-rc -c 'tbreak check_timer' -c c -c 'x/20i check_timer' demo </dev/null |
	awk 'branch { print $1; exit } $4 ~ /^j/ { branch = 1 }')
start 120x40 xterm-256color --no-rc --append loop -c 'tbreak check_processes' -c c demo
until_true has "Registers"
key a
sees " <check_processes>  press a letter" "a opens the menu for the address at the cursor"
key Escape
until_true has_not "a letter, or Enter"
key 2
key a c
key Space
sees "entries" "entries are counted"
counted()
{
	screen | awk '$1 == "guest" { for (i = 1; i <= NF; i++) if ($i ~ /entries/) c = i - 1 }
		c && $1 ~ /^c0/ && $c + 0 > 0 { found = 1 } END { exit !found }'
}
until_true counted
ok $? "and shown in their column" "$(screen)"
key '\'
t send-keys -t v -l "check_timer"
key Enter
until_true has 'filter "check_timer"'
timer_row()
{
	screen | grep -qE '^c0[0-9a-f]{6} .*check_timer'
}
until_true timer_row
key Space
until_true has " stopped"
until_true timer_row
key a d
sees "discarded" "discard"
key 1 g
t send-keys -t v -l "$at"
key Enter
until_true has "Code  check_timer"
key a p
sees ":pin 0x" "pin"
key :
t send-keys -t v -l "info pins"
key Enter
sees "info pins" "info pins shows it"
sees "check_timer" "with its address"
key Escape
until_true has_not "Esc closes"
key a u
sees ":unpin 0x" "unpin"
key a t
sees ":site 0x" "t forces a trap"
key :
t send-keys -t v -l "info sites sort=-way"
key Enter
sees "$at" "info sites shows it"
key Escape
until_true has_not "Esc closes"
key a w
until_true has ":site 0x"
key a e
sees ":patch-code $at" "patch: the command line is filled in"
t send-keys -t v -l "nop"
until_true has "$at nop"
key Enter
until_true has_not ":patch-code"
key :
t send-keys -t v -l "info patches"
key Enter
sees "$at" "info patches shows it"
key Escape
until_true has_not "Esc closes"
key a h
sees "ccf-history $at" "history"
key Escape
key a Escape
until_true has_not "a letter, or Enter"
ok $? "Escape closes the menu" "$(screen)"
key 2 o o
until_true has " Fragment "
key a
sees "a letter, or Enter" "and from the fragment"
key Escape
key q y
ends 0 "q ends with status 0"

# ---- the adaptation log ----
start 200x50 xterm-256color --no-rc --append loop demo
until_true has "Registers"
key 3
sees "no instruction or page has been promoted yet" "nothing is promoted at the start"
key c
sees "promoted for" "promotions appear while the guest runs"
sees "By guest pc" "traps by guest pc"
last()
{
	screen | grep -oE 'Adaptation log  ?[0-9]+-[0-9]+ of [0-9]+' | sed 's/.* //'
}
until_true sh -c "sleep 0.3; tmux -S '$TMP/tmux' capture-pane -p -t v | grep -qE 'Adaptation log [0-9]+-([0-9]+) of \1,'"
ok $? "the log stays at its end" "$(last)"
before=$(last)
more()
{
	[ "$(last)" != "$before" ]
}
until_true more
ok $? "and follows new entries" "$before, $(last)"
key o o o o o o
until_true has " Adaptation log "
key Home
until_true has "Adaptation log  1-"
before=$(last)
until_true more
has "Adaptation log  1-"
ok $? "and does not follow them while the cursor is on older ones" "$(screen)"
key Space
key q y
ends 0 "q ends with status 0"

# ---- the guest's keyboard: this guest prints scan codes on its VGA screen ----
printf '\277\000\200\013\000\260\113\350\054\000\000\000\344\144\250\001\164\372\344\140\210\303\300\350\004\350\022\000' >"$TMP/keys.bin"
printf '\000\000\210\330\044\017\350\011\000\000\000\260\040\350\012\000\000\000\353\334\074\012\162\002\004\007\004\060' >>"$TMP/keys.bin"
printf '\264\007\146\253\303' >>"$TMP/keys.bin"
start 120x40 xterm-256color --no-rc --flat "$TMP/keys.bin@0x7c00" -c 'c &'
until_true has "VGA text screen"
key F12
until_true has "the guest has the keyboard"
key F1
sees "K3B BB " "F1 is the guest's F1"
key F11
sees "57 D7 " "F11 its F11"
key Up C-a
sees "E0 48 E0 C8 1D 1E 9E 9D" "cursor keys, and Ctrl with a letter"
key C-]
key :
t send-keys -t v -l "sendkey f12"
key Enter
sees "58 D8" "F12, by sendkey"
key q y
ends 0 "q ends with status 0"
