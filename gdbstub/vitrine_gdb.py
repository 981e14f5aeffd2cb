# SPDX-License-Identifier: GPL-3.0-or-later
# Vitrine's commands for gdb in Python: source this file in a session with its stub.
#   vitrine COMMAND       any command of the shell, as `monitor COMMAND`, with completion of names
#   vitrine ccf [N]       the N most entered fragments, with gdb's symbols
#   vitrine symbols FILE  symbols of a System.map or kallsyms list, which gdb cannot read by itself
#   $vitrine_view("pit", 0, "mode")   a cell of a view: name, row (number or first cell), column
import json
import os
import struct
import tempfile

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
    """Addresses are strings in JSON."""
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


def read_list(path):
    """(address, is code, name) of "ADDRESS TYPE NAME [MODULE]" lines."""
    found = []
    with open(path, errors="replace") as f:
        for line in f:
            words = line.split()
            if not words:
                continue
            try:
                addr = int(words[0], 16)
            except ValueError:
                raise gdb.GdbError("%s: not a list of symbols: %s" % (path, line.strip()[:60]))
            if len(words) >= 3 and words[1] not in "aAU" and addr:
                found.append((addr, words[1] in "tTwW", words[2]))
    if not found:
        raise gdb.GdbError("%s: no symbols (without privilege /proc/kallsyms shows none)" % path)
    return sorted(found)


def strings(names):
    """An ELF string table, and where each name is in it."""
    table, at = bytearray(1), []
    for name in names:
        at.append(len(table))
        table += name.encode() + b"\0"
    return bytes(table), at


def elf_of(symbols):
    """An ELF file for i386 that has only SYMBOLS and a section that covers them."""
    low = symbols[0][0] & ~0xFFF
    size = (symbols[-1][0] - low + 0x10000) & ~0xFFF
    symstr, at = strings(name for _, _, name in symbols)
    table = bytearray(16)
    for i, (addr, code, _) in enumerate(symbols):
        end = symbols[i + 1][0] if i + 1 < len(symbols) else addr + 1
        table += struct.pack("<IIIBBH", at[i], addr, end - addr if code else 0, 0x12 if code else 0x11, 0, 1)
    secstr, name = strings([".text", ".symtab", ".strtab", ".shstrtab"])
    base, body = 52 + 5 * 40, b""
    heads = [struct.pack("<10I", *[0] * 10), struct.pack("<10I", name[0], 8, 6, low, base, size, 0, 0, 1, 0)]
    for n, kind, data, link, info, entry in (
        (name[1], 2, bytes(table), 3, 1, 16), (name[2], 3, symstr, 0, 0, 0), (name[3], 3, secstr, 0, 0, 0)):
        heads.append(struct.pack("<10I", n, kind, 0, 0, base + len(body), len(data), link, info, 4, entry))
        body += data + bytes(-len(data) % 4)
    ident = b"\x7fELF\1\1\1" + bytes(9)
    return ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0, 0, 52, 0, 52, 0, 0, 40, 5, 4) + b"".join(heads) + body


class VitrineSymbols(gdb.Command):
    """vitrine symbols FILE: symbols of a System.map or a copy of /proc/kallsyms (for a 32-bit guest)."""

    def __init__(self):
        super().__init__("vitrine symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, arg, from_tty):
        symbols = [s for s in read_list(os.path.expanduser(arg)) if s[0] < 1 << 32]
        if not symbols:
            raise gdb.GdbError("%s: all addresses are beyond 4 GiB" % arg)
        with tempfile.NamedTemporaryFile(suffix=".elf", delete=False) as f:
            f.write(elf_of(symbols))
        try:
            gdb.execute("add-symbol-file %s" % f.name, to_string=True)
        finally:
            os.unlink(f.name)
        gdb.write("%d symbols from %s\n" % (len(symbols), arg))


class VitrineView(gdb.Function):
    """$vitrine_view("NAME", ROW, "COLUMN"): a cell of what `info NAME` shows.
ROW is a number from 0, or the first cell of the row: $vitrine_view("tc", "fragments", "value")."""

    def __init__(self):
        super().__init__("vitrine_view")

    @staticmethod
    def row_of(rows, row):
        if row.type.strip_typedefs().code not in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_PTR):
            return rows[int(row)]
        for r in rows:
            if next(iter(r.values()), None) == row.string():
                return r
        raise gdb.GdbError("no row of the view has the first cell " + row.string())

    def invoke(self, name, row, column):
        rows = view(name.string())
        try:
            value = self.row_of(rows, row)[column.string()]
        except IndexError:
            raise gdb.GdbError("the view has %d row%s" % (len(rows), "s" * (len(rows) != 1)))
        except KeyError:
            raise gdb.GdbError("the view has the columns " + " ".join(rows[0]))
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16)
        return value if value is not None else "none"


Vitrine()
VitrineCcf()
VitrineSymbols()
VitrineView()
