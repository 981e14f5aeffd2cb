#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Linux on the PCI bus: it finds the functions and their addresses as the views show them, and uses a virtio disk
# by its modern driver with MSI-X, and by its legacy driver with the interrupt pin without APIC.
. "$(dirname "$0")/guestlib.sh"
need linux-686 busybox

cat >"$TMP/inside.sh" <<'END'
for m in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev; do insmod /modules/$m.ko; done
legacy=$(sed -n 's/.*legacy=\([01]\).*/\1/p' /proc/cmdline)
insmod /modules/virtio_pci.ko force_legacy=$legacy
insmod /modules/virtio_blk.ko
dmesg | grep -E 'WARNING: CPU|BUG|refused|can.t claim|no compatible bridge' | sed 's/^/complaint: /'
for d in /sys/bus/pci/devices/*; do
	echo "function ${d##*/} $(cat $d/vendor) $(cat $d/device) $(cat $d/class)"
	n=0
	while read -r first last flags; do
		[ $n -gt 5 ] || [ $((last)) -eq 0 ] || echo "region ${d##*/} $n $((first)) $((last - first + 1))"
		n=$((n + 1))
	done <$d/resource
done
dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null
dd if=/tmp/data of=/dev/vda bs=64k 2>/dev/null
sync
echo 3 >/proc/sys/vm/drop_caches
[ "$(dd if=/dev/vda bs=64k count=64 2>/dev/null | sha256sum)" = "$(sha256sum </tmp/data)" ] && echo "data same"
echo "sum $(sha256sum </tmp/data)"
grep virtio /proc/interrupts | sed 's/^/interrupt /'
blkdiscard /dev/vda && echo "discarded"
[ "$(dd if=/dev/vda bs=1M 2>/dev/null | wc -c)" = $((8 << 20)) ] && echo "size right"
END

# The functions and regions as `info pci` and `info pci-regions` have them, in the guest's words.
by_views()
{
	"$VITRINE" shell --disk "$TMP/disk,bus=virtio" --json -c 'info pci' -c 'info pci-regions' demo >"$TMP/json" 2>/dev/null
	python3 - "$TMP/json" <<'END'
import json, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if "kind" in r:
        print("function 0000:%s 0x%04x 0x%04x 0x%06x" % (r["address"], r["vendor"], r["device"], r["class"]))
    elif "region" in r:
        print("region 0000:%s %d %d %d" % (r["address"], r["region"], r["at"], r["size"]))
END
}

# boot LEGACY NAME OPTION...: one boot and its results.
boot()
{
	legacy=$1 name=$2
	shift 2
	truncate -s 0 "$TMP/disk"
	truncate -s 8M "$TMP/disk"
	run_guest 120 --memory 128M --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" --no-reboot \
		--append "console=ttyS0 panic=-1 run=inside.sh legacy=$legacy" --disk "$TMP/disk,bus=virtio" "$@"
	ended 0 "$name: the guest ends"
	said "data same" "$name: reads back what it wrote"
	said "discarded" "$name: discards"
	! grep -q '^complaint' "$TMP/out"
	ok $? "$name: Linux has nothing to complain about" "$(grep '^complaint' "$TMP/out")"
}

if ! "$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" 2>"$TMP/err"; then
	skip_all "no initramfs: $(cat "$TMP/err")"
fi
plan 12
# A boot sector that writes "VB" to the debug console and switches the machine off.
{
	printf '\260\126\346\351\260\102\346\351\260\012\346\351\272\004\006\270\000\040\357\364'
	head -c 490 /dev/zero
	printf '\125\252'
	head -c 1048576 /dev/zero
} >"$TMP/boot"
if [ -s "$CACHE/bios-256k.bin" ]; then
	timeout 120 "$VITRINE" shell --bios "$CACHE/bios-256k.bin" --disk "$TMP/boot,bus=virtio" --timeout 60 \
		-c continue -c 'info debugcon' -c 'info virtio' >"$TMP/out" 2>&1
	grep -q '^VB' "$TMP/out" && grep -q '^virtio-blk0 *modern' "$TMP/out"
	ok $? "SeaBIOS boots from a virtio disk, by its own driver" "$(tail -5 "$TMP/out")"
else
	skip "SeaBIOS boots from a virtio disk, by its own driver" "no bios-256k.bin"
fi
boot 0 modern
grep -E '^(function|region)' "$TMP/out" | sort >"$TMP/guest"
by_views | sort >"$TMP/views"
[ "$(grep -c . "$TMP/views")" -ge 7 ] && cmp -s "$TMP/guest" "$TMP/views"
ok $? "functions and regions are those that the views show" "$(diff "$TMP/views" "$TMP/guest")"
match '^interrupt .*[1-9][0-9]* .*PCI-MSI.*virtio0-req' "modern: interrupts are messages"
boot 1 "legacy without APIC" --cpu host,-apic
match '^interrupt .*[1-9][0-9]* .*XT-PIC.*virtio0' "legacy: interrupts come by the pin"
