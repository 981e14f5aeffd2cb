#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every command of docs/tutorial.md is executed, and prints what the tutorial shows (tutorial.py).
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v python3 >/dev/null || skip_all "python3 is missing"
command -v gcc >/dev/null || skip_all "gcc is missing"
command -v as >/dev/null || skip_all "binutils are missing"
timeout -k 10 900 python3 "$(dirname "$0")/tutorial.py" "$(readlink -f "$VITRINE")" \
	"$(readlink -f "$TOP_SRCDIR/docs/tutorial.md")" "$TMP" "$(readlink -f "$CACHE")"
