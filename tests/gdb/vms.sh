#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The plug-in's command vms: one gdb, several VMs, each an inferior.
. "$(dirname "$0")/gdblib.sh"
need_gdb
gdb -nx -batch -ex 'python print(1)' 2>/dev/null | grep -q '^1$' || skip_all "gdb has no Python"
plan 12
export XDG_RUNTIME_DIR="$TMP/run"
mkdir -p "$TMP/run/vitrine"
pids=
trap 'for p in $pids; do kill $p 2>/dev/null; done; wait; rm -rf "$TMP"' EXIT

# vm NAME ARGUMENT...: a VM of host "h" with a stub at $TMP/NAME
vm()
{
	name=$1
	shift
	timeout -k 5 200 "$VITRINE" run --wait-gdb --gdb "unix:$TMP/$name" --control "unix:$TMP/run/vitrine/h.$name.control" \
		"$@" </dev/null >"$TMP/$name.out" 2>&1 &
	pids="$pids $!"
	wait_socket "$TMP/$name"
	wait_socket "$TMP/run/vitrine/h.$name.control"
}
code "$TMP/one.bin" 40 40 eb fc    # 1: inc ax; inc ax; jmp 1b
code "$TMP/two.bin" 4a eb fd       # 1: dec dx; jmp 1b
vm one --flat "$TMP/one.bin@0x7c00"
vm two --flat "$TMP/two.bin@0x7c00"

run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine_gdb.py
vms $TMP/one $TMP/two
info inferiors
inferior 1
set \$eax = 0x11
stepi
print/x \$eax
inferior 2
set \$edx = 0x22
stepi
print/x \$edx
inferior 1
print/x \$eax
break *0x7c02
continue
vms
monitor info status
END
shows "^  1   $TMP/one *0x00007c00" "vms gives the first VM the current inferior"
shows "^\* 2   $TMP/two *0x00007c00" "and the second one a new one"
shows "^\* 2 .*process 1 .*2 (remote $TMP/two)\|^\* 2 .*remote $TMP/two" "gdb lists it"
shows '^\$1 = 0x12$' "a step in the first VM"
shows '^\$2 = 0x21$' "a step in the second one"
shows '^\$3 = 0x12$' "which changed nothing in the first"
shows "hit Breakpoint 1.*0x0*7c02" "a breakpoint stops the VM of the current inferior"
shows "^\* 1   $TMP/one *0x0*7c02" "vms lists where each is"

run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine_gdb.py
vms h
END
shows "^  1   h/one " "vms HOST finds the stubs of its VMs"
shows "^\* 2   h/two " "all of them"

run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine_gdb.py
vms $TMP/nosuch
vms nosuch
END
shows "vms: $TMP/nosuch: " "an address where nothing listens is one line"
run_gdb <<END
source $TOP_SRCDIR/gdbstub/vitrine_gdb.py
vms nosuch
END
shows "vms: no host 'nosuch'" "so is a host that there is not"
