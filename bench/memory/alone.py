# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM alone: pages of zeros and other equal pages, after the boot and under load (the paper, section 4.4: a VM of
40 MB alone reclaims about 5 MB, 55 % of it pages of zeros)."""
from lab import PAGE, Guest, table

MB = 128


def state(g, when):
    moved = g("share all")[0]["pages"]
    s = g.counters("sharing")
    used = g("vm check")[0]["populated"] + s["shared"]
    return {"when": when, "used": used, "moved": moved, "shared": s["shared"], "zeros": s["zeros"],
            "frames": s["frames"], "reclaimed": s["reclaimed"], "scanned": s["scanned"]}


def run(lab):
    data = lab.random_file(48)
    g = Guest(lab, MB, "--disk", data + ",bus=virtio,ro", "--disk", lab.image() + ",bus=virtio,ro")
    rows = [state(g, "booted")]
    g.run("mkdir -p /mnt; mount -t ext4 -o ro,noload /dev/vdb1 /mnt; cat /mnt/usr/bin/* /mnt/sbin/* /mnt/lib/*/* >/dev/null")
    rows.append(state(g, "programs read"))
    g.run("echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/zero of=/tmp/z bs=1M count=24; rm /tmp/z")
    rows.append(state(g, "memory freed by the guest"))
    g.type("/toucher file /dev/vda 48 1000000 &")
    g.wait("begin", 120)
    rows.append(state(g, "48 MB filled from a file"))
    g("vm check")
    g.end()
    mb = PAGE / (1 << 20)
    out = [[r["when"], "%.1f" % (r["used"] * mb), "%.1f" % (r["shared"] * mb), "%.1f" % (r["reclaimed"] * mb),
            "%.0f" % (100 * r["reclaimed"] / r["used"]), "%.0f" % (100 * max(r["zeros"] - 1, 0) / max(r["reclaimed"], 1))]
           for r in rows]
    table("One Linux VM of %d MB, all pages looked at: MB in use, shared, reclaimed; reclaimed in %% of what is in use, "
          "and the\npart of it that is pages of zeros." % MB,
          ["", "in use", "shared", "reclaimed", "%", "zeros %"], out)
    lab.save("alone", rows)
    for r in rows:
        key = r["when"].split(",")[0].replace(" ", "_")
        lab.result("memory_alone_reclaimed_mb_" + key, r["reclaimed"] * mb)
