#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's installer, unattended (LONG=1, as its files are 100 MB to fetch): it brings up the network by DHCP, loads its
# preseed file by HTTP, and lists disks and CD, whose drivers it would otherwise fetch from a mirror. $installer names its
# files, $flavour the kernel that has the drivers, $machine has options.
. "$(dirname "$0")/guestlib.sh"
[ -n "${LONG:-}" ] || skip_all "set LONG=1"
installer=${installer:-installer} flavour=${flavour:-686}
need "$installer-linux" "$installer-initrd.gz"
for p in python3 cpio xorriso file; do command -v $p >/dev/null || skip_all "no $p"; done
modules="scsi_common scsi_mod libata ata_piix crct10dif_common crc_t10dif crc64 crc64_rocksoft t10_pi sd_mod cdrom sr_mod isofs virtio_blk"
version=$(file -b "$CACHE/$installer-linux" | sed -n 's/.*version \([^ ]*\) .*/\1/p')
grep -qF "vermagic=$version " "$CACHE/modules-$flavour/sr_mod.ko" || skip_all "the modules are of another kernel than $version"
plan 12

root=$TMP/root
mkdir -p "$root/modules" "$root/lib/debian-installer-startup.d" "$TMP/cd" "$TMP/web"
for m in $modules; do cp "$CACHE/modules-$flavour/$m.ko" "$root/modules"; done
echo "for m in $modules; do insmod /modules/\$m.ko 2>/dev/null || :; done" >"$root/lib/debian-installer-startup.d/S16disks"
cat >"$root/report" <<'END'
exec >/dev/console 2>&1
for d in $(list-devices disk) $(list-devices cd); do echo "device $d"; done
ip addr show | grep 'inet 10'
mkdir -p /cd
mount -t iso9660 -o ro /dev/sr0 /cd && echo "cd $(cat /cd/note)"
for d in sda vda; do
	echo "written to $d" | dd of=/dev/$d bs=512 count=1 conv=sync 2>/dev/null
	sync
	echo 3 >/proc/sys/vm/drop_caches
	echo "disk $(head -c 14 /dev/$d) $(blockdev --getsize64 /dev/$d)"
done
poweroff -f
END
chmod 755 "$root/report" "$root/lib/debian-installer-startup.d/S16disks"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip) >"$TMP/more.gz"
cat "$CACHE/$installer-initrd.gz" "$TMP/more.gz" >"$TMP/initrd"
echo "a note on a CD" >"$TMP/cd/note"
xorriso -as mkisofs -quiet -R -o "$TMP/iso" "$TMP/cd" 2>/dev/null || exit 99
echo "d-i preseed/early_command string sh /report" >"$TMP/web/preseed.cfg"
cat >"$TMP/web.py" <<'END'
import http.server, os, sys
os.chdir(sys.argv[1])
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open("../port.part", "w").write("%d\n" % s.server_port)
os.rename("../port.part", "../port")
s.serve_forever()
END
python3 "$TMP/web.py" "$TMP/web" >/dev/null 2>&1 &
web=$!
trap 'kill $web 2>/dev/null; rm -rf "$TMP"' EXIT
until_true test -s "$TMP/port"

for model in pcnet virtio; do
	rm -f "$TMP/sda" "$TMP/vda"
	truncate -s 64M "$TMP/sda"
	truncate -s 16M "$TMP/vda"
	run_guest 900 --no-reboot --memory 800M ${machine:-} --kernel "$CACHE/$installer-linux" --initrd "$TMP/initrd" \
		--disk "$TMP/sda" --disk "$TMP/vda,bus=virtio" --cdrom "$TMP/iso" --net "user,model=$model" --append \
		"console=ttyS0 quiet ipv6.disable=1 DEBIAN_FRONTEND=text auto=true priority=critical url=http://10.0.2.2:$(cat "$TMP/port")/preseed.cfg"
	ended 0 "$model: the installer runs, to its end"
	said "inet 10.0.2.15/24" "$model: DHCP, and the preseed file by HTTP"
	[ "$(grep -cE 'device /dev/(sda|vda|sr0)$' "$TMP/out")" -eq 3 ]
	ok $? "$model: it lists both disks and the CD" "$(detail)"
	said "cd a note on a CD" "$model: it mounts the CD"
	said "disk written to sda 67108864" "$model: writes and reads the IDE disk"
	said "disk written to vda 16777216" "$model: and the virtio disk"
done
