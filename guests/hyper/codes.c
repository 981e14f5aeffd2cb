/* SPDX-License-Identifier: GPL-3.0-or-later
 * #VMEXIT codes (APM vol. 2 App. C): cases of SVM alone, and a report of the codes that no case produced,
 * each with the reason. One without a reason is a failure. */
#include "guests/hyper/cases.h"
#include "guests/hyper/svm.h"

enum { CODES = 0xa7, NPF_SLOT = CODES, INVALID_SLOT, SLOTS };
static bool seen[SLOTS];

void svm_code_seen(u32 code)
{
	if (code < CODES)
		seen[code] = true;
	else if (code == SVM_NPF)
		seen[NPF_SLOT] = true;
	else if (code == SVM_INVALID)
		seen[INVALID_SLOT] = true;
}

/* Columns: first and last code, why no case produces them; if the processor offers something, only without
 * it. */
static const struct {
	u16 first, last;
	const char *why;
} not_produced[] = {
	{ 0x001, 0x001, "no CR1: #UD before the intercept" },
	{ 0x005, 0x007, "no such control register" },
	{ 0x008, 0x008, "CR8 is there in 64-bit mode" },
	{ 0x009, 0x00f, "no such control register" },
	{ 0x011, 0x011, "no CR1: #UD before the intercept" },
	{ 0x015, 0x017, "no such control register" },
	{ 0x018, 0x018, "CR8 is there in 64-bit mode" },
	{ 0x019, 0x01f, "no such control register" },
	{ 0x028, 0x02f, "no such debug register" },
	{ 0x038, 0x03f, "no such debug register" },
	{ 0x042, 0x042, "NMIs exit with 061" },
	{ 0x049, 0x049, "of the 80386" },
	{ 0x04f, 0x04f, "reserved vector" },
	{ 0x051, 0x051, "#AC is not raised by every processor (left out with -ac)" },
	{ 0x052, 0x052, "no machine check happens" },
	{ 0x054, 0x05f, "not raised without features that are not offered" },
	{ 0x062, 0x062, "no SMI happens" },
	{ 0x063, 0x063, "no INIT happens: one processor" },
	{ 0x073, 0x073, "RSM is #UD outside system-management mode" },
	{ 0x07e, 0x07e, "CR0.NE is 1: no FERR" },
	{ 0x086, 0x086, "no SKINIT offered" },
	{ 0x087, 0x087, "no RDTSCP offered" },
	{ 0x08a, 0x08c, "no MONITOR offered" },
	{ 0x08e, 0x08e, "no RDPRU offered" },
	{ 0x08f, 0x09f, "write traps are used for guests with encrypted state; not tried" },
	{ 0x0a0, 0x0a1, "no INVLPGB offered" },
	{ 0x0a2, 0x0a2, "no INVPCID offered" },
	{ 0x0a3, 0x0a3, "no MCOMMIT offered" },
	{ 0x0a4, 0x0a4, "no INVLPGB offered" },
	{ 0x0a5, 0x0a5, "no bus-lock threshold offered" },
	{ 0x0a6, 0x0a6, "no idle HLT intercept offered" },
	{ NPF_SLOT, NPF_SLOT, "no nested paging offered" },
};

static const char *reason_for(u32 slot)
{
	for (u32 i = 0; i < LEN(not_produced); i++)
		if (slot >= not_produced[i].first && slot <= not_produced[i].last)
			return not_produced[i].why;
	return NULL;
}

/* AVIC's 401 and 402, and 403 of encrypted guests, are offered nowhere. */
void svm_codes_report(bool verbose)
{
	u32 produced = 0, missing = 0;

	for (u32 i = 0; i < SLOTS; i++) {
		const char *why = seen[i] ? NULL : reason_for(i);

		produced += seen[i];
		missing += !seen[i];
		if (!seen[i] && !why) {
			print("FAIL code %x: no case produced it\n", i);
			failed++;
		} else if (!seen[i] && verbose) {
			print("code %x not produced: %s\n", i, why);
		}
	}
	if (verbose)
		print("code 401-403 not produced: AVIC, and VMGEXIT of encrypted guests, are not offered\n");
	print("hyper: svm: %u #VMEXIT codes produced, %u not, each with a reason\n", produced, missing);
}

/* ---- cases ---- */

