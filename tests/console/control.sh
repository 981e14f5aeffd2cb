#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The control socket: requests, events, several clients, bad input; vitrine attach; the example.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v python3 >/dev/null || skip_all "no python3"
plan 22

S=$TMP/control
# The shell reads commands from a pipe that stays open until the test ends.
mkfifo "$TMP/stdin"
timeout -k 5 400 "$VITRINE" shell --no-rc --serial null --control "unix:$S" demo <"$TMP/stdin" >"$TMP/out" 2>"$TMP/err" &
server=$!
exec 9>"$TMP/stdin"
wait_socket "$S"

got=$(timeout 100 python3 "$TOP_SRCDIR/docs/examples/control.py" "$S" 2>&1)
echo "$got" | grep -qE '^10 stops, [0-9]+ lines from the guest$'
ok $? "the example counts page faults" "$got"

got=$(timeout 100 "$VITRINE" attach "$S" -c 'print 40 + 2' 2>&1)
[ "$got" = "42  0x2a" ]
ok $? "attach prints text" "$got"
got=$(timeout 100 "$VITRINE" attach --json "$S" -c 'print 40 + 2' 2>&1)
echo "$got" | grep -q '"value":42'
ok $? "attach --json prints records" "$got"
got=$(timeout 100 "$VITRINE" attach "$S" -c 'print $nosuch' 2>&1)
[ $? -eq 1 ] && [ "$got" = 'no register or variable $nosuch' ]
ok $? "attach fails when the command does" "$got"
got=$(for word in quit 'q ' exit 'exit  ' detach; do timeout 100 "$VITRINE" attach "$S" -c "$word" -c 'print 1' 2>&1 || echo "$word: $?"; done
timeout 100 "$VITRINE" attach "$S" -c 'print 2' 2>&1)
[ "$got" = "2  0x2" ]
ok $? "commands that would end the session only end the connection" "$got"
got=$(timeout 100 "$VITRINE" attach "$TMP/nothing" -c 'print 1' 2>&1)
[ $? -eq 125 ]
ok $? "attach to nothing is status 125" "$got"

timeout 300 python3 - "$S" >"$TMP/tap" 2>"$TMP/trace" <<'END'
import json, socket, sys, time

class Client:
    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(sys.argv[1])
        self.lines = self.sock.makefile("rb")
    def send(self, raw):
        self.sock.sendall(raw)
    def get(self, event=None):
        while True:
            m = json.loads(self.lines.readline())
            if m.get("event") == event: # None: an answer
                return m

def say(good, name):
    print(("yes " if good else "no ") + name, flush=True)

a, b, c = Client(), Client(), Client()
a.send(b"garbage\n[1]\n{\"id\":5}\n{\"id\":\"x\",\"subscribe\":[\"nope\"]}\n")
say([a.get()["ok"] for _ in range(4)] == [False] * 4, "broken requests get one error each")
a.send(b"y" * (3 << 20) + b"\n" + b'{"id":7,"command":"print 1"}\n')
m = a.get()
say(not m["ok"] and "1 MiB" in m["error"] and a.get()["results"][0]["value"] == 1, "an oversized line gets one error")
c.send(b'{"id":1,"command":"pri')
c.sock.close()
b.send(b'{"id":1,"subscribe":["stop","serial"]}\n')
say(b.get()["ok"], "subscribe, after another client was dropped in the middle of a line")
a.send(b'{"id":8,"command":"reset"}\n{"id":9,"command":"break run"}\n{"id":10,"command":"continue"}\n')
say([a.get()["id"] for _ in range(3)] == [8, 9, 10], "answers come in order, with their ids")
say("demo guest" in b.get("serial")["text"], "the subscriber sees serial output")
e = b.get("stopped")
say(e["reason"] == "breakpoint" and e["symbol"] == "run", "and the stop")
a.send(b'{"id":11,"command":"delete"}\n{"id":12,"command":"set [ticks] = 0"}\n')
a.get(), a.get()
a.send(b'{"id":13,"command":"break-on port 0xf4"}\n{"id":14,"command":"break finish"}\n{"id":15,"command":"continue &"}\n')
for _ in range(3):
    a.get()
say(b.get("stopped")["symbol"] == "finish", "a guest in the background reports its stop")
b.send(b'{"id":2,"command":"print $pc"}\n')
a.send(b'{"id":16,"command":"print $pc"}\n')
say(a.get()["results"] == b.get()["results"], "two clients get the same result")
a.send(b'{"id":17,"complete":"info callo"}\n{"id":18,"complete":"symbols load /x"}\n{"id":19,"complete":7}\n')
say([a.get().get("results") for _ in range(3)] == [[{"start": 5, "word": "callouts"}], [{"start": 13, "file": True}], None],
    "words are completed")
a.send(b'{"id":17,"command":"x /2xb &run","text":true}\n{"id":18,"command":"x /2xb run"}\n{"id":19,"command":"print 1","text":true}\n')
say([a.get().get("repeat") for _ in range(3)] == ["x/2xb", None, None], "an answer in text has the command an empty line would repeat")
a.send(b'{"id":20,"dashboard":{"keys":["s"]}}\n{"id":21,"dashboard":{"size":[0,24]}}\n{"id":22,"dashboard":{"size":[80,24],"keys":["nokey"]}}\n')
say([a.get()["ok"] for _ in range(3)] == [False] * 3, "a dashboard refuses bad requests")

def frame(client, screen, until):
    while not until(screen):
        m = client.get("frame")
        screen.update({y: "".join(text for _, text in runs) for y, runs in m["rows"]})
    return screen

d, e = Client(), Client()
d.send(b'{"dashboard":{"size":[100,30]}}\n')
screen = frame(d, {}, lambda s: len(s) == 30)
say(any("Registers" in row for row in screen.values()) and all(len(row) == 100 for row in screen.values()), "a dashboard's first frame is complete")
d.send(b'{"dashboard":{"keys":["4"]}}\n')
frame(d, screen, lambda s: any("Page walk" in row for row in s.values()))
d.send(b'{"dashboard":{"keys":["q"]}}\n')
say(d.get("over") == {"event": "over"}, "its keys work")
d.sock.close()
crowd = []
while len(crowd) < 60:
    try:
        crowd.append(Client())
    except BlockingIOError: # the queue of pending connections is full
        time.sleep(0.01)
refused = [m for m in (json.loads(c.lines.readline()) for c in crowd[40:]) if m.get("error") == "too many clients"]
say(len(refused) == 20, "too many clients are refused, one line each")
for c in crowd:
    c.sock.close()
a.send(b'{"id":23,"command":"print 1"}\n')
say(a.get()["ok"], "and others are not affected")
END
while read -r verdict name; do
	[ "$verdict" = yes ]
	ok $? "$name"
done <"$TMP/tap"
[ "$(wc -l <"$TMP/tap")" -eq 14 ] || sed 's/^/# /' "$TMP/trace"

echo quit >&9
exec 9>&-
wait $server
[ $? -le 1 ] && [ ! -e "$S" ]
ok $? "the session ends regularly and removes its socket" "$(cat "$TMP/out" "$TMP/err")"
