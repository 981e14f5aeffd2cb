/* SPDX-License-Identifier: GPL-3.0-or-later
 * A boot image of three sectors and what real-mode programs ask of a BIOS and a
 * processor. Prints one line for each through INT 10h: "NAME ok" or "NAME BAD".
 * Ends with "boot sector: done" and a loop that waits for a key (INT 16h). */
	.code16
	.text
	.globl _start
_start:	ljmp $0, $1f
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	movb %dl, drive
	movw $0x0003, %ax	/* text mode: a clear screen */
	int $0x10
	movw $hello, %si
	call puts

	/* INT 13h: the sectors behind this one */
	movw $0x0202, %ax
	movw $0x7e00, %bx
	movw $0x0002, %cx
	xorb %dh, %dh
	movb drive, %dl
	int $0x13
	movw $n_disk, %si
	jc 2f
	cmpl $0x5ec04d42, sector2_mark
	jmp 3f
2:	orw $1, %ax		/* not zero */
3:	call verdict
	cmpl $0x5ec04d42, sector2_mark
	je more
4:	hlt
	jmp 4b

/* SI: text. */
puts:	lodsb
	testb %al, %al
	jz 1f
	movb $0x0e, %ah
	movw $7, %bx
	int $0x10
	jmp puts
1:	ret

/* SI: name; ZF: verdict. */
verdict:
	pushfw
	call puts
	popfw
	movw $good, %si
	jz puts
	movw $bad, %si
	jmp puts

hello:	.asciz "Hello from the boot sector\r\n"
good:	.asciz " ok\r\n"
bad:	.asciz " BAD\r\n"
n_disk:	.asciz "int 13h read"
drive:	.byte 0
	.org 510
	.word 0xaa55

/* ---- the other sectors ---- */
more:
	cmpb $0xe0, drive
	jae cd
	/* AH=08h: geometry, and of a floppy its parameter table at ES:DI */
	xorw %di, %di
	movb $0x08, %ah
	movb drive, %dl
	int $0x13
	movw $n_geometry, %si
	jc 2f
	andb $63, %cl
	testb %dl, %dl
	jz 2f
	testb $0x80, drive
	jnz 1f
	cmpb $2, %es:3(%di)
	jne 3f
	cmpb %cl, %es:4(%di)
	jmp 3f
1:	cmpb $63, %cl
	jmp 3f
2:	orw $1, %ax
3:	call verdict
	xorw %ax, %ax
	movw %ax, %es

	/* AH=15h: a floppy without a change line, or a hard disk */
	movb $0x15, %ah
	movb drive, %dl
	int $0x13
	movw $n_type, %si
	jc 9f
	testb $0x80, drive
	movb $1, %al
	jz 1f
	movb $3, %al
1:	cmpb %al, %ah
	jmp 3f
9:	orw $1, %ax
3:	call verdict

	/* AH=41h, 42h: extensions of a hard disk, which a floppy lacks */
	movb $0x41, %ah
	movw $0x55aa, %bx
	movb drive, %dl
	int $0x13
	jc 1f
	cmpw $0xaa55, %bx
	jne 2f
	movw $packet, %si
	movb $0x42, %ah
	movb drive, %dl
	int $0x13
	jc 2f
	cmpl $0x5ec04d42, 0xa000 + 508
	jmp 3f
1:	testb $0x80, drive
	jmp 3f
2:	orw $1, %ax
3:	movw $n_extensions, %si
	call verdict

	/* AH=03h: a sector is written, or protected */
	movw $0x0301, %ax
	movw $0x7e00, %bx
	movw $0x0005, %cx
	xorb %dh, %dh
	movb drive, %dl
	int $0x13
	movw $n_protected, %si
	jc 1f
	movw $0x0201, %ax
	movw $0xa000, %bx
	int $0x13
	movl 0x7e00, %eax
	cmpl 0xa000, %eax
	movw $n_write, %si
	jmp 2f
1:	testb $0x80, drive
	jz 3f
	cmpb %al, %al		/* of a hard disk SeaBIOS tells no reason */
	jmp 2f
3:	cmpb $3, %ah
2:	call verdict
	jmp rest

	/* AX=4B01h: how the CD was started; AH=42h: its boot image again */
