#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Scripts and sockets with a real kernel: the example in docs/, the control socket (wait, serial, type,
# sendkey), the serial socket, typing into an attached shell.
. "$(dirname "$0")/../tui/tuilib.sh"
for f in linux-686 initramfs-686.cpio.gz; do
	[ -s "$CACHE/$f" ] || skip_all "no $f: guests/fetch did not bring it"
done
command -v python3 >/dev/null || skip_all "no python3"
plan 18
EXAMPLE=$TOP_SRCDIR/docs/examples/linux-session.vit

# linux_shell ARGUMENT...: run the kernel under "vitrine shell".
linux_shell()
{
	timeout -k 5 "${LINUX_LIMIT:-600}" "$VITRINE" shell --no-rc --memory 512M --kernel "$CACHE/linux-686" \
		--initrd "$CACHE/initramfs-686.cpio.gz" --append "console=ttyS0 quiet" "$@"
}

[ "$(wc -l <"$EXAMPLE")" -le 20 ]
ok $? "the example has at most 20 lines"
linux_shell -x "$EXAMPLE" </dev/null >"$TMP/out" 2>"$TMP/err"
status=$?
[ $status -eq 0 ]
ok $? "it ends with status 0" "status $status; $(tail -n 5 "$TMP/out"; cat "$TMP/err")"
grep '^{' "$TMP/out" | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert len(rows) == 10 and all(row["pc"] and row["entries"] for row in rows), rows
assert [row["entries"] for row in rows] == sorted((row["entries"] for row in rows), reverse=True), rows
' 2>"$TMP/trace"
ok $? "and lists the ten hottest fragments as JSON" "$(cat "$TMP/trace")"
grep -q 'answer 42' "$TMP/out"
ok $? "the guest's output is on the terminal" "$(tail -5 "$TMP/out")"
linux_shell -c 'wait "never comes" 0.5' </dev/null >"$TMP/out" 2>"$TMP/err"
status=$?
clean_err
[ $status -eq 1 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ]
ok $? "a wait that times out is one line and status 1" "$(cat "$TMP/err")"
linux_shell -c "log file $TMP/log" -c 'log irq on' -c 'log nothing on' </dev/null >"$TMP/out" 2>"$TMP/err"
[ $? -eq 1 ] && grep -q "no category 'nothing'" "$TMP/err"
ok $? "log names an unknown category" "$(cat "$TMP/err")"

S=$TMP/control
mkfifo "$TMP/stdin"
linux_shell --serial "unix:$TMP/serial" --control "unix:$S" <"$TMP/stdin" >"$TMP/session" 2>&1 &
session=$!
exec 9>"$TMP/stdin"
until_true test -S "$S"
timeout 500 python3 - "$TMP/serial" "$TMP/connected" >"$TMP/tap" 2>"$TMP/trace" <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(200)
open(sys.argv[2], "w").close()
got = b""
def hear(text):
    global got
    while text not in got:
        more = s.recv(65536)
        if not more:
            return False
        got += more
    return True
print("yes" if hear(b"vitrine: shell ready") else "no", "the serial socket has the guest's output", flush=True)
hear(b"# ")
s.sendall(b"echo over $((2 * 21)) the socket\n")
print("yes" if hear(b"over 42 the socket") else "no", "and takes input", flush=True)
END
line=$!

# ask COMMAND...: execute them over the control socket. False: one failed.
ask()
{
	for command; do
		set -- "$@" -c "$command"
		shift
	done
	timeout 500 "$VITRINE" attach "$S" "$@" >"$TMP/out" 2>&1
}
until_true test -e "$TMP/connected" # a client of the socket gets later output only
ask 'continue &' 'wait "vitrine: shell ready" 300'
ok $? "wait over the control socket" "$(cat "$TMP/out")"
wait $line
while read -r verdict name; do
	[ "$verdict" = yes ]
	ok $? "$name" "$(cat "$TMP/trace")"
done <"$TMP/tap"
ask 'serial "echo said $((3 * 14))\n"' 'wait "said 42" 100'
ok $? "serial over the control socket" "$(cat "$TMP/out")"
# (a console that no process has open drops keys)
ask 'serial "{ echo go-$((7 * 6)) >&2; head -1; } </dev/tty1 | tr a-z A-Z\n"' 'wait "go-42" 100' 'type "typed Keys; "' \
	'sendkey shift-v i shift_r-t ret' 'wait "TYPED KEYS; VIT" 100'
ok $? "type and sendkey over the control socket reach the guest's keyboard" "$(cat "$TMP/out")"

if command -v tmux >/dev/null; then
	new_session -s other -n other "sleep 2000" # tmux would end with its last session
	new_session -s v -n v -x 100 -y 30 "TERM=screen-256color '$VITRINE' attach '$S'"
	sees "(vitrine)" "an attached shell"
	ask stop
	sees "stopped in" "reports that another client stopped the guest"
	t send-keys -t v -l "continue"
	key Enter
	t send-keys -t v -l 'echo keys $((6 * 7))'
	key Enter
	sees "keys 42" "runs the guest and types into it"
	key C-c
	until_true sh -c "tmux -S '$TMP/tmux' capture-pane -p -t v | grep -v '^\$' | tail -1 | grep -q '^(vitrine)'"
	ok $? "Ctrl-C stops the guest" "$(screen)"
	t send-keys -t v -l 'quit'
	key Enter
	until_true sh -c "! tmux -S '$TMP/tmux' has-session -t =v"
	new_session -s v -n v -x 100 -y 30 "TERM=screen-256color '$VITRINE' attach --tui '$S'"
	sees "F12Keys" "an attached dashboard"
	key c
	until_true has " running"
	key F12
	t send-keys -t v -l 'echo dash $((9 * 9))'
	key Enter
	sees "dash 81" "gives the guest the keyboard"
else
	for name in 1 2 3 4 5 6; do skip "attached in a terminal" "no tmux"; done
fi
ask 'serial "poweroff -f\n"' '-continue'
echo quit >&9
exec 9>&-
wait $session
ok $? "the session ends" "$(cat "$TMP/session")"
