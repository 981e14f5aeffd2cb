# SPDX-License-Identifier: GPL-3.0-or-later
"""Costs of single operations, in cycles of the guest's time-stamp counter: a copy-on-write break, a page read back
from the swap file, memory touched for the first time."""
import re, statistics, subprocess

from lab import PAGE, Guest, table

MB = 16  # of each file
PAGES = (MB << 20) // PAGE
TURNS = 5


def read_seconds(g, name):
    """Read a file in memory, page by page."""
    return g.timed("/toucher read " + name)[1]


def copies(g, name, rewrite):
    """Share everything, then write to a file whose pages are shared: median and number of cycles of a break."""
    before = g.counters("sharing")["parted"]
    g("share all")
    shared = g.counters("sharing")["shared"]
    g.run(rewrite)
    n = g.counters("sharing")["parted"] - before
    cycles = sorted(r["cycles"] for r in g("info cow")[-n:])
    return {"what": name, "shared": shared, "events": n, "cycles": int(statistics.median(cycles)),
            "most": cycles[int(len(cycles) * 0.95)]}


def swap_ins(g, hz):
    """A file in memory is read where it is, and once its pages are in the swap file."""
    there, away, n = [], [], 0
    g("unshare all")
    for _ in range(TURNS):
        there.append(min(read_seconds(g, "/t/a") for _ in range(2)))
        g("swap out 0 65536")
        g.run("true")  # what the shell itself needs is back
        before = g.counters("swap")["in"]
        away.append(read_seconds(g, "/t/a"))
        n = max(n, g.counters("swap")["in"] - before)
    seconds = (statistics.median(away) - statistics.median(there)) / n
    return {"what": "page read back", "shared": "-", "events": n, "cycles": int(seconds * hz), "most": "-"}


def fresh(g, hz, lab):
    """Memory used for the first time by guest and host, by the guest alone, and natively."""
    rows = []
    for name in "first touch, fresh to the host", "first touch, used before":
        n, s = g.timed("/toucher fresh 96")
        rows.append({"what": name, "shared": "-", "events": n // PAGE, "cycles": int(s * hz / (n // PAGE)), "most": "-"})
    native = []
    for _ in range(TURNS):
        out = subprocess.run([lab.a.toucher, "fresh", "96"], stdout=subprocess.PIPE, text=True, check=True).stdout
        n, us = (int(w) for w in re.search(r"end (\d+) (\d+)", out).groups())
        native.append(us / 1e6 * hz / (n // PAGE))
    rows.append({"what": "first touch, native", "shared": "-", "events": n // PAGE, "cycles": int(min(native)), "most": "-"})
    return rows


def run(lab):
    swap = lab.tmp + "/cost.swap"
    g = Guest(lab, 256, "--swap", swap)
    hz = float(re.search(r"([0-9.]+) MHz processor", g.run("dmesg | grep 'tsc: Detected'")).group(1)) * 1e6
    rows = fresh(g, hz, lab)
    g.run("mkdir -p /t; mount -t tmpfs -o size=120m none /t; dd if=/dev/urandom of=/t/a bs=1M count=%d; "
          "cp /t/a /t/b; dd if=/dev/zero of=/t/z bs=1M count=%d" % (MB, MB))
    rows.append(copies(g, "copy of a page of zeros", "dd if=/t/a of=/t/z bs=4k conv=notrunc"))
    g.run("cp /t/a /t/b")
    rows.append(copies(g, "copy of a page", "dd if=/dev/zero of=/t/b bs=4k conv=notrunc count=%d" % PAGES))
    rows.append(swap_ins(g, hz))
    g("vm check")
    g.end()
    table("Cost of single operations, in cycles (median; 95 %% of them need at most; swap file in %s)." % lab.a.dir,
          ["", "events", "cycles", "95 %"], [[r["what"], r["events"], r["cycles"], r["most"]] for r in rows])
    lab.save("cost", rows)
    for r in rows:
        lab.result("memory_" + r["what"].replace(",", "").replace(" ", "_"), r["cycles"])
