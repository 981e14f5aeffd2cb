#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What other projects boot on a PC, unchanged: GNU Mach (with Linux 2.0's drivers), GRUB's rescue floppy, ISOLINUX with
# the Hardware Detection Tool, memtest86+ from its own CD, a Multiboot game.
. "$(dirname "$0")/guestlib.sh"
need gnumach.elf invaders.elf memtest.iso grub-rescue.img isolinux/isolinux.bin isolinux/hdt.c32
plan 11
truncate -s 64M "$TMP/disk"
truncate -s 1440K "$TMP/floppy"

run_guest 100 --no-reboot --memory 64M --kernel "$CACHE/gnumach.elf" --append "console=com0" --disk "$TMP/disk" \
	--floppy "$TMP/floppy" --cdrom "$CACHE/memtest.iso" --net user
said "hd0: VITRINE HARDDISK, 64MB" "GNU Mach finds the disk"
said "hd2: VITRINE CD-ROM, ATAPI CDROM drive" "the CD"
said "FDC 0 is a" "the floppy controller"
said "hd0: unknown partition table" "and reads the disk"
said "panic ../kern/bootstrap.c" "up to the server that it was not given"

# screen INSTRUCTIONS OPTION...: what the guest shows after that many.
screen()
{
	n=$1
	shift
	shell_script --memory 64M --clock icount:100 --no-reboot "$@" <<END
run-icount $n
info screen
END
}
screen 110000000 --floppy "$CACHE/grub-rescue.img,ro"
said "Press enter to boot the selected OS" "the menu of GRUB's rescue floppy"
screen 100000000 --cdrom "$CACHE/memtest.iso"
match 'Pass: +0 +Errors: 0' "memtest86+ boots from its CD and tests"
screen 100000000 --kernel "$CACHE/invaders.elf"
match '^ *-\*- +-\*-' "invaders from space"

if ! command -v xorriso >/dev/null; then
	for what in "ISOLINUX" "the Hardware Detection Tool" "mboot.c32"; do skip "$what" "no xorriso"; done
	exit
fi
mkdir -p "$TMP/cd/isolinux"
cp "$CACHE"/isolinux/* "$TMP/cd/isolinux"
cp "${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo/demo.elf" "$TMP/cd"
cat >"$TMP/cd/isolinux/isolinux.cfg" <<'END'
SERIAL 0 115200
DEFAULT hdt
LABEL hdt
 COM32 hdt.c32
 APPEND nomenu auto='show summary;show disk;exit'
LABEL demo
 COM32 mboot.c32
 APPEND /demo.elf from-isolinux
END
xorriso -as mkisofs -quiet -o "$TMP/iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
	-boot-info-table "$TMP/cd" 2>/dev/null || exit 99
shell_script --memory 64M --cdrom "$TMP/iso" --disk "$TMP/disk" --serial "file:$TMP/raw" <<'END'
wait "Interface type: ATA" 100
wait "boot: " 100
serial "demo\n"
-continue
END
tr -d '\r' <"$TMP/raw" >"$TMP/out"
match 'EDD: +Version: 30, size: +64.00 MiB' "the Hardware Detection Tool asks SeaBIOS about the disk"
said "NB Devices   : 5" "and finds the PCI functions"
said "demo: all checks passed" "ISOLINUX boots the embedded guest's kernel"
