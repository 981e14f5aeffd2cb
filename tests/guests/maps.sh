#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The host's mappings while Debian's kernel boots, is idle, and forks: tests/guests/maps.py audits them.
. "$(dirname "$0")/guestlib.sh"
need linux-686 initramfs-686.cpio.gz
command -v python3 >/dev/null || skip_all "no python3"

ask()
{
	timeout 100 "$VITRINE" attach "$TMP/control" --json -c "$1" 2>&1
}

# audit WHEN: one result. The guest is stopped for it.
audit()
{
	ask stop >"$TMP/stopped"
	ask 'info windows' >"$TMP/windows"
	python3 "$TOP_SRCDIR/tests/guests/maps.py" "$vitrine" <"$TMP/windows" >"$TMP/out" 2>&1 && grep -q "^clean: [1-9]" "$TMP/out"
	ok $? "$1: $(head -1 "$TMP/out")" "$(cat "$TMP/out" "$TMP/windows")"
	ask 'continue &' >"$TMP/continued"
}

heard()
{
	grep -q -- "$1" "$TMP/serial"
}

plan 5
mkfifo "$TMP/stdin"
timeout -k 5 600 "$VITRINE" shell --no-rc --memory 256M --kernel "$CACHE/linux-686" --initrd "$CACHE/initramfs-686.cpio.gz" \
	--append "console=ttyS0 panic=-1" --serial "file:$TMP/serial" --control "unix:$TMP/control" \
	<"$TMP/stdin" >"$TMP/session" 2>"$TMP/err" &
session=$!
exec 9>"$TMP/stdin"
wait_socket "$TMP/control"
read -r vitrine <"/proc/$session/task/$session/children"
ask 'continue &' >"$TMP/started"
until_true heard "Linux version"
audit "during the boot"
until_true heard "vitrine: shell ready"
audit "at the shell"
ask 'serial "while :; do ls /bin | wc -l; done\n"' >"$TMP/typed"
until_true heard "^[0-9]"
audit "while it forks"
audit "later"
ask stop >"$TMP/stopped"
program=$(head -1 "/proc/$vitrine/maps") # no window is over the program itself
printf '{"base":%d}\n' "0x${program%%-*}" | python3 "$TOP_SRCDIR/tests/guests/maps.py" "$vitrine" >"$TMP/out" 2>&1
[ $? -eq 1 ]
ok $? "the audit fails where there is no window" "$(cat "$TMP/out")"
echo quit >&9
exec 9>&-
wait $session
