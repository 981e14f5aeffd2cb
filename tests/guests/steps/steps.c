/* SPDX-License-Identifier: GPL-3.0-or-later
 * A 32-bit Linux program without a C library that prints which debug traps a processor takes: a child runs
 * the pieces of traps.S, which set TF themselves, its parent sets the debug registers and prints a line for
 * every stop, until the HLT that ends the piece. The lines are the same on every processor of a family: on
 * the host, and under a Linux kernel in a virtual machine. */
typedef unsigned int u32;
typedef unsigned char u8;

enum {
	SYS_EXIT = 1,
	SYS_FORK = 2,
	SYS_WRITE = 4,
	SYS_GETPID = 20,
	SYS_PTRACE = 26,
	SYS_KILL = 37,
	SYS_WAITPID = 7
};
enum { SYS_MMAP2 = 192, SYS_PIPE = 42 };
enum {
	PT_TRACEME,
	PT_PEEKUSR = 3,
	PT_POKEUSR = 6,
	PT_CONT = 7,
	PT_KILL = 8,
	PT_GETREGS = 12,
	PT_GETSIGINFO = 0x4202
};
enum { SIGSTOP = 19, SIGTRAP = 5 };
enum { DEBUGREG = 252 }; /* offset of u_debugreg in struct user */

struct regs {
	u32 ebx, ecx, edx, esi, edi, ebp, eax, ds, es, fs, gs, orig_eax, eip, cs, eflags, esp, ss;
};

static u32 sys(u32 n, u32 a, u32 b, u32 c, u32 d)
{
	u32 r;

	asm volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return r;
}

/* ---- output ---- */

static char line[160];
static u32 len;

static void text(const char *s)
{
	while (*s && len < sizeof(line))
		line[len++] = *s++;
}

static void number(u32 v, u32 base)
{
	char digits[12];
	u32 n = sizeof(digits);

	digits[--n] = 0;
	do
		digits[--n] = "0123456789abcdef"[v % base];
	while ((v /= base));
	text(digits + n);
}

static void flush(void)
{
	text("\n");
	sys(SYS_WRITE, 1, (u32)line, len, 0);
	len = 0;
}

/* ---- cases ---- */

enum where { NONE, CODE, SOURCE, SECOND, CELL, CELL4 }; /* of the breakpoint */
struct piece {
	const char *name;
	const u8 *code, *end, *at;
	enum where where;
	u32 kind; /* 0 on code, 1 on writes, 3 on accesses */
};

#define PIECE(id, ...) extern const u8 id[], id##_end[];
#define AT(id) extern const u8 id##_at[];
#include "tests/guests/steps/pieces.def"
#undef PIECE
#undef AT

static const struct piece pieces[] = {
#define PIECE(id, where, kind, at) { #id, id, id##_end, at, where, kind },
#define AT(id)
#include "tests/guests/steps/pieces.def"
#undef PIECE
#undef AT
};

static struct {
	u8 from[64], to[64];
	u32 cell[4];
} data __attribute__((aligned(4096)));
static u8 *edge; /* a page that is mapped, above one that is not */

static void prepare(const struct piece *p)
{
	for (u32 i = 0; i < sizeof(data.from); i++)
		data.from[i] = data.to[i] = (u8)(i + 1);
	data.to[2] = 0xff;
	asm volatile("movl %%ss, %0" : "=r"(data.cell[0]));
	if (p->kind == 3 && p->code == (const u8 *)0)
		data.cell[0] = 0;
}

static void run(const struct piece *p)
{
	int is_enter = p->name[0] == 'e';
	u32 edi = is_enter ? (u32)edge + 12 : (u32)data.to;

	asm volatile("xorl %%ebp, %%ebp; xorl %%eax, %%eax; cld; jmp *%%edx"
		     :
		     : "S"(data.from), "D"(edi), "b"(data.cell), "d"(p->code), "c"(0)
		     : "memory");
	__builtin_unreachable();
}

