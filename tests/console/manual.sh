#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Documentation of commands and views: the committed manual page is that of this program, it formats, and
# every field in JSON is documented.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 5

"$VITRINE" --help-man >"$TMP/vitrine.1"
cmp -s "$TMP/vitrine.1" "$TOP_SRCDIR/docs/vitrine.1"
ok $? "docs/vitrine.1 is up to date (make update-docs regenerates it)" \
	"$(diff "$TOP_SRCDIR/docs/vitrine.1" "$TMP/vitrine.1" | head -20)"
if command -v groff >/dev/null; then
	groff -man -Tutf8 -ww "$TMP/vitrine.1" >/dev/null 2>"$TMP/warnings"
	[ ! -s "$TMP/warnings" ]
	ok $? "the page formats without warnings" "$(head -5 "$TMP/warnings")"
else
	skip "the page formats" "no groff"
fi
if ! command -v python3 >/dev/null; then
	skip "commands document their fields" "no python3"
	skip "views document their fields" "no python3"
	skip "all views were checked" "no python3"
	exit 0
fi

mkfifo "$TMP/stdin"
timeout -k 5 400 "$VITRINE" shell --no-rc --serial null --clock icount --control "unix:$TMP/control" --gdb "unix:$TMP/gdb" demo \
	<"$TMP/stdin" >"$TMP/out" 2>"$TMP/err" &
server=$!
exec 9>"$TMP/stdin"
wait_socket "$TMP/control"
timeout 300 python3 - "$TOP_SRCDIR/docs/examples" "$TMP/control" >"$TMP/tap" 2>"$TMP/trace" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import control

v = control.Vitrine(sys.argv[2])
unknown, quiet = [], []
v("count on")

def fields(of):
    return {row["column"] for row in v("help " + of) if "column" in row} | {"text"}

def check(line, of, answers=True):
    rows = v(line)
    known = fields(of)
    unknown.extend(f"{line}: {key}" for row in rows for key in row if key not in known)
    if answers and not rows:
        quiet.append(line)

for line in """break run
tbreak check_flags
continue
watch passed 4
break-on exception pf
trace check_flags "x %d" $eax
stepi 3
nexti
finish
until
run-until $pc == $pc max 3
backtrace
x/4xw $esp
x/2i $pc
x/s 0xc0100000
xp/4xb 0x1000
disassemble/3
print/x $esp
page $pc
page 0xfffff000
gva2gpa $pc
info
sreg
creg
dreg
ccf
ccf-history
ccf-savings
patch-code $pc nop
patches
probe $pc
find $pc 64 c3
log
statehash
help
help all
help aliases
help x
help info ccf
arch
stop
profile 0.2""".splitlines():
    check(line, line.split("/")[0].split(" ")[0], answers=line != "ccf-savings")
print("yes" if not unknown and not quiet else "no", "commands document their fields", unknown, quiet)
unknown.clear()
views = [row["view"] for row in v("info")]
shown = 0
for name in views:
    try:
        check(f"info {name} limit=5", f"info {name}", answers=False)
        shown += 1
    except RuntimeError as why: # for example no LDT, and this guest is not Linux
        shown += "Linux" in str(why)
        print(name, why, file=sys.stderr)
print("yes" if not unknown else "no", "views document their fields", unknown)
print("yes" if shown > 30 and len(views) - shown < 4 else "no", "all views were checked", shown, views)
END
while read -r verdict name; do
	[ "$verdict" = yes ]
	ok $? "${name%%[[0-9]*}" "$verdict $name"
done <"$TMP/tap"
[ "$(wc -l <"$TMP/tap")" -eq 3 ] || sed 's/^/# /' "$TMP/trace"
echo quit >&9
exec 9>&-
wait $server || : # the status is the guest's, whose code was patched
