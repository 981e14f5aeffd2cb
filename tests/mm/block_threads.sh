#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The shared block under ThreadSanitizer: mm/ and what it needs, built with it, run tests/mm/test_block_threads.
. "${TOP_SRCDIR:=.}/tests/taplib.sh"
cd "${TOP_BUILDDIR:=.}" || exit 99
[ -n "$LONG" ] || skip_all "a build of its own: with LONG=1"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
: "${CC:=gcc}"
echo 'int main(void) { return 0; }' >"$tmp/try.c"
"$CC" -fsanitize=thread "$tmp/try.c" -o "$tmp/try" 2>/dev/null && "$tmp/try" || skip_all "no ThreadSanitizer"
plan 1
for f in "$TOP_SRCDIR"/mm/*.c "$TOP_SRCDIR"/mm/*/*.c "$TOP_SRCDIR"/tests/mm/block_vm.c "$TOP_SRCDIR"/tests/mm/test_block_threads.c; do
	echo "$f"
done | xargs -P 2 -I{} sh -c '"$0" -std=gnu17 -D_GNU_SOURCE -O1 -g -fno-strict-aliasing -fsanitize=thread -I. -I"$1" -DHAVE_CONFIG_H -c "$3" -o "$2/$(basename "$3").o"' \
	"$CC" "$TOP_SRCDIR" "$tmp" {} >"$tmp/out" 2>&1 &&
	"$CC" -fsanitize=thread "$tmp"/*.o x86/libx86.a base/libbase.a $(pkg-config --libs check) -lZydis -lpthread -o "$tmp/test" >>"$tmp/out" 2>&1 &&
	env -u CK_TAP_LOG_FILE_NAME CK_FORK=no CK_VERBOSITY=normal TSAN_OPTIONS=exitcode=66 timeout 300 "$tmp/test" >>"$tmp/out" 2>&1
ok $? "VMs as threads, no data race" "$(head -60 "$tmp/out")"
