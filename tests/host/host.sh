#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A host and its VMs: starting, listing, pausing, ending; deaths of either; bad handshakes; names; JSON.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v python3 >/dev/null || skip_all "no python3"
plan 27

XDG_RUNTIME_DIR=$TMP
export XDG_RUNTIME_DIR
printf '\353\376' >"$TMP/spin" # jmp .
printf '\372\364' >"$TMP/halt" # cli; hlt
SPIN="--memory 16M --flat $TMP/spin@0x100000"
H=t

# ask COMMAND...: in the host's session.
ask()
{
	timeout 60 "$VITRINE" attach $json $H -c "$1" 2>&1
}
json=
start_host()
{
	rm -f "$TMP/vitrine/$H.control"
	timeout -k 5 300 "$VITRINE" host --no-rc --machine-memory 128M "$@" $H </dev/null >"$TMP/host.out" 2>"$TMP/host.err" &
	host_timeout=$!
	wait_socket "$TMP/vitrine/$H.control"
	child_of $host_timeout
	host=$child
}
listed()
{
	ask 'vm list' | grep -q "^$1 *$2 "
}
not_listed()
{
	! ask 'vm list' | grep -q "^$1 "
}
pid_of()
{
	json=--json
	ask 'vm list' | sed -n "s/.*\"vm\":\"$1\",.*\"process\":\([0-9]*\).*/\1/p"
	json=
}
said()
{
	grep -q "$1" "$TMP/host.out"
}
books()
{
	ask 'vm check' | grep -q '^the books balance: '"$1"' VMs'
}

start_host --swap "$TMP/swap"
got=$(ask 'vm list')
[ "$(echo "$got" | wc -l)" -eq 1 ] && [ ! -e "$TMP/swap" ]
ok $? "a host without VMs; its swap file has no name" "$got $(cat "$TMP/host.err")"
[ "$(stat -c %a "$TMP/vitrine" "$TMP/vitrine/$H.join" "$TMP/vitrine/$H.control" | tr '\n' ' ')" = "700 600 600 " ]
ok $? "its sockets are its owner's alone"

got=$(timeout 60 "$VITRINE" host --no-rc $H </dev/null 2>&1)
[ $? -eq 125 ] && [ "$got" = "vitrine: there is a host '$H' already" ]
ok $? "a second host of that name is refused" "$got"
got=$(for name in '' . .. a/b 'a b' -x _x a.b ä 01234567890123456789012345678901; do
	timeout 60 "$VITRINE" host --no-rc -c quit -- "$name" </dev/null >/dev/null 2>"$TMP/err"; echo "$?$(wc -l <"$TMP/err")"
done | sort -u)
[ "$got" = 21 ]
ok $? "odd names are refused, in one line" "$got"
got=$(ask "vm start list $SPIN"; ask "vm start a.b $SPIN"; ask "vm start ok --memory 16M --kernel $TMP/none"; ask "vm start ok"; ask 'vm nosuch print 1'; ask 'print $pc'
	ask "vm start big --memory 256M --min 200M --flat $TMP/spin@0x100000"; ask "vm start big --min 17M $SPIN")
[ "$(echo "$got" | wc -l)" -eq 8 ] && [ "$(echo "$got" | grep -c '^vm start: big: host t: ')" -eq 2 ] && echo "$got" | grep -q "^vm start: ok: $TMP/none: .*No such file"
ok $? "so are VMs that cannot be started" "$got"

for vm in a b; do
	ask "vm start $vm $SPIN"
done >"$TMP/started"
timeout -k 5 300 "$VITRINE" run --host $H --name c --memory 16M --flat "$TMP/halt@0x100000" </dev/null >"$TMP/c.out" 2>"$TMP/c.err" &
c=$!
until_true listed c runs
ok $? "three VMs, one of which joined by itself" "$(cat "$TMP/started" "$TMP/c.err"; ask 'vm list')"
clean_err
listed a runs && listed b runs
ok $? "run" "$(ask 'vm list')"
got=$(timeout 60 "$VITRINE" run --host $H --name a demo </dev/null 2>&1)
[ $? -eq 125 ] && [ "$got" = "vitrine: host $H: it has a VM 'a' already" ]
ok $? "a second VM of a name is refused" "$got"

