#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How the program is linked and compiled, by readelf.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v readelf >/dev/null || skip_all "no readelf"
plan 7

LC_ALL=C readelf -hlW "$VITRINE" >"$TMP/headers" 2>&1
LC_ALL=C readelf -dW "$VITRINE" >"$TMP/dynamic" 2>&1
LC_ALL=C readelf -nW "$VITRINE" >"$TMP/notes" 2>&1
LC_ALL=C readelf --dyn-syms -W "$VITRINE" >"$TMP/symbols" 2>&1

grep -q 'Type: *DYN' "$TMP/headers" && grep -q 'FLAGS_1.*PIE' "$TMP/dynamic"
ok $? "it is position-independent" "$(cat "$TMP/dynamic")"
grep -q GNU_RELRO "$TMP/headers"
ok $? "what the linker relocates is read-only afterwards" "$(cat "$TMP/headers")"
grep -qE 'BIND_NOW|FLAGS_1.*NOW' "$TMP/dynamic"
ok $? "all of it, as it is bound at once" "$(cat "$TMP/dynamic")"
awk '/GNU_STACK/ { found = 1; if ($7 ~ /E/) exit 1 } END { exit !found }' "$TMP/headers"
ok $? "the stack cannot be executed" "$(grep GNU_STACK "$TMP/headers")"
! grep -E '^ *LOAD' "$TMP/headers" | grep -q 'RWE'
ok $? "nothing is both writable and executable" "$(grep LOAD "$TMP/headers")"
# Translated code has no landing pads and returns by jumps: with either claimed, a kernel might enforce it.
! grep -qE 'IBT|SHSTK' "$TMP/notes"
ok $? "it does not claim that all of its code is fit for CET" "$(cat "$TMP/notes")"
if "$VITRINE" shell --no-rc -c 'info status' demo </dev/null 2>&1 | grep -q 'built with sanitizers'; then
	skip "stack protector and checked functions of the C library" "sanitizers check more"
else
	grep -q '__stack_chk_fail' "$TMP/symbols" && grep -qE '__(v?snprintf|memcpy|fprintf|read)_chk' "$TMP/symbols"
	ok $? "stack protector and checked functions of the C library" "$(grep -c _chk "$TMP/symbols")"
fi
