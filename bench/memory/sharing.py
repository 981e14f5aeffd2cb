# SPDX-License-Identifier: GPL-3.0-or-later
"""Sharing between identical Linux VMs (the paper's figure 4: one to ten VMs, up to 67 % of their memory shared, about
60 % reclaimed). Each has filled memory from the same file; after each VM that joins, every page of every VM is looked
at once."""
from lab import PAGE, Guest, Host, table

MB, FILL = 96, 40
OVERHEAD = 110  # MB that the host counts for a VM's process, at most


def state(host, vms):
    for _ in range(2):  # a page that left a hint in another VM is looked at again by its owner
        for g in vms:
            g("share all")
    used = shared = 0
    for g in vms:
        counts = {r["state"]: r["pages"] for r in g("info pmap")}
        shared += counts["shared"]
        used += counts["private"] + counts["shared"]
    pool = vms[0].counters("sharing")
    pool = {k: pool.get(k, 0) for k in ("frames", "zeros")}
    host("vm check")
    return {"vms": len(vms), "used": used, "shared": shared, "zeros": pool["zeros"], "frames": pool["frames"]}


def run(lab):
    data = lab.random_file(FILL)
    host = Host(lab, lab.a.vms * (MB + OVERHEAD) + 64)
    vms, rows = [], []
    for i in range(lab.a.vms):
        g = Guest(lab, MB, "--disk", data + ",bus=virtio,ro", host=host, name="vm%d" % i)
        g.type("/toucher file /dev/vda %d 1000000 &" % FILL)
        g.wait("begin", 300)
        vms.append(g)
        rows.append(state(host, vms))
    for g in vms:
        g.end()
    host.end()
    out = []
    for r in rows:
        used = max(r["used"], 1)
        r["shared_pct"] = 100 * (r["shared"] - r["zeros"]) / used
        r["reclaimed_pct"] = 100 * (r["shared"] - r["frames"]) / used
        r["zeros_pct"] = 100 * r["zeros"] / used
        out.append([r["vms"], "%.0f" % (r["used"] * PAGE / (1 << 20))] +
                   ["%.1f" % r[k] for k in ("shared_pct", "zeros_pct", "reclaimed_pct")])
    table("Identical Linux VMs of %d MB: MB that they have written; in %% of it: shared (without pages of zeros), pages of "
          "zeros, reclaimed.\nThe paper, with ten: 67 %% shared, about 60 %% reclaimed." % MB,
          ["VMs", "MB", "shared", "zeros", "reclaimed"], out)
    lab.save("sharing", rows)
    lab.plot("sharing")
    lab.result("memory_shared_pct", rows[-1]["shared_pct"])
    lab.result("memory_reclaimed_pct", rows[-1]["reclaimed_pct"])
