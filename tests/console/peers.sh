#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Names of commands in QEMU, Bochs and WinDbg: each is executed here, on the embedded guest, and gives the very output of the
# command that it stands for; the table of docs/shell.md has them all. Memory as text: hexdump, store, Intel HEX.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 14

# Columns: what is typed | the command here. Where those change the guest, or fail, both do.
pairs()
{
	cat <<-END
	system_reset|reset
	savevm $TMP/state|save-state $TMP/state
	loadvm $TMP/state|load-state $TMP/state
	sba 5|run-icount 5
	rla kernel_main|until kernel_main
	t 2|stepi 2
	gu|finish
	lb run if \$eax == 1|break run if \$eax == 1
	lbreak run|break run
	vb 0x7c0:0|break 0x7c0:0
	vbreak 0x7c0:0x10 if 0|break 0x7c0:0x10 if 0
	pb 0x101000|break -p 0x101000
	pbreak 0x101001 if 0|break -p 0x101001 if 0
	bp print|break print
	bpd 1|disable 1
	bpe 1|enable 1
	bd 2 3|disable 2 3
	be 2|enable 2
	blist|info break
	bl|info break
	unwatch 1|delete 1
	bc 2 3|delete 2 3
	modebp paging|break-on mode paging
	vmexitbp|break-on exit
	g|continue
	r eip esp|info registers eip esp
	reg|info registers
	regs|info registers
	info eflags|info registers eflags
	fp|info fpu
	fpu|info fpu
	sse|info xmm
	trace-reg on|display info registers
	t|stepi
	trace-reg off|undisplay info registers
	t|stepi
	print-stack|x/16a \$ss_base + \$rsp
	print-stack 3|x/3a \$ss_base + \$rsp
	k 2|backtrace 2
	pte 0x101000|page 0x101000
	va2pa 0x101000|gva2gpa 0x101000
	lm|lsmod
	disasm /3 \$pc|disassemble/3 \$pc
	disasm/2|disassemble/2
	calc 6 * 7|print/x 6 * 7
	db 0x101000|hexdump 0x101000 128
	db 0x101000 20|hexdump 0x101000 20
	dw 0x101000|x/64xh 0x101000
	dd 0x101000|x/32xw 0x101000
	dq 0x101000|x/16xg 0x101000
	setpmem 0x500000 4 0x12345678|store/p 0x500000 4 0x12345678
	eb 0x500010 0x41|store 0x500010 1 0x41
	ew 0x500012 0x4142|store 0x500012 2 0x4142
	ed 0x500014 -1|store 0x500014 4 -1
	eq 0x500018 0x1122334455667788|store 0x500018 8 0x1122334455667788
	xp/8xw 0x500000|xp/8xw 0x500000
	memsave 0x101000 16 $TMP/a|dump $TMP/a 0x101000 16
	pmemsave 0x101000 16 $TMP/a|dump/p $TMP/a 0x101000 16
	writemem $TMP/b 0x101000 16|dump $TMP/b 0x101000 16
	loadmem $TMP/b 0x500100|load $TMP/b 0x500100
	dump-guest-memory $TMP/nowhere/core|dump-core $TMP/nowhere/core
	inp 0x3fd|in 0x3fd
	inp/h 0x3fd|in/h 0x3fd
	o/b 0x80 1|out/b 0x80 1
	outp 0x80 2|out 0x80 2
	ldsym $TMP/nowhere|symbols load $TMP/nowhere
	slist check_f|info symbols check_f
	logfile $TMP/log|log file $TMP/log
	gdbserver nonsense|gdb start nonsense
	h calc|help calc
	END
}

pairs | cut -d'|' -f1 | sed 's/^/-/' >"$TMP/commands"
shell_script --serial null --clock icount demo <"$TMP/commands"
cp "$TMP/out" "$TMP/theirs"
pairs | cut -d'|' -f2 | sed 's/^/-/' >"$TMP/commands"
shell_script --serial null --clock icount demo <"$TMP/commands"
[ "$(wc -l <"$TMP/out")" -gt 100 ] && cmp -s "$TMP/theirs" "$TMP/out"
ok $? "each name does what the command here does" "$(diff "$TMP/theirs" "$TMP/out" | head -20)"
match 'store: |no Linux kernel|no VMX or SVM' "the comparison covers failures"
match '^breakpoint|^step at' "and stops"

shell_script --json <<'END'
help aliases
END
sed -n 's/.*"name":"\([^"]*\)".*/\1/p' "$TMP/out" | sed 's/ [[A-Z].*//' | sort >"$TMP/listed"
pairs | cut -d'|' -f1 >"$TMP/typed"
missing=$(while read -r name; do grep -q "^$name\\([ /]\\|\$\\)" "$TMP/typed" || echo "$name"; done <"$TMP/listed")
[ "$(wc -l <"$TMP/listed")" -gt 40 ] && [ -z "$missing" ]
ok $? "help aliases lists them, and no name goes untested" "$missing"
undocumented=$(while read -r name; do grep -qF "\`$name\`" "$TOP_SRCDIR/docs/shell.md" || echo "$name"; done <"$TMP/listed")
[ -z "$undocumented" ]
ok $? "docs/shell.md has each of them" "$undocumented"

shell_script --serial null demo <<END
help pmemsave
-pmemsave 1 2
-pmemsave 1 2 3 4
-setpmem/h 1 2 3
END
match '^pmemsave ADDRESS LENGTH FILE \(QEMU\): dump/p' "help explains a name"
match '^dump .*FILE ADDRESS LENGTH$' "and the command"
[ "$(grep -c '^usage: pmemsave ADDRESS LENGTH FILE (it means: dump/p' "$TMP/out")" -eq 2 ]
ok $? "too few and too many arguments are refused" "$(cat "$TMP/out")"
match '^usage: setpmem' "a format where there is none, too"

# Memory as text, there and back.
shell_script --serial null demo <<END
store/p 0x4fffe 1 0x48 0x65 0x6c 0x6c 0x6f 0
hexdump/p 0x4fffe 18
dump/ph $TMP/hex 0x4fff0 70000
dump/p $TMP/bin 0x4fff0 70000
load/ph $TMP/hex 0x600000
dump/p $TMP/again 0x64fff0 70000
-store 0x1000 1 256
-load/h $TMP/script
END
match '^0x0004fffe +48 65 6c 6c 6f 00 .*\|Hello\.' "hexdump shows bytes and text"
objcopy -I ihex -O binary "$TMP/hex" "$TMP/objcopied" && cmp -s "$TMP/bin" "$TMP/objcopied"
ok $? "dump/h writes what objcopy reads" "$(head -3 "$TMP/hex")"
cmp -s "$TMP/bin" "$TMP/again"
ok $? "load/h reads it, elsewhere"
match 'store: 256 does not fit into 1 byte' "store refuses what does not fit"
match 'load: .*: line 1 is no record of Intel HEX' "load/h refuses what is no Intel HEX"
