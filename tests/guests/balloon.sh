#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The balloon: the embedded guest's driver in three ways, saved and restored, reset; Linux' virtio_balloon and vmw_balloon,
# unmodified: they inflate to 64 MB and deflate, what they say agrees with the guest's own figures and with the memory
# that the host has populated. A 32-bit vmw_balloon does nothing in its first 300 seconds: the icount clock skips them.
# LONG=1: large pages, with PAE.
. "$(dirname "$0")/guestlib.sh"
need
flavour=686
[ -z "${LONG:-}" ] && plan 19 || plan 23

# column NAME N: the value of NAME in the Nth info balloon of $TMP/out.
column()
{
	awk -v name="$1" -v n="$2" '$1 ~ "^" name "(/|$)" && ++k == n { print $2 }' "$TMP/out"
}

# books N NAME: the books were checked N times and balanced.
books()
{
	[ "$(grep -c '^the books balance' "$TMP/out")" -eq "$1" ]
	ok $? "$2: the books balance" "$(detail)"
}

# populated N: what the Nth vm check says that the host has memory for.
populated()
{
	sed -n 's/^the books balance:.* \([0-9]*\) populated.*/\1/p' "$TMP/out" | sed -n "$1p"
}

# ---- the embedded guest ----

for way in balloon balloon=basic; do
	shell_script --memory 64M demo --append $way <<-END
		break-on balloon reached
		balloon 8M
		continue
		info balloon
		vm check
		save-state $TMP/state
		balloon 1000
		continue
		balloon 0
		continue
		info balloon
		vm check
		load-state $TMP/state
		vm check
		balloon 0
		continue
		info balloon
		vm check
	END
	[ "$(column driver 1)" = embedded ] && [ "$(column reached 1)" -eq 2048 ] && [ "$(column reached 2)" -eq 0 ] &&
		[ "$(column inflated 2)" -eq 2048 ] && [ "$(column deflated 2)" -eq 2048 ] && [ "$(column popped 2)" -eq 0 ]
	ok $? "$way: inflates and deflates" "$(detail)"
	[ "$(grep -c ' 2048 ballooned' "$TMP/out")" -eq 2 ] && [ "$(column deflated 3)" -eq 2048 ] && [ "$(column resets 3)" -eq 0 ]
	ok $? "$way: a saved balloon goes on" "$(detail)"
	books 4 "$way"
done
shell_script --memory 64M demo --append balloon=touch <<-END
	balloon 1000
	break-on balloon reached
	continue
	break-on balloon reset
	continue
	info balloon
	continue
	info balloon
	vm check
	reset
	info balloon
	vm check
	balloon 65M
END
[ "$(column popped 1)" -eq 1 ] && [ "$(column resets 1)" -eq 1 ] && [ "$(column starts 2)" -eq 2 ] && [ "$(column reached 2)" -eq 1000 ]
ok $? "a page that is touched is popped, and the driver begins anew" "$(detail)"
[ "$(column driver 3)" = none ] && [ "$(column reached 3)" -eq 0 ] && grep -q ' 0 ballooned' "$TMP/out"
ok $? "after a reset all pages are back" "$(detail)"
grep -q '^balloon: the guest has 16384 pages of memory, not 16640' "$TMP/out"
ok $? "a target above memory is refused" "$(detail)"
books 2 "touched, reset"

# ---- Linux ----

if [ ! -s "$CACHE/linux-686" ] || [ ! -s "$CACHE/busybox" ]; then
	for t in 1 2 3 4 5 6 7 8 9 ${LONG:+10 11 12 13}; do skip "Linux" "guests/fetch could not fetch it (network?)"; done
	exit 0
fi
cat >"$TMP/memory.sh" <<'END'
# Use memory once, so that the host has it.
dd if=/dev/zero of=/tmp/fill bs=1M count=100 2>/dev/null
rm /tmp/fill
sleep 8 # free pages are reported, statistics asked for
while read -r line; do
	echo "$line: $(awk '$1 == "MemTotal:" || $1 == "MemFree:" { printf "%s ", $2 }' /proc/meminfo)"
done
END
cat >"$TMP/vmware.sh" <<'END'
insmod /modules/vmw_vmci.ko
insmod /modules/vmw_balloon.ko
echo "loaded the driver"
. /memory.sh
END
cat >"$TMP/virtio.sh" <<'END'
for m in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_balloon; do
	insmod /modules/$m.ko
done
echo "loaded the driver"
. /memory.sh
END
"$TOP_SRCDIR/guests/mkinitramfs" -o "$TMP/initrd" "$CACHE" "$TMP/memory.sh" "$TMP/vmware.sh" "$TMP/virtio.sh" || exit 99

# linux NAME OPTION...: inflate and deflate.
linux()
{
	name=$1
	shift
	shell_script --memory 192M --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" --append "console=ttyS0 quiet panic=-1 run=$name.sh" \
		"$@" <<-END
			wait "loaded the driver" 200
			serial "first\n"
			wait "first:" 100
			vm check
			balloon 64M
			break-on balloon reached
			continue
			serial "second\n"
			wait "second:" 100
			info balloon
			vm check
			balloon 0
			continue
			serial "third\n"
			wait "third:" 100
			info balloon
			info balloon-stats
			vm check
		END
	tr -d '\r' <"$TMP/out" >"$TMP/clean"
	mv "$TMP/clean" "$TMP/out"
}

# guest WHEN 1|2: what the guest said of its memory, in KiB: in all, free.
guest()
{
	sed -n "s/^$1: \([0-9]*\) \([0-9]*\) .*/\\$2/p" "$TMP/out"
}

# agree: three results about the last run.
agree()
{
	[ "$(column driver 1)" = $name ] && [ "$(column reached 1)" -eq 16384 ] && [ "$(column reached 2)" -eq 0 ]
	ok $? "$name: inflates to 64 MB, deflates" "$(detail)"
	# Give or take 2 MB that the guest uses meanwhile.
	[ $(($(guest first 2) - $(guest second 2))) -gt 63000 ] && [ $(($(guest third 2) - $(guest second 2))) -gt 63000 ]
	ok $? "$name: the guest has 64 MB less, and has it again" "$(detail)"
	books 3 $name
}

linux virtio --clock icount --balloon virtio
agree
[ $(($(guest first 1) - $(guest second 1))) -eq 65536 ] && [ "$(guest third 1)" -eq "$(guest first 1)" ]
ok $? "virtio: its total changes" "$(detail)"
[ "$(column reported 1)" -gt 20000 ] && [ "$(populated 2)" -lt 15000 ] && grep -qE '^total +1[0-9]{8} ' "$TMP/out"
ok $? "virtio: free pages have no memory, statistics come" "$(detail)"
linux vmware --clock icount
agree
[ $(($(populated 1) - $(populated 2))) -gt 15000 ] && [ "$(column popped 2)" -eq 0 ] && grep -q '^capabilities *basic batched *$' "$TMP/out"
ok $? "vmware: what is in the balloon has no memory" "$(detail)"
[ -n "${LONG:-}" ] || exit 0
if [ ! -s "$CACHE/linux-686-pae" ]; then
	for t in 1 2 3 4; do skip "large pages" "guests/fetch could not fetch it (network?)"; done
	exit 0
fi
"$TOP_SRCDIR/guests/mkinitramfs" -f 686-pae -o "$TMP/initrd" "$CACHE" "$TMP/memory.sh" "$TMP/vmware.sh" || exit 99
flavour=686-pae
linux vmware --clock icount
agree
grep -q '^capabilities *basic batched large *$' "$TMP/out"
ok $? "with PAE by large pages" "$(detail)"
