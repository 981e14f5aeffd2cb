# SPDX-License-Identifier: GPL-3.0-or-later
"""What sharing costs a VM that works: fixed work in two VMs at once, one of which shares all pages that a third has too
and scans at the default rate, the other shares nothing; they change places (the paper: less than 2 %). Beside it what a
page costs the scan, by rate."""
import math, os, threading, time

from lab import Guest, Host, mean_and_interval, say, shown, table

MB, FILL = 128, 24
RATES = [0, 50, 1000, 4000]  # pages looked at a second; 50 is the default
SCANNED = 20  # seconds for each
TURNS = [1, 2]
# Programs are read, packed and started, pages written anew: what is shared is read, and some of it copied.
WORK = ("for t in 1 2 3; do cat /mnt/usr/bin/* | md5sum; cat /mnt/usr/bin/[a-f]* | gzip -1 | wc -c; "
        "dd if=/dev/zero of=/tmp/w bs=64k count=256; cp /tmp/w /tmp/x; rm /tmp/w /tmp/x; "
        "i=0; while [ $i -lt 150 ]; do /bin/busybox true; i=$((i+1)); done; done >/dev/null 2>&1")


def tasks(pid):
    return [int(t) for t in os.listdir("/proc/%d/task" % pid)]


def processor_seconds(pid):
    """Of all threads."""
    ns = 0
    for task in tasks(pid):
        with open("/proc/%d/task/%d/schedstat" % (pid, task)) as f:
            ns += int(f.read().split()[0])
    return ns / 1e9


def prepare(vms, unshared, rate):
    for g in vms:
        g("share rate %d" % (0 if g is unshared else rate))
    for _ in range(2):  # a page that left a hint in another VM is looked at again by its owner
        for g in vms:
            g("unshare all" if g is unshared else "share all")
    for g in vms:
        g.resume()


def work(g, result):
    before, cpu = g.counters("sharing"), processor_seconds(g.process.pid)
    g.run(WORK, 300)
    result["processor"] = processor_seconds(g.process.pid) - cpu
    now = g.counters("sharing")
    result.update({"vm": g.name, "shared": before["shared"], "copied": now["parted"] - before["parted"],
                   "looked_at": now["looked_at"] - before["looked_at"]})


def turns(vms, unshared, rate):
    """All three VMs have the same content; two of them work at once, on one processor that they have in turns of some
    milliseconds: what else uses the computer meets both alike."""
    prepare(vms, unshared, rate)
    r = {}
    for turn in TURNS:
        both = [{"turn": turn, "way": "off" if g is unshared else "on"} for g in vms[:2]]
        threads = [threading.Thread(target=work, args=a) for a in zip(vms, both)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for x in both:
            r[x["way"], turn] = x
        on, off = r["on", turn], r["off", turn]
        say("turn %d: %.2f s of a processor with sharing (%d pages shared, %d copied), %.2f without (%d, %d): %.3f" %
            (turn, on["processor"], on["shared"], on["copied"], off["processor"], off["shared"], off["copied"],
             on["processor"] / off["processor"]))
    return r


def scan(g, rate):
    """An idle VM that only scans: processor time, pages, cycles for each."""
    g("share rate all %d" % (2 * rate))
    g("share rate %d" % rate)
    g("unshare all")
    g.resume()
    time.sleep(1)
    before, begin, cpu = g.counters("sharing"), time.monotonic(), processor_seconds(g.process.pid)
    time.sleep(SCANNED)
    took = time.monotonic() - begin
    used, now = processor_seconds(g.process.pid) - cpu, g.counters("sharing")
    n = now["looked_at"] - before["looked_at"]
    cycles = now["cycles"] * now["looked_at"] - before["cycles"] * before["looked_at"]
    return {"rate": rate, "pages": n, "pages_s": n / took, "processor_pct": 100 * used / took, "cycles": cycles / max(n, 1)}


def run(lab):
    data, image = lab.random_file(FILL), lab.image()
    host = Host(lab, 3 * (MB + 110) + 64)
    vms = []
    for name in "abc":
        g = Guest(lab, MB, "--disk", data + ",bus=virtio,ro", "--disk", image + ",bus=virtio,ro", host=host, name=name)
        g.run("mkdir -p /mnt; mount -t ext4 -o ro,noload /dev/vdb1 /mnt")
        g.type("/toucher file /dev/vda %d 0; sleep 1000000 &" % FILL)
        for _ in range(2):  # its code is translated then
            g.run(WORK, 300)
        vms.append(g)
    for g in vms[:2]:
        for task in tasks(g.process.pid):
            os.sched_setaffinity(task, [min(os.sched_getaffinity(0))])
    rate = vms[0].counters("sharing")["rate"]
    pairs = [turns(vms, vms[i % 2], rate) for i in range(2 * ((lab.a.pairs + 1) // 2))]
    host("vm check")
    for g in vms[1:]:
        g.end()
    rows = [scan(vms[0], r) for r in RATES]
    vms[0].end()
    host.end()
    out = []
    for turn in TURNS:
        mean = {(w, k): sum(p[w, turn][k] for p in pairs) / len(pairs)
                for k in ("processor", "shared", "copied") for w in ("on", "off")}
        # The two VMs need not be alike: each pair of turns has either of them share.
        ratios = [p["on", turn]["processor"] / p["off", turn]["processor"] for p in pairs]
        ratio, wide = mean_and_interval([math.sqrt(a * b) for a, b in zip(ratios[::2], ratios[1::2])])
        out.append([turn, "%.0f" % mean["on", "shared"], "%.0f" % mean["on", "copied"], "%.2f" % mean["off", "processor"],
                    "%.2f" % mean["on", "processor"], shown("%.3f", ratio), shown("%.3f", wide)])
        lab.result("memory_work_turn%d_ratio" % turn, ratio)
        lab.result("memory_work_turn%d_interval" % turn, wide)
    table("Fixed work in VMs of %d MB, seconds of a processor without and with sharing (%d pairs, 95 %% interval). Before the "
          "first turn all\nequal pages are shared at once, before the second nothing happens." % (MB, len(pairs)),
          ["turn", "shared", "copied", "without", "with", "ratio", "+-"], out)
    runs = [x for p in pairs for x in p.values()]
    idle = rows[0]["processor_pct"]
    table("The scan in an otherwise idle VM: pages a second; %% of a processor beyond the %.2f of the VM without it; cycles "
          "for a page." % idle, ["rate", "pages/s", "%", "cycles"],
          [[r["rate"], "%.0f" % r["pages_s"], "%.3f" % (r["processor_pct"] - idle), "%.0f" % r["cycles"]] for r in rows])
    lab.save("work", runs)
    lab.save("work-scan", rows)
    for r in rows[1:]:
        lab.result("memory_scan_%d_processor_pct" % r["rate"], r["processor_pct"] - idle)
        lab.result("memory_scan_%d_cycles" % r["rate"], r["cycles"])