got=$(ask 'vm pause a')
listed a stopped && ask 'vm continue a' && listed a runs
ok $? "pause and continue" "$got"
got=$(ask 'vm b print 40 + 2')
[ "$got" = '42  0x2a' ]
ok $? "a command of a VM's session" "$got"
json=--json
got=$(ask 'vm b print 40 + 2')
json=
echo "$got" | grep -q '"value":42'
ok $? "and its records" "$got"
got=$(timeout 60 "$VITRINE" attach $H/b -c 'print $cs' 2>&1)
[ $? -eq 0 ] && [ -n "$got" ]
ok $? "attach HOST/VM" "$got"
got=$(timeout 60 "$VITRINE" attach $H/nosuch -c 'print 1' 2>&1)
[ $? -eq 125 ] && [ "$got" = "vitrine: $H/nosuch: no socket, host or VM of this name" ]
ok $? "a VM that there is not" "$got"

# The same guest, alone and on the host.
alone=$(timeout 100 "$VITRINE" shell --no-rc --serial null --clock icount --memory 32M -c 'run-icount 2000000' -c statehash demo </dev/null 2>/dev/null | tail -1)
here=$(timeout 100 "$VITRINE" shell --no-rc --serial null --clock icount --memory 32M --host $H --name d -c 'run-icount 2000000' -c statehash demo </dev/null 2>/dev/null | tail -1)
[ -n "$alone" ] && [ "$alone" = "$here" ]
ok $? "a guest has the same state on a host as alone" "$alone $here"
ask 'vm start e --memory 32M demo' >/dev/null
until_true said '^e: ended, status'
ask 'vm log e 100' | grep -q 'demo guest'
ok $? "the output of a guest that ended in order is kept" "$(cat "$TMP/host.out"; ask 'vm log e 100')"

timeout 100 python3 - "$TMP/vitrine/$H.join" >"$TMP/tap" 2>"$TMP/trace" <<'END'
import socket, struct, sys, time
MAGIC = 0x69727476
def conn():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(20)
    s.connect(sys.argv[1])
    return s
def head(kind=1, magic=MAGIC, version=1):
    return struct.pack("<III", magic, version, kind)
def answer(raw, fds=()):
    s = conn()
    socket.send_fds(s, [raw], list(fds)) if fds else s.send(raw)
    try:
        r = s.recv(4096)
    except ConnectionResetError:
        r = b""
    s.close()
    return r
def say(good, name):
    print(("yes " if good else "no ") + name, flush=True)
SIZE = len(answer(b"x")) # a refusal is as long as all messages are
def text(r):
    return r[-240:].split(b"\0")[0].decode()
refused = [text(answer(m)) for m in (b"x", b"x" * 70000, head(), head(magic=1) + b"\0" * (SIZE - 12), head(version=9) + b"\0" * (SIZE - 12),
    head(kind=99) + b"\0" * (SIZE - 12), head(kind=4) + b"\0" * (SIZE - 12), head() + b"\xff" * (SIZE - 12), head() + b"\0" * (SIZE - 12))]
