#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A host with five VMs, three faces at once: a shell by the control socket, a dashboard in a terminal, gdb at one VM's
# stub. While the VMs are paused and the policy is frozen all of them show the same figures.
. "$(dirname "$0")/../tui/tuilib.sh"
need_tmux
command -v python3 >/dev/null || skip_all "no python3"
plan 27
export XDG_RUNTIME_DIR="$TMP/xdg"
mkdir -p "$TMP/xdg"
S=$TMP/xdg/vitrine/h.control

# ask [--json] WHERE COMMAND...
ask()
{
	json=
	[ "$1" != --json ] || { json=--json; shift; }
	where=$1
	shift
	for c in "$@"; do set -- "$@" -c "$c"; shift; done
	timeout 60 "$VITRINE" attach $json "$where" "$@" 2>&1
}

timeout -k 5 300 "$VITRINE" host --no-rc --machine-memory 48M --swap "$TMP/swap" h </dev/null >"$TMP/host.out" 2>"$TMP/host.err" &
host=$!
trap 'tmux -S "$TMP/tmux" kill-server 2>/dev/null; kill $host 2>/dev/null; wait; rm -rf "$TMP"' EXIT
wait_socket "$S"
ask h "vm start a --memory 16M --gdb unix:$TMP/gdb --append balloon demo" 'vm start b --memory 16M --append balloon demo' \
	'vm start c --memory 16M --append loop demo' 'vm start d --memory 16M --append loop demo' \
	'vm start e --memory 16M --append loop demo' >"$TMP/started"
[ "$(grep -c joined "$TMP/started")" -eq 5 ]
ok $? "five VMs" "$(cat "$TMP/started" "$TMP/host.err")"

# Something of everything: balloons by hand, shared pages and their copies, pages in the file, a target by hand.
ask h 'memory sample period 0.5' 'memory target c 6M' 'vm a balloon 1M' 'vm b balloon 600' 'memory scan all 100000' 'memory scan c 4000' \
	'memory scan d 4000' 'memory scan e 4000' >/dev/null
reached() { ask h 'info balloon' | grep -q "^$1 .* hand *$2 "; }
until_true reached a 256 && until_true reached b 600
ok $? "balloons set by hand are filled, and the host's session says so" "$(ask h 'info balloon')"
sampled() { ask h 'info idle' >"$TMP/idle" && grep -q '^[a-e] ' "$TMP/idle"; }
until_true sampled
ok $? "samples of memory in use are taken" "$(cat "$TMP/idle")"
copied() { ask h "info cow $1" | grep -q ' instruction '; }
until_true copied c && until_true copied d
ok $? "shared pages are copied" "$(ask h 'info sharing' 'info cow')"
ask h 'vm d swap out random 300' 'memory freeze on' 'vm pause a' 'vm pause b' 'vm pause c' 'vm pause d' 'vm pause e' >"$TMP/paused"
got=$(ask h 'vm list')
[ "$(echo "$got" | grep -c ' stopped ')" -eq 5 ]
ok $? "all are paused" "$got"
ask h 'vm d swap in 0x100 8' >/dev/null

# ---- the dashboard ----

t kill-server 2>/dev/null
new_session -s v -x 200 -y 50 "TERM=screen-256color timeout --foreground -k 5 300 '$VITRINE' attach --tui h 2>'$TMP/err'; sleep 1000"
until_true has "Who pays"
zoomed() { screen | sed -n 3p | grep -q "^ $name "; }
tables_agree()
{
	screen >"$TMP/pane"
	python3 "$TOP_SRCDIR/tests/tui/tables.py" "$TMP/pane" "$S" "$@" >"$TMP/tables" 2>&1
}
# pane SCREEN NAME COMMAND KEY...: the pane called NAME, zoomed, has what COMMAND says.
pane()
{
	key "$1"
	name=$2
	until_true has "$name"
	shift 2
	for i in $(seq 1 20); do
		! screen | tail -n +2 | grep -q " $name " || break
		key o
		until_true has "$name"
		sleep 0.05
	done
	key z
	until_true zoomed
	until_true tables_agree "$@"
	ok $? "dashboard: $name and $1: $(cat "$TMP/tables")" "$(cat "$TMP/tables" "$TMP/pane")"
	key z
}
pane 7 "Figures" "info memory" name
pane 7 "Who pays" "info alloc" name
pane 7 "Samples of memory in use" "info idle" name period
pane 7 "Swapping" "info swap" name
pane 7 "Pages by state" "info pmap" name
pane 8 "Contents" "info share" hash page
pane 8 "Copy-on-write breaks" "info cow" number
pane 8 "Sharing" "info sharing" counter
key 3
sees "a screen about one VM" "a screen about one VM says what to press"
key 7
until_true has "Who pays"
shown() { [ "$(screen | grep -o 'MiB free\|[0-9.]* of 48' | head -1)" = "$free of 48" ]; }
free=$(ask --json h 'info memory' | sed -n 's/.*"name":"(pool)".*"free":\([0-9.]*\).*/\1/p')
free=$(printf '%.1f' "$free")
until_true shown
ok $? "dashboard: free memory of the pool: $free MiB" "$(screen)"

