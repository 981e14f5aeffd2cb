/* SPDX-License-Identifier: GPL-3.0-or-later
 * Processor checks in which paging plays no part: exceptions, flags,
 * segments, old instructions, floating point, time. */
#include "guests/demo/kernel.h"

extern u8 code16[], code16_end[], v86_code[], v86_code_end[];
void enter_v86(void *);
extern u8 div_here[], ud_here[];

static u8 buf[64] __attribute__((aligned(64)));
static u16 gs_sel;

static void do_fld(void *arg);

#define LOAD_FAULT(reg, sel) asm volatile("movw %w0, %%" #reg : : "r"(sel))

static bool caught_is(u32 vec, u32 err)
{
	return caught.vec == vec && caught.err == err;
}

/* ---- exceptions ---- */

static void do_div(void *arg)
{
	(void)arg;
	asm volatile(".globl div_here\ndiv_here: divl %%ecx" : : "a"(1), "d"(0), "c"(0));
}

static void do_div_overflow(void *arg)
{
	(void)arg;
	asm volatile("idivb %%cl" : : "a"(0x8000), "c"(1));
}

static const char *check_divide(void)
{
	if (!catch_fault(do_div, NULL) || !caught_is(0, 0) || caught.eip != (u32)div_here)
		return "division by zero";
	if (caught.eax != 1 || caught.ecx != 0)
		return "registers at the fault";
	if (!catch_fault(do_div_overflow, NULL) || !caught_is(0, 0))
		return "IDIV overflow";
	return NULL;
}

static void do_ud(void *arg)
{
	(void)arg;
	asm volatile(".globl ud_here\nud_here: ud2");
}

static void do_lock_nop(void *arg)
{
	(void)arg;
	asm volatile(".byte 0xf0, 0x90"); /* LOCK on a form that does not allow it */
}

static void do_too_long(void *arg)
{
	(void)arg;
	asm volatile(".rept 15\n.byte 0x26\n.endr\nnop"); /* 16 bytes */
}

static const char *check_ud(void)
{
	if (!catch_fault(do_ud, NULL) || !caught_is(6, 0) || caught.eip != (u32)ud_here)
		return "UD2";
	if (!catch_fault(do_lock_nop, NULL) || !caught_is(6, 0))
		return "LOCK NOP";
	if (!catch_fault(do_too_long, NULL) || !caught_is(13, 0))
		return "16-byte instruction";
	return NULL;
}

static void do_bad_selector(void *arg)
{
	(void)arg;
	LOAD_FAULT(es, 0xfff8);
}

static void do_data_tr(void *arg)
{
	(void)arg;
	asm volatile("int $0x80; ltr %w1" : : "a"(SYS_GETPID), "r"(SEL_KDATA));
}

static void do_user_stack(void *arg)
{
	(void)arg;
	LOAD_FAULT(ss, SEL_UDATA);
}

static const char *check_gp(void)
{
	if (!catch_fault(do_bad_selector, NULL) || !caught_is(13, 0xfff8))
		return "selector outside the GDT";
	if (!catch_fault(do_data_tr, NULL) || !caught_is(13, SEL_KDATA))
		return "LTR of a data segment";
	if (!catch_fault(do_user_stack, NULL) || !caught_is(13, SEL_UDATA & ~3))
		return "a user's segment in SS";
	return NULL;
}

static void do_bound(void *arg)
{
	static const int range[2] = { 10, 20 };

	asm volatile("bound %0, %1" : : "r"((int)arg), "m"(range));
}

static const char *check_software_traps(void)
{
	u32 before = bp_traps;

	asm volatile("int3");
	asm volatile("movb $0x7f, %%al; addb $1, %%al; into" : : : "eax", "cc");
	asm volatile("xorl %%eax, %%eax; into" : : : "eax", "cc");
	if (bp_traps != before + 2)
		return "INT3 and INTO";
	if (catch_fault(do_bound, (void *)15) || catch_fault(do_bound, (void *)10) ||
	    catch_fault(do_bound, (void *)20))
		return "BOUND inside";
	if (!catch_fault(do_bound, (void *)21) || !caught_is(5, 0))
		return "BOUND outside";
	return NULL;
}

