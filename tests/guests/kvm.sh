#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The engine kvm: flat code and the demo guest on the host's KVM; breakpoints, steps, `info kvm`; what is hidden says so.
# What KVM refuses (32-bit paging on some hosts) runs on the translator, and the view says that, too.
. "$(dirname "$0")/guestlib.sh"
need
if ! { : >/dev/kvm; } 2>/dev/null; then
	skip_all "no /dev/kvm that this user may open"
fi
shell()
{
	timeout -k 5 60 "$VITRINE" shell --no-rc --engine kvm "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	status=$?
	clean_err
}

shows()
{
	grep -q -- "$1" "$TMP/out"
	ok $? "$2" "status $status; $(head -30 "$TMP/out"; cat "$TMP/err")"
}

refused()
{
	grep -qF -- "$1" "$TMP/err" && [ "$status" -ne 0 ] && [ "$(wc -l <"$TMP/err")" -eq 1 ]
	ok $? "$2" "status $status: $(cat "$TMP/err")"
}

# At 100000: print "kvm", set CR4.OSFXSR, double four numbers at 100080 with SSE2, read the APIC's identification and its MSR, and end
# with the sum (8) as the status: 17. HLT at 100042.
printf '\272\370\003\000\000\260\153\356\260\166\356\260\155\356\260\012\356\017\040\340\015\000\006\000\000\017\042\340\017\050\015\200\000\020\000\146\017\376\311\017\051\015\220\000\020\000\213\035\040\000\340\376\271\033\000\000\000\017\062\241\220\000\020\000\346\364\364' >"$TMP/code"
printf '\004\000\000\000\004\000\000\000\004\000\000\000\004\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' >"$TMP/data"
{
	cat "$TMP/code"
	dd if=/dev/zero bs=1 count=$((128 - $(wc -c <"$TMP/code"))) 2>/dev/null
	cat "$TMP/data"
} >"$TMP/flat"

run_guest 60 --engine kvm --flat "$TMP/flat@0x100000"
! grep -q "lacks what it takes" "$TMP/err" || skip_all "$(cat "$TMP/err")"
[ -z "${LONG:-}" ] || [ ! -s "$CACHE/bios-256k.bin" ] && n=21 || n=22
plan $n
[ "$status" -eq 17 ] && [ "$(cat "$TMP/out")" = kvm ] && [ ! -s "$TMP/err" ]
ok $? "flat code runs" "$(detail)"

shell --flat "$TMP/flat@0x100000" -c 'break *0x10000d' -c 'break *0x10003b' -c continue -c 'p $al' -c stepi -c 'p $pc' \
	-c continue -c 'p $ebx' -c 'p $eax' -c stepi -c stepi -c 'info kvm'
shows "breakpoint 1 at 0x0010000d" "a breakpoint by a debug register"
shows "^109 " "registers at the stop"
shows "^1048590 " "a step over an exit of its own (OUT) is one instruction"
shows "breakpoint 2 at 0x0010003b" "another breakpoint"
shows "^4276095232 " "the machine answers an MSR"
shows "^KVM *io " "info kvm counts exits"
shows "^KVM *mmio " "device memory"
shows "^KVM *rdmsr " "MSRs"

shell --flat "$TMP/flat@0x100000" -c 'watch *0x100090' -c continue -c 'p $pc' -c 'info kvm' -c delete -c continue
shows "^1048622 " "a watchpoint stops behind the store"
shows "^translator *points " "watchpoints are the translator's, and info kvm says so"

shell --flat "$TMP/flat@0x100000" -c 'break *0x10003b' -c continue -c "save-state $TMP/state" -c reset -c "load-state $TMP/state" -c 'p $pc' -c continue
shows "^1048635 " "a state saved and loaded"
[ "$status" -eq 17 ] && grep -q "status 17" "$TMP/out"
ok $? "it goes on from there" "$(cat "$TMP/out" "$TMP/err")"

# At 100000: store in each page from 2 MiB to 10 MiB, read all of them again, end with the number of those that are right / 128.
printf '\061\377\273\000\000\040\000\211\033\201\303\000\020\000\000\201\373\000\000\240\000\162\360\273\000\000\040\000\071\033\165\017\107\201\303\000\020\000\000\201\373\000\000\240\000\162\355\211\370\301\350\007\346\364\364' >"$TMP/pages"
run_guest 60 --engine kvm --memory 16M --machine-memory 8M --swap "$TMP/swap" --flat "$TMP/pages@0x100000"
[ "$status" -eq 33 ]
ok $? "memory that is swapped out and in again under KVM" "$(detail)"

for view in tc vmcs; do
	shell -c "info $view" demo
	[ "$(cat "$TMP/out" "$TMP/err")" = "info $view: hidden: the host's KVM executes this guest (info kvm)" ]
	ok $? "info $view is hidden, in one line" "$(cat "$TMP/out" "$TMP/err")"
done
shell -c ccf demo
grep -q "no translation cache" "$TMP/err" "$TMP/out"
ok $? "commands about translation say that there is none" "$(cat "$TMP/out" "$TMP/err")"

# Where KVM pages, the processor's own corners may differ from the model's (docs/architecture.md).
shell -c continue -c 'info kvm' demo
if grep -q "^translator *paging" "$TMP/out"; then
	grep -q "all checks passed" "$TMP/out"
else
	[ "$(grep -c PASS "$TMP/out")" -ge 45 ]
fi
ok $? "the demo guest" "$(grep -v PASS "$TMP/out"; cat "$TMP/err")"

if [ $n -eq 22 ] && grep -q "^translator *paging" "$TMP/out"; then
	skip "SeaBIOS boots a boot sector" "this host's KVM emulates real mode, too slowly for the time limits of a BIOS"
elif [ $n -eq 22 ]; then
	printf '\272\370\003\260\142\356\260\012\356\260\020\346\364' >"$TMP/floppy" # print "b", end with status 33
	dd if=/dev/zero bs=1 count=$((510 - $(wc -c <"$TMP/floppy"))) 2>/dev/null >>"$TMP/floppy"
	printf '\125\252' >>"$TMP/floppy"
	truncate -s 1474560 "$TMP/floppy"
	run_guest 300 --engine kvm --bios "$CACHE/bios-256k.bin" --boot-sector "$TMP/floppy"
	[ "$status" -eq 33 ] && grep -q "^b" "$TMP/out"
	ok $? "SeaBIOS boots a boot sector" "$(detail)"
fi

run_guest 20 --engine kvm --clock icount demo
refused "KVM counts no instructions" "--clock icount is refused in one line"
run_guest 20 --engine kvm --cpu haswell,+vmx demo
refused "VMX and SVM in the guest are the engine bt's" "a guest with VMX is refused in one line"
run_guest 20 --engine vmx demo
refused "--engine takes bt, vtx or kvm, not" "an engine that there is not is refused"
