#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The usual image of a kernel in development: made by grub-mkrescue, booted by SeaBIOS as a hard disk and as a CD. GRUB
# loads the embedded guest's kernel by Multiboot, and Debian's through its real-mode setup code.
. "$(dirname "$0")/guestlib.sh"
need
DEMO=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo/demo.elf
[ -d /usr/share/seabios ] || skip_all "no SeaBIOS (package seabios)"
for p in grub-mkrescue xorriso mformat; do
	command -v $p >/dev/null || skip_all "no $p (packages grub-common, xorriso, mtools)"
done
[ -d /usr/lib/grub/i386-pc ] || skip_all "no GRUB for a BIOS (package grub-pc-bin)"
[ -s "$DEMO" ] || skip_all "no demo.elf"

# iso COMMAND...: make $TMP/os.iso, whose GRUB executes COMMAND.
iso()
{
	mkdir -p "$TMP/iso/boot/grub"
	{
		echo "set timeout=0"
		echo "menuentry test {"
		printf '%s\n' "$@"
		echo "}"
	} >"$TMP/iso/boot/grub/grub.cfg"
	grub-mkrescue -d /usr/lib/grub/i386-pc -o "$TMP/os.iso" "$TMP/iso" >"$TMP/mkrescue" 2>&1 ||
		{ cat "$TMP/mkrescue" >&2; exit 99; }
}

plan 9
mkdir "$TMP/iso"
cp "$DEMO" "$TMP/iso/demo.elf"
iso "multiboot /demo.elf from-grub"
run_guest 400 --memory 64M --boot-sector "$TMP/os.iso"
ended 1 "GRUB boots the embedded guest's kernel"
said "demo: all checks passed" "which passes its checks"

run_guest 400 --memory 64M --cdrom "$TMP/os.iso"
ended 1 "GRUB boots it from a CD"
said "demo: all checks passed" "which passes its checks"

iso "halt"
run_guest 120 --memory 64M --boot-sector "$TMP/os.iso"
ended 0 "GRUB finds ACPI tables, and switches off by them"
run_guest 120 --memory 64M --disk "$TMP/os.iso,ro" --cdrom "$TMP/os.iso"
ended 0 "and with two drives"

if [ ! -s "$CACHE/linux-686" ] || [ ! -s "$CACHE/initramfs-686.cpio.gz" ]; then
	for what in 7 8 9; do
		skip "Linux through its real-mode setup code" "guests/fetch could not fetch it (network?)"
	done
	exit
fi
cp "$CACHE/linux-686" "$TMP/iso/vmlinuz"
cp "$CACHE/initramfs-686.cpio.gz" "$TMP/iso/initrd.gz"
iso "linux16 /vmlinuz console=ttyS0 panic=-1" "initrd16 /initrd.gz"
cat >"$TMP/script" <<'END'
wait "vitrine: shell ready" 500
serial "reboot -f\n"
END
timeout -k 5 600 "$VITRINE" shell --no-rc --timeout 550 --no-reboot --memory 256M --boot-sector "$TMP/os.iso" \
	--serial "file:$TMP/raw" -x "$TMP/script" -c -continue </dev/null >"$TMP/screen" 2>"$TMP/err"
status=$?
tr -d '\r' <"$TMP/raw" >"$TMP/out"
ended 126 "Debian's kernel through its real-mode setup code, to a reset"
said "vitrine: shell ready" "its shell"
said "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable" "the memory map is SeaBIOS's"
