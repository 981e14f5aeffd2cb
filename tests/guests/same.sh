#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Under the deterministic clock every translation mode reaches the same state at the
# same instruction: a second run, unchained, TUs of 12 and of 1, without adaptation, with
# all sensitive instructions by callout, by trap. tools/bisect-modes finds where two modes differ.
. "$(dirname "$0")/guestlib.sh"
need
[ -s "$CACHE/linux-686" ] && [ -s "$CACHE/busybox" ] && linux=yes || linux=
plan $((7 + 0${linux:+6}))
[ -z "$linux" ] || "$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/initrd" "$CACHE" >"$TMP/err" 2>&1

# hashes COMMAND OPTION... of the guest in "$@" at the counts in $counts
hashes()
{
	first=$1
	shift
	{
		echo "$first"
		for n in $counts; do
			printf 'run-icount %s\nstatehash\n' "$n"
		done
	} >"$TMP/script"
	timeout 1000 "$VITRINE" shell --no-rc --clock icount --serial null "$@" -x "$TMP/script" </dev/null 2>&1 |
		awk '/^[0-9a-f]+ at icount [0-9]+$/ { print $1, $4 }'
}

# same NAME COMMAND OPTION...: one result: the hashes equal those of the first call, $TMP/reference.
same()
{
	name=$1
	shift
	hashes "$@" >"$TMP/hashes"
	[ -s "$TMP/hashes" ] && cmp -s "$TMP/hashes" "$TMP/reference"
	ok $? "$name" "$(paste "$TMP/reference" "$TMP/hashes")"
}

# every NAME OPTION...: all modes, with the guest that the options name.
every()
{
	guest=$1
	shift
	hashes "-adapt on" "$@" >"$TMP/reference"
	same "$guest: again" "-adapt on" "$@"
	same "$guest: without adaptation" "adapt off" "$@"
	same "$guest: all by callout" "policy all callout" "$@"
	same "$guest: all by trap" "policy all trap" "$@"
	same "$guest: unchained" "-adapt on" --no-chain "$@"
	same "$guest: TUs of 12" "-adapt on" --tu-max 12 "$@"
	[ -n "${brief:-}" ] || same "$guest: TUs of 1" "-adapt on" --tu-max 1 "$@"
}

counts="3000000 6000000 9000000"
every demo demo
[ -n "$linux" ] || exit 0
counts="100000000 200000000 300000000"
[ -z "${LONG:-}" ] || counts="500000000 1000000000 2000000000 4000000000"
brief=1
every Linux --memory 128M --kernel "$CACHE/linux-686" --initrd "$TMP/initrd" --append "console=ttyS0 panic=-1"
