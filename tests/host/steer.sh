#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Machine memory steered and seen: every view and command by the host's session, a VM's and gdb's monitor; points that wait for
# copies of shared pages, balloons, pages read back and states, on a host and alone; gdb's plug-in finds a host's VMs.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v python3 >/dev/null || skip_all "no python3"
plan 13
export XDG_RUNTIME_DIR="$TMP"
timeout -k 5 300 "$VITRINE" host --no-rc --machine-memory 24M --swap "$TMP/swap" h </dev/null >"$TMP/host.out" 2>"$TMP/host.err" &
host=$!
trap 'kill $host 2>/dev/null; wait; rm -rf "$TMP"' EXIT
wait_socket "$TMP/vitrine/h.control"
ask() # WHERE COMMAND...
{
	where=$1
	shift
	for c in "$@"; do set -- "$@" -c "$c"; shift; done
	timeout 60 "$VITRINE" attach "$where" "$@" 2>&1
}
ask h "vm start a --memory 16M --gdb unix:$TMP/a.gdb --append balloon demo" "vm start b --memory 16M --append loop demo" \
	"vm start c --memory 16M --append loop demo" >"$TMP/started"
[ "$(grep -c joined "$TMP/started")" -eq 3 ]
ok $? "three VMs" "$(cat "$TMP/started")"

ask h 'vm pause a' >/dev/null
copied() { ask h 'info cow' | grep -q '^ *[0-9]'; }
until_true copied # the view is compared, and must not be empty
timeout 200 python3 "$TOP_SRCDIR/tests/host/steer.py" "$TMP/vitrine/h.control" "$TMP/vitrine/h.a.control" "$TMP/a.gdb" a >"$TMP/steered" 2>&1
[ $? -eq 0 ] && ! grep -qv '^yes ' "$TMP/steered" && [ "$(wc -l <"$TMP/steered")" -gt 70 ]
ok $? "$(grep -c '^yes ' "$TMP/steered") views and commands" "$(grep -v '^yes ' "$TMP/steered")"

# ---- the policy leaves a balloon that was set by hand ----
ask h 'memory balloon-max 65' 'memory period 0.2' 'vm a balloon 1M' 'vm a continue &' >/dev/null
reached() { ask h 'info balloon' | grep -q '^a .* 256 *hand *256 '; }
until_true reached
runs() { ask h 'info memory-policy' | awk '$1 == "runs" { print int($2) }'; }
more_runs() { [ "$(runs)" -gt $((before + 3)) ]; }
before=$(runs)
until_true more_runs && reached
ok $? "a balloon set by hand stays while the policy runs" "$(ask h 'info balloon' 'info memory-policy')"
released() { ask h 'info balloon' | grep -q '^a .* policy '; }
ask h 'vm a balloon auto' >/dev/null
until_true released
ok $? "balloon auto gives it back" "$(ask h 'info balloon')"

# ---- points, on a host ----
stopped() { grep -q "^$1: .*$2" "$TMP/host.out"; }
ask h 'memory scan all 100000' 'memory scan b 4000' 'memory scan c 4000' 'vm b break-on cow' >/dev/null
until_true stopped b 'cow 0x[0-9a-f]* ([0-9]* cycles) at 0x'
ok $? "host: break-on cow" "$(cat "$TMP/host.out")"
ask h 'memory scan c 0' 'vm c unshare all' 'vm c break-on swap-in' 'vm c swap out random 1000' >/dev/null
until_true stopped c 'swap-in 0x[0-9a-f]* ([0-9]* cycles) at 0x'
ok $? "host: break-on swap-in" "$(cat "$TMP/host.out")"
ask h 'vm b delete' 'vm b break-on state' 'vm b continue &' 'memory thresholds 99 98 97 0.1 0.1' >/dev/null
until_true stopped b 'state [a-z]* after '
ok $? "host: break-on state" "$(cat "$TMP/host.out"; ask h 'info memory')"
ask h 'memory thresholds 6 4 2 1 0.25' 'vm a break-on balloon reached' 'vm a balloon 300' >/dev/null
until_true stopped a 'balloon reached (300 pages)'
ok $? "host: break-on balloon reached" "$(cat "$TMP/host.out")"

# ---- points, alone ----
alone() { shell_script --serial null --timeout 100 "$@"; }
alone --memory 16M --append loop demo <<'END'
memory scan 3000
break-on cow
continue
info cow limit=3
END
grep -q 'cow 0x[0-9a-f]* ([0-9]* cycles) at 0x' "$TMP/out" && grep -q ' instruction  *0x[0-9a-f]* ' "$TMP/out"
ok $? "alone: break-on cow, and what wrote where" "$(cat "$TMP/out")"
alone --memory 16M --clock icount --swap "$TMP/swap2" --append loop demo <<'END'
run-icount 20000000
swap out random 2000
break-on swap-in
continue
END
grep -q 'swap-in 0x[0-9a-f]* ([0-9]* cycles) at 0x' "$TMP/out"
ok $? "alone: break-on swap-in" "$(cat "$TMP/out")"
alone --memory 16M --machine-memory 12M --swap "$TMP/swap3" --append balloon demo <<'END'
break-on state
memory thresholds 99 98 97 96
continue
delete
break-on balloon inflate
balloon 1M
continue
END
grep -q 'state [a-z]* after high' "$TMP/out"
ok $? "alone: break-on state" "$(cat "$TMP/out")"
grep -q 'balloon inflate ([0-9]* pages)' "$TMP/out"
ok $? "alone: break-on balloon" "$(cat "$TMP/out")"

# ---- gdb's plug-in ----
if command -v gdb >/dev/null && gdb -nx -batch -ex 'python print(1)' 2>/dev/null | grep -q '^1$'; then
	ask h 'vm a delete' "vm b gdb start unix:$TMP/b.gdb" >/dev/null
	got=$(timeout 60 gdb -nx -q -batch -ex 'set architecture i386' -ex "source $TOP_SRCDIR/gdbstub/vitrine_gdb.py" -ex 'vms h' </dev/null 2>&1)
	echo "$got" | grep -q '^[* ] *1 *h/a ' && echo "$got" | grep -q '^[* ] *2 *h/b ' && echo "$got" | grep -q '^h/c has no gdb stub'
	ok $? "gdb: vms HOST finds VMs that vm start made" "$got"
else
	ok 0 "gdb: vms HOST # SKIP no gdb with Python"
fi
