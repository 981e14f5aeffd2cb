#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Sockets of all kinds: mode whatever the umask, left behind by kill -9, in use.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 5

printf '\353\376' >"$TMP/spin" # jmp .
start()
{
	(umask 000 && exec timeout -k 5 300 "$VITRINE" run --control "unix:$TMP/control" --serial "unix:$TMP/serial" --gdb "unix:$TMP/gdb" \
		--flat "$TMP/spin@0x100000" </dev/null >"$TMP/out" 2>"$TMP/err") &
	guest=$!
	wait_socket "$TMP/gdb"
}
# end SIGNAL: to the process that listens, which timeout has started.
end()
{
	child_of $guest
	kill "$1" $child
	wait $guest 2>/dev/null
}

start
modes=$(stat -c '%a' "$TMP/control" "$TMP/serial" "$TMP/gdb" | tr '\n' ' ')
[ "$modes" = "600 600 600 " ]
ok $? "sockets are their owner's alone, whatever the umask" "$modes"

second=$(timeout 60 "$VITRINE" run --control "unix:$TMP/control" demo </dev/null 2>&1)
status=$?
[ $status -eq 125 ] && echo "$second" | grep -q "control: in use"
ok $? "one at which a process listens is in use" "$status: $second"
timeout 60 "$VITRINE" attach "$TMP/control" -c 'print 1' >"$TMP/attach" 2>&1
ok $? "and goes on to work" "$(cat "$TMP/attach")"

end -9
[ -S "$TMP/control" ] && [ -S "$TMP/serial" ] && [ -S "$TMP/gdb" ]
ok $? "kill -9 leaves the files behind" "$(ls "$TMP")"
start
until_true timeout 60 "$VITRINE" attach "$TMP/control" -c 'quit' >"$TMP/attach" 2>&1
timeout 60 "$VITRINE" attach "$TMP/control" -c 'print 1' >"$TMP/attach" 2>&1
ok $? "they are replaced" "$(cat "$TMP/attach" "$TMP/err")"
end -TERM || :
