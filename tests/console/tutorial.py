#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Execute the commands of docs/tutorial.md and compare what they print with what it shows.

    tutorial.py VITRINE FILE DIRECTORY CACHE

Prints TAP, a result for each chapter. Lines that begin with "$" are given to sh, those of vitrine start a session; lines with
"(vitrine)" are commands of that session. Below them is their output: numbers are compared as "some number", blanks as one, and "..."
stands for any lines. A chapter whose guest is not in CACHE is skipped.
"""
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

VITRINE, TUTORIAL, DIRECTORY, CACHE = sys.argv[1:5]
ANSWER_SECONDS = 400


class Session:
    """A vitrine under its control socket, with what the guest writes to its serial port."""

    def __init__(self, words, number):
        host = words[0] == "host"
        path = f"{DIRECTORY}/vitrine/{words[1]}.control" if host else f"{DIRECTORY}/control{number}"
        extra = [] if host else ["--control", f"unix:{path}"]
        self.log = open(f"{DIRECTORY}/session{number}.err", "w+")
        self.process = subprocess.Popen(
            [VITRINE, words[0], "--no-rc", "-i", *extra, *words[1:]],
            cwd=DIRECTORY, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
            env={**os.environ, "XDG_RUNTIME_DIR": DIRECTORY})
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        for _ in range(200):
            try:
                self.sock.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        else:
            self.end()
            raise RuntimeError(f"no session: {self.said()}")
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.id = 0
        if not host and "--serial" not in words:
            self.ask({"subscribe": ["serial"]})

    def said(self):
        self.log.seek(0)
        return self.log.read()[-500:]

    def ask(self, request):
        """The answer as text, behind what the guest has written meanwhile."""
        self.id += 1
        self.sock.sendall(json.dumps({"id": self.id, **request}).encode() + b"\n")
        text = ""
        for line in self.lines:
            message = json.loads(line)
            if message.get("event") == "serial":
                text += message["text"].replace("\r", "")
            elif message.get("id") == self.id:
                if text and not text.endswith("\n"):
                    text += "\n"
                return text + (message.get("text", "") if message["ok"] else message["error"])
        raise RuntimeError(f"the session has ended: {self.said()}")

    def command(self, line):
        return self.ask({"command": line, "text": True})

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.stdin.close()


def plain(line):
    """LINE without what differs from run to run."""
    line = re.sub(r"0x[0-9a-f]+", "#", line)
    line = re.sub(r"(?<=\s)-(?=[0-9])", "", line)  # what was saved may be less than nothing on a busy host
    line = re.sub(r"\b[0-9a-f]*[0-9][0-9a-f.]*\b", "#", line)
    return " ".join(line.split())


def matches(shown, got):
    """Is GOT what SHOWN says?"""
    if not shown:
        return not got
    if shown[0] == "...":
        return any(matches(shown[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and plain(shown[0]) == plain(got[0]) and matches(shown[1:], got[1:])


def chapters():
    """(title, [(kind, command, lines shown)])"""
    title, steps = None, []
    for line in open(TUTORIAL, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("## "):
            if title and steps:
                yield title, steps
            title, steps = line[3:], []
        elif line.startswith("    ") and title:
            text = line[4:]
            if text.startswith("$ "):
                steps.append(("sh", text[2:], []))
            elif text.startswith("(vitrine) "):
                steps.append(("vitrine", text[10:], []))
            else:
                steps[-1][2].append(text)
    if title and steps:
        yield title, steps


def run(steps, number):
    """None, or what is wrong."""
    session = None
    try:
        for kind, command, shown in steps:
            if kind == "sh" and command.startswith("vitrine "):
                session = Session(shlex.split(command)[1:], number)
                continue
            if kind == "sh":
                out = subprocess.run(command, shell=True, cwd=DIRECTORY, capture_output=True, text=True)
                if out.returncode:
                    return f"{command}\n{out.stderr}"
                got = out.stdout
            elif command == "quit":
                session.sock.sendall(b'{"id":1000,"command":"quit"}\n')
                return None if session.process.wait(30) == 0 else f"quit: status {session.process.returncode}"
            else:
                got = session.command(command)
            got = [line.rstrip() for line in got.split("\n") if line.strip()]
            if not matches([line for line in shown if line.strip()], got):
                return "\n".join([f"(vitrine) {command}", "shown:", *shown, "got:", *got])
        return None
    finally:
        if session:
            session.end()


def main():
    os.symlink(CACHE, f"{DIRECTORY}/cache")
    os.symlink(os.path.dirname(TUTORIAL), f"{DIRECTORY}/docs")
    all_chapters = list(chapters())
    print(f"1..{len(all_chapters)}")
    for number, (title, steps) in enumerate(all_chapters, 1):
        files = [w for _, c, _ in steps for w in c.split() if w.startswith("cache/")]
        missing = [f for f in files if not os.path.exists(f"{DIRECTORY}/{f}")]
        if missing:
            print(f"ok {number} - {title} # SKIP no {missing[0]}: guests/fetch could not fetch it (network?)")
            continue
        try:
            wrong = run(steps, number)
        except (RuntimeError, OSError) as e:
            wrong = str(e)
        print(f"{'not ' if wrong else ''}ok {number} - {title}", flush=True)
        for line in (wrong or "").split("\n"):
            if line:
                print(f"# {line}")


main()
