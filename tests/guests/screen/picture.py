#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# picture.py FILE CHECK...: decode a PNG of 8-bit RGB, and check it.
#   WxH           its size
#   X,Y=RRGGBB    a pixel
#   A*N           N letters A beside each other, of an 8x16 font, somewhere on an 8x16 grid
# Prints what is wrong. Status 0: nothing.
import struct
import sys
import zlib

LETTER_A = [0, 0, 0x10, 0x38, 0x6C, 0xC6, 0xC6, 0xFE, 0xC6, 0xC6, 0xC6, 0xC6, 0, 0, 0, 0]


def decode(data):
    """Width, height, rows of bytes."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit("no PNG")
    at, packed, width, height = 8, b"", 0, 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, bits, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if (bits, color, interlace) != (8, 2, 0):
                sys.exit("not 8-bit RGB")
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, pitch, rows, above = zlib.decompress(packed), 3 * width, [], bytes(3 * width)
    for y in range(height):
        filtered = raw[y * (pitch + 1)]
        row = bytearray(raw[y * (pitch + 1) + 1 : (y + 1) * (pitch + 1)])
        for i in range(pitch):
            left = row[i - 3] if i >= 3 else 0
            corner = above[i - 3] if i >= 3 else 0
            up = above[i]
            if filtered == 1:
                guess = left
            elif filtered == 2:
                guess = up
            elif filtered == 3:
                guess = (left + up) // 2
            elif filtered == 4:
                p = left + up - corner
                guess = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
            else:
                break
            row[i] = row[i] + guess & 255
        rows.append(bytes(row))
        above = row
    return width, height, rows


def is_letter(rows, x, y, glyph):
    back = rows[y][3 * x : 3 * x + 3]
    for dy, want in enumerate(glyph):
        line = rows[y + dy][3 * x : 3 * x + 24]
        bits = sum((line[3 * i : 3 * i + 3] != back) << (7 - i) for i in range(8))
        if bits != want:
            return False
    return True


def has_letters(width, height, rows, n):
    for y in range(0, height - 15, 16):
        for x in range(0, width - 8 * n + 1, 8):
            if all(is_letter(rows, x + 8 * i, y, LETTER_A) for i in range(n)):
                return True
    return False


def wrong(check, width, height, rows):
    if "*" in check:
        return None if has_letters(width, height, rows, int(check[2:])) else f"no {check}"
    if "=" not in check:
        return None if check == f"{width}x{height}" else f"{width}x{height}, not {check}"
    place, want = check.split("=")
    x, y = map(int, place.split(","))
    if x >= width or y >= height:
        return f"{check}: outside of {width}x{height}"
    got = rows[y][3 * x : 3 * x + 3].hex()
    return None if got == want else f"{place} is {got}, not {want}"


with open(sys.argv[1], "rb") as f:
    picture = decode(f.read())
bad = [why for why in (wrong(c, *picture) for c in sys.argv[2:]) if why]
print("\n".join(bad), end="")
sys.exit(bool(bad))
