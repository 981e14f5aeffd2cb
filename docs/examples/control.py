#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive a vitrine session from Python, over its control socket, with no library.

    vitrine shell --control unix:/tmp/v demo          (in one terminal)
    python3 control.py /tmp/v                         (in another)

Stops the embedded guest at ten page faults and counts the functions that caused them.
"""
import collections
import json
import socket
import sys


class Vitrine:
    """A session. Results are lists of dictionaries, one a row; errors are exceptions."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.last_id = 0
        self.events = []

    def ask(self, **request):
        self.last_id += 1
        request["id"] = self.last_id
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        for line in self.lines:
            message = json.loads(line)
            if "event" in message:
                self.events.append(message)
            elif message["id"] == self.last_id:
                if not message["ok"]:
                    raise RuntimeError(message["error"])
                return message.get("results", [])
        raise RuntimeError("the session has ended")

    def __call__(self, command):
        return self.ask(command=command)


def main():
    v = Vitrine(sys.argv[1])
    v.ask(subscribe=["stop", "serial"])
    point = v("break-on exception pf")[0]["number"]
    culprits = collections.Counter()
    for _ in range(10):
        stop = v("continue")[0]
        if stop["reason"] != "event":
            break
        culprits[stop["detail"].split(" at ")[1]] += 1
    v(f"delete {point}")
    for place, count in culprits.most_common():
        print(f"{count:3} {place}")
    text = "".join(e["text"] for e in v.events if e["event"] == "serial")
    stops = sum(e["event"] == "stopped" for e in v.events)
    print(f"{stops} stops, {len(text.splitlines())} lines from the guest")


if __name__ == "__main__":
    main()