# ---- a VM's session, by its shell and by gdb ----

# What each process takes beside guest memory goes on changing.
figures() { grep '^{' | sed 's/"ovhd":[0-9.]*,//'; }
ask --json h 'info memory' 'info alloc' 'info idle' 'info memory-policy' | figures >"$TMP/host.said"
ask --json h/a 'info memory' 'info alloc' 'info idle' 'info memory-policy' | figures >"$TMP/vm.said"
[ -s "$TMP/vm.said" ] && cmp -s "$TMP/host.said" "$TMP/vm.said"
ok $? "the host's session and a VM's have the same figures of the pool" "$(diff "$TMP/host.said" "$TMP/vm.said")"
if command -v gdb >/dev/null && gdb -nx -batch -ex 'set architecture i386' >/dev/null 2>&1; then
	timeout 60 gdb -nx -q -batch -ex 'set architecture i386' -ex "target remote $TMP/gdb" -ex 'monitor info -j memory' \
		-ex 'monitor info -j alloc' -ex 'monitor info -j idle' -ex 'monitor info -j memory-policy' -ex disconnect 2>&1 </dev/null |
		figures >"$TMP/gdb.said"
	[ -s "$TMP/gdb.said" ] && cmp -s "$TMP/host.said" "$TMP/gdb.said"
	ok $? "and gdb's monitor" "$(diff "$TMP/host.said" "$TMP/gdb.said")"
else
	ok 0 "and gdb's monitor # SKIP no gdb for i386"
fi

for v in swap pmap balloon cow; do
	ask --json h "info $v" >"$TMP/h.$v"
	for vm in a b d; do ask --json h/$vm "info $v"; done >"$TMP/vms.$v"
done
# row VIEW VM FIELD: of the host's session. counter VIEW NAME N: the value of a counter of the Nth VM.
row() { sed -n "s/.*\"name\":\"$2\",.*\"$3\":\([0-9]*\).*/\1/p" "$TMP/h.$1"; }
counter() { sed -n "s/.*\"$4\":\"$2\",\"$5\":\([0-9]*\).*/\1/p" "$TMP/vms.$1" | sed -n "$3p"; }
same() # NAME HOST VM
{
	[ -n "$2" ] && [ "$2" = "$3" ]
	ok $? "$1: $2" "the host: $2, the VM: $3"
}
same "info swap, pages out" "$(row swap d out)" "$(counter swap out 3 name value)"
same "info swap, pages in" "$(row swap d in)" "$(counter swap in 3 name value)"
same "info swap, victims that were shared" "$(row swap d shared)" "$(counter swap shared 3 name value)"
same "info swap, places in the file" "$(row swap d places)" "$(counter swap places 3 name value)"
same "info pmap, shared" "$(row pmap d shared)" "$(counter pmap shared 3 state pages)"
same "info pmap, swapped" "$(row pmap d swapped)" "$(counter pmap swapped 3 state pages)"
same "info pmap, ballooned" "$(row pmap a ballooned)" "$(counter pmap ballooned 1 state pages)"
same "info balloon, reached" "$(row balloon b reached)" "$(sed -n '2s/.*"reached":\([0-9]*\).*/\1/p' "$TMP/vms.balloon")"
same "info cow, the last of d" "$(grep '"vm":"d"' "$TMP/h.cow" | tail -1)" "$(tail -1 "$TMP/vms.cow" | sed 's/"symbol":[^,]*,//; s/"vm":null/"vm":"d"/; /"vm"/!s/,/,"vm":"d",/')"
got=$(ask h 'vm check')
echo "$got" | grep -q '^the books balance: 5 VMs'
ok $? "the books balance" "$got"
