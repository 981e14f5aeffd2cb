#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Small devices (--device) with the drivers of Debian's kernels, unmodified: each is seen to work from the inside and by
# its counters. Under the icount clock what virtio-rng gives is the seed's, also across a saved state.
# LONG=1: the other flavours.
. "$(dirname "$0")/guestlib.sh"
need
flavours="686-pae cloud-amd64"
[ -z "${LONG:-}" ] || flavours="$flavours 686 amd64"
plan $(($(echo "$flavours" | wc -w) * 13))

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

cat >"$TMP/mouse.sh" <<'END'
insmod /evdev.ko
insmod /psmouse.ko
n=0
until grep -q Mouse /proc/bus/input/devices || [ $n -eq 100 ]; do sleep 0.1; n=$((n + 1)); done
exec 3</dev/input/mice
echo "mouse: $(sed -n 's/.*Name="\(.*Mouse\)"/\1/p' /proc/bus/input/devices)"
while :; do echo "event:$(dd bs=3 count=1 <&3 2>/dev/null | od -An -td1)"; done
END

for way in mmio pci; do
	cat >"$TMP/pvpanic-$way.sh" <<-END
		for m in $virtio; do insmod /modules/\$m.ko; done
		insmod /pvpanic.ko 2>/dev/null
		insmod /pvpanic-$way.ko
		echo "panic now"
		echo c >/proc/sysrq-trigger
	END
done

cat >"$TMP/console.sh" <<-END
	for m in $virtio; do insmod /modules/\$m.ko; done
	insmod /virtio_console.ko
	until [ -c /dev/hvc0 ]; do sleep 0.1; done
	exec </dev/hvc0 >/dev/hvc0 2>&1
	for i in \$(seq 999); do echo "line \$i of the text"; done
	echo "on the console"
	while read -r line; do echo "heard \$line"; done
END

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

# The wheel has no place in what /dev/input/mice gives: tests/hv/test_devices.c has it.
mouse()
{
	if [ ! -s "$CACHE/devices-$flavour/psmouse.ko" ]; then
		skip "$flavour: mouse" "the kernel has no driver"
		skip "$flavour: buttons" "the kernel has no driver"
		return
	fi
	boot mouse <<-END
		wait "Mouse" 300
		mouse-move 5 7
		wait "event:" 60
		mouse_move -100 -20
		wait "event:" 60
		mouse-button left middle
		wait "event:" 60
		mouse_button 4
		wait "event:" 60
		mouse-move 1 0 -1
		wait "event:" 60
		mouse-button none
		wait "event:" 60
		info mouse
	END
	[ "$(sed -n 's/^event: *//p' "$TMP/out" | tr -s ' ' | tr '\n' ',' )" = "40 5 -7,24 -100 20,13 0 0,10 0 0,10 1 0,8 0 0," ]
	ok $? "$flavour: Linux' mouse moves as ours, with its buttons" "$(detail)"
	grep -q "^mouse: ImExPS/2 " "$TMP/out" && grep -qE '^kind +with a wheel and five buttons' "$TMP/out"
	ok $? "$flavour: it is an IntelliMouse Explorer" "$(detail)"
}

pvpanic()
{
	for way in mmio pci; do
		[ $way = pci ] && model=pvpanic-pci || model=pvpanic
		boot pvpanic-$way --device $model <<-END
			wait "panic now" 300
			continue
			info counters
			info cpus
		END
		grep -q '^guest panic in sh' "$TMP/out" && grep -q '^Kernel panic - not syncing: sysrq triggered crash' "$TMP/out" && [ "$(counter panics 1)" -eq 1 ] &&
			grep -qE '^state +stopped' "$TMP/out"
		ok $? "$flavour: a panic stops the machine, by $model" "$(detail)"
		run_guest 300 --memory 192M --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" \
			--append "console=ttyS0 quiet panic=-1 run=pvpanic-$way.sh" --device $model
		[ "$status" -eq 126 ] && grep -q 'the guest panicked: Kernel panic - not syncing: sysrq triggered crash' "$TMP/err"
		ok $? "$flavour: and ends vitrine run, by $model" "$(detail)"
	done
}

console()
{
	boot console --device virtio-console <<-END
		wait "on the console" 300
		hvc "typed into it\n"
		wait "heard" 60
		info counters
		info virtio
		save-state $TMP/state
		hvc "once more\n"
		wait "heard" 60
		load-state $TMP/state
		hvc "again, loaded\n"
		wait "heard" 60
	END
	grep -q '^heard typed into it$' "$TMP/out" && grep -q '^line 999 ' "$TMP/out" && [ "$(counter received 1)" -eq 14 ] && [ "$(counter sent 1)" -gt 10000 ]
	ok $? "$flavour: virtio-console is hvc0, both ways" "$(detail)"
	grep -q '^heard once more$' "$TMP/out" && grep -q '^heard again, loaded$' "$TMP/out"
	ok $? "$flavour: a loaded console goes on" "$(detail)"
}

for flavour in $flavours; do
	if [ ! -s "$CACHE/devices-$flavour/order" ] || [ ! -s "$CACHE/busybox" ]; then
		for t in 1 2 3 4 5 6 7 8 9 10 11 12 13; do skip "$flavour" "guests/fetch could not fetch it (network?)"; done
		continue
	fi
	"$TOP_SRCDIR/guests/mkinitramfs" -f "$flavour" -o "$TMP/initrd" "$CACHE" "$CACHE/devices-$flavour"/*.ko "$TMP"/*.sh || exit 99
	rng
	mouse
	pvpanic
	console
done
