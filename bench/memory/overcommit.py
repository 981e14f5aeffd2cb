# SPDX-License-Identifier: GPL-3.0-or-later
"""More memory than there is (the paper's figure 8): five VMs that have 60 % more memory than the machine boot at once.
Each touches all its free memory with equal pages, as Windows writes zeros, then fills it with its name, and checks pages
of it at random. A guest whose balloon grows swaps to a disk of its own. With --kills, VMs are killed at random instants,
and started again. At the end each has found its memory right, none holds another's name, and the books balance."""
import random, re, sys, time

from lab import Guest, Host, say, table
from watch import POOL, Watch, value

MB, MACHINE = 128, 400
VMS = ["%s-has-this-page" % c for c in "abcde"]  # told apart by the first letter: a name may be cut off at the end of a page
RATE = 1000  # pages looked at for sharing a second and VM, once all have joined: a pass takes half a minute
SHORT = 60    # MB in balloons or swapped out: VMs are killed, as nothing much can go wrong while there is memory,
PATIENCE = 30  # or when it takes so many seconds to get there
COLUMNS = ["shrd", "zero", "shrdsvd", "mctlsz", "swcur"]
FILL = """#!/bin/sh
for word in $(cat /proc/cmdline); do
	case $word in who=*) who=${word#who=} ;; seconds=*) seconds=${word#seconds=} ;; esac
done
insmod /modules/virtio_balloon.ko
mkswap /dev/vda >/dev/null
swapon /dev/vda
mb=$(awk '$1 == "MemFree:" { print int($2 / 1024) - 8 }' /proc/meminfo)
/toucher fresh $mb
/toucher name $who $mb $seconds
echo "over $?"
read -r line
"""


class Crowd:
    def __init__(self, lab):
        self.lab = lab
        script = lab.tmp + "/fill.sh"
        with open(script, "w") as f:
            f.write(FILL)
        self.initrd = lab.tmp + "/initrd-fill"
        lab.make_initrd(self.initrd, lab.a.toucher + ":toucher", script)
        self.host = Host(lab, MACHINE, "--swap", lab.tmp + "/overcommit.swap")
        self.watch = Watch(self.host)
        self.guest, self.raised = {}, False
        self.kills = 0

    def start(self, name, seconds):
        disk = "%s/%s.disk" % (self.lab.tmp, name)
        with open(disk, "wb") as f:
            f.truncate(MB << 20)
        self.guest[name] = Guest(self.lab, MB, "--balloon", "virtio", "--disk", disk + ",bus=virtio", initrd=self.initrd, host=self.host,
                                 name=name, append="run=fill.sh who=%s seconds=%d" % (name, seconds), boot=False)

    def listed(self):
        return [r["vm"] for r in self.host("vm list")]

    def check(self):
        books = self.host("vm check")[0]
        if not books["ok"]:
            sys.exit("bench: the books do not balance: %s" % books)
        return books

    def kill(self, name, seconds):
        """At once, wherever it is; its memory comes back, and it begins anew."""
        g = self.guest[name]
        g.process.kill()
        g.end()
        time.sleep(0.2)  # it may be joining
        end = time.monotonic() + 60
        while name in self.listed():
            if time.monotonic() > end:
                sys.exit("bench: the host does not notice that %s was killed" % name)
            time.sleep(0.05)
        self.check()
        self.kills += 1
        self.start(name, seconds)

    def over(self, name):
        g = self.guest[name]
        said = g.said()
        ended = re.search(r"\nover (\d+)\n", said)
        if g.process.poll() is not None or "WRONG" in said or (ended and ended.group(1) != "0"):
            sys.exit("bench: %s failed\n%s" % (name, g.tail()))
        return bool(ended)

    def short(self):
        """Has memory been taken from VMs?"""
        pool = self.watch.rows[-1][1] if self.watch.rows else {}
        return value(pool, POOL, "mctlsz") + value(pool, POOL, "swcur") > SHORT

    def raise_rate(self):
        self.host("vm %s memory scan all %d" % (VMS[0], RATE * len(VMS)))
        for name in VMS:
            self.host("vm %s memory scan %d" % (name, RATE))
        self.raised = True

    def strangers(self):
        """Names of others in a VM's memory, which are pages that were not its own."""
        for g in self.guest.values():
            g.attach()
        for name, g in self.guest.items():
            for other in VMS:
                at = self.places(g, other)
                if bool(at) != (name == other):
                    sys.exit("bench: %s in the memory of %s at %s" % (other, name, ["%#x" % a for a in at[:20]] or "no address"))

    @staticmethod
    def places(g, text):
        """Physical addresses, at most a hundred."""
        try:
            return [r["address"] for r in g('find/p 0 0x%x "%s"' % (MB << 20, text)) if "address" in r]
        except RuntimeError as e:
            if "no match" not in str(e):
                raise
            return []

    def end(self):
        for g in self.guest.values():
            g.end()
        end = time.monotonic() + 60
        while self.listed() and time.monotonic() < end:
            time.sleep(0.1)
        books = self.check()
        if any(books[k] for k in ("private", "shared", "swapped", "frames", "charged")):
            sys.exit("bench: without VMs there are pages in use: %s" % books)
        self.watch.end()
        self.host.end()