static const char *check_single_step(void)
{
	u32 before = db_traps;

	asm volatile("pushfl; orl $0x100, (%%esp); popfl\n"
		     "nop; nop; movl $3, %%ecx\n1: loop 1b\n"
		     "pushfl; andl $~0x100, (%%esp); popfl"
		     :
		     :
		     : "ecx", "cc", "memory");
	/* NOP NOP MOV LOOP*3 PUSHF AND POPF */
	return db_traps - before == 9 ? NULL : "number of #DB";
}

/* ---- flags and old instructions ---- */

static const char *check_flags(void)
{
	u32 f, g;

	asm volatile("pushl $0x246dd7; andl $~0x7300, (%%esp); popfl; pushfl; popl %0; cld"
		     : "=r"(f)
		     :
		     : "cc");
	if ((f & 0xcd5) != 0xcd5 - (0xcd5 & ~0x246dd7u))
		return "POPF and PUSHF";
	asm volatile("movb $0xd5, %%ah; sahf; movl $0, %%eax; lahf; movzbl %%ah, %0"
		     : "=r"(g)
		     :
		     : "eax", "cc");
	if (g != 0xd7)
		return "SAHF and LAHF";
	asm volatile("stc; movl $0x80000000, %0; rcll $1, %0; movl $0, %1; adcl $0, %1"
		     : "=&r"(f), "=&r"(g)
		     :
		     : "cc");
	if (f != 1 || g != 1)
		return "RCL and carry";
	asm volatile("clc; cmc; .byte 0xd6" : "=a"(f) : "a"(0x1100) : "cc"); /* SALC */
	return (f & 0xff) == 0xff ? NULL : "SALC";
}

struct bcd_row {
	u8 al, ah, flags_in, op;
	u8 al_out, ah_out, cf;
};
enum { DAA, DAS, AAA, AAS, AAM, AAD };

static u32 bcd(u8 op, u32 ax, u8 flags, u8 *cf)
{
	u32 fl;

#define BCD(name, text)                                                                                      \
	case name:                                                                                           \
		asm volatile("movb %b2, %%ch; xchgb %%ah, %%ch; sahf; xchgb %%ah, %%ch; " text               \
			     "; pushfl; popl %1"                                                             \
			     : "+a"(ax), "=&d"(fl)                                                           \
			     : "b"(flags)                                                                    \
			     : "ecx", "cc");                                                                 \
		break
	switch (op) {
		BCD(DAA, "daa");
		BCD(DAS, "das");
		BCD(AAA, "aaa");
		BCD(AAS, "aas");
		BCD(AAM, "aam");
	default:
		BCD(AAD, "aad");
	}
	*cf = fl & 1;
	return ax & 0xffff;
}

static const char *check_bcd(void)
{
	static const struct bcd_row rows[] = {
		{ 0x9a, 0x00, 0x00, DAA, 0x00, 0x00, 1 }, { 0x35, 0x00, 0x10, DAA, 0x3b, 0x00, 0 },
		{ 0x99, 0x00, 0x01, DAA, 0xf9, 0x00, 1 }, { 0x0f, 0x00, 0x00, DAS, 0x09, 0x00, 0 },
		{ 0x35, 0x00, 0x11, DAS, 0xcf, 0x00, 1 }, { 0x0b, 0x01, 0x00, AAA, 0x01, 0x02, 1 },
		{ 0x05, 0x01, 0x00, AAA, 0x05, 0x01, 0 }, { 0xff, 0x03, 0x00, AAS, 0x09, 0x02, 1 },
		{ 0x4d, 0x00, 0x00, AAM, 0x07, 0x07, 2 }, { 0x05, 0x03, 0x00, AAD, 0x23, 0x00, 2 },
	};

	for (unsigned i = 0; i < LEN(rows); i++) {
		u8 cf;
		u32 ax = bcd(rows[i].op, rows[i].al | rows[i].ah << 8, rows[i].flags_in, &cf);

		if (ax != (u32)(rows[i].al_out | rows[i].ah_out << 8) ||
		    (rows[i].cf < 2 && cf != rows[i].cf)) {
			print("[row %u: ax %x cf %u] ", i, ax, cf);
			return "result";
		}
	}
	return NULL;
}

