#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Exceptions that end in a triple fault, in a few instructions of flat code.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 5

# mov ecx, 3; mov edi, 0x200000; rep stosb; nop; mov eax, -1; mov cr4, eax. There is no IDT.
printf '\271\003\000\000\000\277\000\000\040\000\363\252\220\270\377\377\377\377\017\042\340' >"$TMP/code"

# vit COMMANDS: the shell's output is in $TMP/out.
vit()
{
	shell_script --flat "$TMP/code@0x100000"
}

vit <<'END_OF_SCRIPT'
break-on exception
continue
print $pc
continue
END_OF_SCRIPT
match '^exception #GP at 0x00100012' "break-on exception stops at a fault that leads to a triple fault"
match ' 0x100012$' "at the instruction"
match '^guest died: triple fault at 0x100012: #GP\(0\) at 0x10:0x100012, #GP\(0x6b\) .*, #DF\(0\) .*, #GP\(0x43\)' \
	"which names all exceptions"

vit <<'END_OF_SCRIPT'
break-on exception df
continue
set $eip = 0x10000a
set $ecx = 2
stepi
END_OF_SCRIPT
match '^exception #DF at 0x00100012' "break-on exception stops at one that a delivery raised"
match '^step at 0x0010000a' "a guest that is moved elsewhere runs on"
