# SPDX-License-Identifier: GPL-3.0-or-later
# For stress guests whose settings change while they run: stress.sh, stress64.sh. After guestlib.sh.

# meddled MODE SECONDS OPTION...: run a guest, verified and in a small translation cache that fills repeatedly, while
# stress.py changes settings; its samples go to $TMP/samples.
meddled()
{
	mode=$1 limit=$(($2 * 4 + 600))
	shift 2
	rm -f "$TMP/socket"
	"$VITRINE" run --timeout "$limit" --verify-tc --tc-size 6M --control "unix:$TMP/socket" "$@" \
		</dev/null >"$TMP/raw" 2>"$TMP/err" &
	server=$!
	wait_socket "$TMP/socket"
	python3 "$TOP_SRCDIR/tests/guests/stress.py" "$TMP/socket" "$server" "$mode" "$seed" >"$TMP/samples" 2>&1
	wait "$server"
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
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
