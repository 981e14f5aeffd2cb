# SPDX-License-Identifier: GPL-3.0-or-later
"""dbench in a guest, on a disk limited so that memory makes a difference."""
import os, re, subprocess, sys

from lab import Guest, say

LIMITS = "iops-read=60,bps-write=40M"


class Dbench:
    clients = 10
    overhead_mb = 2  # pages that are charged beside the guest's memory: ROM, frames

    def __init__(self, lab):
        self.lab = lab
        self.image = lab.image()

    def throughput(self, memory, *options, before=None):
        """Run it once, on a fresh copy of the image: MB/s, and what the host swapped."""
        disk = self.lab.tmp + "/dbench"
        subprocess.run(["cp", "--sparse=always", self.image, disk], check=True)
        g = Guest(self.lab, memory, "--disk", "%s,bus=virtio,%s" % (disk, LIMITS), *options)
        g.run("mkdir -p /mnt; mount -t ext4 /dev/vda1 /mnt")
        if before:
            before(g)
        out = g.run("chroot /mnt /usr/bin/dbench -t %d -D /root -c /usr/share/dbench/client.txt %d | tail -2" %
                    (self.lab.a.seconds, self.clients), 60 + 10 * self.lab.a.seconds)
        found = re.search(r"Throughput ([0-9.]+) MB/sec", out)
        if not found:
            sys.exit("bench: dbench printed\n" + out + g.tail())
        r = {"mb_s": float(found.group(1)), "in": 0, "out": 0}
        if "--swap" in options:
            s = g.counters("swap")
            r["in"], r["out"] = s["in"], s["out"]
        say("dbench, %d MB %s: %.2f MB/s" % (memory, " ".join(options[:2]), r["mb_s"]))
        g.end()
        os.unlink(disk)
        return r
