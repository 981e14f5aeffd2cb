/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs the rows of cases.def, each in each mode: the exit and its information; then on from the next
 * instruction to the hypercall behind it; and, where the exit is optional, to the hypercall without the
 * control. */
#include "guests/hyper/cases.h"

#define CASE(id, before, insn, ...)                                                                          \
	extern const u8 c_##id##_b32[], c_##id##_i32[], c_##id##_n32[], c_##id##_b16[], c_##id##_i16[],      \
	    c_##id##_n16[];                                                                                  \
	asm(".pushsection .rodata\n"                                                                         \
	    "c_" #id "_b32:\n" before "\nc_" #id "_i32:\n" insn "\nc_" #id "_n32:\n"                         \
	    ".code16\n"                                                                                      \
	    "c_" #id "_b16:\n" before "\nc_" #id "_i16:\n" insn "\nc_" #id "_n16:\n"                         \
	    ".code32\n.popsection");
#include "guests/hyper/cases.def"
#undef CASE

u32 passed, failed, skipped;
const char not_here[] = "not offered";
static bool verbose, only; /* words of the command line; the second: one that begins "only=" */

/* ---- preparations ---- */

static void with_xsave(void)
{
	be->set(S_CR4, 0x40000);
}

static void with_sse(void)
{
	be->set(S_CR4, 0x600);
}

static void all_msrs(void)
{
	memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
	memset(msrpm, 0xff, sizeof(msrpm));
}

static void all_ports(void)
{
	memset(io_bitmaps, 0xff, sizeof(io_bitmaps));
	memset(iopm, 0xff, sizeof(iopm));
}

/* The hypervisor owns all bits of CR0 and CR4, and shows what is in them. */
static void own_crs(void)
{
	if (be->on != ON_VMX)
		return;
	vmwrite(VM_CR0_MASK, ~0u);
	vmwrite(VM_CR0_SHADOW, be->get(S_CR0));
	vmwrite(VM_CR4_MASK, ~0u);
	vmwrite(VM_CR4_SHADOW, be->get(S_CR4));
}

static void own_ts(void)
{
	if (be->on != ON_VMX)
		return;
	vmwrite(VM_CR0_MASK, 8);
	vmwrite(VM_CR0_SHADOW, 8);
}

static void store_table(u32 base, u32 limit)
{
	*(u16 *)(ram + G_DATA) = (u16)limit;
	*(u32 *)(ram + G_DATA + 2) = base;
}

static void store_gdt(void)
{
	store_table(be->get(S_GDT_BASE), be->get(S_GDT_LIMIT));
}

static void store_idt(void)
{
	store_table(be->get(S_IDT_BASE), be->get(S_IDT_LIMIT));
}

static void trap_flag(void)
{
	be->set(S_EFLAGS, 0x102);
}

static void alignment_check(void)
{
	vm_user();
	be->set(S_CR0, be->get(S_CR0) | 0x40000);
	be->set(S_EFLAGS, 0x40002);
}

static void no_idt(void)
{
	be->set(S_IDT_LIMIT, 0);
}

static void task_gate(void)
{
	((u64 *)(ram + G_IDT))[0x81] = (u64)0x30 << 16 | (u64)0xe500 << 32;
}

