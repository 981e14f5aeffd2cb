# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a VM uses, by sampling, against the truth (the paper's figure 6): a program touches 50 to 250 MB,
in steps. The period is shorter than the paper's 30 seconds: averages advance by periods."""
from lab import Guest, Host, table

MB, PERIOD, PERIODS = 320, 2, 8
STEPS = [50, 150, 250, 150, 50]


def run(lab):
    host = Host(lab, MB + 200)
    g = Guest(lab, MB, host=host, name="a")
    g("memory sample period %d" % PERIOD)
    before = g("info idle")
    first = before[-1]["period"] if before else 0
    g.type("/toucher steps %d %s" % (PERIOD * PERIODS, " ".join(map(str, STEPS))))
    g.wait("size %d" % STEPS[0], 120)
    rows, seen = [], first
    for mb in STEPS:
        g.wait("round %d " % mb, 120 + 2 * PERIOD * PERIODS)
        for r in g("info idle"):
            if r["period"] > seen:
                seen = r["period"]
                part = max(r["slow"], r["fast"])
                rows.append({"time": r["time"], "truth": mb, "touched": MB * r["touched"] / max(r["sampled"], 1),
                             "slow": MB * r["slow"], "fast": MB * r["fast"], "estimate": MB * part})
    g.end()
    host.end()
    out, at = [], 0
    for mb in STEPS:
        mine = []
        while at < len(rows) and rows[at]["truth"] == mb:
            mine.append(rows[at])
            at += 1
        if mine:
            out.append([mb, len(mine), "%.0f" % mine[0]["estimate"], "%.0f" % mine[-1]["estimate"],
                        "%.0f" % (sum(r["touched"] for r in mine[-4:]) / len(mine[-4:]))])
    table("MB that a program touches each second, and the estimate (the larger average) after the first and the last period "
          "of a step;\ntouched: mean of the last four samples (samples of 100 pages, period %d s of VM time)." % PERIOD,
          ["MB", "periods", "first", "last", "touched"], out)
    lab.save("sampling", rows)
    lab.plot("sampling")
    for i, row in enumerate(out):
        lab.result("memory_sampled_mb_step%d_of_%d" % (i + 1, row[0]), float(row[3]))
