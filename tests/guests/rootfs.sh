#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A Debian root file system (guests/mkrootfs) on IDE and on virtio: boots by --kernel and by its own loader, logs in, reads
# and writes, shuts down clean. kill -9 while it writes leaves nothing but a journal to replay, and what was flushed.
# LONG=1: both ways on both buses, and 20 kills on each. $flavour is the kernel's, $machine has options for it.
. "$(dirname "$0")/guestlib.sh"
flavour=${flavour:-686}
need "linux-$flavour" busybox bios-256k.bin
PATH=$PATH:/sbin:/usr/sbin
for p in e2fsck debugfs mkfs.ext4 apt-get dpkg; do
	command -v $p >/dev/null || skip_all "no $p"
done
if ! debugfs -R "cat /boot/grub/grub.cfg" "$CACHE/rootfs-$flavour.img?offset=1048576" 2>/dev/null | grep -q LABEL=; then
	"$TOP_SRCDIR/guests/mkrootfs" -f "$flavour" "$CACHE" >"$TMP/made" 2>&1 || skip_all "$(tail -1 "$TMP/made")"
fi
"$TOP_SRCDIR/guests/mkinitramfs" -d -f "$flavour" -o "$TMP/initrd" "$CACHE" || skip_all "no initramfs"
cp --sparse=always "$CACHE/rootfs-$flavour.img" "$TMP/disk"
fs="$TMP/disk?offset=1048576"
kills=1
[ -z "${LONG:-}" ] || kills=20
plan $((${LONG:+11} + 11 + 4 * kills))

# session OPTION...: log in, write and read back, shut down; output in $TMP/out.
session()
{
	cat >"$TMP/script" <<'END'
wait "login:" 150
serial "root\n"
wait "Password:" 30
serial "vitrine\n"
wait "bash-" 30
serial "dd if=/dev/urandom of=/root/a bs=1M count=8 conv=fsync 2>&1 | tail -1; cp /root/a /root/b; sync\n"
serial "echo 3 >/proc/sys/vm/drop_caches; cmp /root/a /root/b && echo files are the sa''me; cat /etc/debian_version\n"
wait "files are the same" 60
serial "rm /root/b; sync; fstrim -v /; echo trim e''nds\n"
wait "trim ends" 60
serial "init 0\n"
END
	rm -f "$TMP/raw"
	timeout -k 5 400 "$VITRINE" shell --no-rc --timeout 300 --memory 256M ${machine:-} --serial "file:$TMP/raw" "$@" -x "$TMP/script" -c -continue \
		-c "info block" </dev/null >"$TMP/screen" 2>"$TMP/err"
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
}

# clean NAME: e2fsck finds nothing in the image.
clean()
{
	e2fsck -fn "$fs" >"$TMP/fsck" 2>&1
	ok $? "$1" "$(cat "$TMP/fsck")"
}

# by_kernel BUS ROOT: log in on the disk itself.
by_kernel()
{
	session --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" --append "console=ttyS0 root=$2 panic=-1" --disk "$TMP/disk,bus=$1"
	ended 0 "$1: boots by --kernel, and switches off"
	said "files are the same" "$1: logs in, writes and reads"
	said "root file system is clean" "$1: shuts down"
	said "12." "$1: it is Debian 12"
	grep -qE "^drive +$1" "$TMP/screen" && grep -qE '^writes +[1-9]' "$TMP/screen" && grep -qE '^discards +[1-9]' "$TMP/screen"
	ok $? "$1: info block counts" "$(cat "$TMP/screen")"
	clean "$1: e2fsck finds nothing"
}

# by_loader BUS: log in on an overlay, twice.
by_loader()
{
	session --bios "$CACHE/bios-256k.bin" --disk "$TMP/disk,bus=$1,overlay=$TMP/overlay"
	ended 0 "$1: boots by its own loader, on an overlay"
	said "files are the same" "$1: logs in, writes and reads"
	clean "$1: the base is as it was"
	session --bios "$CACHE/bios-256k.bin" --disk "$TMP/disk,bus=$1,overlay=$TMP/overlay"
	ended 0 "$1: boots again from the overlay"
	said "root file system is clean" "$1: which it left clean"
	rm -f "$TMP/overlay"
}

by_kernel ide /dev/sda1
by_loader virtio
if [ -n "${LONG:-}" ]; then
	by_kernel virtio LABEL=root
	by_loader ide
fi

# The guest writes files, flushes each, and says its number and hash.
cat >"$TMP/churn" <<'END'
i=0
while :; do
	i=$((i + 1))
	f=/root/f$((i % 20))
	dd if=/dev/urandom of=$f bs=16k count=$((i % 9 + 1)) conv=fsync 2>/dev/null
	echo "flushed f$((i % 20)) $(sha256sum <$f)"
done
END
debugfs -w -R "write $TMP/churn /root/churn" "$fs" >"$TMP/debugfs" 2>&1
# kill_it BUS ROOT N: kill the process while the guest writes.
kill_it()
{
	"$VITRINE" run --timeout 300 --memory 128M ${machine:-} --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" \
		--append "console=ttyS0 root=$2 panic=-1 run=/root/churn" --disk "$TMP/disk,bus=$1" </dev/null >"$TMP/raw" 2>"$TMP/err" &
	vm=$!
	patience=1200
	until_true eval "[ \$(grep -c flushed \"$TMP/raw\") -gt $((20 + $3 * 7)) ]"
	kill -9 $vm
	wait $vm 2>/dev/null
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	e2fsck -fy -E journal_only "$fs" >"$TMP/journal" 2>&1
	clean "$1, kill $3: a journal to replay, and nothing else"
	# The last line may be incomplete; older files may be in the middle of their next life.
	bad=
	grep -a '^flushed f[0-9]* [0-9a-f]\{64\}  -$' "$TMP/out" | tail -15 >"$TMP/flushed"
	while read -r _ f hash _; do
		got=$(debugfs -R "cat /root/$f" "$fs" 2>/dev/null | sha256sum | cut -d' ' -f1)
		[ "$got" = "$hash" ] || bad="$bad $f"
	done <"$TMP/flushed"
	[ -z "$bad" ] && [ "$(wc -l <"$TMP/flushed")" -eq 15 ]
	ok $? "$1, kill $3: what was flushed is there" "lost:$bad; $(wc -l <"$TMP/flushed") of 15; $(tail -3 "$TMP/out" "$TMP/err")"
}

n=0
while [ $n -lt $kills ]; do
	n=$((n + 1))
	kill_it ide /dev/sda1 $n
	kill_it virtio /dev/vda1 $n
done
