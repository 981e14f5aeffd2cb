/* SPDX-License-Identifier: GPL-3.0-or-later
 * Classification of instructions for the verifier: those forbidden in a fragment, those with implicit memory
 * operands, those that read an operand without writing it; and of registers as operands. */
#include "bt/verify/verify_int.h"

#include <string.h>

/* Forbidden in a fragment, whatever the operands. */
static const uint16_t forbidden[] = {
	/* implicit stack (see verify_stack for a stack inside the vCPU) */
	X86_INS_PUSH,
	X86_INS_POP,
	X86_INS_PUSHF,
	X86_INS_PUSHFD,
	X86_INS_PUSHFQ,
	X86_INS_POPF,
	X86_INS_POPFD,
	X86_INS_POPFQ,
	X86_INS_PUSHAL,
	X86_INS_PUSHAW,
	X86_INS_POPAL,
	X86_INS_POPAW,
	X86_INS_ENTER,
	X86_INS_LEAVE,
	X86_INS_CALL,
	X86_INS_RET,
	/* far transfers, interrupts, system calls */
	X86_INS_LCALL,
	X86_INS_LJMP,
	X86_INS_RETF,
	X86_INS_RETFQ,
	X86_INS_INT,
	X86_INS_INT1,
	X86_INS_INT3,
	X86_INS_INTO,
	X86_INS_IRET,
	X86_INS_IRETD,
	X86_INS_IRETQ,
	X86_INS_SYSCALL,
	X86_INS_SYSENTER,
	X86_INS_SYSEXIT,
	X86_INS_SYSRET,
	X86_INS_XBEGIN,
	X86_INS_XEND,
	X86_INS_XABORT,
	X86_INS_XTEST,
	/* segments and bases */
	X86_INS_LDS,
	X86_INS_LES,
	X86_INS_LFS,
	X86_INS_LGS,
	X86_INS_LSS,
	X86_INS_WRFSBASE,
	X86_INS_WRGSBASE,
	X86_INS_RDFSBASE,
	X86_INS_RDGSBASE,
	X86_INS_SWAPGS,
	X86_INS_ARPL,
	X86_INS_LAR,
	X86_INS_LSL,
	X86_INS_VERR,
	X86_INS_VERW,
	/* system state, and instructions that reveal the host's */
	X86_INS_IN,
	X86_INS_OUT,
	X86_INS_INSB,
	X86_INS_INSD,
	X86_INS_INSW,
	X86_INS_OUTSB,
	X86_INS_OUTSD,
	X86_INS_OUTSW,
	X86_INS_HLT,
	X86_INS_CLI,
	X86_INS_STI,
	X86_INS_CLTS,
	X86_INS_LGDT,
	X86_INS_LIDT,
	X86_INS_LLDT,
	X86_INS_LTR,
	X86_INS_LMSW,
	X86_INS_SGDT,
	X86_INS_SIDT,
	X86_INS_SLDT,
	X86_INS_STR,
	X86_INS_SMSW,
	X86_INS_INVD,
	X86_INS_WBINVD,
	X86_INS_INVLPG,
	X86_INS_INVLPGA,
	X86_INS_INVPCID,
	X86_INS_RDMSR,
	X86_INS_WRMSR,
	X86_INS_RDPMC,
	X86_INS_CPUID,
	X86_INS_XSETBV,
	X86_INS_XGETBV,
	X86_INS_MONITOR,
	X86_INS_MWAIT,
	X86_INS_CLAC,
	X86_INS_STAC,
	X86_INS_RSM,
	X86_INS_GETSEC,
	X86_INS_SKINIT,
	X86_INS_STGI,
	X86_INS_CLGI,
	X86_INS_VMCALL,
	X86_INS_VMMCALL,
	X86_INS_VMLAUNCH,
	X86_INS_VMRESUME,
	X86_INS_VMXOFF,
	X86_INS_VMXON,
	X86_INS_VMCLEAR,
	X86_INS_VMPTRLD,
	X86_INS_VMPTRST,
	X86_INS_VMREAD,
	X86_INS_VMWRITE,
	X86_INS_VMRUN,
	X86_INS_VMLOAD,
	X86_INS_VMSAVE,
	X86_INS_VMFUNC,
	X86_INS_INVEPT,
	X86_INS_INVVPID,
	X86_INS_XSAVES,
	X86_INS_XSAVES64,
	X86_INS_XRSTORS,
	X86_INS_XRSTORS64,
	X86_INS_XSAVE64,
	X86_INS_XRSTOR64,
	X86_INS_XSAVEOPT64,
	X86_INS_XSAVEC64,
	X86_INS_MONTMUL,
	X86_INS_XSTORE,
	X86_INS_XCRYPTCBC,
	X86_INS_XCRYPTCFB,
	X86_INS_XCRYPTCTR,
	X86_INS_XCRYPTECB,
	X86_INS_XCRYPTOFB,
	X86_INS_XSHA1,
	X86_INS_XSHA256,
	X86_INS_CLWB,
	X86_INS_CLFLUSHOPT,
	X86_INS_PCOMMIT,
};