static const char *check_old_instructions(void)
{
	static const u8 table[256] = { [7] = 77 };
	static const struct {
		u32 off;
		u16 sel;
	} far = { 0x1234, SEL_KDATA };
	u32 a, b, c;

	asm volatile("pushal; movl $0, %%esi; movl $0, %%edi; movl $0, %%ebp; popal; movl %%esp, %0; pushal; "
		     "movl 12(%%esp), %1; addl $32, %%esp"
		     : "=&r"(a), "=&r"(b));
	if (a != b)
		return "PUSHA's ESP";
	asm volatile("xlatb" : "=a"(a) : "b"(table), "a"(7));
	if ((a & 0xff) != 77)
		return "XLAT";
	asm volatile("enter $16, $0; movl %%ebp, %0; subl %%esp, %0; leave" : "=&r"(a));
	if (a != 16)
		return "ENTER and LEAVE";
	asm volatile("lfsl %2, %0; movl %%fs, %1; pushl %%ds; popl %%fs" : "=r"(a), "=r"(b) : "m"(far));
	if (a != 0x1234 || (b & 0xffff) != SEL_KDATA)
		return "LFS";
	a = 5, b = 7, c = 5;
	asm volatile("lock; cmpxchgl %2, %1; lock; xaddl %0, %1" : "+a"(c), "+m"(a), "+r"(b) : : "cc");
	if (a != 12 || c != 7)
		return "CMPXCHG and XADD";
	asm volatile("movl $0x12345678, %0; bswap %0; bsfl %0, %1; shldl $4, %0, %1"
		     : "=&r"(a), "=&r"(b)
		     :
		     : "cc");
	return a == 0x78563412 && b == 0x17 ? NULL : "BSWAP, BSF and SHLD";
}

static const char *check_cmpxchg8b(void)
{
	u64 m = 0x1122334455667788ull;
	u8 equal;

	if (!(features_edx & 1 << 8))
		return NULL;
	asm volatile("lock; cmpxchg8b %0; setz %1"
		     : "+m"(m), "=q"(equal)
		     : "a"(0x55667788), "d"(0x11223344), "b"(1), "c"(2)
		     : "cc");
	return equal && m == 0x200000001ull ? NULL : "exchange";
}

/* ---- segments ---- */

static u32 gs_read(u32 off)
{
	u32 v;

	asm volatile("movl %%gs:(%1), %0" : "=r"(v) : "r"(off) : "memory");
	return v;
}

static u8 gs_read8(u32 off)
{
	u8 v;

	asm volatile("movb %%gs:(%1), %0" : "=q"(v) : "r"(off) : "memory");
	return v;
}

/* A caught fault leaves GS flat: reload the segment each time. */
static void do_gs_read(void *off)
{
	asm volatile("movw %w0, %%gs" : : "r"(gs_sel));
	gs_read((u32)off);
}

static void do_gs_write(void *off)
{
	asm volatile("movw %w0, %%gs" : : "r"(gs_sel));
	asm volatile("movl %0, %%gs:(%0)" : : "r"(off) : "memory");
}

static void do_gs_load(void *sel)
{
	LOAD_FAULT(gs, (u32)sel);
}

static bool read_faults(u32 off, u32 vec, u32 err)
{
	return catch_fault(do_gs_read, (void *)off) && caught_is(vec, err);
}

/* Make SEL_TEST the given data segment and load it into GS. */
static void test_segment(u32 base, u32 limit, u32 attr)
{
	gdt[SEL_TEST / 8] = descriptor(base, limit, attr);
	gs_sel = SEL_TEST;
	asm volatile("movw %w0, %%gs" : : "r"(gs_sel) : "memory");
}

static const char *limits(void)
{
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)i;
	test_segment((u32)buf, 15, A_DATA | A_32);
	if (gs_read(0) != 0x03020100 || gs_read(12) != 0x0f0e0d0c)
		return "reads inside the limit";
	if (!read_faults(13, 13, 0) || !read_faults(16, 13, 0) || !read_faults(0xfffffffe, 13, 0))
		return "reads past the limit";
	test_segment((u32)buf, 15, 0x90 | A_32);
	if (gs_read(4) != 0x07060504 || !catch_fault(do_gs_write, (void *)4) || !caught_is(13, 0))
		return "a read-only segment";
	test_segment((u32)buf - 0x1000, 0xfff, 0x96 | A_32);
	if (gs_read(0x1004) != 0x07060504 || !read_faults(0xffc, 13, 0))
		return "an expand-down segment";
	gs_sel = 0;
	return read_faults(0, 13, 0) ? NULL : "the null selector";
}

