#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Firmware by --bios alone. U-Boot's ROM (1 MiB) comes to its prompt, lists PCI and resets the machine. OVMF for
# 32 bits (3.5 MiB) unpacks itself, asks CMOS, PCI and fw_cfg about the machine, and ends in its own endless loop,
# because it demands a Q35 with memory for system management mode: QEMU's i440FX stops it at the same place.
. "$(dirname "$0")/guestlib.sh"
need u-boot.rom ovmf32.fd
plan 9

cat >"$TMP/script" <<'END'
wait "Hit any key" 200
serial " "
wait "=> " 200
serial "pci\n"
wait "0x7113" 200
serial "reset\n"
END
timeout -k 5 700 "$VITRINE" shell --no-rc --timeout 650 --no-reboot --memory 64M --bios "$CACHE/u-boot.rom" \
	--serial "file:$TMP/raw" -x "$TMP/script" -c -continue </dev/null >"$TMP/screen" 2>"$TMP/err"
status=$?
tr -d '\r' <"$TMP/raw" >"$TMP/out"
ended 126 "U-Boot, to a reset"
said "DRAM:  64 MiB" "U-Boot finds the memory"
said "Model: QEMU x86 (I440FX)" "the chipset"
said "00.00.00   0x8086     0x1237" "and its functions"
said "resetting ..." "U-Boot resets through the chipset"

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
