#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A Linux guest understood from outside, without a debug package: Debian's kernels, which the guest's own ps, dmesg,
# lsmod and kallsyms are compared with.
. "$(dirname "$0")/guestlib.sh"
need linux-686 linux-686-pae linux-amd64 linux-cloud-amd64 busybox busybox-amd64
plan 60

# between FROM TO: the lines of $TMP/serial between the last lines FROM and TO.
between()
{
	awk -v from="$1" -v to="$2" '$0 == from { n = 0; on = 1; next } $0 == to { on = 0 } on { line[n++] = $0 }
	END { for (i = 0; i < n; i++) print line[i] }' "$TMP/serial"
}

# part N: the text between the N-th and the next "PART" in $TMP/out.
part()
{
	awk -v n="$1" '/^PART$/ { at++; next } at == n' "$TMP/out"
}

inside()
{
	cat <<'END'
insmod /modules/failover.ko
insmod /modules/net_failover.ko
insmod /modules/loop.ko
sleep 1000 &
sleep 0.5
echo BEGIN-PS; cat /proc/[0-9]*/stat; echo END-PS
echo BEGIN-MAPS; cat /proc/$$/maps; echo END-MAPS
echo BEGIN-LSMOD; cat /proc/modules; echo END-LSMOD
echo BEGIN-SYMBOLS; grep -F -e ' vfs_read' -e ' schedule' -e ' net_failover_create' -e ' failover_register' /proc/kallsyms; echo END-SYMBOLS
echo BEGIN-DMESG; dmesg; echo END-DMESG
END
}

flavour()
{
	inside >"$TMP/inside.sh"
	"$TOP_SRCDIR/guests/mkinitramfs" -f "$1" -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" 2>"$TMP/err" ||
		skip_all "no initramfs: $(cat "$TMP/err")"
	case $1 in *amd64) cpu=host,+lm ;; *) cpu=host ;; esac
	shell_script --cpu $cpu --serial "file:$TMP/raw" --memory 256M --kernel "$CACHE/linux-$1" --initrd "$TMP/initrd" \
		--append "console=ttyS0 printk.time=1" <<'END'
wait "Run /init" 200
wait "shell ready" 100
serial ". /inside.sh; echo READY-$((1 + 1))\n"
wait "READY-2" 200

