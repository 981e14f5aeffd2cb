#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Broken images and wrong options: one line on stderr, status 125 (cannot run) or 2 (usage).
. "$(dirname "$0")/guestlib.sh"
need
cd "$TMP" || exit 1

# Little-endian words as bytes: words W...
words()
{
	for w in "$@"; do
		printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $((w & 255)) $((w >> 8 & 255)) $((w >> 16 & 255)) $((w >> 24 & 255)))"
	done
}

# wrong STATUS NAME WORD...: vitrine WORD... ends with STATUS, one line, nothing on stdout.
wrong()
{
	want=$1 name=$2
	shift 2
	timeout -k 2 100 "$VITRINE" "$@" </dev/null >"$TMP/out" 2>"$TMP/err"
	status=$?
	clean_err
	[ "$status" -eq "$want" ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] && [ ! -s "$TMP/out" ]
	ok $? "$name" "$(detail)"
}

cannot()
{
	name=$1
	shift
	wrong 125 "$name" run --timeout 5 --memory 16M "$@"
}

# tells TEXT FILE: as a kernel FILE is refused, with TEXT.
tells()
{
	cannot "kernel: $2: $1" --kernel "$2" --cpu "${3:-host}"
	grep -qF -- "$1" err
	ok $? "says so: $2: $1" "$(detail)"
}

# at OFFSET BYTES FILE: overwrite, BYTES as for printf.
at()
{
	printf "$2" | dd of="$3" bs=1 seek=$(($1)) conv=notrunc 2>dd
}

# bzimage XLOADFLAGS ENTRY FILE: a header of protocol 2.12, XLOADFLAGS and ENTRY as bytes.
bzimage()
{
	head -c 8192 /dev/zero >"$3"
	at 0x1f1 '\004' "$3"
	at 0x1fe '\125\252\353\152HdrS\014\002' "$3"
	at 0x211 '\001' "$3"
	at 0x214 "$2" "$3"
	at 0x236 "$1" "$3"
}

# multiboot FLAGS [FIELD...]: a header with a right checksum, padded to 8 KiB.
multiboot()
{
	flags=$1
	shift
	words 0x1badb002 "$flags" $((-(0x1badb002 + flags) & 0xffffffff)) "$@"
	head -c 8192 /dev/zero
}

# elf PHOFF PHNUM PHENTSIZE TYPE OFFSET VADDR PADDR FILESZ MEMSZ: a 32-bit ELF with one
# program header at 52 and a Multiboot header at 128.
elf()
{
	printf '\177ELF\001\001\001\000\000\000\000\000\000\000\000\000'
	words 0x00030002 1 0x100000 "$1" 0 0 $((52 | $3 << 16)) "$2" 0
	words "$4" "$5" "$6" "$7" "$8" "$9" 7 4096
	head -c 44 /dev/zero
	words 0x1badb002 0 $((-0x1badb002 & 0xffffffff))
	head -c 1000 /dev/zero
}

: >empty
head -c 100000 /dev/zero >zeros
seq 20000 >text
mkdir directory
head -c 20000000 /dev/zero >large
mkfifo pipe
multiboot 0x00010000 0x100000 0x100000 0 0 0x100000 >kludge
multiboot 0x00010000 0x100000 0x200000 0 0 0x100000 >kludge-load-behind-header
multiboot 0x00010000 0x40000000 0x100000 0 0 0x100000 >kludge-header-far
multiboot 0x00010000 0x100000 0x100000 0x90000000 0 0x100000 >kludge-truncated
multiboot 0x00010000 0x100000 0x100000 0x1000 0 0x100000 >kludge-end-first
multiboot 0x00010000 0x100000 0x100000 0 0xffffffff 0x100000 >kludge-bss
multiboot 0x00010000 0xffffff00 0xffffff00 0 0 0 >kludge-high
multiboot 0x00010000 0x90000 0x90000 0 0 0 >kludge-over-info
multiboot 0x0000ffff >flags
multiboot 0 >no-elf
multiboot 0x00010000 | head -c 12 >short
elf 52 1 32 1 0 0x100000 0x100000 0x100 0x1000 >elf-good
elf 52 1 32 1 0xfffff000 0x100000 0x100000 0x100 0x1000 >elf-offset
elf 52 1 32 1 0 0x100000 0x100000 0xffffffff 0xffffffff >elf-filesz
elf 52 1 32 1 0 0x100000 0xfffff000 0x100 0x10000 >elf-wraps
elf 52 1 32 1 0 0x100000 0x100000 0x100 0xf0000000 >elf-memsz
elf 52 1 32 1 0 0x100000 0x100000 0x200 0x100 >elf-memsz-small
elf 52 1 32 6 0 0x100000 0x100000 0x100 0x1000 >elf-nothing
elf 0xfffffff0 1 32 1 0 0x100000 0x100000 0x100 0x1000 >elf-phoff
elf 52 65535 32 1 0 0x100000 0x100000 0x100 0x1000 >elf-phnum
elf 52 1 31 1 0 0x100000 0x100000 0x100 0x1000 >elf-phentsize
elf 52 1 32 1 0 0x100000 0x90000 0x100 0x1000 >elf-over-info

