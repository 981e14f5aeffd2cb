#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Views and controls of VMX on a hypervisor in the guest (guests/hyper): stops at exits and at failed entries, what
# is shown of them, exits forced by hand, the screen.
. "$(dirname "$0")/guestlib.sh"
need
KERNEL=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/hyper/hyper.elf
[ -s "$KERNEL" ] || skip_all "no hyper.elf (make check builds it)"
run_guest 30 --memory 64M --no-reboot --cpu host,+vmx --kernel "$KERNEL" --append only=cpuid
[ "$status" -eq 1 ] || skip_all "no VMX in the processor"

plan 11
shell_script --memory 64M --no-reboot --cpu host,+vmx --kernel "$KERNEL" <<'END'
break-on exit hlt
c
info exits
vmcs-check
info vmcs changed
vmx force CPUID
info vmx
delete 1
break-on entry-failure
log vmx on
c
info vmx
info exit-log limit=300
END
match '^event 1 at .*<vmx_exit>' "break-on exit stops before the hypervisor's first instruction"
match '^exit HLT, qualification 0x0, at 0x' "and says which exit it was"
match '^HLT +12 +1 ' "info exits counts it"
match 'a VM entry would succeed' "vmcs-check finds nothing wrong"
match 'CPUID forced' "an exit is forced"
match '^entry-failure 7 .* at .*vmx_run' "break-on entry-failure stops at the instruction"
match '^last failure +check PIN_CONTROLS_RESERVED: PIN_CONTROLS is 0x80000016; required: .*27\.2\.1\.1' \
	"info vmx says check, field, value, rule and section"
match '^\[vmx\] VM entry failed: check PIN_CONTROLS_RESERVED: PIN_CONTROLS is' "so does the log"
match '^ *[0-9]+ +EPT_VIOLATION +0x[0-9a-f]+ .*physical 0x' "the log of exits decodes them"
"$VITRINE" tui --no-rc --dump vmx --size 120x40 --memory 64M --no-reboot --cpu host,+vmx --kernel "$KERNEL" \
	-c 'break-on exit ept_violation' -c c >"$TMP/out" 2>"$TMP/err"
[ "$(grep -cE 'root operation|EPT_VIOLATION|unrestricted guest|guest registers' "$TMP/out")" -ge 3 ]
ok $? "the screen has VMCS, exits and controls" "$(detail)"

# PDPTEs of a guest, which memory does not have any more: on in another process.
shell_script --memory 64M --no-reboot --cpu host,+vmx --kernel "$KERNEL" --append "only=pdptes mode=2" <<END2
break 0x1002
c
statehash
save-state $TMP/state
END2
hash=$(grep -E '^[0-9a-f]{16}$' "$TMP/out")
shell_script --memory 64M --no-reboot --cpu host,+vmx --kernel "$KERNEL" --append "only=pdptes mode=2" <<END2
load-state $TMP/state
statehash
c
END2
[ -n "$hash" ] && grep -qx "$hash" "$TMP/out" && grep -q 'hyper: done' "$TMP/out"
ok $? "a guest with PAE paging goes on from a saved state" "$(detail)"
