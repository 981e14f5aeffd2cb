#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Threads of a running machine are restricted to the system calls they need, and work.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 12

printf '\353\376' >"$TMP/spin" # jmp .
printf '\260\376\346\144\353\376' >"$TMP/reset" # mov al, 0xfe; out 0x64, al; jmp .

missing=$("$VITRINE" shell --no-rc -c 'info cpus' demo </dev/null 2>&1 | sed -n 's/^sandbox *//p')
case $missing in
on) want=2 ;;
"built with"*) want=0 ;; # instrumentation makes calls of its own
*) want= ;;
esac
[ -n "$want" ]
ok $? "info status says whether it is on: $missing" "$missing"

# threads ARGUMENT...: what the kernel says of each thread of a running machine.
threads()
{
	rm -f "$TMP/control"
	timeout -k 5 300 "$VITRINE" run --control "unix:$TMP/control" "$@" --flat "$TMP/spin@0x100000" </dev/null >"$TMP/out" 2>&1 &
	guest=$!
	wait_socket "$TMP/control"
	until_true timeout 60 "$VITRINE" attach "$TMP/control" -c 'echo' >/dev/null 2>&1
	child_of $guest
	until_true all_threads
	sed -n 's/^Seccomp:[ 	]*//p' /proc/"$child"/task/*/status | tr '\n' ' '
	kill "$child"
	wait $guest 2>/dev/null
}
# The main thread, the vCPU's, and where there is a second processor the alarm.
[ "$(nproc)" -gt 1 ] && nthreads=3 || nthreads=2
all_threads()
{
	[ "$(ls "/proc/$child/task" | wc -l)" -eq $nthreads ] && grep -q "^Seccomp:.*${expected:-$want}" /proc/"$child"/task/*/status
}
got=$(threads)
[ "$got" = "$want $want $([ $nthreads -eq 2 ] || echo "$want ")" ]
ok $? "every thread is restricted" "$got"
# One thread more for each drive and each network.
truncate -s 1M "$TMP/disk" "$TMP/virtio" "$TMP/cd" "$TMP/floppy"
nthreads=$((nthreads + 6))
got=$(threads --disk "$TMP/disk" --disk "$TMP/virtio,bus=virtio,overlay=temp" --cdrom "$TMP/cd" --floppy "$TMP/floppy" \
	--net user --net "hub:$TMP/hub,model=virtio")
[ "$(echo "$got" | grep -o "$want" | wc -l)" -eq $nthreads ]
ok $? "and those of drives and networks" "$got"
nthreads=$((nthreads - 6))
got=$(expected=0 threads --no-sandbox)
[ "$got" = "0 0 $([ $nthreads -eq 2 ] || echo "0 ")" ]
ok $? "none is with --no-sandbox" "$got"
"$VITRINE" shell --no-rc --no-sandbox -c 'info status' demo </dev/null 2>&1 | grep -q '^sandbox *off (--no-sandbox)'
ok $? "which info status says"

if [ -x /usr/bin/as ] && [ -x /usr/bin/ld ]; then
	got=$("$VITRINE" shell --no-rc -c 'patch-code $pc asm "mov eax, 0; ret"' demo </dev/null 2>&1)
	echo "$got" | grep -q '^patch 1 at'
	ok $? "text is assembled, by a process that was started before" "$got"
	got=$("$VITRINE" shell --no-rc -c '-patch-code $pc asm "nosuch"' -c 'patch-code $pc asm "nop"' demo </dev/null 2>&1)
	echo "$got" | grep -q 'as: no such instruction' && echo "$got" | grep -q '^patch 1 at'
	ok $? "an error of as comes back, and it goes on" "$got"
else
	skip "text is assembled" "no as or ld"
	skip "an error of as comes back" "no as or ld"
fi

# A guest that resets loads its image again, on a thread that may open no file.
got=$("$VITRINE" shell --no-rc -c 'break *0x100000' -c 'continue' -c 'continue' -c 'print $pc' --flat "$TMP/reset@0x100000" </dev/null 2>&1)
echo "$got" | tail -1 | grep -q '0x100000$'
ok $? "a guest that resets itself starts again" "$got"
got=$(printf 'log file %s\nx/1xb 0x100000\nload %s 0x100000\nx/1xb 0x100000\nreset\nx/1xb 0x100000\nsave-state %s\n' "$TMP/log" "$TMP/spin" "$TMP/state" |
	"$VITRINE" shell --no-rc --serial null --flat "$TMP/reset@0x100000" 2>&1)
[ "$(echo "$got" | grep -c 'b0')" -eq 2 ] && echo "$got" | grep -q 'eb' && [ -s "$TMP/state" ] && [ -e "$TMP/log" ]
ok $? "files that the user's commands name are read and written" "$got"

# What opens guest pages, and one line at the start where it is slow. (This host may refuse userfaultfd, too.)
pages()
{
	"$VITRINE" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	sed -n '/^pages */{s///p;q}' "$TMP/out"
}
off='userfaultfd is off (VITRINE_USERFAULTFD): each page takes an mmap, slower'
got=$(VITRINE_USERFAULTFD=off pages shell --no-rc -c 'info status' demo)
[ "$got" = "$off" ] && [ "$(cat "$TMP/err")" = "vitrine: $off" ]
ok $? "without userfaultfd info status and the start say that pages take longer" "$got; $(cat "$TMP/err")"
VITRINE_USERFAULTFD=off pages run --serial null demo
[ "$(cat "$TMP/err")" = "vitrine: $off" ]
ok $? "so does the start of run" "$(cat "$TMP/err")"
got=$(pages shell --no-rc -c 'info status' -c 'continue' -c 'info mmu' demo)
case $got in
"opened by userfaultfd") [ ! -s "$TMP/err" ] && grep -q '^lines *[1-9]' "$TMP/out" ;;
"the host refuses userfaultfd"*) [ "$(cat "$TMP/err")" = "vitrine: $got" ] ;;
*) false ;;
esac
ok $? "else what the host allows: $got" "$(grep '^lines' "$TMP/out") $(cat "$TMP/err")"
