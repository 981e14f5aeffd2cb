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

# boot OPTION...: the screen when the sector is done, and after a key, in $TMP/out.
boot()
{
	rm -f "$TMP/control"
	timeout -k 5 600 "$VITRINE" shell --no-rc --serial null --memory 32M --bios "$bios" "$@" \
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

# passes HOW: all checks of the sector are good.
passes()
{
	! grep -q BAD "$TMP/out" && grep -q "boot sector: done" "$TMP/out"
	ok $? "all checks $1" "$(detail)"
}
mkfifo "$TMP/stdin"

# An image of SIZE bytes that begins with the sectors.
image()
{
	cp "$IMAGE" "$TMP/$1"
	truncate -s "$2" "$TMP/$1"
}

plan 45
for how in "" --verify-tc; do
	boot $how --boot-sector "$IMAGE"
	ended 0 "the script ends well $how"
	said "Hello from the boot sector" "INT 10h $how"
	for what in "int 13h read" "int 15h e820" "unreal mode" "protected mode and back" "timer interrupts" "single step" \
		"read-only bios" "int 13h geometry" "int 13h drive type" "int 13h extensions" "int 13h write protection"; do
		said "$what ok" "$what $how"
	done
	said "key k" "INT 16h $how"
	grep -qE '^- .*\(ROM\).* [1-9][0-9]* +0x000f0000' "$TMP/mmio"
	ok $? "writes to ROM are counted $how" "$(cat "$TMP/mmio")"
done

image floppy 1474560
image disk 4000000
boot --floppy "$TMP/floppy"
passes "from a floppy"
said "int 13h write ok" "which is written"
cmp -s -n 512 "$TMP/floppy" "$IMAGE" && [ "$(dd if="$TMP/floppy" bs=512 skip=4 count=1 2>"$TMP/dd" | cksum)" = \
	"$(dd if="$IMAGE" bs=512 skip=1 count=1 2>"$TMP/dd" | cksum)" ]
ok $? "in its file"
boot --disk "$TMP/disk,ro" --disk "$TMP/floppy"
passes "from a hard disk"
said "int 13h write protection ok" "which is not written with ro"
cmp -s -n 1536 "$TMP/disk" "$IMAGE" && [ -z "$(dd if="$TMP/disk" bs=512 skip=3 2>"$TMP/dd" | tr -d '\0')" ]
ok $? "nor is its file"

# Points at requests of the disk: its boot sector is read, and the sector at 1 is read and written (3 sectors).
shell_script --bios "$bios" --memory 32M --disk "$TMP/disk,overlay=temp" <<'END'
break-on disk-read 7000 to 7999
break-on disk-read 0 if $value == 512
break-on disk-write
continue
print $event
continue
delete 3
info break
END
match '^disk-read 0 \(512 bytes\) at 0x' "break-on disk-read stops at the boot sector"
match '^0 ' "\$event is the sector"
match '^disk-write [0-9]+ \([0-9]+ bytes\) at 0x' "break-on disk-write stops at a write"
grep -qE 'disk-read 7000-7999 +0 ' "$TMP/out"
ok $? "not at other sectors" "$(detail)"

# El Torito, with and without emulation of a floppy: the sectors are loaded at once in the latter case.
if ! command -v xorriso >/dev/null; then
	for what in 1 2 3 4 5; do
		skip "El Torito $what" "no xorriso"
	done
	exit
fi
mkdir "$TMP/iso"
cp "$TMP/floppy" "$TMP/iso/floppy"
cp "$IMAGE" "$TMP/iso/sectors"
xorriso -as mkisofs -quiet -b floppy -c catalog -o "$TMP/emulated.iso" "$TMP/iso" >"$TMP/xorriso" 2>&1
boot --cdrom "$TMP/emulated.iso"
passes "from a CD's floppy"
said "int 13h write protection ok" "which is not written"
xorriso -as mkisofs -quiet -b sectors -no-emul-boot -boot-load-size 4 -c catalog -o "$TMP/plain.iso" "$TMP/iso" >"$TMP/xorriso" 2>&1
boot --cdrom "$TMP/plain.iso"
said "Hello from the boot sector" "from a CD without emulation"
for what in "unreal mode" "el torito"; do
	said "$what ok" "$what, CD"
done
