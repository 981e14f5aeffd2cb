#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Port I/O by hand, the view of devices, checksums of memory.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 12

shell_script demo --serial null <<END
in 0x3fd
out/w 0xcf8 0x80000000
in/w 0xcfc
in/h 0xcfc
in 0xfffe
-out 0x80 0x100
-in/w 0xfffe
-in/x 0x80
dump/p $TMP/bytes 0x100000 70001
sum/p 0x100000 70001
info devices serial
-info devices nosuch
END
match '^port 0x3fd: 0x60$' "in reads a device's register"
match '^port 0xcfc: 0x12378086$' "out writes one: the host bridge's identity"
match '^port 0xcfc: 0x8086$' "sizes are the guest's"
match '^port 0xfffe: 0xff$' "a port without a device"
match 'out: 0x100 does not fit into 1 byte' "a value that is too large is refused"
match 'in: 0xfffe is no port' "so is an access that ends beyond the last port"
match 'in: /x is no size' "and a size that is none"
[ "$(sum -r "$TMP/bytes" | awk '{ print $1 + 0 }')" = "$(grep -x '[0-9]*' "$TMP/out")" ]
ok $? "sum is coreutils' sum -r" "$(cat "$TMP/out")"
match '^serial +vmm +3f8-3ff +- +1 ' "info devices counts the access by hand"
match 'there is no device of that name' "a device that is not there"

# What the device asks for happens when the guest runs.
shell_script demo --serial null <<END
out 0xf4 5
continue
END
match '^guest exited: status 11$' "the debug port ends the guest"
shell_script demo --serial null <<END
until kernel_main
out 0xcf9 6
tbreak kernel_main
continue
END
match '^breakpoint 1 at 0x[0-9a-f]+ <kernel_main>' "the reset port starts it again" "$(cat "$TMP/out")"
