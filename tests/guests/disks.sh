#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Disks under Linux: a full host disk and a file that becomes shorter are errors in the guest and one line for the user;
# completions by descriptors instead of bits while the guest reads and writes. Under the icount clock two runs of a boot
# sector that reads and writes are the same, on files whose requests are made at once or by the drive's thread.
. "$(dirname "$0")/guestlib.sh"
need linux-686 busybox bios-256k.bin

cat >"$TMP/errors.sh" <<'END'
dd if=/dev/zero of=/dev/vda bs=64k count=16 oflag=direct 2>/dev/null && echo "the first megabyte is written"
dd if=/dev/zero of=/dev/vda bs=64k oflag=direct 2>&1 | grep error
dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null && echo "it can be read"
echo "dd: ready"
n=0
while dd if=/dev/sda of=/dev/null bs=4k skip=1024 count=1 iflag=direct 2>/tmp/err && [ $n -lt 300 ]; do
	usleep 100000
	n=$((n + 1))
done
grep error /tmp/err
dd if=/dev/sda of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null && echo "what is left can be read"
END
cat >"$TMP/sums.sh" <<'END'
for i in 1 2 3; do
	dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null
	echo "transfer $i"
	dd if=/tmp/data of=/dev/vda bs=64k conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/vda bs=64k count=32 2>/dev/null | cmp - /tmp/data && echo "same $i"
done
END
"$TOP_SRCDIR/guests/mkinitramfs" -d -o "$TMP/initrd" "$CACHE" "$TMP/errors.sh" "$TMP/sums.sh" || skip_all "no initramfs"
linux="--memory 128M --kernel $CACHE/linux-686 --initrd $TMP/initrd --append"
plan 11

# ---- errors ----

truncate -s 16M "$TMP/base" "$TMP/disk"
mkdir "$TMP/small"
if ! unshare -rm mount -t tmpfs -o size=4m none "$TMP/small" 2>/dev/null; then
	for t in 1 2 3 4 5 6 7; do skip "errors of the host" "cannot mount a small file system"; done
else
	unshare -rm sh -c 'mount -t tmpfs -o size=4m none "$0" && exec "$@"' "$TMP/small" "$VITRINE" run --timeout 120 $linux \
		"console=ttyS0 panic=-1 run=errors.sh" --disk "$TMP/base,bus=virtio,overlay=$TMP/small/over" --disk "$TMP/disk" \
		</dev/null >"$TMP/raw" 2>"$TMP/err" &
	vm=$!
	until_true grep -q "dd: ready" "$TMP/raw"
	truncate -s 4M "$TMP/disk"
	wait $vm
	status=$?
	clean_err
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	ended 0 "the guest survives errors of its disks"
	said "the first megabyte is written" "a small file system takes what fits"
	match "dd: error writing.*Input/output error" "the guest sees that the host's disk is full"
	said "it can be read" "and reads on"
	match "dd: (error reading|.*/dev/sda).*Input/output error" "the guest sees that a file became shorter"
	said "what is left can be read" "and reads on there"
	[ "$(grep -c "base: write at byte [0-9]* failed: No space left on device" "$TMP/err")" -eq 1 ] &&
		[ "$(grep -c "disk: read at byte 4194304 failed: Input/output error" "$TMP/err")" -eq 1 ]
	ok $? "the user sees each once" "$(cat "$TMP/err")"
fi

# ---- notices ----

shell_script $linux "console=ttyS0 panic=-1 run=sums.sh" --disk "$TMP/base,bus=virtio,iops-read=20" <<'END'
wait "transfer 1" 60
hosted-io vector off
wait "transfer 3" 60
hosted-io vector on
wait "script ended" 60
info block
END
[ "$(grep -c '^same [123]' "$TMP/out")" -eq 3 ]
ok $? "completions by descriptors lose nothing, nor does the change" "$(detail)"
match '^delayed +[1-9]' "reads were in flight meanwhile"

# ---- icount ----

# run DIR BUS: hash of the state after a number of instructions, and writes, with a disk in DIR. Its boot sector reads 8
# sectors and writes them elsewhere by INT 13h (42h, 43h), for ever, from sectors 1 and 2048 on.
run()
{
	rm -f "$1/icount.img"
	{
		printf '\061\300\216\330\216\300\276\060\174\264\102\315\023\276\100\174\270\000\103\315\023\377\006\070\174\377\006\110\174\353\347'
		printf '%17s' | tr ' ' '\0'
		printf '\020\0\010\0\0\200\0\0\001\0\0\0\0\0\0\0\020\0\010\0\0\200\0\0\0\010\0\0\0\0\0\0'
		printf '%430s\125\252' | tr ' ' '\0'
		seq 100000
	} >"$1/icount.img"
	truncate -s 4M "$1/icount.img"
	shell_script --clock icount --bios "$CACHE/bios-256k.bin" --disk "$1/icount.img,bus=$2" <<'END'
run-icount 150000000
statehash
info block
END
	rm -f "$1/icount.img"
	echo "$(sed -n 's/^\([0-9a-f]*\) at icount.*/\1/p' "$TMP/out") $(sed -n 's/^writes *//p' "$TMP/out")"
}

memory=$TMP
[ ! -w /dev/shm ] || memory=$(mktemp -d /dev/shm/vitrine.XXXXXX)
one=$(run "$TMP" ide)
two=$(run "$memory" ide)
[ "$memory" = "$TMP" ] || rmdir "$memory"
[ "$one" = "$two" ] && [ -n "${one%% *}" ]
ok $? "icount: two runs are the same" "$one; $two"
[ "${one##* }" -gt 10 ] 2>/dev/null
ok $? "icount: they wrote" "$one; $(tail -30 "$TMP/out")"
