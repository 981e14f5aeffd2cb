#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The embedded guest runs all its checks, in every translation mode.
. "$(dirname "$0")/guestlib.sh"
need
plan 15

run_guest 300 demo
said "demo: all checks passed" "all checks pass"
ended 1 "debug-exit 0 is status 1"
[ "$(grep -c FAIL "$TMP/out")" -eq 0 ] && [ "$(grep -c PASS "$TMP/out")" -ge 57 ]
ok $? "57 checks and no failure" "$(grep FAIL "$TMP/out")"

run_guest 300 --append exit=poweroff demo
said "demo: all checks passed" "all checks pass with exit=poweroff"
ended 0 "power off is status 0"

run_guest 300 --cpu pentium4 demo
said "demo: all checks passed" "all checks pass on a processor of Intel's"

run_guest 300 --cpu pentium2 demo
said "demo: all checks passed" "all checks pass without SSE"
run_guest 60 --cpu 486 demo
said "demo: this kernel needs an i686" "a processor that is too old is refused in one line"
ended 3 "as one failure"

run_guest 300 --verify-tc demo
said "demo: all checks passed" "all checks pass with --verify-tc"
ended 1 "no violation found by --verify-tc"

run_guest 300 --clock icount demo
said "demo: all checks passed" "all checks pass with --clock icount"
cp "$TMP/out" "$TMP/first"
run_guest 300 --clock icount demo
[ -s "$TMP/first" ] && cmp -s "$TMP/out" "$TMP/first"
ok $? "two runs with --clock icount print the same" "$(diff "$TMP/first" "$TMP/out" | head -5)"

for way in trap callout; do
	got=$(timeout 400 "$VITRINE" shell --no-rc --serial stdio --verify-tc -c "policy all $way" -c continue demo \
		</dev/null 2>&1 | tr -d '\r')
	case $got in
	*"demo: all checks passed"*"guest exited: status 1"*) r=0 ;;
	*) r=1 ;;
	esac
	ok $r "all checks pass with every sensitive instruction by $way, verified" "$(echo "$got" | tail -5)"
done
