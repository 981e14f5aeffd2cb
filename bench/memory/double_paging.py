# SPDX-License-Identifier: GPL-3.0-or-later
"""The same memory taken from a VM of 256 MB by its balloon, and by the host's swap alone, under dbench. Without a
balloon the guest does not know that it has less: what it writes to its own disk may have been swapped out, and is then
paged twice."""
import os

from dbench import Dbench, balloon
from lab import PAGE, mean_and_interval, shown, table

BASE = 256
SIZES = [192, 160]
WAYS = ["balloon", "swap"]


def run(lab):
    d = Dbench(lab)
    rows, runs = [], []

    def once(way, size):
        swap = lab.tmp + "/double.swap"
        if way == "balloon":
            r = d.throughput(BASE, "--balloon", "virtio", before=lambda g: balloon(g, BASE - size))
        else:
            r = d.throughput(BASE, "--swap", swap, "--machine-memory", "%dM" % (size + d.overhead_mb))
            if os.path.exists(swap):
                os.unlink(swap)
        runs.append({"mb": size, "way": way, **r})
        return r

    for size in lab.a.sizes or SIZES:
        pairs = []
        for i in range(lab.a.pairs):
            pairs.append({w: once(w, size) for w in (WAYS if i % 2 == 0 else WAYS[::-1])})
        ratio, wide = mean_and_interval([p["swap"]["mb_s"] / p["balloon"]["mb_s"] for p in pairs])
        for w in WAYS:
            mean = {k: sum(p[w][k] for p in pairs) / len(pairs) for k in ("mb_s", "read", "written", "in", "out", "double")}
            rows.append({"mb": size, "way": w, "mb_s": mean["mb_s"], "read": mean["read"] / (1 << 20),
                         "written": mean["written"] / (1 << 20), "out": mean["out"] * PAGE / (1 << 20),
                         "in": mean["in"] * PAGE / (1 << 20), "double": mean["double"],
                         "ratio": ratio if w == "swap" else 1.0, "interval": wide if w == "swap" else 0.0})
    table("dbench, %d clients for %d s, in a VM of %d MB that has only so much: by its balloon, and by the host's swap alone "
          "(%d pairs).\nMB/s; against the balloon, 95 %% interval; MB read from and written to the guest's disk; MB written to the "
          "swap file and read back;\npages paged twice." % (d.clients, lab.a.seconds, BASE, lab.a.pairs),
          ["MB", "by", "MB/s", "ratio", "+-", "read", "written", "out", "in", "twice"],
          [[r["mb"], r["way"], "%.2f" % r["mb_s"], shown("%.3f", r["ratio"]), shown("%.3f", r["interval"])] +
           ["%.1f" % r[k] for k in ("read", "written", "out", "in")] + ["%.0f" % r["double"]] for r in rows])
    lab.save("double-paging", rows)
    lab.save("double-paging-runs", runs)
    lab.plot("double-paging")
    for r in rows:
        key = "%s_%d" % (r["way"], r["mb"])
        lab.result("memory_double_paging_mb_s_" + key, r["mb_s"])
        lab.result("memory_double_paging_traffic_mb_" + key, r["read"] + r["written"] + r["out"] + r["in"])
        lab.result("memory_double_paging_twice_" + key, r["double"])
