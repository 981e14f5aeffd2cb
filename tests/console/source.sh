#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Source lines and demangled names: a kernel with debug information, compiled here, and one with symbols of C++.
. "$(dirname "$0")/../guests/guestlib.sh"
need
command -v gcc >/dev/null || skip_all "gcc is missing"
plan 23

cp "$TOP_SRCDIR/docs/examples/hang.c" "$TMP/hang.c"
# DWARF 4 and 5, and without .debug_aranges: which unit has an address is found in any case.
for dwarf in 4 5; do
	(cd "$TMP" && gcc -m32 -O1 -g -gdwarf-$dwarf -ffreestanding -mgeneral-regs-only -nostdlib -static \
		-Wl,-Ttext=0x100000 hang.c -o hang$dwarf.elf && objcopy -R .debug_aranges hang$dwarf.elf) 2>"$TMP/err"
	ok $? "the example compiles (DWARF $dwarf)" "$(cat "$TMP/err")"
done

line()
{
	grep -n "$1" "$TMP/hang.c" | head -1 | cut -d: -f1
}
WORK=$(line 'work++')
RELEASE=$(line '__sync_lock_release')
FOREVER=$(line 'for (;;)')

vit()
{
	shell_script --kernel "$TMP/hang4.elf" --serial null
}

vit <<END_OF_SCRIPT
break hang.c:$WORK
continue
list
list
backtrace
next
step
delete
break hang.c:$((FOREVER - 4))
tbreak nosuch.c:1
END_OF_SCRIPT
match "^break 1 at 0x[0-9a-f]+ kernel_main\+0x" "a breakpoint at a source line"
match "^hang.c:$WORK  work\+\+;" "a stop shows the line"
match " *$WORK  => +work\+\+;" "list marks it"
match " *$((WORK - 5)) " "and shows what is in front of it"
match " *$((WORK + 7)) " "another list goes on"
match "^#0 0x[0-9a-f]+ kernel_main\+0x[0-9a-f]+ hang.c:$WORK" "frames have lines"
match "^#1 0x[0-9a-f]+ _start\+0x[0-9a-f]+ hang.c:[0-9]+ \(" "so do callers"
match "^hang.c:$RELEASE  __sync_lock_release" "next goes to the line of an inlined function"
match "^hang.c:$((WORK + 2))  if \(work" "step goes on from there"
match "^line [0-9]+ of hang.c is the next that has code" "a line without code: the next one is taken, and named"
grep -q 'tbreak: no code at line 1 of nosuch.c or behind it' "$TMP/out" "$TMP/err"
ok $? "an unknown file is refused" "$(cat "$TMP/err")"

vit <<END_OF_SCRIPT
x/i hang.c:$WORK
until hang.c:$WORK
continue -j
END_OF_SCRIPT
match "^=?> *\*? *0x[0-9a-f]+ +kernel_main|^ +0x[0-9a-f]+ +kernel_main" "x takes a source line"
match "^until at 0x[0-9a-f]+ <kernel_main" "until takes one, too"

# The file elsewhere.
mkdir -p "$TMP/moved" && mv "$TMP/hang.c" "$TMP/moved/hang.c"
vit <<END_OF_SCRIPT
until hang.c:$WORK
-list
symbols sources $TMP/moved
list
END_OF_SCRIPT
grep -q "list: cannot read $TMP/hang.c (symbols sources DIRECTORY says where it is)" "$TMP/out" "$TMP/err"
ok $? "list says which file it cannot read" "$(cat "$TMP/out" "$TMP/err")"
match "^hang.c:$WORK$" "a stop has the line without its text"
match " *$WORK  => +work\+\+;" "symbols sources finds it"

# Names of C++ and Rust.
cat >"$TMP/names.s" <<'END'
	.text
	.long 0x1badb002, 0, -0x1badb002
	.globl _start
_start:	call _ZN6Kernel4Heap8allocateEmb
	call _RNvNtCs1234_7mycrate3foo3bar
1:	hlt
	jmp 1b
	.type _ZN6Kernel4Heap8allocateEmb, @function
_ZN6Kernel4Heap8allocateEmb: ret
	.type _RNvNtCs1234_7mycrate3foo3bar, @function
_RNvNtCs1234_7mycrate3foo3bar: ret
END
as --32 "$TMP/names.s" -o "$TMP/names.o" && ld -m elf_i386 -Ttext=0x100000 "$TMP/names.o" -o "$TMP/names.elf" 2>/dev/null
shell_script --kernel "$TMP/names.elf" --serial null <<END
break Kernel::Heap::allocate
break _RNvNtCs1234_7mycrate3foo3bar
continue
backtrace
continue
print Kernel::Heap::allocate == _ZN6Kernel4Heap8allocateEmb ? 7 : 8
symbols save $TMP/saved.map
END
match '^break 1 at 0x[0-9a-f]+ Kernel::Heap::allocate$' "a breakpoint at a C++ function"
match '^break 2 at 0x[0-9a-f]+ mycrate::foo::bar$' "at a Rust function, by its mangled name"
match '^#0 0x[0-9a-f]+ Kernel::Heap::allocate$' "frames have demangled names"
match '^7  0x7$' "an expression takes either name"
grep -q ' T _ZN6Kernel4Heap8allocateEmb$' "$TMP/saved.map"
ok $? "symbols save writes the names of the file"
