#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Firmware by --bios alone. U-Boot's ROM (1 MiB) comes to its prompt, lists PCI, reads a FAT file system on an IDE
# and on a virtio disk, gets a lease, and resets the machine; as UEFI it starts GRUB from a disk. OVMF for 32 bits
# (3.5 MiB) unpacks itself, asks CMOS, PCI and fw_cfg about the machine, and ends in its own endless loop, because it
# demands a Q35 with memory for system management mode: QEMU's i440FX stops it at the same place.
. "$(dirname "$0")/guestlib.sh"
need u-boot.rom ovmf32.fd
plan 15

# A disk with one FAT partition.
disk=
if command -v mformat >/dev/null && [ -s "$CACHE/grubia32.efi" ]; then
	disk=$TMP/disk
	truncate -s 32M "$disk"
	printf '\200\0\041\0\014\377\377\377\0\010\0\0\0\370\0\0' | dd of="$disk" bs=1 seek=446 conv=notrunc 2>/dev/null
	printf '\125\252' | dd of="$disk" bs=1 seek=510 conv=notrunc 2>/dev/null
	cat >"$TMP/grub.cfg" <<-'END'
	serial --unit=0 --speed=115200
	terminal_output serial
	echo "the disk is $root, $grub_cpu-$grub_platform"
	halt
	END
	mformat -i "$disk@@1048576" -T 63488 -h 16 -s 63 :: && mcopy -i "$disk@@1048576" "$CACHE/grubia32.efi" :: &&
		mmd -i "$disk@@1048576" ::/EFI ::/EFI/debian && mcopy -i "$disk@@1048576" "$TMP/grub.cfg" ::/EFI/debian || exit 99
	cp --sparse=always "$disk" "$disk.copy"
fi

# u_boot OPTION...: the firmware under the script on standard input.
u_boot()
{
	{
		echo 'wait "Hit any key" 200'
		echo 'serial " "'
		echo 'wait "=> " 200'
		cat
	} >"$TMP/script"
	timeout -k 5 700 "$VITRINE" shell --no-rc --timeout 650 --no-reboot --memory 128M --bios "$CACHE/u-boot.rom" "$@" \
		--serial "file:$TMP/raw" -x "$TMP/script" -c -continue </dev/null >"$TMP/screen" 2>"$TMP/err"
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
}

u_boot ${disk:+--disk "$disk" --disk "$disk.copy,bus=virtio"} --net user,model=virtio <<'END'
serial "pci\n"
wait "0x7113" 200
wait "=> " 200
serial "ide reset; fatls ide 0:1; virtio scan; part list virtio 0; fatls virtio 0:1\n"
wait "=> " 200
serial "setenv autoload no; dhcp\n"
wait "=> " 200
serial "reset\n"
END
ended 126 "U-Boot, to a reset"
said "DRAM:  128 MiB" "U-Boot finds the memory"
said "Model: QEMU x86 (I440FX)" "the chipset"
said "00.00.00   0x8086     0x1237" "and its functions"
said "resetting ..." "U-Boot resets through the chipset"
said "DHCP client bound to address 10.0.2.15" "U-Boot on the network"
if [ -n "$disk" ]; then
	said "Model: VITRINE HARDDISK" "U-Boot finds an IDE disk"
	[ "$(grep -c '3739648   grubia32.efi' "$TMP/out")" -eq 2 ]
	ok $? "and reads the file system, on virtio too" "$(detail)"
	match '^ *1[^0-9]+2048[^0-9]+63488' "and its partitions"
	u_boot --disk "$disk.copy,bus=virtio" <<-'END'
	serial "virtio scan\n"
	wait "=> " 200
	serial "load virtio 0:1 0x1000000 grubia32.efi; bootefi 0x1000000\n"
	END
	ended 0 "GRUB as UEFI program, to its halt"
	said "the disk is hd0,msdos1, i386-efi" "GRUB reads its configuration"
else
	for what in "U-Boot finds an IDE disk" "and reads the file system" "and its partitions" "GRUB for UEFI" "GRUB reads"; do
		skip "$what" "no mtools, or no GRUB fetched (network?)"
	done
fi

# Its RAM is at 8 MiB and above. The values of a loop: here and after a number of steps.
cat >"$TMP/script" <<'END'
run-icount 700000000
set $here = $pc
info ports
stepi 1000
print $here
print $pc
END
timeout -k 5 700 "$VITRINE" shell --no-rc --timeout 650 --no-reboot --clock icount --memory 256M --bios "$CACHE/ovmf32.fd" \
	-x "$TMP/script" </dev/null >"$TMP/out" 2>"$TMP/err"
status=$?
ended 0 "OVMF runs"
for device in fw_cfg pci; do
	grep -qE "^ *0x[0-9a-f]+ +0x[0-9a-f]+ +$device +[1-9]" "$TMP/out"
	ok $? "and reads $device" "$(detail)"
done
[ "$(tail -2 "$TMP/out" | grep -cE '0x0*8[0-9a-f]{5}')" -eq 2 ]
ok $? "up to its endless loop in RAM" "$(detail)"
