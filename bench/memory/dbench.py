# SPDX-License-Identifier: GPL-3.0-or-later
"""dbench in a guest, on a disk limited so that memory makes a difference."""
import os, re, subprocess, sys, time

from lab import PAGE, Guest, say

LIMITS = "iops-read=60,bps-write=40M"
PAGES_A_MB = (1 << 20) // PAGE


def traffic(g, swaps):
    """So far: bytes read from and written to the guest's disk; pages written to the swap file, read back, and paged
    twice."""
    disks = g("info block")
    t = {"read": sum(d["read_bytes"] or 0 for d in disks), "written": sum(d["write_bytes"] or 0 for d in disks),
         "in": 0, "out": 0, "double": 0}
    if swaps:
        s = g.counters("swap")
        t.update({k: s[k] for k in ("in", "out", "double")})
    return t


def has_balloon(g):
    """Load the driver of a guest with --balloon virtio."""
    g.run("insmod /modules/virtio_balloon.ko")


def balloon(g, mb):
    """Load it, inflate the balloon to MB, and wait until it has them."""
    pages = int(mb * PAGES_A_MB)
    has_balloon(g)
    g("balloon %d" % pages)
    end = time.monotonic() + 120
    while g("info balloon")[0]["reached"] < pages:
        if time.monotonic() > end:
            sys.exit("bench: the balloon does not reach %d MB: %s\n%s" % (mb, g("info balloon")[0], g.tail()))
        time.sleep(0.1)


class Dbench:
    clients = 10
    overhead_mb = 2  # pages that are charged beside the guest's memory: ROM, frames

    def __init__(self, lab):
        self.lab = lab
        self.image = lab.image()

    def disk(self):
        """The option for a fresh copy of the image, limited."""
        disk = self.lab.tmp + "/dbench"
        subprocess.run(["cp", "--sparse=always", self.image, disk], check=True)
        return "%s,bus=virtio,%s" % (disk, LIMITS)

    def mount(self, g):
        g.run("mkdir -p /mnt; mount -t ext4 /dev/vda1 /mnt")

    def once(self, g):
        """Run it in a guest with that disk: MB/s."""
        out = g.run("chroot /mnt /usr/bin/dbench -t %d -D /root -c /usr/share/dbench/client.txt %d | tail -2" %
                    (self.lab.a.seconds, self.clients), 60 + 10 * self.lab.a.seconds)
        found = re.search(r"Throughput ([0-9.]+) MB/sec", out)
        if not found:
            sys.exit("bench: dbench printed\n" + out + g.tail())
        return float(found.group(1))

    def throughput(self, memory, *options, before=None):
        """Run it once in a VM of its own: MB/s, and what went over disk and swap file meanwhile. BEFORE is called with
        the guest when all is ready."""
        g = Guest(self.lab, memory, "--disk", self.disk(), *options)
        self.mount(g)
        if before:
            before(g)
        available = g.meminfo_kb("MemAvailable")
        was = traffic(g, "--swap" in options)
        mb_s = self.once(g)
        now = traffic(g, "--swap" in options)
        r = {"mb_s": mb_s, **{k: now[k] - was[k] for k in now}}
        b = g("info balloon")[0] if "--balloon" in options else {"reached": 0, "popped": 0}
        r.update({"ballooned": b["reached"] // PAGES_A_MB, "popped": b["popped"],
                  "available_kb": available})
        less = ", balloon of %d MB" % r["ballooned"] if r["ballooned"] else " with swap file" if "--swap" in options else ""
        say("dbench, %d MB%s: %.2f MB/s" % (memory, less, r["mb_s"]))
        g.end()
        os.unlink(self.lab.tmp + "/dbench")
        return r