say(all(refused) and len(set(refused)) >= 7, "nonsense is refused with one line: " + "; ".join(refused).replace("\n", "|"))
say("descriptors" in text(answer(head() + b"\0" * (SIZE - 12), [0, 1])), "descriptors that do not belong there are refused")
s = conn()
s.send(struct.pack("<IIIIIIi4xQQQQQ32s240s", MAGIC, 1, 1, 0, 0, 0, 0, 16 << 20, 0, 0, 0, 0, b"liar", b""))
r, fds, flags, where = socket.recv_fds(s, 4096, 4)
admitted = struct.unpack("<III", r[:12])[2] == 3 and len(fds) >= 2
null = open("/dev/null")
socket.send_fds(s, [head(kind=4) + b"\0" * (SIZE - 12)], [null.fileno(), null.fileno()])
say(admitted and text(s.recv(4096)) == "its memory is not as it must be", "a VM that is admitted and lies about its memory is refused")
crowd = []
while len(crowd) < 100:
    try:
        crowd.append(conn())
    except BlockingIOError: # the queue of pending connections is full
        time.sleep(0.01)
say(len(crowd) == 100, "a hundred connections that say nothing")
for s in crowd: s.close()
END
while read -r verdict name; do
	[ "$verdict" = yes ]
	ok $? "${name%%:*}" "$name"
done <"$TMP/tap"
[ "$(wc -l <"$TMP/tap")" -eq 4 ] || sed 's/^/# /' "$TMP/trace"
until_true not_listed liar && listed a runs && listed b runs && books 3
ok $? "others are not affected, and the books balance" "$(ask 'vm list'; ask 'vm check')"

kill -9 "$(pid_of a)"
until_true said '^a: killed by signal 9; its memory has been taken back$' && not_listed a && listed b runs && books 2
ok $? "a VM is killed: one line, others go on, the books balance" "$(cat "$TMP/host.out"; ask 'vm list'; ask 'vm check')"
kill -9 "$(pid_of c)"
until_true not_listed c && said '^c: its process ended without notice; its memory' && books 1
ok $? "likewise one that joined by itself" "$(cat "$TMP/host.out"; ask 'vm check')"
wait $c 2>/dev/null
got=$(ask 'vm stop b')
[ "$got" = 'b: ended, status 0' ] && not_listed b && books 0
ok $? "stop ends a VM in order" "$got $(ask 'vm list')"
child_of "$host"
[ -z "$(ps -o stat= --ppid "$host" | grep Z)" ] && [ -z "$(ps -o stat= --ppid "$child" | grep Z)" ]
ok $? "and no process is left unreaped" "$(ps -o pid,stat,args --ppid "$host")"

# The host is killed: its VMs end, running, halted, stopped.
ask "vm start a $SPIN" >/dev/null
timeout -k 5 300 "$VITRINE" run --host $H --name b $SPIN </dev/null >/dev/null 2>"$TMP/b.err" &
b=$!
timeout -k 5 300 "$VITRINE" run --host $H --name c --memory 16M --flat "$TMP/halt@0x100000" </dev/null >/dev/null 2>"$TMP/c.err" &
c=$!
until_true listed b runs && until_true listed c runs
ask 'vm pause b' >/dev/null
a=$(pid_of a)
kill -9 "$host"
wait $b
sb=$?
wait $c
[ "$sb $?" = "126 126" ] && [ "$(cat "$TMP/b.err")" = "vitrine: the host $H has ended" ] && [ "$(cat "$TMP/c.err")" = "vitrine: the host $H has ended" ]
ok $? "the host is killed: VMs that are stopped or halted end, with status 126 and one line" "$sb: $(cat "$TMP/b.err" "$TMP/c.err")"
gone() { ! kill -0 "$1" 2>/dev/null; }
until_true gone "$a"
ok $? "and so does the one that was started"
wait $host_timeout 2>/dev/null

# A host of the same name again, which ends in order.
rm -f "$TMP/vitrine"/*
start_host
got=$(ask "vm start a $SPIN")
a=$(pid_of a)
kill "$host"
wait $host_timeout
[ $? -eq 143 ] && gone "$a" && [ -z "$(ls "$TMP/vitrine")" ]
ok $? "a host that ends takes its VMs with it, and leaves no socket" "$got $(ls "$TMP/vitrine"; cat "$TMP/host.err")"
