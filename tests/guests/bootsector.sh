#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A boot sector of our own under Debian's SeaBIOS: it prints through INT 10h, and
# `info screen` shows the text. It also reads a sector (INT 13h), the memory map (INT 15h),
# a key (INT 16h), and enters protected mode and returns, which leaves it in unreal mode.
. "$(dirname "$0")/guestlib.sh"
need
IMAGE=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/bootsector.bin
bios=
for f in "$CACHE/bios-256k.bin" /usr/share/seabios/bios-256k.bin /usr/share/seabios/bios.bin; do
	[ -n "$bios" ] || [ ! -s "$f" ] || bios=$f
done
[ -n "$bios" ] || skip_all "no SeaBIOS (package seabios, or guests/fetch)"
[ -d /usr/share/seabios ] || skip_all "no video BIOS (package seabios)"
[ -s "$IMAGE" ] || skip_all "no bootsector.bin (make check builds it)"

ask()
{
	timeout 100 "$VITRINE" attach "$TMP/control" -c "$1" 2>&1
}

shown()
{
	ask 'info screen' >"$TMP/out" && grep -qF -- "$1" "$TMP/out"
}

# boot [OPTION...]: the screen when the sector is done, and after a key, in $TMP/out.
boot()
{
	rm -f "$TMP/control"
	timeout -k 5 600 "$VITRINE" shell --no-rc --serial null --memory 32M --bios "$bios" "$@" --boot-sector "$IMAGE" \
		--control "unix:$TMP/control" <"$TMP/stdin" >"$TMP/session" 2>"$TMP/err" &
	session=$!
	exec 9>"$TMP/stdin"
	wait_socket "$TMP/control"
	ask 'continue &' >"$TMP/out"
	until_true shown "boot sector: done"
	ask 'info mmio' >"$TMP/mmio"
	ask 'type "k"' >"$TMP/typed"
	until_true shown "key k"
	echo quit >&9
	exec 9>&-
	wait $session
	status=$?
}
mkfifo "$TMP/stdin"

plan 22
for how in "" --verify-tc; do
	boot $how
	ended 0 "the script ends well $how"
	said "Hello from the boot sector" "INT 10h $how"
	for what in "int 13h read" "int 15h e820" "unreal mode" "protected mode and back" "timer interrupts" "single step" "read-only bios"; do
		said "$what ok" "$what $how"
	done
	said "key k" "INT 16h $how"
	grep -qE '^- .*\(ROM\).* [1-9][0-9]* +0x000f0000' "$TMP/mmio"
	ok $? "writes to ROM are counted $how" "$(cat "$TMP/mmio")"
done
