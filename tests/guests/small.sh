#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Small devices (--device) with the drivers of Debian's kernels, unmodified: each is seen to work from the inside and by
# its counters. Under the icount clock what virtio-rng gives is the seed's, also across a saved state.
# LONG=1: the other flavours.
. "$(dirname "$0")/guestlib.sh"
need
flavours="686-pae cloud-amd64"
[ -z "${LONG:-}" ] || flavours="$flavours 686 amd64"
plan $(($(echo "$flavours" | wc -w) * 5))

virtio="virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci"

cat >"$TMP/rng.sh" <<'END'
for m in $virtio; do insmod /modules/$m.ko; done
insmod /virtio-rng.ko
cat /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=64 count=16 of=/tmp/first 2>/dev/null
echo "first $(sha256sum /tmp/first | cut -c1-16) of $(wc -c </tmp/first)"
read -r line
dd if=/dev/hwrng bs=64 count=16 of=/tmp/second 2>/dev/null
cmp -s /tmp/first /tmp/second || echo "second $(sha256sum /tmp/second | cut -c1-16) of $(wc -c </tmp/second)"
read -r line
END
sed -i "s/\$virtio/$virtio/" "$TMP/rng.sh"

# boot NAME OPTION...: run /NAME.sh in the flavour's kernel under the commands on standard input.
boot()
{
	name=$1
	shift
	shell_script --memory 192M --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" \
		--append "console=ttyS0 quiet panic=-1 run=$name.sh" "$@"
	tr -d '\r' <"$TMP/out" >"$TMP/clean"
	mv "$TMP/clean" "$TMP/out"
}

# counter NAME N: the value of NAME in the Nth info counters of $TMP/out.
counter()
{
	awk -v name="$1" -v n="$2" '$2 == name && ++k == n { print $3 }' "$TMP/out"
}

# numbers FILE: what the guest has drawn so far.
numbers()
{
	grep -E '^(first|second) ' "$TMP/out" >"$TMP/rng.$1"
}

# rng_boot SEED FILE: 1 KiB.
rng_boot()
{
	boot rng --clock icount --device "virtio-rng,seed=$1" <<-END
		wait "of 1024" 300
	END
	numbers "$2"
}

rng()
{
	boot rng --clock icount --device virtio-rng,seed=7 <<-END
		wait "of 1024" 300
		info counters
		info virtio
		save-state $TMP/state
		serial "go\n"
		wait "second" 100
		wait "of 1024" 100
		load-state $TMP/state
		serial "go\n"
		wait "second" 100
		wait "of 1024" 100
		info counters
	END
	numbers a
	[ "$(grep -c '^virtio_rng' "$TMP/out")" -ge 1 ] && [ "$(counter bytes 1)" -ge 1024 ] && [ "$(counter requests 2)" -ge 16 ] &&
		grep -qE '^virtio-rng0 +modern +0xf ' "$TMP/out"
	ok $? "$flavour: virtio-rng serves Linux' driver" "$(detail)"
	[ "$(wc -l <"$TMP/rng.a")" -eq 3 ] && [ "$(grep second "$TMP/rng.a" | uniq | wc -l)" -eq 1 ]
	ok $? "$flavour: a loaded state goes on with the same numbers" "$(cat "$TMP/rng.a")"
	rng_boot 7 b
	[ -s "$TMP/rng.b" ] && [ "$(cat "$TMP/rng.b")" = "$(head -1 "$TMP/rng.a")" ]
	ok $? "$flavour: the same seed, the same numbers" "$(cat "$TMP/rng.a" "$TMP/rng.b")"
	rng_boot 8 c
	[ -s "$TMP/rng.c" ] && ! grep -qFf "$TMP/rng.a" "$TMP/rng.c"
	ok $? "$flavour: another seed, other numbers" "$(cat "$TMP/rng.a" "$TMP/rng.c")"
	boot rng --device virtio-rng,max-bytes=640,period=200 <<-END
		wait "of 1024" 300
		serial "go\n"
		wait "second" 100
		wait "of 1024" 100
		info counters
	END
	[ "$(counter waits 1)" -ge 2 ] && [ "$(counter bytes 1)" -ge 2048 ] && ! grep -E '^(first|second) ' "$TMP/out" | grep -qFf "$TMP/rng.a"
	ok $? "$flavour: the host's numbers, within a limit" "$(detail)"
}

for flavour in $flavours; do
	if [ ! -s "$CACHE/devices-$flavour/order" ] || [ ! -s "$CACHE/busybox" ]; then
		for t in 1 2 3 4 5; do skip "$flavour" "guests/fetch could not fetch it (network?)"; done
		continue
	fi
	"$TOP_SRCDIR/guests/mkinitramfs" -f "$flavour" -o "$TMP/initrd" "$CACHE" "$CACHE/devices-$flavour"/*.ko "$TMP/rng.sh" || exit 99
	rng
done
