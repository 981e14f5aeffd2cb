#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The VM selector: a dashboard, and an attached one, go to other VMs and come back.
. "$(dirname "$0")/tuilib.sh"
need_tmux
plan 17
export XDG_RUNTIME_DIR="$TMP/xdg"
mkdir -p "$TMP/xdg/vitrine" "$TMP/none"
pids=
trap 'tmux -S "$TMP/tmux" kill-server 2>/dev/null; for p in $pids; do kill $p 2>/dev/null; done; wait; rm -rf "$TMP"' EXIT

# vm NAME: a VM of host "h", which runs for ever; its process in $pid
vm()
{
	timeout -k 5 300 "$VITRINE" run --name "$1" --control "unix:$TMP/xdg/vitrine/h.$1.control" \
		--flat "$TMP/loop@0x7c00" </dev/null >/dev/null 2>"$TMP/$1.err" &
	pid=$!
	pids="$pids $pid"
	wait_socket "$TMP/xdg/vitrine/h.$1.control"
}
printf '\353\376' >"$TMP/loop" # 1: jmp 1b
# what is no session, and what nobody listens at
python3 -c 'import socket, sys
for p in sys.argv[1:]: socket.socket(socket.AF_UNIX).bind(p)' "$TMP/xdg/vitrine/h.old.control" "$TMP/xdg/vitrine/gdb"
vm web
vm mail
mail=$pid

start 100x30 screen-256color --no-rc --name first --control "unix:$TMP/own.control" --append loop demo
until_true has "Registers"
key V
sees "Enter or a digit shows one" "V opens the list of VMs"
screen | grep -q '1 ▶ first .*this' && has "h/web" && has "h/mail"
ok $? "this VM, and those of the host" "$(screen)"
screen | grep -q 'h/web .*running .*protected'
ok $? "with their states" "$(screen)"
has_not "h/old" && has_not "/gdb"
ok $? "but no socket that is no session's, or that nobody listens at" "$(screen)"
key 2
until_true screen_matches '^ mail .* running'
ok $? "a digit shows another VM: its name is on the bar" "$(screen)"
key 3
sees "Traps by cause" "keys go to its dashboard"
key V
until_true screen_matches '2 ▶ h/mail'
key 3
until_true screen_matches '^ web .* running'
ok $? "and from there to a third one" "$(screen)"
t resize-window -t v -x 80 -y 24
until_true screen_matches '^ web   1 Machine 2 3 .* running$'
ok $? "it follows the terminal's size" "$(screen)"
key V
until_true has "Enter or a digit"
key Escape
until_true has_not "Enter or a digit"
ok $? "Escape closes the list" "$(screen)"
key V
until_true has "Enter or a digit"
key 1
until_true screen_matches '^ first .* stopped'
ok $? "and back to the first, which is as it was" "$(screen)"
key V
until_true has "Enter or a digit"
key 2
until_true screen_matches '^ mail .* running'
kill $mail
sees "the session has ended" "a VM that ends while it is shown: back, with the reason"
until_true screen_matches '^ first '
ok $? "to the dashboard of this session" "$(screen)"
key q y
ends 0 "q ends with status 0"

# ---- attached ----
vm mail
rm -f "$TMP/status"
t kill-session -t v
new_session -s v -x 90 -y 24 "TERM=screen-256color '$VITRINE' attach --tui '$TMP/xdg/vitrine/h.web.control' 2>'$TMP/err'; echo \$? >'$TMP/status'; sleep 1000"
until_true screen_matches '^ web .* running'
key V
until_true screen_matches '2 ▶ h/web'
key 1
until_true screen_matches '^ mail .* running'
ok $? "an attached dashboard goes to another VM" "$(screen)"
key q
ends 0 "q ends it"

# ---- alone ----
XDG_RUNTIME_DIR="$TMP/none" start 80x24 screen-256color --no-rc demo
until_true has "Registers"
key V
sees "no other VM can be reached" "a VM alone is the only one in the list"
key Escape q y
ends 0 "q ends with status 0"
