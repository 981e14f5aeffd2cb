# SPDX-License-Identifier: GPL-3.0-or-later
# Helpers for tests of the dashboard on a real terminal: tmux on a socket of its own; the user's
# home directory is neither read nor written.
. "${TOP_SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/taplib.sh"
VITRINE=${VITRINE:-$TOP_SRCDIR/build/vitrine}
CACHE=${VITRINE_CACHE:-$TOP_SRCDIR/cache}
[ -x "$VITRINE" ] || skip_all "no vitrine at $VITRINE"
TMP=$(scratch) || exit 99
trap 'tmux -S "$TMP/tmux" kill-server 2>/dev/null; rm -rf "$TMP"' EXIT
export HOME="$TMP" XDG_CONFIG_HOME="$TMP/config" XDG_STATE_HOME="$TMP/state" LC_ALL=C.UTF-8
# On TERM=linux curses would load the console's mouse library, which leaks memory.
export NCURSES_GPM_TERMS=

need_tmux()
{
	command -v tmux >/dev/null || skip_all "no tmux"
}

t()
{
	tmux -S "$TMP/tmux" -f /dev/null "$@"
}

# new_session ARGUMENT...: tmux's command of that name. A server whose last session has ended refuses new ones until
# it has exited, which can last some time on a busy machine.
new_session()
{
	until_true t new-session -d "$@"
}

# start WxH TERM ARGUMENT...: run the dashboard in a new terminal. Its exit status will be in $TMP/status, its
# standard error in $TMP/err or the file that ERRORS names.
start()
{
	size=$1
	term=$2
	shift 2
	rm -f "$TMP/status"
	t kill-session -t v 2>/dev/null
	{
		# Terminals have the environment of the server, which may be older than this call's.
		[ -z "${XDG_RUNTIME_DIR:-}" ] || printf 'XDG_RUNTIME_DIR="%s" ' "$XDG_RUNTIME_DIR"
		printf 'TERM=%s LC_ALL=%s timeout --foreground -k 5 600 "%s" tui' "$term" "$LC_ALL" "$VITRINE"
		for word in "$@"; do printf " '%s'" "$word"; done
		printf ' 2>"%s"; echo $? >"%s/status"; sleep 1000\n' "${ERRORS:-$TMP/err}" "$TMP"
	} >"$TMP/run"
	new_session -s v -x "${size%x*}" -y "${size#*x}" "sh '$TMP/run'"
}

screen()
{
	t capture-pane -p -t v
}

key()
{
	t send-keys -t v "$@"
}

has()
{
	screen | grep -qF -- "$1"
}

# screen_matches PATTERN: a basic regular expression
screen_matches()
{
	screen | grep -q -- "$1"
}

has_not()
{
	! has "$1"
}

# sees TEXT NAME: one result, whether TEXT appears on the screen.
sees()
{
	until_true has "$1"
	ok $? "$2" "$(screen)"
}

# ends STATUS NAME: one result, whether vitrine ends with STATUS.
ends()
{
	until_true test -s "$TMP/status"
	[ "$(cat "$TMP/status" 2>/dev/null)" = "$1" ]
	ok $? "$2" "status $(cat "$TMP/status" 2>/dev/null); $(cat "$TMP/err")"
}