bzimage '\011' '\000\000\020\000' bzimage-64 # as memtest86+'s for 64 bits
bzimage '\000' '\000\000\000\000' lkrn # as iPXE's
cp elf-good elf-64
at 4 '\002' elf-64
at 18 '\076' elf-64
at 32 '\100\000\000\000\000\000\000\000' elf-64
at 54 '\070\000\000\000' elf-64
cp elf-64 elf-64-alone
at 128 '\000' elf-64-alone
cp elf-good elf-32-alone
at 128 '\000' elf-32-alone
head -c 1048576 /dev/zero >rom
at 0xffff0 '\352\133\340\000\360' rom
multiboot 0x00010000 0xfff00000 0xfff00000 0 0 0xfff00000 | cat - rom | head -c 1048576 >rom-multiboot
at 0xffff0 '\372\374\351' rom-multiboot
head -c 65536 /dev/zero >option-rom
at 0 '\125\252\100' option-rom
head -c 1474560 /dev/zero >floppy
at 0x1fe '\125\252' floppy
head -c 10485760 /dev/zero >disk
at 0x1fe '\125\252' disk
cp disk cd
at 0x8001 CD001 cd
{ words 0xe85250d6 0 24 $((-(0xe85250d6 + 24) & 0xffffffff)); head -c 5000 /dev/zero; } >multiboot2
head -c 4096 /dev/zero >efi
at 0 MZ efi
at 0x3c '\200' efi
at 0x80 PE efi
printf '\037\213\010\000' >gzip

images="kludge-load-behind-header kludge-header-far kludge-truncated kludge-end-first kludge-bss kludge-high
kludge-over-info flags no-elf short elf-offset elf-filesz elf-wraps elf-memsz elf-memsz-small elf-nothing elf-phoff elf-phnum
elf-phentsize elf-over-info empty zeros text directory missing pipe /dev/null /proc/self/mem"
linux=
[ -s "$CACHE/linux-686" ] && linux=$CACHE/linux-686

plan $(($(echo $images | wc -w) + 38 + 9 + 2 * 14 + 3))

# The images that the generators make correctly start (and fault on their zeros).
for good in kludge elf-good; do
	timeout -k 2 100 "$VITRINE" run --timeout 1 --no-reboot --memory 16M --kernel $good </dev/null >out 2>err
	status=$?
	[ $status -eq 124 ] || [ $status -eq 126 ]
	ok $? "starts: $good" "$(detail)"
done
for i in $images; do
	cannot "kernel: $i" --kernel "$i"
done

# A file for another option, or for another processor, is recognized.
for i in bzimage-64 elf-64; do
	tells "needs a 64-bit processor (--cpu MODEL,+lm)" $i pentium3
done
tells "64-bit ELF file without a Multiboot header or PVH's note" elf-64-alone
tells "real-mode entry only" lkrn
tells "32-bit ELF file without a Multiboot header or PVH's note" elf-32-alone
tells "a firmware ROM; use --bios" rom
tells "a firmware ROM; use --bios" rom-multiboot
tells "option ROM" option-rom
tells "floppy disk; use --floppy" floppy
tells "a disk; use --disk" disk
tells "a CD; use --cdrom" cd
tells "Multiboot 2 header, but not an x86 ELF file" multiboot2
tells "UEFI" efi
tells "unpack it first" gzip

