#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A host that gives less than asked for: address space (ulimit -v), mappings (a preloaded mmap). Each run ends with the
# right result or with one line; none dies of a signal, none hangs, and --timeout and SIGTERM are heard.
# LONG=1: many more limits.
. "$(dirname "$0")/../guests/guestlib.sh"
need
[ -e "${TOP_BUILDDIR:=$TOP_SRCDIR/build}/tests/attack/few_maps.so" ] || skip_all "no tests/attack/few_maps.so (make check builds it)"
SHIM=$TOP_BUILDDIR/tests/attack/few_maps.so
"$VITRINE" shell --no-rc -c 'info status' demo </dev/null 2>&1 | grep -q 'sanitizers' && skip_all "a sanitizer needs address space, and to be loaded first"
megabytes="100 1000 8000 60000 140000 300000 90000"
maps="0:0 10:0 50:2 200:0"
if [ "${LONG:-0}" = 1 ]; then
	megabytes="$megabytes $(seq 200 400 6000) $(seq 6500 2500 300000)"
	maps="$maps $(for n in 1 2 3 5 20 50 80 100 120 150 170 190 210 230 260 300 400 600 800; do echo "$n:0 $n:2 $n:3 $n:7"; done)"
fi
plan $(($(echo $megabytes | wc -w) + $(echo $maps | wc -w) + 4))

# judge NAME: the run has said what it must.
judge()
{
	lines=$(wc -l <"$TMP/err")
	case $status in
	1) grep -q '^demo: all checks passed' "$TMP/out" ;;
	125) [ "$lines" -eq 1 ] && grep -q '^vitrine: ' "$TMP/err" ;;
	*) false ;;
	esac
	ok $? "$1: status $status" "$(cat "$TMP/err"; tail -3 "$TMP/out")"
}

for m in $megabytes; do
	(ulimit -v $((m * 1000)) && exec timeout -s KILL 300 "$VITRINE" run --no-rc --timeout 240 --memory 32M demo) </dev/null >"$TMP/out" 2>"$TMP/err"
	status=$?
	judge "ulimit -v of $m MB"
done
for n in $maps; do
	LD_PRELOAD=$SHIM FEW_MAPS=${n%:*} FEW_MAPS_EVERY=${n#*:} timeout -s KILL 300 "$VITRINE" run --no-rc --timeout 240 --memory 32M demo \
		</dev/null >"$TMP/out" 2>"$TMP/err"
	status=$?
	judge "mappings refused after ${n%:*}, every ${n#*:}"
done

# A host that claims to have mapped pages: the same access faults again and again.
LD_PRELOAD=$SHIM FEW_MAPS=0 FEW_MAPS_LIE=1 timeout -s KILL 60 "$VITRINE" run --no-rc --memory 32M demo </dev/null >"$TMP/out" 2>"$TMP/err"
status=$?
[ $status -eq 125 ] && grep -q 'keeps faulting' "$TMP/err"
ok $? "mappings that are none: status $status" "$(cat "$TMP/err")"
# Here each of them takes an older mapping away as well.
LD_PRELOAD=$SHIM FEW_MAPS=20 FEW_MAPS_LIE=1 timeout -s KILL 60 "$VITRINE" run --no-rc --timeout 1 --memory 32M demo </dev/null >"$TMP/out" 2>"$TMP/err"
status=$?
[ $status -eq 124 ] || [ $status -eq 125 ]
ok $? "the time limit is heard in a loop of faults: status $status" "$(cat "$TMP/err")"

# Guests that would run for ever, while every other mapping is refused.
LD_PRELOAD=$SHIM FEW_MAPS=50 FEW_MAPS_EVERY=2 timeout -s KILL 120 "$VITRINE" run --no-rc --timeout 2 --memory 32M stress </dev/null >"$TMP/out" 2>"$TMP/err"
status=$?
[ $status -eq 124 ]
ok $? "the time limit is heard" "status $status: $(cat "$TMP/err")"
rm -f "$TMP/out"
LD_PRELOAD=$SHIM FEW_MAPS=50 FEW_MAPS_EVERY=2 timeout -s KILL 120 "$VITRINE" run --no-rc --memory 32M stress </dev/null >"$TMP/out" 2>"$TMP/err" &
guest=$!
until_true test -s "$TMP/out"
child_of $guest
kill -TERM "$child"
wait $guest
status=$?
[ $status -ne 137 ] && [ $status -ne 139 ]
ok $? "SIGTERM is heard: status $status" "$(cat "$TMP/err")"
