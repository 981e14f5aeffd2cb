# SPDX-License-Identifier: GPL-3.0-or-later
# gdb's Python side of vitrine: source this file in a session with vitrine's stub.
#   vitrine COMMAND       any command of the shell, as `monitor COMMAND`, with completion of names
#   vitrine ccf [N]       the N most entered fragments with symbols of gdb's
#   $vitrine_view("pit", 0, "mode")   a cell of a view: name, row, column
import json

import gdb


def monitor(command):
    """The text that `monitor COMMAND` prints."""
    return gdb.execute("monitor " + command, to_string=True)


def view(name):
    """The rows of `info NAME`, as dictionaries."""
    rows = []
    for line in monitor("info -j " + name).splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            raise gdb.GdbError(line)
        if list(rows[-1]) == ["error"]:
            raise gdb.GdbError(rows[-1]["error"])
    return rows


def number(value):
    """JSON has addresses as text."""
    return int(value, 0) if isinstance(value, str) else value


def symbol(addr):
    text = gdb.execute("info symbol 0x%x" % addr, to_string=True).strip()
    return "" if text.startswith("No symbol") else text.split(" in section")[0]


class Vitrine(gdb.Command):
    """vitrine COMMAND: a command of vitrine's shell. `vitrine help` lists them."""

    def __init__(self):
        super().__init__("vitrine", gdb.COMMAND_SUPPORT, prefix=True)
        self.names = None

    def invoke(self, arg, from_tty):
        gdb.write(monitor(arg or "help"))

    def complete(self, text, word):
        if self.names is None:
            self.names = [line.split()[0] for line in monitor("help").splitlines() if line.split()]
        return [n for n in self.names if n.startswith(text)]


class VitrineCcf(gdb.Command):
    """vitrine ccf [N | ADDRESS]: the N (20) most entered fragments; or guest and host code of one."""

    def __init__(self):
        super().__init__("vitrine ccf", gdb.COMMAND_SUPPORT, gdb.COMPLETE_EXPRESSION)

    def invoke(self, arg, from_tty):
        n = int(gdb.parse_and_eval(arg)) if arg else 20
        if n >= 0x400:
            gdb.write(monitor("ccf 0x%x" % n))
            return
        rows = view("ccf sort=-in limit=%d" % n)
        gdb.write("%-12s %5s %7s %7s %6s  %s\n" % ("guest pc", "insns", "host B", "traps", "in", "symbol"))
        for r in rows:
            pc = number(r["pc"])
            gdb.write("0x%08x   %5s %7s %7s %6s  %s\n" % (pc, r["insns"], r["size"], r["traps"], r["in"], symbol(pc)))


class VitrineView(gdb.Function):
    """$vitrine_view("NAME", ROW, "COLUMN"): a cell of what `info NAME` shows."""

    def __init__(self):
        super().__init__("vitrine_view")

    def invoke(self, name, row, column):
        rows = view(name.string())
        try:
            value = rows[int(row)][column.string()]
        except IndexError:
            raise gdb.GdbError("the view has %d rows" % len(rows))
        except KeyError:
            raise gdb.GdbError("the view has the columns " + " ".join(rows[0]))
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16)
        return value if value is not None else "none"


Vitrine()
VitrineCcf()
VitrineView()
