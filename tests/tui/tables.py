# SPDX-License-Identifier: GPL-3.0-or-later
# Compare a pane with the shell's command. tables.py PANE SOCKET COMMAND KEY...: PANE is a file with
# the screen while the pane is zoomed, KEY the titles of the columns that identify a row. Cells are
# compared by their column's title. Prints the first difference; the status is 0 when there is none
# and at least one row was compared.
import json, re, socket, sys

CELL = re.compile(r"\S+(?: \S+)*")

def ask(path, command):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(100)
    s.connect(path)
    s.sendall((json.dumps({"id": 1, "command": command, "text": True}) + "\n").encode())
    for line in s.makefile("rb"):
        m = json.loads(line)
        if m.get("id") == 1:
            return m["text"].splitlines()

def title(text):
    return re.sub(r"/\S*$", "", text.strip("▼▲ "))

def table(lines):
    # A cell begins or ends where its column's title does.
    heads = [(m.start(), m.end(), title(m.group())) for m in CELL.finditer(re.sub("[▼▲]", " ", lines[0]))]
    for line in lines[1:]:
        row = {}
        for m in CELL.finditer(line):
            for start, end, name in heads:
                if m.start() == start or m.end() == end:
                    row[name] = m.group()
        yield row

def plain(text):
    text = re.sub(r"^0x", "", text or "-")
    return re.sub(r"^0+(?=[0-9a-f])", "", text)

def same(shown, said):
    shown, said = plain(shown), plain(said)
    return said.startswith(shown[:-1]) if shown.endswith("…") else shown == said

pane, path, command, keys = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
shown = list(table(open(pane).read().splitlines()[3:-2]))
said = {tuple(plain(r.get(k)) for k in keys): r for r in table(ask(path, command))}
rows = cells = 0
for row in shown:
    name = tuple(plain(row.get(k)) for k in keys)
    if name == ("-",) * len(keys):
        continue
    if name not in said:
        sys.exit("%s: not in the command's output" % (name,))
    for column, text in row.items():
        if column not in said[name] or column == "per s":
            continue
        if not same(text, said[name][column]):
            sys.exit("%s, %s: %s, the command: %s" % (name, column, text, said[name][column]))
        cells += 1
    rows += 1
print("%d rows, %d cells" % (rows, cells))
sys.exit(0 if rows and cells >= 2 * rows else "nothing was compared")