def run(lab):
    c = Crowd(lab)
    rand = random.Random(lab.a.kills)
    seconds = 2 * lab.a.seconds
    begin = time.monotonic()
    for name in VMS:
        c.start(name, seconds)
    next_kill = begin + rand.uniform(5, 15)
    while not all([c.over(name) for name in VMS]) or c.kills < lab.a.kills:
        now = time.monotonic()
        if now - begin > 600 + 10 * seconds + 60 * lab.a.kills:
            sys.exit("bench: it does not end\n" + "".join(g.tail() for g in c.guest.values()))
        if not c.raised and all("filled" in c.guest[name].said() for name in VMS):
            c.raise_rate()
        if c.kills < lab.a.kills and now >= next_kill and (c.short() or now >= next_kill + PATIENCE):
            c.kill(rand.choice(VMS), lab.a.seconds)
            next_kill = time.monotonic() + rand.uniform(0.1, 10)
        time.sleep(0.05)
    took = time.monotonic() - begin
    c.strangers()
    books = c.check()
    checked = sum(int(g.said().split("\nchecked ")[1].split()[0]) for g in c.guest.values())
    c.end()
    say("%d VMs, %d killed; %d pages checked by the guests, all right; the books balance: %s" % (len(VMS), c.kills, checked, books))
    report(lab, c, begin, took, checked)


def report(lab, c, begin, took, checked):
    rows = []
    for t, r in c.watch.between(0, begin - c.watch.begin + took):
        row = {"time": round(t + c.watch.begin - begin, 1), "vms": len(r) - 1, "state": r.get(POOL, {}).get("state", "-"),
               "blocked": sum(x["state"] == "blocked" for x in r.values()), "used": value(r, POOL, "machine")}
        row.update({k: value(r, POOL, k) for k in COLUMNS})
        rows.append(row)
    step = max(len(rows) // 16, 1)
    shown = rows[::step] + ([rows[-1]] if rows else [])
    table("Five VMs of %d MB in %d MB, booting at once, filling their memory (%d killed meanwhile): MB in use, on shared "
          "frames, of that\nzeros, saved by it, in balloons, swapped out. The paper: after the first peak less than 20 MB swapped." %
          (MB, MACHINE, c.kills), ["s", "VMs", "state", "in use", "shared", "zeros", "saved", "balloons", "swapped"],
          [["%.0f" % r["time"], r["vms"], r["state"]] + ["%.0f" % r[k] for k in ["used"] + COLUMNS] for r in shown])
    print("\n%d pages were checked by the guests, %d VMs killed, VMs waited for memory in %d of %d seconds; nothing failed" %
          (checked, c.kills, sum(r["blocked"] > 0 for r in rows), len(rows)))
    lab.save("overcommit", rows)
    lab.plot("overcommit")
    for name, key in ("shared", "shrd"), ("ballooned", "mctlsz"), ("swapped", "swcur"):
        lab.result("memory_overcommit_%s_most_mb" % name, max((r[key] for r in rows), default=0))
        lab.result("memory_overcommit_%s_last_mb" % name, rows[-1][key] if rows else 0)
    lab.result("memory_overcommit_checked", checked)
    lab.result("memory_overcommit_killed", c.kills)