for i in empty directory missing large; do
	cannot "initrd of a Multiboot kernel: $i" --kernel elf-good --initrd $i
	cannot "flat: $i" --flat $i@0x100000
done
cannot "boot sector: empty" --boot-sector empty
cannot "boot sector: directory" --boot-sector directory
cannot "boot sector: missing" --boot-sector missing
cannot "BIOS: text" --boot-sector zeros --bios text
cannot "BIOS: missing" --boot-sector zeros --bios missing
cannot "flat above memory" --flat zeros@0x2000000
cannot "flat above 4 GiB" --flat zeros@0x100000000
cannot "unknown entry" --kernel elf-good --entry 65
cannot "entry of another kind" --kernel elf-good --entry pvh
cannot "flat at the very end" --flat zeros@0xffffffff
cannot "command line too long" --kernel elf-good --append "$(head -c 5000 /dev/zero | tr '\0' x)"
wrong 125 "memory: too little" run --memory 64K --timeout 5 demo
wrong 125 "memory: too much" run --memory 64G --timeout 5 demo
wrong 125 "machine memory smaller than the guest's" run --memory 64M --machine-memory 1M --timeout 5 demo
(ulimit -f 8; exec timeout -k 2 100 "$VITRINE" run --memory 16M --timeout 5 demo) </dev/null >out 2>err
status=$?
[ $status -eq 125 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "File too large" err
ok $? "files limited to less than guest memory" "$(detail)"
wrong 125 "translation cache too small" run --tc-size 4K --timeout 5 demo
wrong 125 "unknown processor" run --cpu abacus --timeout 5 demo
wrong 2 "engine that is not there" run --engine vt demo
wrong 125 "serial to a directory" run --serial file:directory --timeout 5 demo
wrong 2 "unknown option" run --frobnicate demo
wrong 2 "option without its argument" run demo --memory
wrong 2 "unknown face" frob demo
wrong 2 "no guest" run
wrong 2 "two guests" run --kernel elf-good demo
wrong 2 "initrd alone" run --initrd zeros demo
wrong 2 "bad size" run --memory 12Q demo
wrong 2 "size zero" run --memory 0 demo
wrong 2 "bad time" run --timeout nan demo
wrong 2 "bad clock" run --clock sundial demo

# A guest that polls a missing device (mov eax, [0xd0000000]; test al, 1; jnz) runs into its time limit: the line says so.
printf '\241\000\000\000\320\250\001\165\367' >polls
wrong 124 "a guest that polls missing memory" run --timeout 2 --memory 16M --flat polls@0x100000
grep -qF "the guest polls 0xd0000000" err
ok $? "the line names the address" "$(detail)"

# Truncated Linux kernels, at every stage of the loader.
n=0
for bytes in 512 600 1024 4096 15000 16384 100000 1000000; do
	n=$((n + 1))
	if [ -z "$linux" ]; then
		skip "Linux cut to $bytes bytes" "no linux-686: guests/fetch could not fetch it"
		continue
	fi
	head -c $bytes "$linux" >cut
	timeout -k 2 100 "$VITRINE" run --timeout 5 --no-reboot --memory 64M --kernel cut </dev/null >out 2>err
	status=$?
	clean_err
	# A kernel long enough to be entered may fail inside the guest.
	[ $status -eq 125 ] || { [ $bytes -ge 16384 ] && { [ $status -eq 126 ] || [ $status -eq 124 ]; }; }
	r=$?
	[ "$(wc -l <err)" -eq 1 ] && [ $r -eq 0 ]
	ok $? "Linux cut to $bytes bytes" "$(detail)"
done
if [ -n "$linux" ]; then
	head -c 200000000 /dev/zero >large
	wrong 125 "initrd larger than memory" run --timeout 5 --memory 128M --kernel "$linux" --initrd large
else
	skip "initrd larger than memory" "no linux-686"
fi
