# SPDX-License-Identifier: GPL-3.0-or-later
# maps.py PID, with `info windows -j` on standard input: audit /proc/PID/maps. Nothing that a guest can address is a hole:
# what lies in a window's reservation (the window and as much on both sides) is the guest's own memory, shared
# and never executable, or the reservation itself. Nowhere is memory writable and executable.
import json
import os
import sys

WINDOW = 4 << 30
GUEST = "/memfd:vitrine-guest-memory (deleted)"


def rows(pid):
    for line in open(f"/proc/{pid}/maps"):
        f = line.rstrip("\n").split(None, 5)
        first, end = (int(x, 16) for x in f[0].split("-"))
        yield first, end, f[1], int(f[4]), f[5] if len(f) > 5 else ""


def own_memory(pid):
    fds = f"/proc/{pid}/fd"
    return {os.stat(f"{fds}/{n}").st_ino for n in os.listdir(fds) if os.readlink(f"{fds}/{n}") == GUEST}


def audit(pid, bases):
    maps, own, bad, mapped = list(rows(pid)), own_memory(pid), [], 0
    for first, end, rights, _, name in maps:
        if "w" in rights and "x" in rights:
            bad.append(f"{first:x}-{end:x} {rights} {name}: writable and executable")
    for base in bases:
        at = base - WINDOW
        for first, end, rights, inode, name in maps:
            if end <= base - WINDOW or first >= base + 2 * WINDOW:
                continue
            if first > at:
                bad.append(f"{at:x}-{first:x}: a hole in the reservation of window {base:x}")
            at = end
            if inode in own and name == GUEST and rights[2:] == "-s" and base <= first and end <= base + WINDOW:
                mapped += 1
            elif rights != "---p" or inode or name:
                bad.append(f"{first:x}-{end:x} {rights} {name}: in the reservation of window {base:x}")
        if at < base + 2 * WINDOW:
            bad.append(f"{at:x}: the reservation of window {base:x} ends early")
    return bad, mapped


windows = [json.loads(line) for line in sys.stdin if line.strip()]
found, count = audit(int(sys.argv[1]), [int(w["base"]) for w in windows])
print("\n".join(found[:20]) or f"clean: {len(windows)} windows, {count} mappings of guest memory")
sys.exit(bool(found))