/* Extensions that no guest has and the translator does not use. */
static const uint8_t forbidden_groups[] = {
	X86_GRP_PRIVILEGE, X86_GRP_VM,	X86_GRP_3DNOW, X86_GRP_AVX512, X86_GRP_FMA4, X86_GRP_FSGSBASE,
	X86_GRP_HLE,	   X86_GRP_RTM, X86_GRP_XOP,   X86_GRP_CDI,    X86_GRP_ERI,  X86_GRP_TBM,
	X86_GRP_SGX,	   X86_GRP_DQI, X86_GRP_BWI,   X86_GRP_PFI,    X86_GRP_SMAP,
};

/* Memory accessed through an implicit register: how (enum implicit). */
static const struct {
	uint16_t id;
	uint8_t how;
} implicit[] = {
	{ X86_INS_MOVSB, IMP_SRC | IMP_DST }, { X86_INS_MOVSW, IMP_SRC | IMP_DST },
	{ X86_INS_MOVSQ, IMP_SRC | IMP_DST }, { X86_INS_CMPSB, IMP_SRC | IMP_DST },
	{ X86_INS_CMPSW, IMP_SRC | IMP_DST }, { X86_INS_CMPSQ, IMP_SRC | IMP_DST },
	{ X86_INS_STOSB, IMP_DST },	      { X86_INS_STOSW, IMP_DST },
	{ X86_INS_STOSD, IMP_DST },	      { X86_INS_STOSQ, IMP_DST },
	{ X86_INS_SCASB, IMP_DST },	      { X86_INS_SCASW, IMP_DST },
	{ X86_INS_SCASD, IMP_DST },	      { X86_INS_SCASQ, IMP_DST },
	{ X86_INS_LODSB, IMP_SRC },	      { X86_INS_LODSW, IMP_SRC },
	{ X86_INS_LODSD, IMP_SRC },	      { X86_INS_LODSQ, IMP_SRC },
	{ X86_INS_XLATB, IMP_WINDOW },	      { X86_INS_MASKMOVQ, IMP_WINDOW },
	{ X86_INS_MASKMOVDQU, IMP_WINDOW },   { X86_INS_VMASKMOVDQU, IMP_WINDOW },
};

/* These read their second register operand without writing it. */
static const uint16_t reads_second[] = {
	X86_INS_MOV, X86_INS_ADD, X86_INS_SUB, X86_INS_CMP,
	X86_INS_AND, X86_INS_OR,  X86_INS_XOR, X86_INS_TEST,
};
static const uint16_t reads_first[] = { X86_INS_CMP, X86_INS_TEST };

static bool listed(const uint16_t *ids, unsigned n, unsigned id)
{
	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}
#define LISTED(list, id) listed(list, ARRAY_LEN(list), id)

bool verify_is_forbidden(const struct check *c)
{
	for (unsigned i = 0; i < c->in->detail->groups_count; i++)
		if (memchr(forbidden_groups, c->in->detail->groups[i], sizeof(forbidden_groups)))
			return true;
	return LISTED(forbidden, c->in->id);
}

bool verify_reads_second(const struct check *c)
{
	return LISTED(reads_second, c->in->id);
}

bool verify_is_branch(const struct check *c)
{
	for (unsigned i = 0; i < c->in->detail->groups_count; i++)
		if (c->in->detail->groups[i] == X86_GRP_JUMP)
			return true;
	return c->in->id == X86_INS_JRCXZ || c->in->id == X86_INS_JECXZ || c->in->id == X86_INS_LOOP ||
	       c->in->id == X86_INS_LOOPE || c->in->id == X86_INS_LOOPNE;
}

unsigned verify_implicit(const struct check *c)
{
	unsigned id = c->in->id;

	/* movsd and cmpsd also name SSE instructions; the string forms have no such operand */
	if (id == X86_INS_MOVSD || id == X86_INS_CMPSD)
		return c->x->opcode[0] == 0xa5 || c->x->opcode[0] == 0xa7 ? IMP_SRC | IMP_DST : 0;
	for (unsigned i = 0; i < ARRAY_LEN(implicit); i++)
		if (implicit[i].id == id)
			return implicit[i].how;
	return 0;
}

/* ---- registers ---- */

unsigned verify_fixed_reg(unsigned r) /* 12..15, or 0 */
{
	static const uint16_t first[] = { X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++)
		if (r >= first[i] && r < first[i] + 4u)
			return 12 + r - first[i];
	return 0;
}

unsigned verify_scratch_number(unsigned r) /* 8..11 in any size, or 0 */
{
	static const uint16_t first[] = { X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++)
		if (r >= first[i] && r < first[i] + 4u)
			return 8 + r - first[i];
	return 0;
}

static bool is_segment(unsigned r)
{
	return r == X86_REG_CS || r == X86_REG_DS || r == X86_REG_ES || r == X86_REG_FS || r == X86_REG_GS ||
	       r == X86_REG_SS;
}

static bool is_system(unsigned r)
{
	return (r >= X86_REG_CR0 && r <= X86_REG_CR15) || (r >= X86_REG_DR0 && r <= X86_REG_DR15);
}

const char *verify_system_register(unsigned r)
{
	if (is_segment(r))
		return "segment register as an operand";
	return is_system(r) ? "control or debug register as an operand" : NULL;
}

const char *verify_register(const struct check *c, unsigned i, unsigned r)
{
	if (verify_system_register(r))
		return verify_system_register(r);
	if (!verify_fixed_reg(r))
		return NULL;
	if (i == 0 && LISTED(reads_first, c->in->id))
		return NULL;
	if (i == 1 && c->x->op_count == 2 && verify_reads_second(c))
		return NULL;
	return "r12-r15 may be written";
}
