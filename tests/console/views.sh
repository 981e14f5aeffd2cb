#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The accounting views on the embedded guest: counts of the same events agree, times are
# plausible, and counting changes no state that the guest can see.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 20

# vit [OPTION...]: run the commands on standard input; their output is in $TMP/out as JSON lines.
vit()
{
	cat >"$TMP/script"
	timeout -k 5 400 "$VITRINE" shell --no-rc --json --serial null --timeout 300 "$@" -x "$TMP/script" demo \
		</dev/null >"$TMP/out" 2>"$TMP/err"
}

# rows KEY FIELD=VALUE...: the KEYs of all rows with these fields.
rows()
{
	key=$1
	shift
	filter=cat
	cp "$TMP/out" "$TMP/rows"
	for f in "$@"; do
		grep -F "\"${f%%=*}\":\"${f#*=}\"" "$TMP/rows" >"$TMP/rows2"
		mv "$TMP/rows2" "$TMP/rows"
	done
	sed -n "s/.*[{,]\"$key\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$TMP/rows"
}

sum()
{
	awk '{ s += $1 } END { printf "%d", s }'
}

# same A B NAME: two numbers that must exist and be equal.
same()
{
	[ -n "$1" ] && [ "$1" = "$2" ]
	ok $? "$3" "$1 and $2; $(cat "$TMP/err")"
}

vit <<'END'
continue
info traps
END
for n in fill true-fault; do
	[ "$(rows before name=$n)" -eq $(($(rows count name=$n) - $(rows since name=$n))) ]
	ok $? "traps before and since promotion add up: $n" "$(cat "$TMP/out")"
done
[ "$(rows each name=fill)" -gt 500 ] && [ "$(rows rate name=fill)" -gt 0 ]
ok $? "a fill has a cost and a rate" "$(cat "$TMP/out")"

vit <<'END'
continue
info traps
info trap-sites
info causes
END
for n in fill true-fault code-write fpe; do
	same "$(rows count "name=$n")" "$(rows count "cause=$n" | sum)" "traps by instruction add up to those by cause: $n"
done
same "$( (rows count name=fill; rows count name=true-fault) | sum)" \
	"$( (rows traps cause=user-page; rows traps cause=window-miss) | sum)" "traps that adaptation counts add up to the same"
grep -F '"cause":' "$TMP/out" | grep -F '"pc":' | sed -n 's/.*"cycles":\([0-9]*\).*/\1/p' >"$TMP/cycles"
sort -rn "$TMP/cycles" | cmp -s - "$TMP/cycles"
ok $? "the costliest instruction comes first" "$(head "$TMP/cycles")"

vit <<'END'
count on
policy cli trap
continue
info traps
info callouts
info ways
info tc
END
rows count name=iret >"$TMP/iret"
same "$(cat "$TMP/iret")" "$(rows count kind=iret way=callout)" "callouts for IRET: by callout kind and by way"
for n in iret int io segment-load; do
	same "$(rows count name=$n)" "$(rows timed name=$n)" "with count on every callout is timed: $n"
done
same "$(rows count name=sensitive)" "$(rows count kind=cli way=trap)" "instructions run by trap: by cause and by way"
hits=$(rows value name=jt_hit_rate)
[ "${hits%.*}" -gt 50 ] && [ "${hits%.*}" -le 100 ]
ok $? "jump table hit rate: $hits"
in_tc=$(rows count kind=rdtsc way=in-tc)

vit <<'END'
policy rdtsc callout
continue
info ways
END
same "$in_tc" "$(rows count kind=rdtsc way=callout)" "RDTSC as often in the TC as by callout"

# cost WAY: cycles of one CLI executed this way, the smallest of the turns so far, which are in $TMP/WAY. (The figure of a
# turn is a mean: a single preemption can spoil it.)
cost()
{
	printf '%s\n' "count on" "policy cli $1" continue "info ways" | vit
	rows each kind=cli "way=$1" >>"$TMP/$1"
	sort -n "$TMP/$1" | head -1
}
for turn in 1 2 3 4 5; do
	trap=$(cost trap) callout=$(cost callout)
	[ "${trap:-0}" -le $((10 * ${callout:-0})) ] || break
done
[ "${callout:-0}" -gt 0 ] && [ "${trap:-0}" -gt $((10 * callout)) ]
ok $? "a trap costs more than ten times a callout" "$trap and $callout cycles in $turn turns; $(cat "$TMP/err")"

vit --clock icount <<'END'
run-icount 3000000
statehash
END
grep '"hash"' "$TMP/out" >"$TMP/hash"
vit --clock icount <<'END'
count on
break-on callout hlt if 0
run-icount 3000000
info callouts
statehash
END
[ -s "$TMP/hash" ] && grep '"hash"' "$TMP/out" | cmp -s - "$TMP/hash"
ok $? "counting and timing do not change the guest's state" "$(cat "$TMP/hash" "$TMP/out" "$TMP/err")"

vit <<'END'
info
END
rows view >"$TMP/names"
[ "$(wc -l <"$TMP/names")" -gt 40 ] && [ -z "$(sort "$TMP/names" | uniq -d)" ]
ok $? "each view has a name of its own" "$(sort "$TMP/names" | uniq -d; detail)"
