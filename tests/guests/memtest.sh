#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# memtest86+ in 16 MiB: a full pass, all ten tests, without an error. The last test waits for
# minutes and checks that bits have not faded; it is not skipped, but with 20 ns of VM time for each
# instruction (--clock icount:20) the wait is shorter. memtest86+ never ends, so this test ends
# it. A second run under the host's clock goes up to the last test (and through it with
# MEMTEST_LIMIT=300). MEMTEST_LIMIT is the limit in seconds for each run. $image is the program, $machine has options.
. "$(dirname "$0")/guestlib.sh"
image=${image:-memtest.bin}
need "$image"
plan 8

# The screen arrives with cursor movements: keep only the text.
text()
{
	sed 's/\x1b\[[0-9;?]*[A-Za-z]/\n/g' "$TMP/raw" | tr -d '\r' >"$TMP/out"
}

# memtest SECONDS TEXT [OPTION...]: run until TEXT is on the screen or the time limit is reached.
memtest()
{
	limit=$1 until=$2
	shift 2
	"$VITRINE" run --timeout "$limit" --memory 16M "$@" ${machine:-} --kernel "$CACHE/$image" \
		--append "console=ttyS0,115200" </dev/null >"$TMP/raw" 2>"$TMP/err" &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		text
		if grep -qF -- "$until" "$TMP/out"; then
			kill -TERM $pid
			break
		fi
		sleep 1
	done
	wait $pid
	status=$?
	text
}

clean()
{
	! grep -qE 'Errors: *[1-9]|Failing' "$TMP/out"
	ok $? "no errors $1" "$(detail)"
}

memtest "${MEMTEST_LIMIT:-1200}" "Pass:  1" --clock icount:20
said "Memtest86+" "the banner"
for n in 5 8 10; do
	grep -q "#$n  *\[" "$TMP/out"
	ok $? "test #$n runs" "$(detail)"
done
said "Pass:  1" "a full pass"
clean "in the pass"

if [ "${MEMTEST_LIMIT:-0}" -ge 240 ]; then
	memtest "$MEMTEST_LIMIT" "Pass:  1"
	said "Pass:  1" "a full pass in the host's time"
else
	memtest 600 "#10 [Bit fade"
	said "#10 [Bit fade" "all tests but the last in the host's time"
fi
clean "in the host's time"
