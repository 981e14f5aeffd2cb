#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb's TCP port, as other programs of the host reach it: a browser's requests, other protocols, bytes at random.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v python3 >/dev/null || skip_all "no python3"
plan 4

printf '\353\376' >"$TMP/spin" # jmp .
timeout -k 5 300 "$VITRINE" run --gdb 127.0.0.1:0 --control "unix:$TMP/control" --flat "$TMP/spin@0x100000" </dev/null >"$TMP/out" 2>"$TMP/err" &
guest=$!
wait_socket "$TMP/control"
listens()
{
	port=$(timeout 60 "$VITRINE" attach "$TMP/control" -c 'info gdb' 2>/dev/null | grep -o '127\.0\.0\.1:[0-9]*')
	[ -n "$port" ]
}
until_true listens

timeout 200 python3 - "${port#*:}" "$TMP/written" >"$TMP/tap" 2>"$TMP/trace" <<'END'
import random, socket, sys

def packet(text):
    return b"$%s#%02x" % (text, sum(text) & 255)

def monitor(line):
    return packet(b"qRcmd," + line.encode().hex().encode())

# what the port answers until it disconnects
def send(data):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60)
    got = b""
    try:
        s.sendall(data)
        while True:
            more = s.recv(4096)
            if not more:
                break
            got += more
    except ConnectionError:
        pass
    return got

def say(good, name):
    print(("yes " if good else "no ") + name, flush=True)

attack = monitor("dump %s 0x100000 1" % sys.argv[2]) + monitor("quit")
requests = [b"POST / HTTP/1.1\r\nHost: localhost:1234\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n", b"PUT /x HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n", b"\r\n", b"\n", b"\0",
            b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n", b"EHLO x\r\n", b"-+\x03x", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
answers = [send(r + attack) for r in requests]
say(answers == [b""] * len(requests), "requests of other protocols are dropped without an answer")
r = random.Random(1)
noise = [bytes([r.choice([b for b in range(256) if b not in b"$+-\3"])]) + r.randbytes(40) + attack for _ in range(50)]
say([send(n) for n in noise] == [b""] * 50, "so are bytes at random")
END
while read -r verdict name; do
	[ "$verdict" = yes ]
	ok $? "$name" "$(cat "$TMP/trace")"
done <"$TMP/tap"
[ "$(wc -l <"$TMP/tap")" -eq 2 ] || sed 's/^/# /' "$TMP/trace"
! [ -e "$TMP/written" ] && kill -0 $guest
ok $? "nothing behind them was executed" "$(cat "$TMP/err")"
timeout 60 "$VITRINE" attach "$TMP/control" -c 'info status' >"$TMP/status" 2>&1
ok $? "the guest goes on" "$(cat "$TMP/status")"
child_of $guest
kill "$child"
wait $guest 2>/dev/null || :
