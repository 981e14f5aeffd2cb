# SPDX-License-Identifier: GPL-3.0-or-later
# Check that the colours of a guest's VGA text screen are those of its attributes. colors.py CAPTURE COLOURS
# BLINKS: CAPTURE is a file with tmux' capture, escape sequences included, of the zoomed console pane while the
# guest's screen begins with 256 letters "A" of attributes 0 to 255. COLOURS is 256, 16, 8 or 0; BLINKS is 1 when
# bit 7 blinks. The oracle are the monitor's signals: red, green, blue, intensity.
import re, sys

def vga(c):
    bright = 0x55 if c & 8 else 0
    rgb = [0xaa * (c >> 2 & 1) + bright, 0xaa * (c >> 1 & 1) + bright, 0xaa * (c & 1) + bright]
    if c == 6:
        rgb[1] = 0x55  # the monitor makes dark yellow brown
    return rgb

def xterm(c):
    if c >= 232:
        return [8 + 10 * (c - 232)] * 3
    c -= 16
    return [v and 55 + 40 * v for v in (c // 36, c // 6 % 6, c % 6)]

def ansi(c):
    return c & 8 | (c & 1) << 2 | c & 2 | c >> 2 & 1

def cells(line):
    """The characters of a line, each with its foreground, background (None: the terminal's own) and flags."""
    fg = bg = None
    flags = set()
    for m in re.finditer(r"\033\[([0-9;]*)m|([^\033])", line):
        if m.group(2):
            yield m.group(2), fg, bg, frozenset(flags)
            continue
        codes = [int(n or 0) for n in m.group(1).split(";")]
        while codes:
            n = codes.pop(0)
            if n == 0:
                fg = bg = None
                flags.clear()
            elif n in (1, 2, 5, 7):
                flags.add(n)
            elif n in (38, 48):
                fg, bg = (codes[1], bg) if n == 38 else (fg, codes[1])
                del codes[:2]
            elif n in (39, 49):
                fg, bg = (None, bg) if n == 39 else (fg, None)
            elif 30 <= n <= 37 or 90 <= n <= 97:
                fg = n - 30 if n < 90 else n - 82
            elif 40 <= n <= 47 or 100 <= n <= 107:
                bg = n - 40 if n < 100 else n - 92
            else:
                sys.exit("unknown escape sequence: %r" % m.group())

def near(shown, true):
    return shown is not None and shown >= 16 and max(abs(a - b) for a, b in zip(xterm(shown), vga(true))) <= 0x12

def check(colours, blinks, attribute, fg, bg, flags):
    f, b = attribute & 15, attribute >> 4
    blink = blinks and b >= 8
    b &= 7 if blinks else 15
    if colours == 0:
        return fg is None and bg is None and not flags
    if colours == 256:
        return near(fg, f) and near(bg, b) and flags == ({5} if blink else set())
    if colours == 16 and attribute >= 0xe0:  # the dashboard's own colours use some of the 256 pairs
        return f == b or fg is not None and fg != bg
    if colours == 16:
        return fg == ansi(f) and bg == ansi(b) and flags == ({5} if blink else set())
    if f == b:
        return True
    if ansi(f) & 7 == ansi(b) & 7 or attribute >= 0x40:  # 64 pairs are too few as well; the character must stay visible
        return fg is not None and fg != bg
    return fg == ansi(f) & 7 and bg == ansi(b) and flags == ({1} if f >= 8 else set())

capture, colours, blinks = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"
lines = [list(cells(line)) for line in open(capture, encoding="utf-8").read().split("\n")]
found = [c for line in lines if [c[0] for c in line[:16]] == ["A"] * 16 for c in line if c[0] == "A"]
if len(found) != 256:
    sys.exit("%d letters instead of 256" % len(found))
for attribute, (_, fg, bg, flags) in enumerate(found):
    if not check(colours, blinks, attribute, fg, bg, flags):
        sys.exit("attribute %02x: colours %s on %s, %s" % (attribute, fg, bg, sorted(flags)))