cd:	movw $0x4b01, %ax
	movw $0xa000, %si
	movb drive, %dl
	int $0x13
	movw $n_torito, %si
	jc 1f
	cmpw $0x0013, 0xa000
	jne 2f
	movb drive, %al
	cmpb %al, 0xa002
	jne 2f
	movl 0xa004, %eax
	movl %eax, packet + 8
	movw $packet, %si
	movb $0x42, %ah
	movb drive, %dl
	int $0x13
	movw $n_torito, %si
	jc 1f
	movl 0x7c00, %eax
	cmpl %eax, 0xa000
	jmp 2f
1:	orw $1, %ax
2:	call verdict

rest:
	/* INT 15h E820: at least two entries, the first from 0 */
	xorl %ebx, %ebx
	movw $0x9000, %di
	xorw %bp, %bp
1:	movl $0xe820, %eax
	movl $0x534d4150, %edx
	movl $24, %ecx
	int $0x15
	jc 2f
	cmpl $0x534d4150, %eax
	jne 2f
	incw %bp
	addw $24, %di
	testl %ebx, %ebx
	jnz 1b
2:	cmpw $2, %bp
	movw $n_e820, %si
	jb 3f
	cmpl $0, 0x9000
	je 3f
	orw $1, %bp
3:	call verdict

	/* to protected mode and back, with a 4 GiB DS kept: unreal mode */
	cli
	lgdt gdtr
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmp $8, $1f
1:	movw $0x10, %bx
	movw %bx, %ds
	ljmpl $0x18, $1f
	.code32
1:	movl $0x12345678, 0x180000
	movl 0x180000, %edx
	ljmp $8, $2f
	.code16
2:	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $0, $3f
3:	xorw %ax, %ax
	movw %ax, %ds		/* its limit stays 4 GiB */
	movw %ax, %es
	movw %ax, %ss
	sti
	movl $0x180000, %eax
	cmpl $0x12345678, (%eax)
	movw $n_unreal, %si
	call verdict
	cmpl $0x12345678, %edx
	movw $n_prot, %si
	call verdict

	/* timer interrupts reach the BIOS data area */
	movl 0x46c, %eax
	movw $0xffff, %cx
1:	hlt
	cmpl 0x46c, %eax
	loope 1b
	setne %al
	cmpb $1, %al
	movw $n_timer, %si
	call verdict

	/* a single step by TF, through vector 1 */
	movw $trap, 4
	movw $0, 6
	pushfw
	orb $1, 1(%esp)
	popfw
	nop
	cmpb $1, trapped
	movw $n_trap, %si
	call verdict

	/* the BIOS segment cannot be written */
	movw $0xf000, %ax
	movw %ax, %fs
	movl %fs:0, %eax
	notl %eax
	movl %eax, %fs:0
	notl %eax
	cmpl %fs:0, %eax
	movw $n_rom, %si
	call verdict

	movw $done, %si
	call puts
	xorw %ax, %ax		/* INT 16h: wait for a key, then show it */
	int $0x16
	movb %al, key
	movw $n_key, %si
	call puts
1:	hlt
	jmp 1b

trap:	movb $1, trapped
	pushw %bp
	movw %sp, %bp
	andb $0xfe, 7(%bp)	/* TF off in the frame */
	popw %bp
	iretw

n_geometry: .asciz "int 13h geometry"
n_type:	.asciz "int 13h drive type"
n_extensions: .asciz "int 13h extensions"
n_protected: .asciz "int 13h write protection"
n_write: .asciz "int 13h write"
n_torito: .asciz "el torito"
packet:	.byte 16, 0
	.word 1, 0xa000, 0
	.quad 2
n_e820:	.asciz "int 15h e820"
n_unreal: .asciz "unreal mode"
n_prot:	.asciz "protected mode and back"
n_timer: .asciz "timer interrupts"
n_trap:	.asciz "single step"
n_rom:	.asciz "read-only bios"
done:	.asciz "boot sector: done\r\n"
n_key:	.ascii "key "
key:	.byte 0
	.asciz "\r\n"
trapped: .byte 0
	.balign 8
gdt:	.quad 0, 0x00009b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdtr:	.word gdtr - gdt - 1
	.long gdt
	.org 1532
sector2_mark:
	.long 0x5ec04d42
	.section .note.GNU-stack, "", @progbits
