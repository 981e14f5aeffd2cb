#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The picture of a guest in a graphics mode, in the console pane: half blocks in 256 colours, in 8, and in none.
. "$(dirname "$0")/tuilib.sh"
need_tmux
IMAGE=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/modes.bin
bios=
for f in "${VITRINE_CACHE:-$TOP_SRCDIR/cache}/bios-256k.bin" /usr/share/seabios/bios-256k.bin /usr/share/seabios/bios.bin; do
	[ -n "$bios" ] || [ ! -s "$f" ] || bios=$f
done
[ -n "$bios" ] && [ -s /usr/share/seabios/vgabios-stdvga.bin ] || skip_all "no SeaBIOS (package seabios)"
[ -s "$IMAGE" ] || skip_all "no modes.bin (make check builds it)"
plan 7
cp "$IMAGE" "$TMP/disk"
truncate -s 64K "$TMP/disk"

# The first line of the picture, with its colours; below two lines at the top and the title.
first_line()
{
	t capture-pane -e -p -t v | sed -n 4p
}

# shows REGEX: the first line of the picture matches.
shows()
{
	first_line | grep -q "$1"
}

# picture TERM SIZE REGEX NAME: the guest in mode 13h, whose first ten lines are green.
picture()
{
	start "$2" "$1" --no-rc --memory 32M --bios "$bios" --disk "$TMP/disk" -c 'c &'
	until_true has Registers
	key o z
	until_true has_not Registers
	until_true has "mode 1"
	key v
	until_true has "VGA picture"
	key C-]
	until_true has "the guest has the keyboard"
	key Space
	until_true shows "$3"
	ok $? "$4" "$(first_line; screen)"
}

over()
{
	key C-] q y
	until_true test -s "$TMP/status"
}

escape=$(printf '\033')
picture screen-256color 100x40 "${escape}\[38;5;34m.*█████" "256 colours"
until_true has "▀▀▀▀▀▀▀▀"
ok $? "where its tenth line ends, half a character is black" "$(screen)"
# 320x200 in 100 columns of square halves: 31 lines.
key C-]
key v
until_true has "mode 2"
ok $? "v: its serial port" "$(screen)"
key v
until_true has "VGA picture"
key C-]
until_true has "the guest has the keyboard"
key Space Space
until_true has_not "█"
ok $? "another mode, of another size" "$(first_line; screen)"
over
picture screen 80x24 "${escape}\[3[0-9;]*2m.*█████\|${escape}\[32m.*█████" "8 colours, 80x24"
over
picture vt100 100x40 "^██████████" "no colour"
over
[ ! -s "$TMP/err" ] || ! grep -q "runtime error\|Sanitizer" "$TMP/err"
ok $? "no complaints" "$(cat "$TMP/err" 2>/dev/null)"
