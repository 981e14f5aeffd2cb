# SPDX-License-Identifier: GPL-3.0-or-later
"""What `info memory` of a host says each second, from a session of its own."""
import threading, time

from lab import Session

POOL = "(pool)"


class Watch(threading.Thread):
    def __init__(self, host):
        super().__init__(daemon=True)
        self.session = Session(host.path)
        self.begin = time.monotonic()
        self.rows = []  # seconds, rows by name
        self.ended = threading.Event()
        self.start()

    def now(self):
        return time.monotonic() - self.begin

    def run(self):
        try:
            while not self.ended.wait(1):
                rows = self.session("info memory")
                self.rows.append((self.now(), {r["name"]: r for r in rows}))
        except (OSError, RuntimeError, ValueError):
            pass  # the host has ended: who waits for it says so

    def end(self):
        self.ended.set()
        self.join()

    def between(self, since, until):
        return [r for r in self.rows if since <= r[0] <= until]

    def mean(self, name, column, since, until):
        values = [value(r, name, column) for _, r in self.between(since, until)]
        return sum(values) / max(len(values), 1)


def value(rows, name, column):
    """0 where there is none."""
    return rows.get(name, {}).get(column) or 0
