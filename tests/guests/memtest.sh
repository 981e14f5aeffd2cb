#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# memtest86+ in 16 MiB: the banner, all tests up to the last one without an error. The last
# one waits for three minutes: MEMTEST_LIMIT=300 sees the full pass too. It runs for ever, so
# the end is the time limit (status 124).
. "$(dirname "$0")/guestlib.sh"
need memtest.bin
limit=${MEMTEST_LIMIT:-60}
plan 5

run_guest "$limit" --memory 16M --kernel "$CACHE/memtest.bin" --append "console=ttyS0,115200"
# The screen arrives as cursor movements: keep the text.
sed 's/\x1b\[[0-9;?]*[A-Za-z]/\n/g' "$TMP/out" >"$TMP/text"
mv "$TMP/text" "$TMP/out"
said "Memtest86+" "the banner"
ended 124 "runs until the time limit"
said "#10 [Bit fade" "all tests but the last"
if [ "$limit" -ge 240 ]; then
	said "######      ##      #####    #####" "a full pass"
else
	skip "a full pass" "takes four minutes: MEMTEST_LIMIT=300"
fi
! grep -qE 'Errors: [1-9]|Failing' "$TMP/out"
ok $? "no errors" "$(detail)"
