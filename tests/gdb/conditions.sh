#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A conditional breakpoint that is hit 10,000 times, its condition evaluated by the stub and by gdb, with rates.
. "$(dirname "$0")/gdblib.sh"
need_gdb
plan 4

code "$TMP/count" 31 c0 40 eb fd        # xor eax, eax; 1: inc eax; jmp 1b
for where in target host; do
	start_guest --wait-gdb --flat "$TMP/count@0x100000"
	run_gdb <<END
set breakpoint condition-evaluation $where
target remote $SOCK
break *0x100002 if \$eax == 10000
python
import time
start = time.time()
gdb.execute("continue")
print("rate %.0f a second" % (10000 / (time.time() - start)))
end
print \$eax
info break
monitor info break
kill
END
	shows "^\$1 = 10000" "10,000 conditions evaluated by the $where"
	echo "# evaluated by the $where: $(grep ^rate "$TMP/out")"
	guest_status
	ok $? "the guest ends at kill" "status $status"
done