echo PART
ps -j
echo PART
lsmod -j
echo PART
info symbols vfs_read -j
info symbols schedule -j
info symbols net_failover_create -j
info symbols failover_register -j
echo PART
dmesg
echo PART
dmesg -j
echo PART
vmas 1 -j
echo PART
info linux -j
break vfs_write task nobody
break do_nanosleep task sleep if $pid == $tgid
tbreak vfs_write task sh
serial "echo hello; sleep 0.1\n"
continue
print $pid
continue
backtrace
ps $pid
END
	tr -d '\r' <"$TMP/raw" >"$TMP/serial"
	[ "$status" -eq 0 ]
	ok $? "$1: the script ends well" "$(tail -5 "$TMP/out")"

	# pid, name and parent of what lives long
	between BEGIN-PS END-PS | sed -n 's/^\([0-9]*\) (\(.\{1,15\}\).*) . \([0-9]*\) .*/\1 \2 \3/p' |
		grep -v 'kworker\| cat \| sh [1-9]' | sort >"$TMP/theirs"
	part 1 | sed -n 's/.*"pid":\([0-9]*\),.*"parent":\([0-9]*\),.*"name":"\([^"]*\)".*/\1 \3 \2/p' |
		grep -v 'kworker\|^0 ' | sort >"$TMP/ours"
	[ "$(wc -l <"$TMP/ours")" -gt 25 ] && cmp -s "$TMP/theirs" "$TMP/ours"
	ok $? "$1: ps lists the processes that /proc does" "$(diff "$TMP/theirs" "$TMP/ours" | head -5)"
	grep -qx '1 sh 0' "$TMP/ours" && grep -qx '2 kthreadd 0' "$TMP/ours" && grep -q ' sleep 1$' "$TMP/ours"
	ok $? "$1: init, kthreadd and a child among them" "$(head -3 "$TMP/ours")"
	part 1 | grep -q '"state":"S".*"root":[1-9][0-9]*,.*"name":"sleep","command":"sleep 1000"'
	ok $? "$1: state, page tables and command line" "$(part 1 | grep sleep)"
	part 1 | grep -q '"pid":2,.*"state":"S",.*"name":"kthreadd"}' &&
		part 1 | grep -q '"state":"I",.*"name":"mm_percpu_wq"'
	ok $? "$1: kernel threads have none, and may be idle" "$(part 1 | head -5)"

	between BEGIN-LSMOD END-LSMOD | sed 's/,\? Live.*//; s/ -$/ /' >"$TMP/theirs"
	part 2 | sed -n 's/.*"module":"\([^"]*\)","size":\([0-9]*\),"used":\([0-9]*\),\("by":"\([^"]*\)",\)\?.*"state":"live".*/\1 \2 \3 \5/p' \
		>"$TMP/ours"
	[ "$(wc -l <"$TMP/ours")" -eq 3 ] && cmp -s "$TMP/theirs" "$TMP/ours"
	ok $? "$1: lsmod is as /proc/modules" "$(diff "$TMP/theirs" "$TMP/ours")"

	# JSON has numbers that a double cannot hold as texts "0x..."
	for name in vfs_read schedule net_failover_create failover_register; do
		theirs=$(between BEGIN-SYMBOLS END-SYMBOLS | sed -n "s/^\([0-9a-f]*\) . $name\(	.*\)\?$/\1/p")
		ours=$(part 3 | sed -n "s/.*\"address\":\"\?\([0-9a-fx]*\)\"\?,.*\"name\":\"$name\".*/\1/p")
		echo "$name $(printf %x "0x$theirs") $(printf %x "$ours")"
	done >"$TMP/both"
	[ "$(grep -c ' [0-9a-f]\{8,\} ' "$TMP/both")" -eq 4 ] && awk '$2 != $3 { bad = 1 } END { exit bad }' "$TMP/both"
	ok $? "$1: symbols of the kernel and of modules are where kallsyms has them" "$(cat "$TMP/both")"

	between BEGIN-DMESG END-DMESG | tr '\t' ' ' | sed 's/ *$//' >"$TMP/theirs"
	part 4 >"$TMP/ours"
	[ "$(wc -l <"$TMP/ours")" -gt 200 ] && cmp -s "$TMP/theirs" "$TMP/ours"
	ok $? "$1: dmesg is the guest's" "$(diff "$TMP/theirs" "$TMP/ours" | head -5)"
	# what went to the console: records above level 7, until init silences it
	sed -n '/^\[ *[0-9]*\.[0-9]*\] /p; /Run \/init/q' "$TMP/serial" | sed 's/ *$//' >"$TMP/theirs"
	part 5 | sed -n 's/.*"stamp":"\([^"]*\)","level":[0-6],.*"text":"\(.*\)"}/\1 \2/p' |
		sed 's/\\"/"/g; s/\\t/\t/g; s/\\\\/\\/g; s/ *$//; /Run \/init/q' >"$TMP/ours"
	[ "$(wc -l <"$TMP/ours")" -gt 200 ] && cmp -s "$TMP/theirs" "$TMP/ours"
	ok $? "$1: and what it printed on its console" "$(diff "$TMP/theirs" "$TMP/ours" | head -5)"

	# [vvar], [vdso] and the like are the guest's names for what is no file
	between BEGIN-MAPS END-MAPS | awk '{ split($1, a, "-"); name = $6
		if (name ~ /^\[v/) name = ""
		printf "%d %s %s %s\n", NR, a[1] "-" a[2], $2, name }' >"$TMP/theirs"
	part 6 | sed -n 's/.*"start":\([0-9]*\),"end":\([0-9]*\),"rights":"\([^"]*\)",\("offset":[0-9]*,\)\?\("name":"\([^"]*\)",\)\?.*/\1 \2 \3 \6/p' |
		while read -r start end rest; do
			n=$((${n:-0} + 1))
			printf '%d %08x-%08x %s\n' $n "$start" "$end" "$rest"
		done >"$TMP/ours"
	sed -i 's/ *$//' "$TMP/theirs" "$TMP/ours"
	[ "$(wc -l <"$TMP/ours")" -gt 7 ] && cmp -s "$TMP/theirs" "$TMP/ours"
	ok $? "$1: vmas is as /proc/1/maps" "$(diff "$TMP/theirs" "$TMP/ours" | head -5)"

	part 7 >"$TMP/last"
	grep -q '"banner":"Linux version 6\.' "$TMP/last" && grep -q '"own":true' "$TMP/last"
	ok $? "$1: the kernel is found, with its own page tables" "$(head -1 "$TMP/last")"
	grep -q '^breakpoint 3 in sh 1 at 0x[0-9a-f]* <vfs_write>' "$TMP/last"
	ok $? "$1: a breakpoint of one task stops in it" "$(grep ^breakpoint "$TMP/last")"
	grep -q '^breakpoint 2 in sleep [0-9]* at 0x[0-9a-f]* <do_nanosleep>' "$TMP/last"
	ok $? "$1: and with a condition" "$(grep ^breakpoint "$TMP/last")"
	grep -q '^#1 .* hrtimer_nanosleep' "$TMP/last" && grep -q '^#[2-9] .*sys_' "$TMP/last"
	ok $? "$1: a backtrace has names" "$(grep '^#' "$TMP/last")"
	tail -1 "$TMP/last" | grep -q 'yes.* sleep  *sleep 0.1$'
	ok $? "$1: ps marks the task that executes" "$(tail -2 "$TMP/last")"
}

flavour 686
flavour 686-pae
flavour amd64
flavour cloud-amd64
