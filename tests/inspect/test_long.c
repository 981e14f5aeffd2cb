/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands about a guest in IA-32e mode, on the fake machine: text in, text out. */
#include "inspect/session_int.h"
#include "tests/inspect/fake_machine.h"
#include "x86/descriptor.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* At ffffffff81001000: call 100d; nop; jmp 1000 ... 100d: push rbp; mov rbp, rsp; nop; pop rbp; ret (the fake
 * processor skips what it does not know byte by byte) */
static const uint8_t code[] = {
	0xe8, 0x08, 0,	  0,	0,	    /* 1000 call 100d */
	0x90,				    /* 1005 nop */
	0xeb, 0xf8,			    /* 1006 jmp 1000 */
	0x48, 0x8b, 0x05, 0xf1, 0x0f, 0, 0, /* 1008 mov rax, [rip + 0xff1] */
	0x90, 0xc3,			    /* 100f nop; ret */
	0x41, 0x54,			    /* 1011 push r12 */
	0x0f, 0x05,			    /* 1013 syscall */
};

struct run {
	struct machine *m;
	struct inspect *s;
	FILE *out;
	char *text;
	size_t len;
};

static void emit(void *ctx, const struct result *r)
{
	struct run *run = ctx;

	result_render(r, false, run->out);
	result_render_error(r, false, "! ", run->out);
}

static void begin(struct run *run)
{
	*run = (struct run){ .s = inspect_new(NULL) };
	run->out = open_memstream(&run->text, &run->len);
	run->m = fake_machine(code, sizeof(code));
	fake_machine_long(run->m);
	inspect_attach(run->s, &(struct inspect_machine){ .machine = run->m, .icount = true });
}

static void say(struct run *run, const char *line)
{
	struct inspect_sink sink = { .ctx = run, .emit = emit };

	inspect_exec(run->s, line, &sink);
}

static void end(struct run *run)
{
	machine_free(run->m);
	inspect_free(run->s);
	fclose(run->out);
	free(run->text);
}

