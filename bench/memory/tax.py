# SPDX-License-Identifier: GPL-3.0-or-later
"""The tax on idle memory (the paper's figure 7): two VMs of 256 MB and of equal shares, both of which have written to
all their memory; one is idle then, the other runs dbench on a limited disk. Without a tax both have 179 MB, as in the
paper; with a tax of 75 % memory goes to the one that uses it, whose throughput rises by more than 30 % there. Of the
machine's memory the policy leaves 6.5 % free."""
import sys, time

from dbench import Dbench
from lab import Guest, Host, mean_and_interval, say, shown, table
from watch import POOL, Watch, value

MB, MACHINE = 256, 383
PERIOD = 4   # of sampling, in seconds of VM time; the paper's, and the default, is 30
ALIKE = 179
AWAY = 140   # in the balloon of one while the other fills its memory
WITHIN = 5   # MB of where it ends: settled
NEAR = 4     # MB: a balloon is as large as it was told; VMware's driver frees large pages only as a whole
TAXES = [0, 0.75]
VMS = "idle", "busy"


def dirty(g):
    """Write to the memory that the guest has free. It is free again then; the host does not know."""
    g.run("echo 3 >/proc/sys/vm/drop_caches")
    out = g.run("/toucher name %s %d 0" % (g.name, g.free_mb() - 8), 900)
    if "checked" not in out:
        sys.exit("bench: toucher printed\n%s\n%s" % (out, g.tail()))


def balloons(host, guests, sizes):
    """Set balloons by hand, and wait until they are so large."""
    for g, mb in zip(guests, sizes):
        host("vm %s balloon %dM" % (g.name, mb))
    end = time.monotonic() + 120
    for g, mb in zip(guests, sizes):
        while abs(next(r for r in host("info memory") if r["name"] == g.name)["mctlsz"] - mb) > NEAR:
            if time.monotonic() > end:
                sys.exit("bench: the balloon of %s is not %d MB after two minutes" % (g.name, mb))
            time.sleep(0.5)


def dirty_both(host, guests):
    """One after the other, with the other small: otherwise a balloon would take the memory that is being filled. Then
    both begin where the policy wants them without a tax, as what is swapped on the way there would not come back."""
    host("memory freeze on")
    for full in reversed(guests):
        balloons(host, guests, [0 if g is full else AWAY for g in guests])
        dirty(full)
    balloons(host, guests, [MB - ALIKE] * 2)
    host("memory freeze off")


def settled(watch, name, since, until, last):
    """Seconds from SINCE after which NAME's memory stays near what it is, on average, from LAST to UNTIL."""
    final, at = watch.mean(name, "machine", last, until), since
    for t, rows in watch.between(since, last):
        if abs(value(rows, name, "machine") - final) > WITHIN:
            at = t
    return at - since


def turn(d, host, watch, guests):
    rows = []
    for tax in TAXES:
        host("memory tax %g" % tax)
        began = watch.now()
        if not tax:
            dirty_both(host, guests)
        first = d.once(guests[1])  # memory moves, the guest's cache fills
        since = watch.now()
        r = {"tax": tax, "began": began, "since": since, "first_mb_s": first, "mb_s": d.once(guests[1])}
        r["until"] = watch.now()
        for vm in VMS:
            for column in "machine", "sztgt", "mctlsz", "swcur", "active":
                r["%s_%s" % (vm, column)] = watch.mean(vm, column, since, r["until"])
        r["settle"] = settled(watch, "idle", began, r["until"], since)
        say("tax %g: idle %.0f MB, busy %.0f MB, %.2f MB/s (before that %.2f)" %
            (tax, r["idle_machine"], r["busy_machine"], r["mb_s"], first))
        rows.append(r)
    return rows


def over_time(watch, turns):
    """Rows for the plot: time is counted from the tax."""
    rows = []
    for i, (none, taxed) in enumerate(turns):
        for t, r in watch.between(none["began"], taxed["until"]):
            row = {"turn": i, "time": round(t - taxed["began"], 1)}
            for vm in VMS:
                for column in "machine", "sztgt", "mctlsz", "swcur", "active":
                    row["%s_%s" % (vm, column)] = value(r, vm, column)
            row["free"] = value(r, POOL, "free")
            row["state"] = r.get(POOL, {}).get("state", "-")
            rows.append(row)
    return rows


def run(lab):
    d = Dbench(lab)
    host = Host(lab, MACHINE, "--swap", lab.tmp + "/tax.swap")
    watch = Watch(host)
    host("memory sample period %d" % PERIOD)
    host("memory tax 0")
    guests = []
    for name in VMS:
        disk = ["--disk", d.disk()] if name == "busy" else []
        guests.append(Guest(lab, MB, "--balloon", lab.a.driver, *disk, host=host, name=name))
        guests[-1].resume()  # VMware's driver begins five minutes after the boot
    d.mount(guests[1])
    for g in guests:
        g.balloon()
        g.resume()
    turns = [turn(d, host, watch, guests) for _ in range(lab.a.pairs)]
    books = host("vm check")[0]
    if not books["ok"]:
        sys.exit("bench: the books do not balance: %s" % books)
    watch.end()
    for g in guests:
        g.end()
    host.end()
    report(lab, watch, turns)


def report(lab, watch, turns):
    ratio, wide = mean_and_interval([b["mb_s"] / a["mb_s"] for a, b in turns])
    settle, _ = mean_and_interval([b["settle"] for _, b in turns])
    means = [{k: sum(t[i][k] for t in turns) / len(turns) for k in turns[0][i]} for i in range(len(TAXES))]
    out = []
    for r in means:
        out.append(["%.2f" % r["tax"]] + ["%.0f" % r["%s_%s" % (vm, c)] for c in ("machine", "sztgt", "mctlsz", "swcur") for vm in VMS] +
                   ["%.2f" % r["idle_active"], "%.2f" % r["busy_active"], "%.2f" % r["mb_s"]])
    table("Two VMs of %d MB and equal shares in %d MB: MB that an idle one and one with dbench have, shall have, have in the "
          "balloon,\nhave swapped out; active parts; dbench, MB/s (means of %d turns). The paper: 179 MB each without a tax; "
          "with 0.75 over 30 %% faster." % (MB, MACHINE, len(turns)),
          ["tax", "idle", "busy", "target", "target", "balloon", "balloon", "swapped", "swapped", "active", "active", "MB/s"], out)
    print("\ndbench with the tax against without: %.2f +- %s; settled after %.0f s" % (ratio, shown("%.2f", wide), settle))
    lab.save("tax", [r for t in turns for r in t])
    lab.save("tax-time", over_time(watch, turns))
    lab.plot("tax")
    for r in means:
        for vm in VMS:
            lab.result("memory_tax_%d_%s_mb" % (100 * r["tax"], vm), r[vm + "_machine"])
    lab.result("memory_tax_speed", ratio)
    lab.result("memory_tax_settle_s", settle)