static const char *check_limits(void)
{
	const char *wrong = limits();

	asm volatile("movw %w0, %%gs" : : "r"(SEL_KDATA));
	return wrong;
}

static const char *check_bases(void)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)i;
	for (u32 i = 0; i < 32 && !wrong; i++) {
		test_segment((u32)buf + i, 0xfffff, A_DATA | A_32 | A_PAGES);
		if (gs_read8(2) != i + 2 || gs_read8(0u - i) != 0)
			wrong = "base address";
	}
	asm volatile("movw %w0, %%gs" : : "r"(SEL_KDATA));
	gdt[SEL_TEST / 8] = descriptor(0, 15, 0x12);
	if (!wrong && (!catch_fault(do_gs_load, (void *)SEL_TEST) || !caught_is(11, SEL_TEST)))
		wrong = "a segment not present";
	return wrong;
}

static u64 other_gdt[GDT_ENTRIES];

static void use_gdt(const u64 *table, u32 bytes)
{
	struct pseudo_desc d = { (u16)(bytes - 1), (u32)table };

	asm volatile("lgdt %0" : : "m"(d));
}

/* Repeat one load, by MOV and by POP. */
static u8 reloaded(bool pop, u32 off)
{
	u32 before, after;

	asm volatile("movl %%esp, %0" : "=r"(before));
	if (pop)
		asm volatile("pushl %0; popl %%gs" : : "r"(SEL_TEST) : "memory");
	else
		asm volatile("movw %w0, %%gs" : : "r"(SEL_TEST) : "memory");
	asm volatile("movl %%esp, %0" : "=r"(after));
	return before == after ? gs_read8(off) : 0xff;
}

/* Reload a selector that is already loaded, while its descriptor and table change now and then. */
static const char *reloads(bool pop)
{
	u32 attr = (A_DATA | 1) | A_32 | A_PAGES; /* accessed: the processor need not write the descriptor */

	for (u32 i = 0; i < 64; i++) {
		gdt[SEL_TEST / 8] = descriptor((u32)buf + i / 8, 0xfffff, attr);
		other_gdt[SEL_TEST / 8] = descriptor((u32)buf + 32, 0xfffff, attr);
		use_gdt(i % 16 == 15 ? other_gdt : gdt, sizeof(gdt));
		if (reloaded(pop, 2) != (i % 16 == 15 ? 34 : i / 8 + 2))
			return i % 16 == 15 ? "another table" : "a changed descriptor";
	}
	use_gdt(gdt, SEL_TEST);
	if (!catch_fault(do_gs_load, (void *)SEL_TEST) || !caught_is(13, SEL_TEST))
		return "a table cut short";
	use_gdt(gdt, sizeof(gdt));
	for (u32 i = 0; i < 8; i++)
		reloaded(pop, 0);
	gdt[SEL_TEST / 8] &= ~(0x80ull << 40);
	if (!catch_fault(do_gs_load, (void *)SEL_TEST) || !caught_is(11, SEL_TEST))
		return "a descriptor not present any more";
	return NULL;
}

static const char *check_reloads(void)
{
	const char *wrong;

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)i;
	memcpy(other_gdt, gdt, sizeof(gdt));
	wrong = reloads(false);
	if (!wrong)
		wrong = reloads(true);
	use_gdt(gdt, sizeof(gdt));
	asm volatile("movw %w0, %%gs" : : "r"(SEL_KDATA));
	return wrong;
}

/* ---- repeated queries ---- */

/* One instruction at one place each, repeated after changes: an earlier result must not be returned again. */
static u32 __attribute__((noinline)) cpuid_here(u32 leaf, u32 sub, u32 out[4])
{
	asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(sub));
	return out[2];
}