/* Columns: lines, separated by newlines; their whole output. */
static const struct {
	const char *lines, *want;
} sessions[] = {
	/* values */
	{ "p/x $pc\np/x $rip\np/x $eip\np/x $rsp\nset $r8 = -1\np/x $r8\nset $eax = 1\nset $rax = 1 << 40\nset $ax = 2\n"
	  "p/x $rax\nset $gs_base = 0xffff888000001234\np/x $gs_base\nset $rip = 1 << 60\np/x $cr3\np/x [$gs_base - 0x234]\n"
	  "p/x {long}$pc\np/x {int}$pc",
	  "0xffffffff81001000\n"
	  "0xffffffff81001000\n"
	  "0x81001000\n"
	  "0xffffffff81008000\n"
	  "0xffffffffffffffff\n"
	  "0x10000000002\n"
	  "0xffff888000001234\n"
	  "! set: $rip: RIP is not canonical\n"
	  "0xa000\n"
	  "0xf8eb9000000008e8\n"
	  "0xf8eb9000000008e8\n"
	  "0x8e8\n" },
	{ "info registers general\ncreg\ninfo registers eax r9\nset $cr8 = 1\np $cr8\ninfo registers cr8",
	  "rax                    0x0                             0\n"
	  "rbx                    0x0                             0\n"
	  "rcx                    0x0                             0\n"
	  "rdx                    0x0                             0\n"
	  "rsi                    0x0                             0\n"
	  "rdi                    0x0                             0\n"
	  "rbp                    0x0                             0\n"
	  "rsp     0xffffffff81008000          18446744071578877952\n"
	  "r8                     0x0                             0\n"
	  "r9                     0x0                             0\n"
	  "r10                    0x0                             0\n"
	  "r11                    0x0                             0\n"
	  "r12                    0x0                             0\n"
	  "r13                    0x0                             0\n"
	  "r14                    0x0                             0\n"
	  "r15                    0x0                             0\n"
	  "rip     0xffffffff81001000          18446744071578849280\n"
	  "eflags                 0x2  IOPL=0                     2\n"
	  "cs                     0x8                             8\n"
	  "ss                     0x0                             0\n"
	  "ds                     0x0                             0\n"
	  "es                     0x0                             0\n"
	  "fs                     0x0                             0\n"
	  "gs                     0x0                             0\n"
	  "cpl                    0x0                             0\n"
	  "pc      0xffffffff81001000          18446744071578849280\n"
	  "cr0   0x80000011  PE ET PG         2147483665\n"
	  "cr2          0x0                            0\n"
	  "cr3       0xa000                        40960\n"
	  "cr4         0xa0  PAE PGE                 160\n"
	  "cr8          0x5                            5\n"
	  "efer       0xd01  SCE LME LMA NXE        3329\n"
	  "xcr0         0x1  X87                       1\n"
	  "eax  0x0  0\n"
	  "r9   0x0  0\n"
	  "! set: $cr8: this register is read-only\n"
	  "5  0x5\n"
	  "cr8  0x5  5\n" },
	/* linear and physical memory */
	{ "x/2xb 0xffffffff81001000\nx/xg 0xffff888000001000\nx/xw 0x1000\nx/xw 0x10000\nx/xw 1 << 47\nx/xw -4096\n"
	  "set [0x2000] = 0x1122334455667788\nx/2xw 0x2000\np/x *(u32)0x2004\np/x *0x2000\nxp/xb 0x1005",
	  "0xffffffff81001000  0xe8  0x08\n"
	  "0xffff888000001000  0xf8eb9000000008e8\n"
	  "0x00001000  0x000008e8\n"
	  "! cannot read memory at 0x10000\n"
	  "! x: 0x800000000000 is not an address of this guest\n"
	  "! cannot read memory at 0xfffffffffffff000\n"
	  "0x00002000  0x55667788  0x11223344\n"
	  "0x11223344\n"
	  "0x1122334455667788\n"
	  "0x00001005  0x90\n" },
	/* disassembly: by CS, and forced */
	{ "u/1 $pc + 8\nu/1w $pc + 8\nu/1h $pc + 8\nu/1g 0xffffffff81001011\nu/1b $pc\nx/2i 0xffffffff81001011",
	  "    0xffffffff81001008  488b05f10f0000  mov rax, [0xffffffff81002000]\n"
	  "    0xffffffff81001008  48  dec eax\n"
	  "    0xffffffff81001008  48  dec ax\n"
	  "    0xffffffff81001011  4154  push r12\n"
	  "! disassemble: /b is no size of code (h 16, w 32, g 64 bits)\n"
	  "    0xffffffff81001011  4154  push r12\n"
	  "    0xffffffff81001013  0f05  syscall\n" },
	/* page tables */
	{ "page 0x1234\npage 0xffffffff81012345\npage 0xffff88800000abcd\npage 0x10000\npage 0xffff888040000000\npage 1 << 47\n"
	  "gva2gpa 0xffffffff81012345\ngva2gpa 0xfff0000000000000\ninfo mem\ninfo mem x",
	  "Level  At           Entry  Flags\n"
	  "PML4E  0x0000a000  0xb007  P W U\n"
	  "PDPTE  0x0000b000  0xc007  P W U\n"
	  "PDE    0x0000c000  0xd007  P W U\n"
	  "PTE    0x0000d008  0x1067  P W U A D\n"
	  "0x00001234 -> 0x00001234, page of 4 KiB, urwx\n"
	  "Level  At           Entry  Flags\n"
	  "PML4E  0x0000aff8  0xf003  P W\n"
	  "PDPTE  0x0000fff0  0x9003  P W\n"
	  "PDE    0x00009040   0x1e3  P W A D PS/PAT G\n"
	  "0xffffffff81012345 -> 0x00012345, page of 2048 KiB, -rwx\n"
	  "Level  At                       Entry  Flags\n"
	  "PML4E  0x0000a888              0xe003  P W\n"
	  "PDPTE  0x0000e000  0x80000000000001e3  P W A D PS/PAT G NX\n"
	  "0xffff88800000abcd -> 0x0000abcd, page of 1048576 KiB, -rw-\n"
	  "Level  At           Entry  Flags\n"
	  "PML4E  0x0000a000  0xb007  P W U\n"
	  "PDPTE  0x0000b000  0xc007  P W U\n"
	  "PDE    0x0000c000  0xd007  P W U\n"
	  "PTE    0x0000d080     0x0\n"
	  "0x00010000 is not mapped\n"
	  "Level  At           Entry  Flags\n"
	  "PML4E  0x0000a888  0xe003  P W\n"
	  "PDPTE  0x0000e008     0x0\n"
	  "0xffff888040000000 is not mapped\n"
	  "! page: 0x800000000000 is not a linear address of this guest\n"
	  "gpa: 0x00012345\n"
	  "! gva2gpa: 0xfff0000000000000 is not a linear address of this guest\n"
	  "0000000000000000-0000000000010000 0000000000010000 urw\n"
	  "ffff888000000000-ffff888040000000 0000000040000000 -rw\n"
	  "ffffffff81000000-ffffffff81200000 0000000000200000 -rw\n"
	  "0000000000000000-0000000000010000 0000000000010000 urwx\n"
	  "ffff888000000000-ffff888040000000 0000000040000000 -rw-\n"
	  "ffffffff81000000-ffffffff81200000 0000000000200000 -rwx\n" },
	{ "info tlb", "0000000000000000: 0000000000000000 ---DA--UW\n"
		      "0000000000001000: 0000000000001000 ---DA--UW\n"
		      "0000000000002000: 0000000000002000 ---DA--UW\n"
		      "0000000000003000: 0000000000003000 ---DA--UW\n"
		      "0000000000004000: 0000000000004000 ---DA--UW\n"
		      "0000000000005000: 0000000000005000 ---DA--UW\n"
		      "0000000000006000: 0000000000006000 ---DA--UW\n"
		      "0000000000007000: 0000000000007000 ---DA--UW\n"
		      "0000000000008000: 0000000000008000 ---DA--UW\n"
		      "0000000000009000: 0000000000009000 ---DA--UW\n"
		      "000000000000a000: 000000000000a000 ---DA--UW\n"
		      "000000000000b000: 000000000000b000 ---DA--UW\n"
		      "000000000000c000: 000000000000c000 ---DA--UW\n"
		      "000000000000d000: 000000000000d000 ---DA--UW\n"
		      "000000000000e000: 000000000000e000 ---DA--UW\n"
		      "000000000000f000: 000000000000f000 ---DA--UW\n"
		      "ffff888000000000: 0000000000000000 XGPDA---W\n"
		      "ffffffff81000000: 0000000000000000 -GPDA---W\n" },
	/* points and steps */
	{ "b *0xffffffff81001005\nc\nsi 2\nni\np/x $rsp\ntb 1 << 50\nuntil *0xffffffff81001000\nsi\np/x [$rsp]\ndelete\nwatch -p 1 << 40 8\n"
	  "watch 0xfffffffffffffff8 16",
	  "break 1 at 0xffffffff81001005\n"
	  "breakpoint 1 at 0xffffffff81001005:  nop\n"
	  "step at 0xffffffff81001000:  call 0xffffffff8100100d\n"
	  "breakpoint 1 at 0xffffffff81001005:  nop\n"
	  "0xffffffff81008000\n"
	  "! tbreak: 0x4000000000000 is not an address of this guest\n"
	  "until at 0xffffffff81001000:  call 0xffffffff8100100d\n"
	  "step at 0xffffffff8100100d:  add [rax], al\n"
	  "0xffffffff81001005\n"
	  "! watch: this engine has no watchpoints\n"
	  "! watch: this engine has no watchpoints\n" },
	/* descriptor tables: system descriptors and gates have 16 bytes */
	{ "set $gdtr_base = 0x3000\nset $gdtr_limit = 0x3f\nset [0x3008] = 0x00af9b000000ffff\nset [0x3010] = 0x00cf93000000ffff\n"
	  "set [0x3018] = 0x00cffb000000ffff\nset [0x3020] = 0xa600891000002087\nset [0x3028] = 0xfffffe00\nset [0x3030] = 0x00affb000000ffff\n"
	  "info gdt\nset $idtr_base = 0x4000\nset $idtr_limit = 0x2f\nset [0x4000] = 0x81008e0000081234\nset [0x4008] = 0xffffffff\n"
	  "set [0x4010] = 0x8100ee0300081005\nset [0x4018] = 0xffffffff\ninfo idt\ninfo tss",
	  "Selector  Type                  Base                     Limit  DPL  Present                 Raw\n"
	  "     0x8  64-bit code readable  0x00000000          0xffffffff    0  yes        0xaf9b000000ffff\n"
	  "    0x10  32-bit data writable  0x00000000          0xffffffff    0  yes        0xcf93000000ffff\n"
	  "    0x18  32-bit code readable  0x00000000          0xffffffff    3  yes        0xcffb000000ffff\n"
	  "    0x20  64-bit TSS            0xfffffe00a6100000      0x2087    0  yes      0xa600891000002087\n"
	  "    0x30  64-bit code readable  0x00000000          0xffffffff    3  yes        0xaffb000000ffff\n"
	  "Vector  Type                         Selector  Offset              Symbol  DPL  Present\n"
	  "   0x0  64-bit interrupt gate             0x8  0xffffffff81001234  -         0  yes\n"
	  "   0x1  64-bit interrupt gate IST 3       0x8  0xffffffff81001005  -         3  yes\n"
	  "! info tss: no task register is loaded\n" },
	/* frame pointers */
	{ "set $rbp = 0xffffffff81007000\nset [0xffffffff81007000] = 0xffffffff81007100\nset [0xffffffff81007008] = 0xffffffff81001005\n"
	  "set [0xffffffff81007100] = 0\nset [0xffffffff81007108] = 0xffffffff81001005\nbt\nframe 2\np/x $frame\nx/i",
	  "#0 0xffffffff81001000 ??\n"
	  "#1 0xffffffff81001005 ?? (frame pointer)\n"
	  "#2 0xffffffff81001005 ?? (frame pointer)\n"
	  "#2 0xffffffff81001005 ?? (frame pointer)\n"
	  "0x0\n"
	  "    0xffffffff81001005  90  nop\n" },
};

START_TEST(command_output)
{
	char *lines = strdup(sessions[_i].lines), *save;
	struct run run;

	begin(&run);
	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		say(&run, line);
	fflush(run.out);
	ck_assert_str_eq(run.text, sessions[_i].want);
	end(&run);
	free(lines);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("long");
	Suite *su = suite_create("long");

	tcase_add_loop_test(tc, command_output, 0, ARRAY_LEN(sessions));
	suite_add_tcase(su, tc);
	return suite_run(su);
}
