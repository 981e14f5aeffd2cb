#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Views and controls of SVM on a hypervisor in the guest (guests/hyper): stops at #VMEXITs and at failed VMRUNs, what
# is shown of them, exits forced by hand, the screen, gdb's function; a state saved in guest mode, under either extension.
. "$(dirname "$0")/guestlib.sh"
need
KERNEL=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/hyper/hyper.elf
[ -s "$KERNEL" ] || skip_all "no hyper.elf (make check builds it)"
machine="--memory 64M --no-reboot --cpu host,+svm --kernel $KERNEL"
run_guest 30 $machine --append only=cpuid
[ "$status" -eq 1 ] || skip_all "no SVM in the processor"

plan 18
shell_script $machine <<'END'
break-on exit vmexit-hlt
c
info exits
vmcb-check
info vmcb changed
svm force CPUID
info svm
info npt 0x1234
vmcb-write ASID 0
vmcb-check
vmcb-write ASID 1
delete 1
break-on entry-failure
log svm on
c
info exit-log limit=300
info vmcb EXIT_CODE
END
match '^event 1 at .*<svm_run' "break-on exit stops behind VMRUN"
match '^exit HLT, EXITINFO1 0x0, at 0x' "and says which exit it was"
match '^HLT +120 +1 ' "info exits counts it"
match 'VMRUN would enter the guest' "vmcb-check finds nothing wrong"
match 'CPUID forced' "an exit is forced"
match '^address +\. PTE ' "info npt walks the nested tables"
match '^ASID_ZERO +controls +15\.5\.1 +ASID +0x0 +fails' "vmcb-check says check, section, field and value"
match '^entry-failure ASID_ZERO \(check ASID_ZERO: ASID is 0x0; required: the guest.s ASID is not 0 \(APM vol\. 2 15\.5\.1\); #VMEXIT INVALID\) at .*svm_run' \
	"break-on entry-failure says check, field, value, rule and section in one line"
match '^\[svm\] VMRUN failed: check ASID_ZERO: ASID is' "so does the log"
match '^ *[0-9]+ +NPF +0x[0-9a-f]+ .*page at 0x' "the log of exits decodes them"
match '^#VMEXIT information .*VMRUN failed a check' "the VMCB has the code"
"$VITRINE" tui --no-rc --dump vmx --size 150x44 $machine -c 'break-on exit npf' -c c >"$TMP/out" 2>"$TMP/err"
[ "$(grep -cE 'VMCB 0x[0-9a-f]+, host|NPF|nested paging enabl|guest segments' "$TMP/out")" -ge 4 ]
ok $? "the screen has VMCB, exits and controls" "$(detail)"

# gdb's function, over the stub.
if command -v gdb >/dev/null && gdb -nx -batch -ex 'set architecture i386' >/dev/null 2>&1; then
	timeout -k 5 60 "$VITRINE" run --wait-gdb --gdb "unix:$TMP/gdb" --serial null $machine </dev/null >/dev/null 2>"$TMP/err" &
	guest=$!
	wait_socket "$TMP/gdb"
	timeout -k 5 60 gdb -nx -q -batch -iex 'set auto-load off' "$KERNEL" -ex 'set remotetimeout 60' \
		-ex "target remote $TMP/gdb" -ex "source $TOP_SRCDIR/gdbstub/vitrine_gdb.py" \
		-ex 'monitor break-on exit npf' -ex continue -ex 'print /x $vitrine_vmcb("EXIT_CODE")' -ex kill \
		>"$TMP/out" 2>&1 </dev/null
	grep -q '= 0x400$' "$TMP/out"
	ok $? "gdb: \$vitrine_vmcb() reads a field" "$(tail -5 "$TMP/out")"
	kill "$guest" 2>/dev/null
	wait "$guest" 2>/dev/null
else
	skip "gdb: \$vitrine_vmcb() reads a field" "no gdb"
fi

# saved_in_guest EXTENSION: at the first instruction of a guest of the guest.
saved_in_guest()
{
	printf 'tbreak 0x1000\nc\ninfo virt\nstatehash\nsave-state %s\nrun-icount 9000000\nstatehash\n' "$TMP/state" >"$TMP/x"
	timeout 60 "$VITRINE" shell --no-rc --clock icount --serial null $machine --cpu "host,+$1" -x "$TMP/x" </dev/null >"$TMP/out" 2>&1
	grep -E "^operation +(guest|non-root)" "$TMP/out" >/dev/null
	ok $? "$1: a guest runs" "$(cat "$TMP/out")"
	grep -E "^[0-9a-f]+ at icount" "$TMP/out" >"$TMP/want"
	printf 'load-state %s\nstatehash\nrun-icount 9000000\nstatehash\nreset\ninfo virt\n' "$TMP/state" >"$TMP/x"
	timeout 60 "$VITRINE" shell --no-rc --clock icount --serial null $machine --cpu "host,+$1" -x "$TMP/x" </dev/null >"$TMP/out" 2>&1
	grep -E "^[0-9a-f]+ at icount" "$TMP/out" | cmp -s - "$TMP/want" && [ "$(grep -c . "$TMP/want")" -eq 2 ]
	ok $? "$1: loaded in another process, it goes on exactly so" "$(cat "$TMP/want" "$TMP/out")"
}

saved_in_guest svm
grep -qE "^operation +host" "$TMP/out"
ok $? "a reset leaves the guest" "$(cat "$TMP/out")"
saved_in_guest vmx
