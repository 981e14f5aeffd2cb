# SPDX-License-Identifier: GPL-3.0-or-later
# Every knob of machine memory through three faces: the host's session, the VM's own, gdb's monitor. Each command is
# followed by the view that shows what it set. steer.py HOST.control VM.control GDB-STUB VM; prints "yes NAME", "no NAME".
import json, re, socket, subprocess, sys

host_path, vm_path, stub, vm = sys.argv[1:5]

class Session:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(60)
        self.s.connect(path)
        self.f = self.s.makefile("rb")

    def request(self, **what):
        self.s.sendall((json.dumps({"id": 1, **what}) + "\n").encode())
        for line in self.f:
            m = json.loads(line)
            if m.get("id") == 1:
                return m

    def __call__(self, command):
        m = self.request(command=command)
        return m.get("results", []), m.get("error")

    def words(self, line):
        return [r.get("word", "file") for r in self.request(complete=line)["results"]]

def say(good, name, detail=""):
    print(("yes " if good else "no ") + name + ("" if good else ": %s" % (detail,)), flush=True)

host, own = Session(host_path), Session(vm_path)

# ---- views ----
for view in "memory alloc idle memory-policy share sharing cow swap balloon pmap vms".split():
    rows, error = host("info " + view)
    say(not error and (rows or view == "idle"), "host: info " + view, (error, rows))
for view in "memory alloc idle memory-policy share sharing cow swap balloon pmap".split():
    rows, error = own("info " + view)
    say(not error and (rows or view in ("idle", "cow")), "VM: info " + view, (error, rows))

# ---- commands: {vm} is the VM in the host's session, nothing in its own; then view, row, column, value ----
MIB = 256
KNOBS = """
memory set {vm} min 2M | memory | VM min 2
memory set {vm} max 12M | memory | VM max 12
memory set {vm} shares 77 | memory | VM shares 77
memory target {vm} 9M | memory | VM sztgt 9
memory target {vm} auto | memory | VM hand None
memory swap-target {vm} 11M | memory | VM swtgt 11
memory swap-target {vm} auto | memory | VM swtgt None
memory scan {vm} 33 | memory | VM scan 33
memory scan all 444 | memory-policy | scan_all value 444
memory tax 0.5 | memory-policy | tax value 0.5
memory sample pages 50 | memory-policy | sample_pages value 50
memory sample period 7 | memory-policy | sample_period value 7
memory thresholds 8 6 4 2 0.5 | memory-policy | high value 8
memory thresholds 6 4 2 1 0.25 | memory-policy | high value 6
memory freeze on | memory-policy | frozen value 1
memory freeze off | memory-policy | frozen value 0
memory period 3 | memory-policy | period value 3
memory balloon-max 40 | memory-policy | balloon_max value 40
""".strip().splitlines()
VM_KNOBS = """
balloon 100 | memory | VM hand balloon
balloon auto | memory | VM hand None
share all | share | - kind -
unshare 0x110 4 | sharing | frames value -
swap out 0x300 4 | swap | places value -
swap in all | swap | swapped value 0
vm check | memory | VM state lives
""".strip().splitlines()

def shown(rows, row, column):
    """The value of COLUMN in the row called ROW; "-" matches the first."""
    for r in rows:
        if row in ("-", r.get("name"), r.get("vm")):
            return r.get(column)
    return "no row"

def is_as_said(rows, what):
    row, column, value = what.replace("VM", vm, 1).split() if what.startswith("VM") else what.split()
    got = shown(rows, row, column)
    return value == "-" and got not in (None, "no row") or str(got) == value or value not in ("-", "None") and got is not None and \
        re.fullmatch(r"[\d.]+", value) and abs(float(got) - float(value)) < 0.01, got

def knob(run, name, line, own_vm):
    command, view, what = (p.strip() for p in line.split("|"))
    command = command.format(vm="" if own_vm else vm)
    _, error = run(command)
    rows, error2 = run("info " + view)
    good, got = is_as_said(rows, what) if not error and not error2 else (False, error or error2)
    say(good, "%s: %s" % (name, " ".join(command.split())), got)

for line in KNOBS:
    knob(host, "host", line, False)
for line in VM_KNOBS:
    knob(lambda c: host("vm %s %s" % (vm, c)), "host, vm NAME", line, True)
for line in KNOBS + VM_KNOBS:
    knob(own, "VM", line, True)
rows, error = host("info alloc")
say("parameters: " in str(rows) and "tax 0.5 (default 0.75)" in str(rows), "info alloc names parameters that are not at their defaults", rows)
say("memory scan" in (own("share rate 5")[1] or ""), "share rate says what to use", own("share rate 5"))

# ---- completion of what follows "vm NAME" ----
words = host.words("vm %s " % vm)
say("info" in words and "stepi" in words and "vm" in words, "vm NAME is completed by the VM's commands", words)
say(host.words("vm %s info ccf sort=-cyc" % vm)[:1] == ["-cycles"], "and views", host.words("vm %s info ccf sort=-cyc" % vm))
say("$eax" in host.words("vm %s print $ea" % vm), "and registers", host.words("vm %s print $ea" % vm))
say(host.words("vm pause %s" % vm) == [vm] and "list" in host.words("vm "), "vm pause by VMs", host.words("vm pause "))

# ---- gdb's monitor ----
def gdb(lines):
    script = ["set pagination off", "set architecture i386", "target remote " + stub]
    for line in lines:
        command, view, what = (p.strip() for p in line.split("|"))
        script += ["monitor " + command.format(vm=""), "echo @view\\n", "monitor info -j " + view, "echo @end\\n"]
    script += ["monitor break-on cow", "monitor info break", "disconnect"]
    args = [a for s in script for a in ("-ex", s)]
    return subprocess.run(["gdb", "-nx", "-q", "-batch"] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, text=True).stdout

try:
    out = gdb(KNOBS + VM_KNOBS)
except FileNotFoundError:
    out = None
for line, text in zip(KNOBS + VM_KNOBS, re.findall(r"@view\n(.*?)@end\n", out, re.S) if out is not None else []):
    command, view, what = (p.strip() for p in line.split("|"))
    rows = [json.loads(r) for r in text.splitlines() if r.startswith("{")]
    good, got = is_as_said(rows, what)
    say(good, "gdb: monitor " + " ".join(command.format(vm="").split()), (got, text[:300]))
say(out is None or "any cow" in out, "gdb: monitor break-on cow", (out or "")[-300:])
own("delete")
