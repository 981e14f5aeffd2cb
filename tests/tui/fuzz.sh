#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Random keys, mouse and sizes (fuzz.py); FUZZ_SECONDS and FUZZ_SEED ask for more. With sanitizers it is worth most.
. "$(dirname "$0")/tuilib.sh"
command -v python3 >/dev/null || skip_all "no python3"
plan 1
mkdir "$TMP/folder"
report=$(python3 "$TOP_SRCDIR/tests/tui/fuzz.py" "${FUZZ_SECONDS:-8}" "${FUZZ_SEED:-1}" "$TMP/folder" \
	"$VITRINE" tui --no-rc --append loop demo)
ok $? "random keys, mouse and sizes: $(echo "$report" | head -1)" "$report"
