#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The stress guest turns pages from data into tables, code and device memory and back, and
# checks everything against a model of its own: plain, in PAE mode, while adaptation is
# switched on and off every 50 ms, while ways of sensitive instructions change at random, and by
# instruction count in several translation modes. A minute; LONG=1 takes ten minutes for
# each of the first two. STRESS_SEED=N picks another seed (1).
. "$(dirname "$0")/guestlib.sh"
need
seed=${STRESS_SEED:-1} seconds=15
[ -z "$LONG" ] || seconds=600
icounts="100000000 200000000"
plan 14

# meddled MODE SECONDS WORDS: run the guest, in a small translation cache that fills repeatedly, while
# stress.py changes settings; its samples go to $TMP/samples.
meddled()
{
	mode=$1 limit=$(($2 * 4 + 600)) words=$3
	rm -f "$TMP/socket"
	"$VITRINE" run --timeout "$limit" --verify-tc --tc-size 6M --control "unix:$TMP/socket" --append "$words" stress \
		</dev/null >"$TMP/raw" 2>"$TMP/err" &
	server=$!
	wait_socket "$TMP/socket"
	python3 "$TOP_SRCDIR/tests/guests/stress.py" "$TMP/socket" "$server" "$mode" "$seed" >"$TMP/samples" 2>&1
	wait "$server"
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
}

no_divergence()
{
	[ "$status" -eq 1 ] && grep -q "^stress: no divergence" "$TMP/out"
	ok $? "$1" "$(detail)"
}

# level NAME: neither memory, nor mappings, nor the translation cache grow: the maximum of the
# second half of the samples is about that of the first (without the first tenth). The first half lasts
# until the cache was full once, which takes long on a busy host.
level()
{
	awk '$1 == "sample" { n++; rss[n] = $2; maps[n] = $3; used[n] = $4 }
		function most(v, from, to,   i, m) { for (i = from; i <= to; i++) if (v[i] > m) m = v[i]; return m }
		function bad(v, slack) { return most(v, half + 1, n) > most(v, first, half) * 1.25 + slack }
		END {
			first = int(n / 10) + 1; half = int((first + n) / 2)
			for (i = 2; i <= n && used[i] >= used[i - 1]; i++) ;
			half = i - 1 > half ? i - 1 : half
			exit n < 6 || bad(rss, 8192) || bad(maps, 500) || bad(used, 4096)
		}' "$TMP/samples"
	ok $? "$1" "$(tail -40 "$TMP/samples")"
}

hashes()
{
	for n in $icounts; do
		printf -- '-run-icount %s\nstatehash\n' "$n"
	done >"$TMP/script"
	timeout 1000 "$VITRINE" shell --no-rc --serial null --clock icount --append "seed=$seed quiet" "$@" -x "$TMP/script" \
		stress </dev/null 2>"$TMP/err" | grep "at icount" >"$TMP/out"
}

# same NAME OPTION...: one result: the hashes equal those of the first run
same()
{
	name=$1
	shift
	hashes "$@"
	[ "$(grep -c . "$TMP/first")" -eq 2 ] && cmp -s "$TMP/first" "$TMP/out"
	ok $? "$name" "$(cat "$TMP/first" "$TMP/out" "$TMP/err")"
}

if command -v python3 >/dev/null; then
	meddled watch $seconds "seed=$seed seconds=$seconds"
	no_divergence "no divergence with --verify-tc"
	level "memory stays level"
	meddled toggle $seconds "seed=$((seed + 1)) seconds=$seconds"
	no_divergence "no divergence with adaptation off and on every 50 ms"
	level "memory stays level then too"
	[ "$(awk '$1 == "answered" { print $2 }' "$TMP/samples")" -ge $((seconds * 2)) ]
	ok $? "it was switched often" "$(tail -2 "$TMP/samples")"
	meddled steer 8 "seed=$((seed + 2)) seconds=8"
	no_divergence "no divergence with ways chosen at random"
else
	for n in 1 2 3 4 5 6; do
		skip "with changing settings" "no python3"
	done
fi
run_guest 600 --verify-tc --append "seed=$((seed + 3)) seconds=6 pae" stress
no_divergence "no divergence with PAE paging"
run_guest 600 --clock icount --append "seed=$((seed + 4)) rounds=2500" stress
no_divergence "no divergence by instruction count"
hashes
cp "$TMP/out" "$TMP/first"
same "a second run: the same state"
same "unchained: the same state" --no-chain
same "units of one instruction: the same state" --tu-max 1
same "without adaptation: the same state" -c "adapt off"
same "sensitive instructions by trap: the same state" -c "policy all trap"
same "sensitive instructions by callout: the same state" -c "policy all callout"