static void child(const struct piece *p)
{
	prepare(p);
	sys(SYS_PTRACE, PT_TRACEME, 0, 0, 0);
	sys(SYS_KILL, sys(SYS_GETPID, 0, 0, 0, 0), SIGSTOP, 0, 0);
	run(p);
}

static int set_breakpoint(u32 pid, const struct piece *p)
{
	u32 at = p->where == CODE     ? (u32)p->at
		 : p->where == SOURCE ? (u32)data.from
		 : p->where == SECOND ? (u32)&data.to[1]
		 : p->where == CELL   ? (u32)&data.cell[0]
				      : (u32)&data.cell[1];
	u32 size = p->where == CELL || p->where == CELL4 ? 3 : 0;

	if (p->where == NONE)
		return 0;
	if (sys(SYS_PTRACE, PT_POKEUSR, pid, DEBUGREG, at))
		return -1;
	return (int)sys(SYS_PTRACE, PT_POKEUSR, pid, DEBUGREG + 28, 1 | p->kind << 16 | size << 18);
}

static void show(const struct piece *p, u32 pid, u32 sig)
{
	static const struct regs none;
	struct regs r = none;
	u32 dr6 = 0, si[32] = { 0 };

	sys(SYS_PTRACE, PT_GETREGS, pid, 0, (u32)&r);
	sys(SYS_PTRACE, PT_PEEKUSR, pid, DEBUGREG + 24, (u32)&dr6);
	sys(SYS_PTRACE, PT_GETSIGINFO, pid, 0, (u32)si);
	text(p->name);
	text(" signal ");
	number(sig, 10);
	text(".");
	number(si[2] & 0xff, 10);
	text(" +");
	number(r.eip - (u32)p->code, 10);
	text(" ecx ");
	number(r.ecx, 16);
	if (p->name[0] != 'e') {
		text(" edi +");
		number(r.edi - (u32)data.to, 10);
	}
	text(" dr6 ");
	number(dr6 & 0xe00f, 16);
	text(" flags ");
	number(r.eflags & 0x10dd5, 16);
	if (p->name[0] == 'e') {
		text(" esp ");
		number(r.esp - (u32)edge, 16);
		text(" ebp ");
		number(r.ebp ? (r.ebp - (u32)edge) & 0xffff : 0, 16);
	}
	flush();
	sys(SYS_PTRACE, PT_POKEUSR, pid, DEBUGREG + 24, 0);
}

/* Run one piece to its end: the HLT, another fault, or too many stops. */
static void trace(const struct piece *p)
{
	u32 pid = sys(SYS_FORK, 0, 0, 0, 0), status = 0;

	if (!pid)
		child(p);
	sys(SYS_WAITPID, pid, (u32)&status, 0, 0);
	if (set_breakpoint(pid, p)) {
		text(p->name);
		text(": no debug registers");
		flush();
	}
	for (u32 i = 0; i < 20; i++) {
		sys(SYS_PTRACE, PT_CONT, pid, 0, 0);
		if (sys(SYS_WAITPID, pid, (u32)&status, 0, 0) != pid || (status & 0xff) != 0x7f)
			break;
		show(p, pid, status >> 8 & 0xff);
		if ((status >> 8 & 0xff) != SIGTRAP)
			break;
	}
	sys(SYS_KILL, pid, 9, 0, 0);
	sys(SYS_WAITPID, pid, (u32)&status, 0, 0);
}

static u8 *map_edge(void)
{
	struct {
		u32 addr, len, prot, flags, fd, off;
	} m = { 0, 3 * 4096, 3, 0x22, (u32)-1, 0 };
	u32 at = sys(90, (u32)&m, 0, 0, 0); /* the old mmap */

	sys(91, at + 4096, 4096, 0, 0); /* munmap */
	return (u8 *)at + 2 * 4096;
}

void __attribute__((force_align_arg_pointer)) _start(void)
{
	edge = map_edge();
	for (u32 i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		trace(&pieces[i]);
	text("steps: done");
	flush();
	sys(SYS_EXIT, 0, 0, 0, 0);
}
