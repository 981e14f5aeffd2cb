# SPDX-License-Identifier: GPL-3.0-or-later
# Vitrine's commands for gdb in Python: source this file in a session with its stub.
#   vitrine COMMAND       any command of the shell, as `monitor COMMAND`, with completion of names
#   vitrine ccf [N]       the N most entered fragments, with gdb's symbols
#   vitrine symbols FILE  symbols of a System.map or kallsyms list, which gdb cannot read by itself
#   vms VM...             give each of several VMs an inferior: a host's, or addresses of stubs
#   $vitrine_view("pit", 0, "mode")   a cell of a view: name, row (number or first cell), column
#   $vitrine_vmcs("GUEST_RIP")        a field of the current VMCS
#   $vitrine_vmcb("RIP")              a field of the current VMCB
import glob
import json
import os
import re
import socket
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


# Formats of an ELF file's headers, sections and symbols, of 32 and of 64 bits: machine, class, the three formats, and
# the members of a symbol in order.
CLASSES = {
    False: (3, 1, "<HHIIIIIHHHHHH", "<10I", "<IIIBBH", lambda n, addr, size, kind: (n, addr, size, kind, 0, 1)),
    True: (62, 2, "<HHIQQQIHHHHHH", "<IIQQQQIIQQ", "<IBBHQQ", lambda n, addr, size, kind: (n, kind, 0, 1, addr, size)),
}


def elf_of(symbols, wide):
    """An ELF file for i386, or (WIDE) x86-64, that has only SYMBOLS and a section that covers them."""
    machine, kind, head, section, entry, members = CLASSES[wide]
    low = symbols[0][0] & ~0xFFF
    size = (symbols[-1][0] - low + 0x10000) & ~0xFFF
    symstr, at = strings(name for _, _, name in symbols)
    table = bytearray(struct.calcsize(entry))
    for i, (addr, code, _) in enumerate(symbols):
        end = symbols[i + 1][0] if i + 1 < len(symbols) else addr + 1
        table += struct.pack(entry, *members(at[i], addr, end - addr if code else 0, 0x12 if code else 0x11))
    secstr, name = strings([".text", ".symtab", ".strtab", ".shstrtab"])
    start = 16 + struct.calcsize(head)
    base, body = start + 5 * struct.calcsize(section), b""
    heads = [struct.pack(section, *[0] * 10), struct.pack(section, name[0], 8, 6, low, base, size, 0, 0, 1, 0)]
    for n, what, data, link, info, each in (
        (name[1], 2, bytes(table), 3, 1, struct.calcsize(entry)), (name[2], 3, symstr, 0, 0, 0), (name[3], 3, secstr, 0, 0, 0)):
        heads.append(struct.pack(section, n, what, 0, 0, base + len(body), len(data), link, info, 4, each))
        body += data + bytes(-len(data) % 4)
    ident = b"\x7fELF" + bytes((kind, 1, 1)) + bytes(9)
    rest = struct.pack(head, 2, machine, 1, 0, 0, start, 0, start, 0, 0, struct.calcsize(section), 5, 4)
    return ident + rest + b"".join(heads) + body


