#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The colours of the guest's VGA text screen on terminals with 256, 16, 8 and no colours.
. "$(dirname "$0")/tuilib.sh"
need_tmux
command -v python3 >/dev/null || skip_all "no python3"
plan 11

# A terminal with 16 colours; most systems have no description of one.
infocmp -1 xterm-256color | sed 's/^xterm-256color|.*/vitrine-16color|16 colours,/; s/colors#.*/colors#16,/; s/pairs#.*/pairs#0x100,/' >"$TMP/16.ti"
tic -x -o "$TMP/terminfo" "$TMP/16.ti" 2>/dev/null
export TERMINFO="$TMP/terminfo" # searched before the system's

# The guests show "A" in all 256 attributes. The second one first sets the attribute controller's mode register,
# which makes bit 7 brighten the background.
all='\277\000\200\013\000\270\101\000\000\000\146\253\376\304\165\372\364\353\375'
printf "$all" >"$TMP/blink.bin"
printf '\146\272\332\003\354\262\300\260\060\356\260\004\356'"$all" >"$TMP/bright.bin"

# Zoom the console pane, the one after the code pane: its screen begins below the title.
zoom_console()
{
	until_true has Registers
	key o z
	until_true has_not Registers
}

agrees()
{
	t capture-pane -e -p -t v >"$TMP/capture"
	python3 "$TOP_SRCDIR/tests/tui/colors.py" "$TMP/capture" "$@" >"$TMP/out" 2>&1
}

# colors TERM COLOURS GUEST BLINKS
colors()
{
	start 100x40 "$1" --no-rc --flat "$TMP/$3.bin@0x7c00" -c 'c &'
	zoom_console
	until_true agrees "$2" "$4"
	ok $? "$2 colours, $3: 256 attributes" "$(cat "$TMP/out"; screen)"
	key q y
	until_true test -s "$TMP/status"
}

for guest in "blink 1" "bright 0"; do
	for kind in "screen-256color 256" "vitrine-16color 16" "screen 8" "vt100 0"; do
		colors $kind $guest
	done
done

# The embedded guest's screen: its first line is white on blue, PASS is bright green.
escape=$(printf '\033')
start 100x40 screen-256color --no-rc -c 'tbreak check_gp' -c c demo
zoom_console
key v
sees "VGA text screen" "v: the embedded guest's screen"
colored()
{
	t capture-pane -e -p -t v >"$TMP/capture"
	grep -q "$1" "$TMP/capture"
}
until_true colored "$escape\[38;5;231m$escape\[48;5;19mVitrine demo guest"
ok $? "the embedded guest's first line is white on blue" "$(cat "$TMP/capture")"
until_true colored "$escape\[38;5;83m$escape\[[0-9;]*mPASS\|$escape\[38;5;83mPASS"
ok $? "and PASS is bright green" "$(cat "$TMP/capture")"
key q y
until_true test -s "$TMP/status"
