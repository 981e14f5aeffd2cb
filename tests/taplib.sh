# SPDX-License-Identifier: GPL-3.0-or-later
# TAP for shell tests. Source it, then: plan N; ok STATUS NAME [DETAIL]; skip NAME WHY;
# skip_all WHY (instead of a plan).
tap_n=0

# The user's language and terminal size must not change the output of programs, and gdb must not ask a
# server for debug data.
LC_ALL=C
export LC_ALL
unset LANGUAGE COLUMNS LINES GREP_OPTIONS GREP_COLORS POSIXLY_CORRECT PYTHONPATH TMUX DEBUGINFOD_URLS TERMINFO

# scratch: a new directory with a path short enough for the name of a socket (108 bytes).
scratch()
{
	[ -n "${TMPDIR:-}" ] && [ ${#TMPDIR} -le 60 ] || TMPDIR=/tmp
	mktemp -d "$TMPDIR/vitrine.XXXXXX" || exit 99
}

plan()
{
	echo "1..$1"
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

# ok STATUS NAME [DETAIL]: DETAIL is shown, as comments, when STATUS is not 0.
ok()
{
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n - $2"
	else
		echo "not ok $tap_n - $2"
		[ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# How often until_true tries, a tenth of a second apart. Tries are counted instead of timed, as this process may
# not get the processor. After a condition that never became true, later ones get less time.
patience=600

# until_true COMMAND...: a minute at least, unless something has failed before.
until_true()
{
	tries=0
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -ge $patience ]; then
			patience=100
			echo "# waited in vain: $*"
			return 1
		fi
		sleep 0.1
	done
}

# wait_socket PATH: until it is there.
wait_socket()
{
	until_true test -S "$1"
}

# child_of PID: has it a child? The first one's PID is $child.
child_of()
{
	child=
	read -r child _ <"/proc/$1/task/$1/children"
	[ -n "$child" ]
}
