#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# An ELF core of a Linux guest: gdb has its registers, code, stack, and the memory of kernel and program.
. "$(dirname "$0")/guestlib.sh"
need linux-686-pae linux-cloud-amd64 busybox busybox-amd64
command -v gdb >/dev/null 2>&1 || skip_all "no gdb"
plan 12

# flavour NAME CPU
flavour()
{
	"$TOP_SRCDIR/guests/mkinitramfs" -f "$1" -o "$TMP/initrd" "$CACHE" 2>"$TMP/err" ||
		skip_all "no initramfs: $(cat "$TMP/err")"
	shell_script --cpu "$2" --serial null --memory 256M --kernel "$CACHE/linux-$1" --initrd "$TMP/initrd" \
		--append "console=ttyS0" <<END
wait "shell ready" 200
wait "#" 60
break do_nanosleep task sleep
serial "sleep 1\n"
continue
dump-core $TMP/core
print/x \$pc
ps \$pid -j
vmas limit=1 -j
dump-core /nonexistent/core
END
	grep -q 'segments, [0-9]* bytes written to' "$TMP/out"
	ok $? "$1: a core is written" "$(tail -5 "$TMP/out")"
	grep -q 'cannot write /nonexistent/core: No such file' "$TMP/out"
	ok $? "$1: or it says why not" "$(tail -3 "$TMP/out")"
	[ "$(($(du -k "$TMP/core" | cut -f1)))" -lt 200000 ] && [ "$(wc -c <"$TMP/core")" -gt 260000000 ]
	ok $? "$1: with holes where memory is zero" "$(ls -ls "$TMP/core")"

	pc=$(sed -n 's/^0x\([0-9a-f]*\)$/\1/p' "$TMP/out")
	pid=$(sed -n 's/^{"pid":\([0-9]*\),.*/\1/p' "$TMP/out")
	task=$(sed -n 's/.*"task":"\?\([0-9a-fx]*\)"\?,.*/\1/p' "$TMP/out")
	program=$(sed -n 's/.*"start":\([0-9]*\),.*/\1/p' "$TMP/out")
	gdb -nx -q --batch -c "$TMP/core" -ex 'info registers' -ex "x/s $program + 1" \
		-ex "find /b1 $task, +8000, 's', 'l', 'e', 'e', 'p', 0" -ex 'x/2i $pc' >"$TMP/gdb" 2>&1
	grep -qE "^[re]ip +0x$pc " "$TMP/gdb" && grep -q "LWP $pid" "$TMP/gdb"
	ok $? "$1: gdb has the registers and the task" "$(head -30 "$TMP/gdb")"
	grep -q '"ELF' "$TMP/gdb" && grep -q '^1 pattern found' "$TMP/gdb"
	ok $? "$1: and the memory of program and kernel" "$(tail -5 "$TMP/gdb")"
	grep -q "^=> 0x$pc:" "$TMP/gdb" && ! grep -qi 'cannot access' "$TMP/gdb"
	ok $? "$1: and code" "$(tail -5 "$TMP/gdb")"
}

flavour 686-pae host
flavour cloud-amd64 host,+lm
