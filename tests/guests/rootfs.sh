#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A Debian root file system on an IDE disk (guests/mkrootfs): boots by --kernel and by its own loader, logs in, reads and
# writes, shuts down clean. kill -9 while it writes leaves nothing but a journal to replay, and what was flushed. LONG=1:
# 20 kills.
. "$(dirname "$0")/guestlib.sh"
need linux-686 busybox bios-256k.bin
PATH=$PATH:/sbin:/usr/sbin
for p in e2fsck debugfs mkfs.ext4 apt-get dpkg; do
	command -v $p >/dev/null || skip_all "no $p"
done
if [ ! -s "$CACHE/rootfs-686.img" ]; then
	"$TOP_SRCDIR/guests/mkrootfs" "$CACHE" >"$TMP/made" 2>&1 || skip_all "$(tail -1 "$TMP/made")"
fi
"$TOP_SRCDIR/guests/mkinitramfs" -d -o "$TMP/initrd" "$CACHE" || skip_all "no initramfs"
cp --sparse=always "$CACHE/rootfs-686.img" "$TMP/disk"
fs="$TMP/disk?offset=1048576"
kills=2
[ -z "${LONG:-}" ] || kills=20
plan $((11 + 2 * kills))

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
serial "init 0\n"
END
	rm -f "$TMP/raw"
	timeout -k 5 400 "$VITRINE" shell --no-rc --timeout 300 --memory 256M --serial "file:$TMP/raw" "$@" -x "$TMP/script" -c -continue \
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

session --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" --append "console=ttyS0 root=/dev/sda1 panic=-1" --disk "$TMP/disk"
ended 0 "boots by --kernel, and switches off"
said "files are the same" "logs in, writes and reads"
said "root file system is clean" "shuts down"
said "12." "it is Debian 12"
grep -qE '^writes +[1-9]' "$TMP/screen"
ok $? "info block counts" "$(cat "$TMP/screen")"
clean "e2fsck finds nothing"

session --bios "$CACHE/bios-256k.bin" --disk "$TMP/disk,overlay=$TMP/overlay"
ended 0 "boots by its own loader, on an overlay"
said "files are the same" "logs in, writes and reads"
clean "the base is as it was"
session --bios "$CACHE/bios-256k.bin" --disk "$TMP/disk,overlay=$TMP/overlay"
ended 0 "boots again from the overlay"
said "root file system is clean" "which it left clean"
rm -f "$TMP/overlay"

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
n=0
while [ $n -lt $kills ]; do
	n=$((n + 1))
	"$VITRINE" run --timeout 300 --memory 128M --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" \
		--append "console=ttyS0 root=/dev/sda1 panic=-1 run=/root/churn" --disk "$TMP/disk" </dev/null >"$TMP/raw" 2>"$TMP/err" &
	vm=$!
	until_true eval "[ \$(grep -c flushed \"$TMP/raw\") -gt $((20 + n * 7)) ]"
	kill -9 $vm
	wait $vm 2>/dev/null
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	e2fsck -fy -E journal_only "$fs" >"$TMP/journal" 2>&1
	clean "kill $n: a journal to replay, and nothing else"
	# The last line may be incomplete; older files may be in the middle of their next life.
	bad=
	grep -a '^flushed f[0-9]* [0-9a-f]\{64\}  -$' "$TMP/out" | tail -15 >"$TMP/flushed"
	while read -r _ f hash _; do
		got=$(debugfs -R "cat /root/$f" "$fs" 2>/dev/null | sha256sum | cut -d' ' -f1)
		[ "$got" = "$hash" ] || bad="$bad $f"
	done <"$TMP/flushed"
	[ -z "$bad" ] && [ "$(wc -l <"$TMP/flushed")" -eq 15 ]
	ok $? "kill $n: what was flushed is there" "lost:$bad $(tail -3 "$TMP/out")"
done
