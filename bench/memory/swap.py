# SPDX-License-Identifier: GPL-3.0-or-later
"""dbench on a limited disk in a VM of 256 MB: with less machine memory, whose rest the host swaps, against VMs
configured as small. The guest does not know, and pages twice: what the host has swapped out is read back only to be
written to the guest's own disk."""
import os

from dbench import Dbench
from lab import mean_and_interval, table

SIZES = [192, 160]


def run(lab):
    d = Dbench(lab)
    rows = []
    for size in lab.a.sizes or SIZES:
        pairs = []
        for i in range(lab.a.pairs):
            swap = "%s/swap-%d" % (lab.tmp, i)
            small = d.throughput(size)
            swapped = d.throughput(256, "--machine-memory", "%dM" % (size + d.overhead_mb), "--swap", swap)
            pairs.append((small, swapped))
            if os.path.exists(swap):
                os.unlink(swap)
        ratio, wide = mean_and_interval([b["mb_s"] / a["mb_s"] for a, b in pairs])
        rows.append({"mb": size, "configured": sum(a["mb_s"] for a, _ in pairs) / len(pairs),
                     "swapped": sum(b["mb_s"] for _, b in pairs) / len(pairs), "ratio": ratio, "interval": wide,
                     "in": sum(b["in"] for _, b in pairs) // len(pairs), "out": sum(b["out"] for _, b in pairs) // len(pairs)})
    table("dbench, %d clients, MB/s: a VM of that size, and one of 256 MB that the host swaps (%d pairs; pages swapped)."
          % (d.clients, lab.a.pairs), ["MB", "configured", "swapped", "ratio", "+-", "out", "in"],
          [[r["mb"]] + ["%.2f" % r[k] for k in ("configured", "swapped", "ratio", "interval")] + [r["out"], r["in"]] for r in rows])
    lab.save("swap", rows)
    for r in rows:
        lab.result("memory_swap_ratio_%d" % r["mb"], r["ratio"])
