#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run automake's test driver, COMMAND with its options, and note what the test took: a line "SECONDS PROCESSOR-SECONDS
# NAME" in tests/times of the build directory, for whoever wants to know where the time of the suite goes.
name=
previous=
for word in "$@"; do
	[ "$previous" != --test-name ] || name=$word
	previous=$word
done
begin=$(date +%s%N)
"$@"
status=$?
ms=$((($(date +%s%N) - begin) / 1000000))
# (Children's time is the second line. In a pipe it would be another shell's.)
times >"tests/times.$$"
awk -v ms=$ms -v name="$name" 'NR == 2 { split($1, u, /[ms]/); split($2, s, /[ms]/)
	printf "%.1f %.1f %s\n", ms / 1000, (u[1] + s[1]) * 60 + u[2] + s[2], name }' "tests/times.$$" >>tests/times
rm -f "tests/times.$$"
exit $status
