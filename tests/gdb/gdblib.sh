# SPDX-License-Identifier: GPL-3.0-or-later
# Library for tests with gdb: a guest with a stub at a socket, gdb in batch mode.
. "$(dirname "$0")/../guests/guestlib.sh"
BUILD=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
ELF=$BUILD/guests/demo/demo.elf
RSP=$BUILD/tests/gdb/rsp
SOCK=$TMP/gdb
trap 'stop_guest; rm -rf "$TMP"' EXIT
guest_pid=

# need_gdb: skip the test where there is no gdb for i386.
need_gdb()
{
	need
	command -v gdb >/dev/null || skip_all "no gdb"
	gdb -nx -batch -ex 'set architecture i386' >/dev/null 2>&1 || skip_all "gdb knows no i386"
}

# start_guest ARGUMENT...: vitrine run with a stub at $SOCK, in the background.
start_guest()
{
	rm -f "$SOCK"
	timeout -k 5 "${GUEST_LIMIT:-400}" "$VITRINE" run --gdb "unix:$SOCK" "$@" </dev/null >"$TMP/guest" 2>"$TMP/err" &
	guest_pid=$!
	wait_socket "$SOCK"
}

# guest_status: wait for the guest to end; return its exit status.
guest_status()
{
	wait "$guest_pid"
	status=$?
	guest_pid=
	return $status
}

stop_guest()
{
	[ -z "$guest_pid" ] || kill "$guest_pid" 2>/dev/null
	[ -z "$guest_pid" ] || wait "$guest_pid" 2>/dev/null
	guest_pid=
}

# run_gdb [ELF]: commands on standard input, output in $TMP/out.
run_gdb()
{
	{
		echo "set pagination off"
		echo "set confirm off"
		echo "set remotetimeout 60" # the default of two seconds is too short for a busy host
		cat
	} >"$TMP/commands"
	timeout -k 5 "${GDB_LIMIT:-300}" gdb -nx -q -batch -iex 'set auto-load off' "$@" -x "$TMP/commands" \
		>"$TMP/out" 2>&1 </dev/null
	gdb_status=$?
}

# shows TEXT NAME: one result: gdb printed TEXT (a basic regular expression).
shows()
{
	grep -q -- "$1" "$TMP/out"
	ok $? "$2" "$(tail -25 "$TMP/out")"
}

hides()
{
	! grep -q -- "$1" "$TMP/out"
	ok $? "$2" "$(tail -25 "$TMP/out")"
}

# stops_soon MS NAME: the guest stops within 100 ms of a Ctrl-C sent after it has run for MS. On a busy host the
# scheduler alone may take longer now and then, so the best of ten attempts counts; a stub that is slow is slow
# each time.
stops_soon()
{
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		"$RSP" "$SOCK" 'p:?' P:c "sleep:$1" i 2>&1 | tail -1 >"$TMP/soon"
		awk '/^[0-9.]+ ms T02/ { exit !($1 < 100) } { exit 1 }' "$TMP/soon" && break
	done
	awk '/^[0-9.]+ ms T02/ { exit !($1 < 100) } { exit 1 }' "$TMP/soon"
	ok $? "$2" "attempt $attempt: $(cat "$TMP/soon")"
	echo "# $2: $(cut -d' ' -f1,2 "$TMP/soon"), attempt $attempt"
}

# code FILE HEX...: a flat binary.
code()
{
	file=$1
	shift
	for byte in "$@"; do
		printf "\\$(printf %03o "0x$byte")"
	done >"$file"
}