class VitrineSymbols(gdb.Command):
    """vitrine symbols [FILE]: symbols of a System.map or a copy of /proc/kallsyms; without FILE, those that Vitrine has,
of a Linux guest's own kernel for one (the stub needs --gdb-files). Of a 64-bit kernel, those in the upper half of the address
space."""

    def __init__(self):
        super().__init__("vitrine symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, arg, from_tty):
        if arg:
            symbols = read_list(os.path.expanduser(arg))
        else:
            with tempfile.NamedTemporaryFile(suffix=".map") as f:
                gdb.execute("monitor symbols save %s" % f.name, to_string=True)
                symbols = read_list(f.name)
            arg = "the guest"
        wide = symbols[-1][0] >= 1 << 32
        if wide:
            symbols = [s for s in symbols if s[0] >= 1 << 63]
        with tempfile.NamedTemporaryFile(suffix=".elf", delete=False) as f:
            f.write(elf_of(symbols, wide))
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


class VitrineBlock(gdb.Function):
    """A field of what describes a guest of the guest."""

    def __init__(self, record):
        super().__init__("vitrine_" + record)
        self.record = record

    def invoke(self, field):
        rows = view("%s %s" % (self.record, field.string()))
        if len(rows) != 1:
            raise gdb.GdbError("%s is %d fields; name one" % (field.string(), len(rows)))
        return number(rows[0]["value"])


class VitrineVmcs(VitrineBlock):
    """$vitrine_vmcs("FIELD"): a field of the current VMCS, by name (GUEST_RIP) or encoding (info vmcs lists them).
For conditions, too: break *0xc0100000 if $vitrine_vmcs("EXIT_REASON") == 48."""


class VitrineVmcb(VitrineBlock):
    """$vitrine_vmcb("FIELD"): a field of the current VMCB, by name (RIP) or offset (info vmcb lists them).
For conditions, too: break *0xc0100000 if $vitrine_vmcb("EXIT_CODE") == 0x400."""


def control(path, command):
    """The rows of COMMAND, executed by the session with control socket PATH."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        s.sendall((json.dumps({"id": 1, "command": command}) + "\n").encode())
        for line in s.makefile("rb"):
            answer = json.loads(line)
            if answer.get("id") == 1:
                return answer.get("results", [])
    return []


def control_sockets(name):
    """Control sockets of the VMs of host NAME, by VM."""
    run = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = os.path.join(run, "vitrine") if run.startswith("/") else "/tmp/vitrine-%d" % os.geteuid()
    found = glob.glob(os.path.join(glob.escape(folder), glob.escape(name) + ".*.control"))
    return {os.path.basename(p).split(".")[1]: p for p in sorted(found)}


class Vms(gdb.Command):
    """vms VM...: give each of several VMs an inferior, so that one gdb debugs them all.
VM is HOST (all VMs of that host that have a gdb stub), the control socket of a VM (PATH.control), or the
address of its stub ([HOST]:PORT or PATH); VM=FILE also loads the symbols of FILE. Without arguments: list them.
`inferior N` goes to a VM. A VM stops when gdb connects to it; `continue` resumes that of the current inferior,
with `set schedule-multiple on` all of them."""

    def __init__(self):
        super().__init__("vms", gdb.COMMAND_RUNNING, gdb.COMPLETE_FILENAME)
        self.names = {}

    @staticmethod
    def stub(path):
        """The address of the stub of the session with control socket PATH; None: it has none."""
        where = [r["listening"] for r in control(path, "info gdb") if "listening" in r]
        return where[0] if where and where[0] not in ("", "no") else None

    def addresses(self, word):
        """(name, address) of the VMs that WORD means."""
        if word.endswith(".control"):
            return [(os.path.basename(word)[:-len(".control")], self.stub(word))]
        if ":" in word or "/" in word:
            return [(word, word)]
        found = [("%s/%s" % (word, vm), self.stub(path)) for vm, path in control_sockets(word).items()]
        if not found:
            raise gdb.GdbError("vms: no host '%s' that has VMs" % word)
        return found

    def free_inferior(self):
        """Go to an inferior without a process: the current one, or a new one."""
        now = gdb.selected_inferior()
        if now.pid == 0 and now.connection is None:
            return now
        out = gdb.execute("add-inferior -no-connection", to_string=True)
        gdb.execute("inferior " + re.search(r"inferior (\d+)", out).group(1), to_string=True)
        return gdb.selected_inferior()

    def connect(self, name, address, file):
        before = gdb.selected_inferior()
        now = self.free_inferior()
        try:
            if file:
                gdb.execute("file " + os.path.expanduser(file), to_string=True)
            gdb.execute("target remote " + re.sub("^unix:", "", address), to_string=True)
        except gdb.error as e:
            gdb.execute("inferior %d" % before.num, to_string=True)
            if now.num != before.num:
                gdb.execute("remove-inferiors %d" % now.num, to_string=True)
            raise gdb.GdbError("vms: %s: %s" % (name, e))
        self.names[now.num] = name

    def show(self):
        now = gdb.selected_inferior()
        for i in sorted(gdb.inferiors(), key=lambda i: i.num):
            if i.num not in self.names or i.pid == 0:
                continue
            gdb.execute("inferior %d" % i.num, to_string=True)
            pc = int(gdb.parse_and_eval("$pc")) & 0xFFFFFFFFFFFFFFFF
            gdb.write("%s %-3d %-20s 0x%08x %s\n" % ("*" if i == now else " ", i.num, self.names[i.num], pc, symbol(pc)))
        gdb.execute("inferior %d" % now.num, to_string=True)

    def invoke(self, arg, from_tty):
        for word in gdb.string_to_argv(arg):
            vm, _, file = word.partition("=")
            try:
                found = self.addresses(vm)
            except OSError as e:
                raise gdb.GdbError("vms: %s: %s" % (vm, e.strerror or e))
            for name, address in found:
                if address:
                    self.connect(name, address, file)
                else:
                    gdb.write("%s has no gdb stub (gdb start makes one)\n" % name)
        self.show()


Vitrine()
VitrineCcf()
VitrineSymbols()
VitrineView()
VitrineVmcs("vmcs")
VitrineVmcb("vmcb")
Vms()
