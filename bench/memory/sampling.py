# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a VM uses, by sampling, against the truth (the paper's figure 6): a program touches 50 to 250 MB,
in steps. All of the guest's memory has been written before, as Windows does when it boots: what is sampled is the memory
that the guest has, and what was never written it does not have. The period is shorter than the paper's 30 seconds:
averages advance by periods."""
import sys, time

from lab import Guest, Host, table

MB, PERIOD, PERIODS = 320, 2, 24
STEPS = [50, 150, 250, 150, 50]
WITHIN = 0.15  # of a step's height: the estimate has arrived


class Samples:
    """The rows of `info idle`, of which the VM keeps the last 16, with what they mean in MB."""

    def __init__(self, g):
        self.g, self.seen, self.rows = g, 0, []
        self.take(0, 0)
        self.rows = []

    def take(self, truth, base):
        granted = self.g("info memory a")[0]["grant"] if truth else 0
        for r in self.g("info idle"):
            if r["period"] > self.seen:
                self.seen = r["period"]
                self.rows.append({"time": r["time"], "truth": truth + base, "touched": granted * r["touched"] / max(r["sampled"], 1),
                                  "slow": granted * r["slow"], "fast": granted * r["fast"],
                                  "estimate": granted * max(r["slow"], r["fast"])})

    def mean(self, last, column="touched"):
        rows = self.rows[-last:]
        return sum(r[column] for r in rows) / max(len(rows), 1)


def arrived(rows, was, truth):
    """Periods after which the estimate is near TRUTH; None: it is not."""
    for i, r in enumerate(rows):
        if abs(r["estimate"] - truth) <= WITHIN * abs(truth - was):
            return i + 1
    return None


def run(lab):
    host = Host(lab, MB + 200)
    g = Guest(lab, MB, host=host, name="a")
    g("memory sample period %d" % PERIOD)
    out = g.run("/toucher name a %d 0" % (g.free_mb() - 8), 300)
    if "checked" not in out:
        sys.exit("bench: toucher printed\n" + out)
    g.resume()
    s = Samples(g)
    time.sleep(PERIOD * (PERIODS + 1))
    s.take(1, 0)
    base = s.mean(PERIODS // 2)  # what the guest uses by itself
    s.rows = []
    g.type("/toucher steps %d %s" % (PERIOD * PERIODS, " ".join(map(str, STEPS))))
    g.resume()
    out, was = [], base
    for mb in STEPS:
        first = len(s.rows)
        end = time.monotonic() + 120 + 2 * PERIOD * PERIODS
        while "round %d " % mb not in g.said().split("size %d " % mb)[-1]:
            if time.monotonic() > end:
                sys.exit("bench: no end of %d MB\n%s" % (mb, g.tail()))
            time.sleep(1)
            s.take(mb, base)
        mine = s.rows[first:]
        if mine:
            n = arrived(mine, was, mb + base)
            out.append([mb, len(mine), "%.0f" % (mb + base), "%.0f" % mine[0]["estimate"], "%.0f" % mine[-1]["estimate"],
                        "%.0f" % (sum(r["touched"] for r in mine[2:]) / max(len(mine[2:]), 1)), n or "-"])
            was = mb + base
    g.end()
    host.end()
    table("MB that a program touches each second; with the %.1f MB that the guest uses by itself; the estimate (the larger "
          "average) after\nthe first and the last period of the step; mean of the samples (of 100 pages, period %d s of VM "
          "time) but the first two;\nperiods until the estimate was within %.0f %% of the step." %
          (base, PERIOD, 100 * WITHIN), ["MB", "periods", "truth", "first", "last", "samples", "arrived"], out)
    lab.save("sampling", s.rows)
    lab.plot("sampling")
    for i, row in enumerate(out):
        lab.result("memory_sampled_mb_step%d_of_%d" % (i + 1, row[0]), float(row[4]))
