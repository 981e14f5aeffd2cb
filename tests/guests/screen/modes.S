/* SPDX-License-Identifier: GPL-3.0-or-later
 * A boot sector that sets one mode after the other by INT 10h, draws a little in each, says so on the serial
 * port ("mode 1"...) and waits for a key. */
	.code16
	.globl	_start
_start:
	ljmp	$0, $start
start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	cld
	call	unreal

	movw	$0x12, %ax		/* 1: 640x480, 16 colours; a pixel by the BIOS */
	int	$0x10
	movw	$0x0c04, %ax
	movw	$100, %cx
	movw	$50, %dx
	int	$0x10
	call	done

	movw	$0x13, %ax		/* 2: 320x200, 256 colours: ten lines */
	int	$0x10
	movb	$2, %al
	movw	$3200, %cx
	call	fill
	call	done

	movw	$0x0604, %ax		/* 3: mode X: the same unchained; every fourth pixel of lines 10-19 */
	movw	$0x3c4, %dx
	outw	%ax, %dx
	movw	$0x0014, %ax
	movw	$0x3d4, %dx
	outw	%ax, %dx
	movw	$0xe317, %ax
	outw	%ax, %dx
	movw	$0x0202, %ax
	movw	$0x3c4, %dx
	outw	%ax, %dx
	movw	$800, %di
	movb	$4, %al
	movw	$800, %cx
	call	fill_from
	call	done

	movw	$0x0101, %bx		/* 4: VBE, 640x480, 256 colours, through the window; its third bank */
	call	vbe
	movw	$0x4f05, %ax
	xorw	%bx, %bx
	movw	$2, %dx
	int	$0x10
	movb	$1, %al
	movw	$640, %cx
	call	fill
	call	done

	movw	$0x4f01, %ax		/* 5: VBE, 800x600, 16 bits, frame buffer where the BIOS says */
	movw	$0x114, %cx
	xorw	%di, %di
	movw	%di, %es
	movw	$0x8000, %di
	int	$0x10
	movw	$0x4114, %bx
	call	vbe
	movl	0x8028, %edi
	movl	$800 * 10, %ecx
1:	movw	$0x07e0, %fs:(%edi)
	addl	$2, %edi
	loopl	1b
	call	done

	movw	$0x0102, %bx		/* 6: VBE, 800x600, 16 colours; a pixel by the BIOS */
	call	vbe
	movw	$0x0c02, %ax
	movw	$700, %cx
	movw	$500, %dx
	int	$0x10
	call	done

	movw	$3, %ax			/* 7: text again */
	int	$0x10
	movw	$0x0e41, %ax
	int	$0x10
	call	done
1:	hlt
	jmp	1b

vbe:	movw	$0x4f02, %ax
	int	$0x10
	ret

fill:	xorw	%di, %di
fill_from:
	pushw	$0xa000
	popw	%es
	rep stosb
	ret

/* Say the number of the mode, and wait for a key. */
done:	incb	number
	movw	$text, %si
1:	lodsb
	testb	%al, %al
	jz	2f
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	1b
2:	xorw	%ax, %ax
	int	$0x16
	ret

/* Give FS all 4 GiB. */
unreal:	cli
	lgdt	gdtr
	movl	%cr0, %eax
	incw	%ax
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %fs
	decw	%ax
	movl	%eax, %cr0
	sti
	movw	%ds, %bx
	ret

	.balign	8
gdt:	.quad	0, 0x00cf92000000ffff
gdtr:	.word	. - gdt - 1
	.long	gdt
text:	.ascii	"mode "
number:	.ascii	"0\r\n\0"

	.org	510
	.word	0xaa55
