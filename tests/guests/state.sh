#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# save-state and load-state: by the deterministic clock a guest that is loaded, in a new process or in the
# same one later, runs on exactly as the one that was saved: the same state at the same instruction, the
# same serial output. By the host's clock a loaded Linux answers at its shell.
. "$(dirname "$0")/guestlib.sh"
need
[ -s "$CACHE/linux-686" ] && [ -s "$CACHE/busybox" ] && linux=yes || linux=
plan $((4 + 4 + 5 + 0${linux:+6}))
[ -z "$linux" ] || "$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/initrd" "$CACHE" >"$TMP/err" 2>&1

# session SCRIPT OPTION...: hashes in $TMP/hashes, serial output in $TMP/serial.
session()
{
	script=$1
	shift
	: >"$TMP/serial"
	timeout 600 "$VITRINE" shell --no-rc --clock icount --serial "file:$TMP/serial" "$@" -x "$script" \
		</dev/null >"$TMP/out" 2>&1
	grep "at icount [0-9]*$" "$TMP/out" | grep -v "^state " >"$TMP/hashes"
}

# same NAME SAVE-AT COMPARE-AT OPTION...
same()
{
	name=$1 at=$2 end=$3
	shift 3
	printf 'run-icount %s\nstatehash\nsave-state %s\nrun-icount %s\nstatehash\n' "$at" "$TMP/state" "$end" >"$TMP/x"
	printf 'load-state %s\nrun-icount %s\nstatehash\n' "$TMP/state" "$end" >>"$TMP/x"
	session "$TMP/x" "$@"
	cp "$TMP/hashes" "$TMP/want"
	cp "$TMP/serial" "$TMP/whole"
	printf 'load-state %s\nstatehash\nrun-icount %s\nstatehash\n' "$TMP/state" "$end" >"$TMP/x"
	session "$TMP/x" "$@"
	[ "$(grep -c . "$TMP/want")" -eq 3 ] && [ "$(sed -n 2p "$TMP/want")" = "$(sed -n 3p "$TMP/want")" ]
	ok $? "$name: again in the same process" "$(cat "$TMP/want")"
	[ "$(sed -n 1p "$TMP/want")" = "$(sed -n 1p "$TMP/hashes")" ]
	ok $? "$name: the state as it was" "$(cat "$TMP/want" "$TMP/out")"
	[ "$(sed -n 2p "$TMP/want")" = "$(sed -n 2p "$TMP/hashes")" ]
	ok $? "$name: and later" "$(cat "$TMP/want" "$TMP/out")"
	tail -c "$(wc -c <"$TMP/serial")" "$TMP/whole" | cmp -s - "$TMP/serial"
	ok $? "$name: the rest of the output" "$(cat "$TMP/serial")"
}

same demo 5000000 9000000 demo
[ "$(wc -c <"$TMP/state")" -lt 8000000 ]
ok $? "pages that are zero are not saved" "$(ls -l "$TMP/state")"
same stress 60000000 120000000 --append "seed=7 rounds=600" stress
same "stress with PAE" 30000000 60000000 --append "seed=8 rounds=300 pae" stress
[ -n "$linux" ] || exit 0
same Linux 400000000 900000000 --memory 128M --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1"

# shell COMMAND...: the same kernel by the host's clock.
shell()
{
	n=$#
	while [ $n -gt 0 ]; do
		set -- "$@" -c "$1"
		shift
		n=$((n - 1))
	done
	timeout 600 "$VITRINE" shell --no-rc --memory 128M --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" \
		--append "console=ttyS0 quiet panic=-1" "$@" </dev/null >"$TMP/out" 2>&1
}

shell 'wait "shell ready" 300' stop "save-state $TMP/state"
ok $? "Linux by the host's clock: saved at its shell" "$(tail -5 "$TMP/out")"
shell "load-state $TMP/state" 'serial "echo $((6 * 7))-answers\n"' 'wait "42-answers" 100'
ok $? "Linux by the host's clock: loaded, it answers" "$(tail -5 "$TMP/out")"