static const struct ccase cases[] = {
#define CASE(id, before, insn, ...)                                                                          \
	{ .name = #id,                                                                                       \
	  .code = { { c_##id##_b32, c_##id##_i32, c_##id##_n32 },                                            \
		    { c_##id##_b16, c_##id##_i16, c_##id##_n16 } },                                          \
	  __VA_ARGS__ },
#include "guests/hyper/cases.def"
#undef CASE
};

/* ---- comparing ---- */

static char message[160], *message_end;

static void say(const char *s)
{
	while (*s && message_end < message + sizeof(message) - 1)
		*message_end++ = *s++;
	*message_end = 0;
}

static void say_hex(u64 v)
{
	char digits[17], *p = digits + 16;

	*p = 0;
	do {
		*--p = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	say(p);
}

const char *differs(const char *what, u64 got, u64 want)
{
	if (got == want)
		return NULL;
	message_end = message;
	say(what);
	say(" ");
	say_hex(got);
	say(", expected ");
	say_hex(want);
	say(" (reason ");
	say_hex(out.reason);
	say(" info ");
	say_hex(out.info1);
	say(" ");
	say_hex(out.info2);
	say(" eip ");
	say_hex(be->get(S_EIP));
	say(")");
	return message;
}

const char *until_hypercall(u32 eip)
{
	be->enter();
	CHECK("hypercall", out.reason, be->hypercall_reason);
	CHECK("eip of the hypercall", be->get(S_EIP), eip);
	return NULL;
}

const char *until_exit(u32 vmx_reason, u32 svm_code)
{
	be->enter();
	CHECK("reason", out.reason, be->on == ON_VMX ? vmx_reason : svm_code);
	return NULL;
}

/* VMX exits that report an instruction length (SDM vol. 3, "VM-Exit Instruction Length"). */
static bool has_length(const struct ccase *c)
{
	u32 r = c->vmx.reason, type = c->vmx.event >> 8 & 7;

	if (r == 0)
		return type >= 4;
	return r >= 9 && r != 37 && r != 43 && r != 44 && r != 48 && r != 49 && r != 52 && r != 62;
}

static const char *vmx_information(const struct ccase *c, bool real, u32 len)
{
	if (c->vmx.qual != ANY)
		CHECK("qualification", out.info1, c->vmx.qual);
	CHECK("interruption information", out.event & 1u << 31 ? out.event : 0, c->vmx.event);
	if (c->vmx.event & 1 << 11)
		CHECK("interruption error code", out.error, c->vmx.error);
	CHECK("vectoring information", out.vectoring & 1u << 31 ? out.vectoring : 0, c->vectoring);
	if (has_length(c))
		CHECK("instruction length", out.len, len);
	if (!real && c->vmx.insn_mask && (c->vmx.reason != 30 || vmx_caps.basic >> 54 & 1))
		CHECK("instruction information", out.insn & c->vmx.insn_mask, c->vmx.insn);
	if (c->vmx.linear)
		CHECK("linear address", out.linear, c->vmx.linear);
	if (c->vmx.reason == 48)
		CHECK("guest-physical address", out.info2, c->vmx.linear);
	return NULL;
}

static const char *svm_information(const struct ccase *c, u32 next)
{
	u64 info1 = c->svm.info1, info2 = c->svm.info2, ignored = 0;

	if (svm_features & SVM_FEATURE_DECODE)
		info1 |= c->svm.decode;
	else
		ignored = c->svm.decode;
	if (c->svm.code == 0x7b) {
		info2 = next;
		ignored |= 0x380; /* the size of addresses: of string instructions alone? */
	}
	if (c->svm.code != 0x41)
		CHECK("EXITINFO1", out.info1 & ~ignored, info1 & ~ignored);
	CHECK("EXITINFO2", out.info2, info2);
	if (c->svm.code != 0x7f)
		CHECK("EXITINTINFO", out.vectoring & 1u << 31 ? out.vectoring : 0, c->vectoring);
	return NULL;
}

static bool have(enum need n)
{
	u32 one[4], seven[4], ext[4];

	cpuid(1, one);
	cpuid(7, seven);
	cpuid(0x80000001, ext);
	switch (n) {
	case NEED_RDTSCP:
		return ext[3] & 1 << 27;
	case NEED_MONITOR:
		return one[2] & 1 << 3;
	case NEED_XSAVE:
		return one[2] & 1 << 26;
	case NEED_RDRAND:
		return one[2] & 1 << 30;
	case NEED_RDSEED:
		return seven[1] & 1 << 18;
	case NEED_INVPCID:
		return seven[1] & 1 << 10;
	case NEED_SKINIT:
		return ext[2] & 1 << 12;
	case NEED_INVEPT:
		return vmx_caps.ept >> 20 & 1;
	case NEED_INVVPID:
		return vmx_caps.ept >> 32 & 1;
	default:
		return true;
	}
}

/* Does the exit happen whatever the controls are? */
static bool always_exits(const struct ccase *c)
{
	if (be->on != ON_VMX)
		return false;
	if ((c->vmx.reason == 31 || c->vmx.reason == 32) && !vmx_has(vmx_caps.proc, PROC_MSR_BITMAPS))
		return true;
	return vmx_caps.proc & c->vmx.proc;
}

static bool offered(const struct ccase *c)
{
	if (!have(c->need))
		return false;
	if (be->on == ON_VMX)
		return vmx_has(vmx_caps.pin, c->vmx.pin) && vmx_has(vmx_caps.proc, c->vmx.proc) &&
		       vmx_has(vmx_caps.proc2, c->vmx.proc2);
	return true;
}

static void controls(const struct ccase *c)
{
	if (be->on == ON_SVM) {
		if (c->svm.code < 0xc0)
			svm_intercept(c->svm.code);
		return;
	}
	vm_or(VM_PIN, c->vmx.pin);
	vm_or(VM_PROC, c->vmx.proc);
	if (c->vmx.proc2)
		vmx_set_proc2(c->vmx.proc2);
	vmwrite(VM_EXCEPTIONS, c->vmx.exceptions);
}

/* ---- running ---- */

/* Does LINE have the word PREFIX and NAME together? */
static bool named(const char *prefix, const char *name)
{
	char word[64], *w = word;

	while (*prefix)
		*w++ = *prefix++;
	while (*name && w < word + sizeof(word) - 1)
		*w++ = *name++;
	*w = 0;
	return has_word(cmdline, word);
}

static bool wanted(const char *name, u32 on, u32 modes, enum mode m)
{
	if ((on && !(on & be->on)) || (modes && !(modes & IN(m))))
		return false;
	return only ? named("only=", name) : !named("-", name);
}

static const char *exits(const struct ccase *c, enum mode m)
{
	const u8 *const *code = c->code[m == REAL];
	u32 at = G_CODE + (u32)(code[1] - code[0]), next = G_CODE + (u32)(code[2] - code[0]);
	const char *wrong;

	vm_reset(m);
	vm_code(code[0], next - G_CODE);
	if (c->prepare)
		c->prepare();
	controls(c);
	if (c->control)
		c->control();
	regs.ebp = 0x0b0b0b0b;
	wrong = until_exit(c->vmx.reason, c->svm.code);
	if (wrong)
		return wrong;
	if (c->vmx.reason != 2 || be->on != ON_VMX)
		CHECK("eip", be->get(S_EIP), c->flags & NEXT ? next : at);
	CHECK("ebp", regs.ebp, 0x0b0b0b0b);
	wrong = be->on == ON_VMX ? vmx_information(c, m == REAL, next - at) : svm_information(c, next);
	if (wrong || c->flags & ENDS)
		return wrong;
	be->set(S_EIP, next);
	return until_hypercall(next);
}

static const char *does_not_exit(const struct ccase *c, enum mode m)
{
	const u8 *const *code = c->code[m == REAL];
	u32 len = (u32)(code[2] - code[0]);

	vm_reset(m);
	vm_code(code[0], len);
	if (c->prepare)
		c->prepare();
	return until_hypercall(G_CODE + len);
}

static void tell(const char *name, const char *part, enum mode m, const char *wrong)
{
	static const char *const names[] = { "real", "flat", "paged", "shadow" };

	asm volatile("fninit"); /* registers that the guest shares with us */
	if (wrong == not_here)
		skipped++;
	else if (wrong)
		failed++;
	else
		passed++;
	if (wrong && wrong != not_here)
		print("FAIL %s %s%s: %s\n", names[m], name, part, wrong);
	else if (verbose)
		print("%s %s %s%s\n", wrong ? "skip" : "ok", names[m], name, part);
}

static void run_row(const struct ccase *c, enum mode m)
{
	if (!wanted(c->name, c->on, c->modes, m))
		return;
	if (!offered(c)) {
		tell(c->name, "", m, not_here);
		return;
	}
	tell(c->name, "", m, exits(c, m));
	if (c->flags & OPTIONAL && !always_exits(c))
		tell(c->name, " without its control", m, does_not_exit(c, m));
}

static void run_programs(const struct program *p, u32 n, enum mode m)
{
	for (; n; n--, p++) {
		if (!wanted(p->name, p->on, p->modes, m))
			continue;
		vm_reset(m);
		tell(p->name, "", m, p->run(m));
	}
}

void cases_run(u32 modes)
{
	verbose = has_word(cmdline, "verbose");
	for (const char *p = cmdline; *p; p++)
		only |= !memcmp(p, "only=", 5);
	for (enum mode m = 0; m < MODES; m++) {
		if (!(modes & IN(m)))
			continue;
		for (u32 i = 0; i < LEN(cases); i++)
			run_row(&cases[i], m);
		run_programs(event_programs, event_program_count, m);
		run_programs(control_programs, control_program_count, m);
		run_programs(apic_programs, apic_program_count, m);
		run_programs(svm_programs, svm_program_count, m);
		run_programs(vmx_programs, vmx_program_count, m);
		run_programs(nested_programs, nested_program_count, m);
		run_programs(error_programs, error_program_count, m);
	}
	if (be->on == ON_SVM && !only && modes == be->modes())
		svm_codes_report(verbose);
	if (be->on == ON_VMX && !only && modes == be->modes())
		vmx_reasons_report(verbose);
	print("hyper: %s: ok %u / failed %u / not offered %u\n", be->name, passed, failed, skipped);
}