static u64 __attribute__((noinline)) rdmsr_here(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static void __attribute__((noinline)) write_cr0_here(u32 v)
{
	asm volatile("movl %0, %%cr0" : : "r"(v) : "memory");
}

static const char *cpuid_again(void)
{
	u32 first[4], now[4], cr4 = read_cr4(), none[4];

	cpuid_here(0, 0, first);
	for (u32 i = 0; i < 32; i++) {
		u32 on = i >> 1 & 1 ? 1u << 18 : 0; /* CR4.OSXSAVE, which leaf 1 shows */

		cpuid_here(0, i & 4 ? i : 0, now);
		if (memcmp(now, first, sizeof(now)))
			return "CPUID leaf 0";
		cpuid_here(0xffffffff, 0xffffffff, none);
		if (!(cpuid_here(1, 0, now) & 1 << 26))
			continue;
		write_cr4((cr4 & ~(1u << 18)) | on);
		if ((cpuid_here(1, 0, now) & 1 << 27) != on << 9)
			return "CPUID leaf 1 after a change of CR4";
	}
	write_cr4(cr4);
	return NULL;
}

static const char *rdmsr_again(void)
{
	u32 esp = (u32)rdmsr_here(0x175), want = esp;
	u64 eip = rdmsr_here(0x176);
	const char *wrong = NULL;

	for (u32 i = 0; i < 32; i++) {
		if (i % 4 == 3)
			wrmsr(0x175, want = esp + i);
		if (rdmsr_here(0x175) != want || rdmsr_here(i & 8 ? 0x176 : 0x175) != (i & 8 ? eip : want))
			wrong = "RDMSR";
	}
	wrmsr(0x175, esp);
	return wrong;
}

static const char *cr0_again(void)
{
	u32 cr0 = read_cr0();
	const char *wrong = NULL;

	for (u32 i = 0; i < 32; i++) {
		u32 ts = i >> 2 & 1 ? 8 : 0;

		write_cr0_here((cr0 & ~8u) | ts);
		if ((read_cr0() & 8) != ts || catch_fault(do_fld, NULL) != !!ts)
			wrong = "CR0.TS";
		asm volatile("clts");
		if (i & 1)
			write_cr0_here((cr0 & ~8u) | ts);
		if ((read_cr0() & 8) != (i & 1 ? ts : 0))
			wrong = "CLTS";
	}
	write_cr0(cr0);
	return wrong;
}

static const char *check_again(void)
{
	const char *wrong = cr0_again();

	if (!wrong && features_edx)
		wrong = cpuid_again();
	if (!wrong && have_sysenter)
		wrong = rdmsr_again();
	return wrong;
}

static const char *check_lar_lsl(void)
{
	u32 ar, lim;
	u8 zf;

	gdt[SEL_TEST / 8] = descriptor(0x1000, 0x12, A_DATA | A_32 | A_PAGES);
	asm volatile("larl %2, %0; lsll %2, %1" : "=&r"(ar), "=&r"(lim) : "r"(SEL_TEST) : "cc");
	if ((ar & 0xf0ff00) != 0xc09200 || lim != 0x12fff)
		return "LAR and LSL";
	asm volatile("verw %w1; setz %0" : "=q"(zf) : "r"(SEL_KCODE) : "cc");
	if (zf)
		return "VERW of code";
	asm volatile("verr %w1; setz %0" : "=q"(zf) : "r"(SEL_KCODE) : "cc");
	return zf ? NULL : "VERR of code";
}

static u32 far_call(u16 sel, u32 off)
{
	struct {
		u32 off;
		u16 sel;
	} __attribute__((packed)) to = { off, sel };
	u32 a = 0xabcdffff;

	asm volatile("lcall *%1" : "+a"(a) : "m"(to) : "ecx", "edx", "ebx", "cc", "memory");
	return a;
}

static void do_far_call(void *off)
{
	far_call(SEL_LDT_CODE & ~3u, (u32)off);
}

static const char *check_ldt_call(void)
{
	static const u8 body[] = { 0xb8, 0x34, 0x12, 0, 0, 0xcb }; /* mov $0x1234, %eax; lret */

	memcpy(buf, body, sizeof(body));
	ldt[0] = descriptor((u32)buf, sizeof(body) - 1, A_CODE | A_32);
	asm volatile("lldt %w0" : : "r"(SEL_LDT));
	if (far_call(SEL_LDT_CODE & ~3u, 0) != 0x1234)
		return "call";
	return NULL;
}

static const char *check_code_limit(void)
{
	memset(buf, 0x90, sizeof(buf));
	ldt[0] = descriptor((u32)buf, 20, A_CODE | A_32);
	asm volatile("lldt %w0" : : "r"(SEL_LDT));
	if (!catch_fault(do_far_call, (void *)21) || !caught_is(13, 0) || caught.cs != SEL_KCODE)
		return "call past the limit";
	if (!catch_fault(do_far_call, (void *)16) || !caught_is(13, 0) || caught.eip != 21)
		return "running into the limit";
	return NULL;
}

static const char *check_code16(void)
{
	u32 ax, cx = 0xffff0003, dx;
	struct {
		u32 off;
		u16 sel;
	} __attribute__((packed)) to = { 0, SEL_CODE16 };

	gdt[SEL_CODE16 / 8] = descriptor((u32)code16, (u32)(code16_end - code16) - 1, A_CODE);
	asm volatile("lcall *%3"
		     : "=a"(ax), "+c"(cx), "=d"(dx)
		     : "m"(to), "a"(0xabcdffff), "d"(0x77770000)
		     : "ebx", "cc", "memory");
	return ax == 0xabcd0002 && cx == 0xffff0002 && dx == 0x77770003 ? NULL : "registers";
}

/* ---- tasks ---- */

struct tss16 {
	u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, reg[8], es, cs, ss, ds, ldt;
};
extern u8 task16_code[], task16_code_end[];
u32 task16_saved[9];

static const char *check_task16(void)
{
	static struct tss16 t;
	static const struct {
		u32 off;
		u16 sel;
	} __attribute__((packed)) to = { 0, SEL_TEST };

	t = (struct tss16){ .flags = 2, .es = SEL_KDATA, .cs = SEL_CODE16, .ss = SEL_KDATA, .ds = SEL_KDATA };
	for (u32 i = 0; i < 8; i++)
		t.reg[i] = (u16)(0x1111 * (i + 1));
	memset(task16_saved, 0xcc, sizeof(task16_saved));
	gdt[SEL_TEST / 8] = descriptor((u32)&t, sizeof(t) - 1, 0x81);
	gdt[SEL_CODE16 / 8] =
	    descriptor((u32)task16_code, (u32)(task16_code_end - task16_code) - 1, A_CODE | A_32);
	tss.cr3 = read_cr3();
	asm volatile("lcall *%0" : : "m"(to) : "memory", "cc");
	asm volatile("clts");
	if (t.link != SEL_TSS)
		return "link to the old task";
	for (u32 i = 0; i < 8; i++)
		if (task16_saved[i] != (0xffff0000 | 0x1111 * (i + 1)))
			return "upper halves of the registers";
	return task16_saved[8] ? "FS and GS are not null" : NULL;
}

static const char *check_v86(void)
{
	u32 dir = space_new(), frame = frame_alloc(), was = read_cr3();
	const u16 *mem = phys(frame);
	const char *wrong = NULL;

	memcpy(phys(frame), v86_code, (u32)(v86_code_end - v86_code));
	space_map(dir, 0x7000, frame, PTE_P | PTE_W | PTE_U);
	write_cr3(dir);
	if (!catch_fault(enter_v86, NULL) || !caught_is(13, 0))
		wrong = "STI does not fault";
	else if (!(caught.eflags & 0x20000) || caught.cs != 0x700 || caught.ss != 0x700)
		wrong = "frame";
	else if (caught.eip != (u32)(v86_code_end - v86_code) - 1 || caught.v86_ds != 0x700)
		wrong = "position";
	else if ((caught.ebx & 0xffff) != 0x2345 || mem[0x400] != 0xbeef)
		wrong = "result";
	write_cr3(was);
	return wrong;
}

/* ---- floating point ---- */

static const char *check_x87(void)
{
	static const double two = 2.0;
	double root, zero = 1;
	u32 tag, n;

	asm volatile("fninit; fldl %3; fsqrt; fmul %%st(0), %%st; fstl %0; fldl %3; fsubrp; fstpl %1; "
		     "fldpi; fistpl %2"
		     : "=m"(root), "=m"(zero), "=m"(n)
		     : "m"(two));
	asm volatile("fnstsw %%ax" : "=a"(tag));
	if (n != 3 || tag & 0x3800)
		return "FLDPI";
	/* 2.0000000000000004 - 2, in extended precision rounded on the store */
	return ((u32 *)&root)[1] == 0x40000000 ? NULL : "square root of two";
}

static const char *check_sse(void)
{
	static const u32 a[4] __attribute__((aligned(16))) = { 1, 2, 3, 0xffffffff };
	static const float half[4] __attribute__((aligned(16))) = { 0.5f, 1.5f, 2.5f, -1.0f };
	u32 sum[4], bits;

	if (!(features_edx & 1 << 26))
		return NULL;
	asm volatile("movdqa %2, %%xmm5; paddd %%xmm5, %%xmm5; movdqu %%xmm5, %0; "
		     "movaps %3, %%xmm6; mulps %%xmm6, %%xmm6; movmskps %%xmm6, %1; cvttss2si %%xmm6, %1"
		     : "=m"(sum), "=&r"(bits)
		     : "m"(a), "m"(half));
	return sum[0] == 2 && sum[3] == 0xfffffffe && bits == 0 ? NULL : "packed sums";
}

static void do_fld(void *arg)
{
	(void)arg;
	asm volatile("fldz; fstp %st(0)");
}

static void do_movaps(void *p)
{
	asm volatile("movaps (%0), %%xmm0" : : "r"(p));
}

static const char *check_task_switched(void)
{
	u32 cr0 = read_cr0();
	bool with_ts, after, with_em;

	write_cr0(cr0 | 8);
	with_ts = catch_fault(do_fld, NULL) && caught_is(7, 0);
	asm volatile("clts");
	after = catch_fault(do_fld, NULL);
	write_cr0(cr0 | 4);
	with_em = catch_fault(do_fld, NULL) && caught_is(7, 0);
	write_cr0(cr0 & ~8u);
	if (!with_ts || after)
		return "#NM by CR0.TS";
	if (!with_em)
		return "#NM by CR0.EM";
	if (features_edx & 1 << 26 && (!catch_fault(do_movaps, buf + 4) || !caught_is(13, 0)))
		return "MOVAPS of an odd address";
	return NULL;
}

/* ---- time ---- */

static const char *check_tsc(void)
{
	u64 last = rdtsc();

	for (int i = 0; i < 1000; i++) {
		u64 now = rdtsc();

		if (now < last)
			return "went backwards";
		last = now;
	}
	return NULL;
}

static const char *check_timer(void)
{
	u32 start = ticks, halts = 0;
	u64 t = rdtsc();

	while (ticks - start < 10 && halts < 1000000) {
		asm volatile("sti; hlt; cli" : : : "memory");
		halts++;
	}
	if (ticks - start < 10)
		return "no ticks";
	return rdtsc() > t ? NULL : "the counter does not advance";
}

static const char *check_clock(void)
{
	u8 s;

	outb(0x70, 0);
	s = inb(0x71);
	return (s & 15) < 10 && s >> 4 < 6 ? NULL : "seconds";
}

const struct check cpu_checks[] = {
	{ "divide error", check_divide },
	{ "undefined opcode", check_ud },
	{ "general protection", check_gp },
	{ "software traps", check_software_traps },
	{ "single step flag", check_single_step },
	{ "flags", check_flags },
	{ "decimal adjust", check_bcd },
	{ "old instructions", check_old_instructions },
	{ "compare and exchange", check_cmpxchg8b },
	{ "segment bases", check_bases },
	{ "segments loaded again", check_reloads },
	{ "asked again", check_again },
	{ "segment queries", check_lar_lsl },
	{ "call through the LDT", check_ldt_call },
	{ "16-bit code segment", check_code16 },
	{ "task with a 16-bit TSS", check_task16 },
	{ "virtual-8086 mode", check_v86 },
	{ "x87", check_x87 },
	{ "SSE", check_sse },
	{ "task-switched flag", check_task_switched },
	{ "time stamp counter", check_tsc },
	{ "timer interrupts", check_timer },
	{ "real-time clock", check_clock },
};
const unsigned cpu_check_count = LEN(cpu_checks);

const struct check limit_checks[] = {
	{ "segment limits", check_limits },
	{ "code segment limit", check_code_limit },
};
const unsigned limit_check_count = LEN(limit_checks);
