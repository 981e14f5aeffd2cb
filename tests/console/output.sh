#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Asynchronous output (lines of trace points and probes, results of a point's commands, the log) reaches every
# face once. A client that does not read loses lines, gets their number, and blocks nothing.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v python3 >/dev/null || skip_all "no python3"
plan 19

S=$TMP/control
mkfifo "$TMP/stdin"
# Limit the freed memory that AddressSanitizer keeps, which would look like growth.
ASAN_OPTIONS="${ASAN_OPTIONS:-}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64" \
timeout -k 5 600 "$VITRINE" shell --no-rc --serial null --control "unix:$S" --append loop demo <"$TMP/stdin" >"$TMP/out" 2>"$TMP/err" &
server=$!
exec 9>"$TMP/stdin"
wait_socket "$S"

timeout 500 python3 - "$S" "$TMP/out" "$TMP/err" >"$TMP/tap" 2>"$TMP/trace" <<'END'
import json, os, socket, struct, sys, time

class Client:
    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(sys.argv[1])
        self.lines = self.sock.makefile("rb")
        self.output = [] # events received while waiting for an answer
    def pid(self):
        return struct.unpack("3i", self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    def send(self, **request):
        self.sock.sendall(json.dumps({"id": 1, **request}).encode() + b"\n")
    def answer(self):
        while True:
            m = json.loads(self.lines.readline())
            if m.get("event") == "output":
                self.output.append(m)
            elif "id" in m:
                return m
    def ask(self, command, **more):
        self.send(command=command, **more)
        return self.answer()
    def until_stopped(self):
        while True:
            m = json.loads(self.lines.readline())
            if m["event"] == "stopped":
                return m
            self.output.append(m)

def say(good, name, detail=""):
    print(("yes " if good else "no ") + name, flush=True)
    if not good:
        print(name, detail, file=sys.stderr)

def await_(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()

def has_events(count): # wait for that many events
    def enough():
        subscriber.ask("print 1")
        return len(subscriber.output) >= count
    return await_(enough)

def hits(point):
    return next(row["hits"] for row in plain.ask("info break")["results"] if row["number"] == point)

def memory():
    return next(int(line.split()[1]) for line in open("/proc/%d/status" % plain.pid()) if line.startswith("VmRSS"))

plain, subscriber, waiting = Client(), Client(), Client()
subscriber.send(subscribe=["output", "stop"])
waiting.send(subscribe=["output"])
say(subscriber.answer()["ok"] and waiting.answer()["ok"], "output can be subscribed to")
plain.ask('trace check_flags "flags at %x" 0x1234')
plain.ask("tbreak check_flags")
m = plain.ask("continue")["results"]
say([r["event"] for r in m] == ["trace", "stop"] and m[0]["text"] == "flags at 1234", "a client that waits without a subscription has the line in its answer", m)
subscriber.until_stopped()
say([(e["text"], e["results"]) for e in subscriber.output] == [("flags at 1234\n", m[:1])], "a subscriber has the same as an event, before the stop", subscriber.output)
say(await_(lambda: open(sys.argv[2]).read() == "flags at 1234\n"), "the session's own shell shows it too")
plain.ask("tbreak check_flags")
m = waiting.ask("continue")["results"]
say([r["event"] for r in m] == ["stop"] and waiting.output == subscriber.output * 2, "a subscriber that waits has only events", (m, waiting.output))
subscriber.until_stopped()
plain.ask("delete")

# The commands of a point, executed for a guest that runs in the background.
subscriber.output = []
plain.ask("break check_flags")
plain.ask('commands 4 "print 40 + 2; print $nosuch"')
plain.ask("continue &")
subscriber.until_stopped()
has_events(2) # the session's shell executes them in its loop
say([e["text"] for e in subscriber.output] == ["42  0x2a\n", "no register or variable $nosuch\n"] and
    subscriber.output[0]["results"][0]["value"] == 42 and "error" in subscriber.output[1], "results of a point's commands are events", subscriber.output)
plain.ask("delete")

subscriber.output = []
plain.ask('probe check_flags "probed %d" 42')
plain.ask("tbreak check_flags")
plain.ask("continue")
subscriber.until_stopped()
plain.ask("stepi 2")
has_events(1)
say("probed 42\n" in [e["text"] for e in subscriber.output], "lines of probes are events", subscriber.output)
plain.ask("unprobe all")
plain.ask("delete")

def tally(output):
    return sum(len(e["results"]) for e in output if "lost" not in e), sum(e.get("lost", 0) for e in output)

# A function executed thousands of times a second, while no client reads.
hot = "trap"
subscriber.output = []
plain.ask('trace %s "hot %%x%s" $eax' % (hot, "." * 1500))
number = plain.ask("info break")["results"][0]["number"]
def flood(lines):
    before = hits(number)
    plain.ask("continue &")
    came = await_(lambda: hits(number) >= before + lines, 120)
    plain.ask("stop")
    return came

# The first flood fills caches and buffers; each is 12 MiB of events for either client. A leak shows in every
# flood, so the smallest of three growths counts.
came, levels = [flood(4000)], [memory()]
while len(levels) < 2 or (levels[-1] - levels[-2] >= 4096 and len(levels) < 4):
    came.append(flood(4000))
    levels.append(memory())
say(all(came), "the guest keeps running while no client reads", hits(number))
say(levels[-1] - levels[-2] < 4096, "memory does not grow", levels)
total = hits(number)
subscriber.ask("print 1") # its answer follows all earlier events
got, lost = tally(subscriber.output)
say(got > 50 and lost > 0 and got + lost == total, "every line was received or is counted as lost", (got, lost, total))
say(subscriber.ask("print 42")["results"][0]["value"] == 42, "the client that did not read is still connected")
waiting.output = []
waiting.ask("print 1") # its answer follows all earlier events
got, lost = tally(waiting.output)
say(got > 50 and lost > 0 and got + lost >= total, "the other one's count is right too", (got, lost, total))

# An answer has room for a limited number of lines.
subscriber.send(subscribe=["stop"])
subscriber.answer()
before = hits(number)
waiting.send(subscribe=[])
waiting.answer()
waiting.send(command="continue", text=False)
await_(lambda: hits(number) >= before + 3000, 120)
plain.ask("stop")
rows = waiting.answer()["results"]
lines, lost = sum(r.get("event") == "trace" for r in rows), sum(r.get("lost", 0) for r in rows)
say(lines > 300 and lost > 0 and lines + lost == hits(number) - before and rows[-1]["event"] == "stop",
    "an answer has the first lines and the number of the others", (lines, lost, hits(number) - before))
m = plain.ask("x/2xb $pc")["results"]
say(not [r for r in m if r.get("event")], "a command that does not wait has no asynchronous output in its answer", m)
plain.ask("delete")

# The log, which is also on the session's standard error.
def logged():
    return [line for line in open(sys.argv[3]).read().splitlines() if line.startswith("[")]

def received():
    subscriber.ask("print 1")
    return [r["text"] for e in subscriber.output for r in e.get("results", []) if r["event"] == "log"]

subscriber.send(subscribe=["output"])
subscriber.answer()
subscriber.output = []
plain.ask("reset")
plain.ask("log bt on")
plain.ask("stepi 20")
plain.ask("tbreak run")
plain.ask("continue")
plain.ask("log all off")
say(await_(lambda: received() and received() == logged()), "a subscriber has the lines of the log",
    (received()[-3:], logged()[-3:], len(received()), len(logged())))
subscriber.output = []
plain.ask("log all on")
plain.ask("continue &")
await_(lambda: len(received()) > 100)
plain.ask("stop")
plain.ask("log all off")
got, lost = len(received()), sum(e.get("lost", 0) for e in subscriber.output)
say(got > 100 and subscriber.ask("print 42")["ok"], "also when there are very many", (got, lost, len(logged())))
END
while read -r verdict name; do
	[ "$verdict" = yes ]
	ok $? "$name" "$(cat "$TMP/trace")"
done <"$TMP/tap"
[ "$(wc -l <"$TMP/tap")" -eq 16 ] || sed 's/^/# /' "$TMP/trace"

# attach -c has the lines in its answer, with --json as rows
"$VITRINE" attach "$S" -c 'delete' -c 'trace run "run %d" 1' -c reset -c 'tbreak check_flags' -c continue >"$TMP/attached" 2>&1
grep -qx 'run 1' "$TMP/attached"
ok $? "attach prints them" "$(cat "$TMP/attached")"
"$VITRINE" attach --json "$S" -c reset -c 'tbreak check_flags' -c continue >"$TMP/attached" 2>&1
grep -q '"event":"trace".*"text":"run 1"' "$TMP/attached"
ok $? "attach --json too" "$(cat "$TMP/attached")"

echo quit >&9
exec 9>&-
wait $server
[ $? -le 1 ]
ok $? "the session ends regularly" "$(cat "$TMP/err")"
