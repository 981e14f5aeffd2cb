#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change settings of a running guest through its session's control socket, until it ends.

    stress.py SOCKET PID toggle|steer|watch SEED

toggle  adapt off, adapt on, every 50 ms
steer   every 50 ms one command at random: adapt and its numbers, the way of a kind of sensitive
        instruction or of the instruction at an address, discard, retranslate, pins, probes, counting
watch   no command, only samples

Each second it prints a line: resident KiB, mappings, KiB of the cache in use, fragments.
The last line has the number of commands answered.
"""
import json
import random
import socket
import sys
import time

PERIOD = 0.05
KINDS = "all cli sti pushf popf rdtsc mov-from-cr sreg-read segment-load mov-to-cr io msr iret int tables".split()
WAYS = "trap callout in-tc default".split()
# around the fixed instructions, in user code, and around the zones of the guest
PLACES = [(0xC0100000, 0x8000), (0x400000, 0x400), (0x1FE0000, 0x40000), (0xFCFE0000, 0x40000)]
STEERS = [
    "discard all", "discard", "retranslate", "retranslate {at}", "pin", "pin {at}", "unpin {at}", "count on", "count off",
    "probe", "probe if $eax != 3", "probe if [$esp] == 0 || 1 / $ecx", "probe {at}", "unprobe all", "adapt default",
    "adapt threshold all 1", "adapt threshold all 65535", "adapt calm all 1000",
]


class Session:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.last_id = 0

    def ask(self, command):
        self.last_id += 1
        self.sock.sendall(json.dumps({"id": self.last_id, "command": command}).encode() + b"\n")
        for line in self.lines:
            message = json.loads(line)
            if message.get("id") == self.last_id:
                return message
        raise ConnectionError


def toggle(count):
    return "adapt off" if count % 2 == 0 else "adapt on"


def steer(count):
    kind = random.randrange(10)
    if kind < 2:
        return random.choice(["adapt on", "adapt off"])
    if kind < 5:
        return f"policy {random.choice(KINDS)} {random.choice(WAYS)}"
    base, size = random.choice(PLACES)
    at = f"{base + random.randrange(size):#x}"
    if kind < 8:
        return random.choice(STEERS).format(at=at)
    return f"site {at} {random.choice(WAYS)}"


def sample(session, pid):
    with open(f"/proc/{pid}/status") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    with open(f"/proc/{pid}/maps") as f:
        maps = sum(1 for _ in f)
    cache = {row["name"]: row.get("value") for row in session.ask("info tc")["results"]}
    print("sample", rss, maps, cache["tc_used"] // 1024, cache["fragments"], flush=True)


def main():
    path, pid, mode, seed = sys.argv[1:5]
    random.seed(int(seed))
    session = Session(path)
    choose = {"toggle": toggle, "steer": steer}.get(mode)
    count = refused = 0
    next_sample = time.monotonic()
    try:
        while True:
            start = time.monotonic()
            if start >= next_sample:
                sample(session, pid)
                next_sample += 1
            if choose:
                if not session.ask(choose(count))["ok"]:
                    refused += 1
                count += 1
            time.sleep(max(0, PERIOD - (time.monotonic() - start)))
    except (ConnectionError, OSError, StopIteration):
        print("answered", count, "refused", refused)


main()
