#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit conformance suite in each way of translating: operands in device memory, by execution outside the cache and
# at promoted sites, prechecks that always miss, soft pages, no chaining, one and three instructions a fragment, divisions
# by callouts.
. "${TOP_SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/taplib.sh"
CONFORM=${TOP_BUILDDIR:-.}/tests/long/conform64
TMP=$(scratch) || exit 99
trap 'rm -rf "$TMP"' EXIT

plan 8
for mode in --mmio --device --precheck --soft --no-chain "--tu-max 1" "--tu-max 3" "--divide --only div --cases 300"; do
	"$CONFORM" --cases 4 $mode >"$TMP/out" 2>&1
	status=$?
	if grep -q '^1\.\.0 # SKIP' "$TMP/out"; then
		skip "$mode" "$(sed -n 's/^1\.\.0 # SKIP //p' "$TMP/out")"
		continue
	fi
	ok $status "64-bit conformance with $mode" "$(tail -20 "$TMP/out")"
done
