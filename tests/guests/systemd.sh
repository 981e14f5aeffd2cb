#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A 64-bit Debian with systemd (guests/mkrootfs -S), by GRUB from its disk to a login: no failed unit, a session,
# a lease and a file by HTTP, time; it switches off, and its file system is clean.
# LONG=1: zen2 and haswell (isolated page tables) besides the default processor; an IDE disk with PCnet; ten boots to
# the login, every second one with --verify-tc.
. "$(dirname "$0")/guestlib.sh"
need linux-amd64 busybox-amd64 bios-256k.bin
PATH=$PATH:/sbin:/usr/sbin
for p in e2fsck mkfs.ext4 apt-get dpkg python3 grub-mkimage; do
	command -v $p >/dev/null || skip_all "no $p"
done
[ -s "$CACHE/systemd-amd64.img" ] || "$TOP_SRCDIR/guests/mkrootfs" -f amd64 -S "$CACHE" >"$TMP/made" 2>&1 || skip_all "$(tail -1 "$TMP/made")"
sessions=1 boots=0
[ -z "${LONG:-}" ] || sessions=4 boots=10
plan $((9 * sessions + boots))

mkdir "$TMP/web"
head -c 3000000 /dev/urandom >"$TMP/web/file"
sum=$(sha256sum <"$TMP/web/file" | cut -d' ' -f1)
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

# What the guest executes comes on a disk of its own.
cat >"$TMP/inside" <<END
export SYSTEMD_PAGER=
echo "state \$(systemctl is-system-running --wait)"
systemctl --failed --no-legend
echo "session \$(loginctl show-session \$XDG_SESSION_ID -p Name -p State --value | tr '\n' ' ')"
for i in 1 2 3 4 5 6 7 8 9 10; do ip -4 addr show | grep -q 'inet 10\.' && break; sleep 1; done
networkctl --no-legend | grep -c 'ether *routable' | sed 's/^/links /'
exec 3<>/dev/tcp/10.0.2.2/$(cat "$TMP/port")
printf 'GET /file HTTP/1.0\r\n\r\n' >&3
echo "file \$(sed '1,/^\r\$/d' <&3 | sha256sum | cut -d' ' -f1)"
a=\$(date +%s%N); sleep 2; b=\$(date +%s%N)
echo "slept \$(((b - a) / 100000000))"
echo "clock \$(date +%s)"
journalctl -b -k -p 3 --no-pager | grep -i -E 'BUG|Oops|lockup|stall|unstable' | sed 's/^/complaint /'
echo "inside en""ds"
END
cat >"$TMP/script" <<'END'
wait "login:" 240
serial "root\n"
wait "Password:" 60
serial "vitrine\n"
wait "# " 60
serial "cat /dev/DISK | tr -d '\\0' >/run/inside; bash /run/inside\n"
wait "inside ends" 120
serial "systemctl poweroff\n"
END

# session NAME DISK-BUS NET-MODEL OPTION...
session()
{
	name=$1 bus=$2 net=$3 disk=vdb
	shift 3
	[ "$bus" = virtio ] || disk=sdb
	cp --sparse=always "$CACHE/systemd-amd64.img" "$TMP/disk"
	cp "$TMP/inside" "$TMP/inside.disk"
	truncate -s 64K "$TMP/inside.disk"
	sed "s/DISK/$disk/" "$TMP/script" >"$TMP/commands"
	rm -f "$TMP/raw"
	timeout -k 5 600 "$VITRINE" shell --no-rc --timeout 500 --memory 512M --bios "$CACHE/bios-256k.bin" --disk "$TMP/disk,bus=$bus" \
		--disk "$TMP/inside.disk,bus=$bus" --net "user,model=$net" --serial "file:$TMP/raw" "$@" -x "$TMP/commands" -c -continue \
		</dev/null >"$TMP/screen" 2>"$TMP/err"
	status=$?
	now=$(date +%s)
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	ended 0 "$name: boots by GRUB, logs in, switches off"
	said "state running" "$name: systemd has started every unit"
	said "session root active" "$name: logind has the session"
	said "links 1" "$name: networkd has a lease"
	said "file $sum" "$name: a file by HTTP"
	match '^slept 2[0-4]$' "$name: two seconds last two"
	clock=$(sed -n 's/^clock //p' "$TMP/out")
	[ $((now - ${clock:-0})) -le 60 ] && [ $((${clock:-0} - now)) -le 2 ]
	ok $? "$name: the guest's clock is the host's" "guest $clock, host $now"
	! grep -q '^complaint' "$TMP/out"
	ok $? "$name: the kernel does not complain" "$(grep '^complaint' "$TMP/out")"
	e2fsck -fn "$TMP/disk?offset=1048576" >"$TMP/fsck" 2>&1
	ok $? "$name: e2fsck finds nothing" "$(cat "$TMP/fsck")"
}

session "default" virtio virtio
if [ -n "${LONG:-}" ]; then
	session "zen2" virtio virtio --cpu zen2
	session "haswell" virtio virtio --cpu haswell
	session "default, IDE" ide pcnet
fi

echo 'wait "login:" 400' >"$TMP/commands"
for i in $(seq 1 $boots); do
	[ $((i % 2)) -eq 0 ] && verify=--verify-tc || verify=
	rm -f "$TMP/raw"
	timeout -k 5 600 "$VITRINE" shell --no-rc --timeout 500 --memory 512M --bios "$CACHE/bios-256k.bin" $verify \
		--disk "$CACHE/systemd-amd64.img,bus=virtio,overlay=temp" --serial "file:$TMP/raw" -x "$TMP/commands" \
		</dev/null >"$TMP/screen" 2>"$TMP/err"
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	grep -q "login:" "$TMP/out" && [ "$status" -eq 0 ] && [ ! -s "$TMP/err" ]
	ok $? "boot $i of $boots $verify" "$(detail)"
done