/* MOV to and from each register that there is; with decode assists EXITINFO1 names the general one. */
static const char *move(enum mode m, u8 opcode, u32 n, u32 code, u64 info)
{
	u8 insn[3] = { 0x0f, opcode, (u8)(0xc0 | n << 3 | 3) }; /* EBX */
	const char *wrong;

	vm_reset(m);
	vm_code(insn, sizeof(insn));
	svm_intercept(code);
	wrong = until_exit(0, code);
	if (wrong)
		return wrong;
	CHECK("EXITINFO1", out.info1, svm_features & SVM_FEATURE_DECODE ? info : 0);
	CHECK("EXITINFO2", out.info2, 0);
	CHECK("eip", be->get(S_EIP), G_CODE);
	return NULL;
}

static const char *every_register(enum mode m)
{
	static const u8 control[] = { 0, 2, 3, 4 };
	const char *wrong = NULL;

	for (u32 i = 0; i < LEN(control) && !wrong; i++) {
		u32 n = control[i];

		wrong = move(m, 0x20, n, 0x00 + n, 1ull << 63 | 3);
		if (!wrong)
			wrong = move(m, 0x22, n, 0x10 + n, 1ull << 63 | 3);
	}
	for (u32 n = 0; n < 8 && !wrong; n++) {
		wrong = move(m, 0x21, n, 0x20 + n, 3);
		if (!wrong)
			wrong = move(m, 0x23, n, 0x30 + n, 3);
	}
	return wrong;
}

PROGRAM(int_80, "int $0x80");
PROGRAM(load_fs, "movl $0x58, %eax\nmovl %eax, %fs");
PROGRAM(halt, "hlt");
PROGRAM(nop, "nop");

/* The stack segment of level 0 is no descriptor: #TS with its selector. */
static const char *invalid_tss(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(int_80);
	vm_user();
	((struct tss *)(ram + G_TSS))->ss0 = 0x58;
	svm_intercept(0x4a);
	wrong = until_exit(0, 0x4a);
	if (wrong)
		return wrong;
	CHECK("EXITINFO1", out.info1, 0x58);
	CHECK("EXITINTINFO", out.vectoring, 0x80000480);
	CHECK("eip", be->get(S_EIP), G_CODE);
	return NULL;
}

/* #GP, whose gate is not present, then #NP: a #DF, which exits with the #GP that was being delivered. */
static const char *double_fault(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(load_fs);
	svm_intercept(0x48);
	ram32(G_IDT)[2 * 13 + 1] &= ~0x8000u;
	wrong = until_exit(0, 0x48);
	if (wrong)
		return wrong;
	CHECK("EXITINFO1", out.info1, 0);
	CHECK("EXITINFO2", out.info2, 0);
	return NULL;
}

/* HLT exits by the idle intercept unless a virtual interrupt is pending. */
static const char *idle_hlt(enum mode m)
{
	enum { SVM_FEATURE_IDLE_HLT = 1 << 30 };

	(void)m;
	if (!(svm_features & SVM_FEATURE_IDLE_HLT))
		return not_here;
	LOAD_PROGRAM(halt);
	svm_intercept(0xa6);
	return until_exit(0, 0xa6);
}

/* A VMRUN that fails stores its code, and no information. */
static const char *refused(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(nop);
	*vmcb32(VMCB_ASID) = 0;
	*vmcb32(VMCB_INFO1) = 1;
	wrong = until_exit(0, SVM_INVALID);
	if (wrong)
		return wrong;
	CHECK("upper half of EXITCODE", *vmcb32(VMCB_EXITCODE + 4), SVM_INVALID);
	CHECK("EXITINFO1", out.info1, 0);
	CHECK("EXITINFO2", out.info2, 0);
	CHECK("EXITINTINFO", out.vectoring, 0);
	CHECK("eip", be->get(S_EIP), G_CODE);
	return NULL;
}

const struct program svm_programs[] = {
	{ "every_register", 0, ON_SVM, every_register },
	{ "invalid_tss", PROTECTED, ON_SVM, invalid_tss },
	{ "svm_double_fault", PROTECTED, ON_SVM, double_fault },
	{ "idle_hlt", 0, ON_SVM, idle_hlt },
	{ "refused", 0, ON_SVM, refused },
};
const u32 svm_program_count = LEN(svm_programs);
