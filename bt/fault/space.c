/* SPDX-License-Identifier: GPL-3.0-or-later
 * Faults of 64-bit code: probes of regions that have no place yet, and accesses in spaces (mm/long.h). */
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"
#include "bt/fault/fault_int.h"
#include "bt/runtime/dispatch.h"

#include "mm/long.h"

#include <string.h>

#include <Zydis/Zydis.h>

#define PROBE_REACH (36ull << 30) /* an operand is no farther from what was probed for it */

static const int upper[4] = { REG_R12, REG_R13, REG_R14, REG_R15 };

/* r8 to r11 are in memory already. */
void fault_store_long(struct bt_vcpu *b, const struct mark *m, const greg_t *g)
{
	struct cpu *c = &b->v.cpu;

	for (int r = 0; r < 8; r++)
		c->gpr[r] = (uint64_t)g[greg_of[r]];
	c->gpr[R_ESP] += b->space.neg_d;
	for (int r = 0; r < 4; r++)
		c->gpr[12 + r] = (uint64_t)g[upper[r]];
	if (m && m->fix == FIX_STRING) { /* displaced for the host's string instruction */
		c->gpr[R_ESI] -= (uint64_t)g[REG_R8];
		c->gpr[R_EDI] -= (uint64_t)g[REG_R11];
	}
}

void fault_store_upper(struct bt_vcpu *b, greg_t *g)
{
	for (int r = 0; r < 3; r++)
		b->v.cpu.gpr[12 + r] = (uint64_t)g[upper[r]];
	g[REG_RSP] += (greg_t)b->space.neg_d;
}

/* Retry the guest instruction from its first host instruction. */
static void restart(struct bt_vcpu *b, const struct ccf *f, const struct mark *m, greg_t *g)
{
	if (m && m->fix == FIX_STRING) {
		g[REG_RSI] -= g[REG_R8];
		g[REG_RDI] -= g[REG_R11];
	}
	if (m && m->fix == FIX_XCHG)
		g[m->arg < 8 ? greg_of[m->arg] : upper[m->arg - 12]] = g[REG_R8];
	g[REG_R9] = (greg_t)b->space.v;
	g[REG_R10] = (greg_t)b->space.d;
	g[REG_RIP] = (greg_t)(b->tc_base + f->host + f->ioff[mark_insn(m)]);
}

/* Run the instruction by callouts that access memory by address. */
static void by_address(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	fault_count(b, f, TRAP_MMIO);
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	b->exit.pa = 0;
	fault_resume(b, uc, XC_MMIO);
}

static void not_canonical(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	if (m && m->fix == FIX_NONE && m->arg == MARK_OPTIONAL) {
		by_address(b, f, m, uc);
		return;
	}
	fault_count(b, f, TRAP_GP);
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	fault_raise(b, uc, fault_far_vector(f, m), true, 0);
}

/* The probe of LIN, which is no address, has failed. What was probed is a base: with a displacement or an
 * index of 32 bits the operand may be one. */
static void probed_far(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin)
{
	if (cpu_canonical(lin + PROBE_REACH) || cpu_canonical(lin - PROBE_REACH))
		by_address(b, f, m, uc);
	else
		not_canonical(b, f, m, uc);
}

/* Bytes that the RET which ends F has popped. */
static unsigned popped(const struct bt_vcpu *b, const struct ccf *f, const struct mark *m)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3 };
	const uint8_t *page = mm_page_bytes(b->vm, f->page);
	unsigned at = ((unsigned)f->pc & PAGE_MASK) + f->ioff[f->ninsn + m->insn];

	for (unsigned i = 0; i < ARRAY_LEN(prefixes) && at < PAGE_SIZE - 2; i++)
		if (page[at] == prefixes[i] || (page[at] & 0xf0) == 0x40) {
			at++;
			i = -1u;
		}
	return at < PAGE_SIZE - 2 && page[at] == 0xc2 ? 8u + page[at + 1] + (page[at + 2] << 8) : 8u;
}

/* To an address that is not canonical: #GP(0) at the transfer. What CALL has pushed stays in memory. */
void fault_no_table(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;

	if (m && !cpu_canonical((uint64_t)g[REG_R8])) {
		struct mark at = { .insn = m->insn, .fix = FIX_NONE };

		fault_store(b, f, &at, g);
		b->v.cpu.gpr[R_ESP] += m->arg == JUMP_PUSHED ? 8 : 0;
		b->v.cpu.gpr[R_ESP] -= m->arg == JUMP_POPPED ? popped(b, f, m) : 0;
		fault_raise(b, uc, EXC_GP, true, 0);
		return;
	}
	fault_store(b, f, m, g);
	b->st.jt_misses++;
	fault_resume(b, uc, XC_LOOKUP);
}

/* A probe for LIN failed in the selected space. Kernel code whose access was to a user page learns to use the
 * user space at its next translation, and so does user code that reaches the lower part of its space. */
static void place(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin)
{
	switch (mmu_long_place(b->v.mmu, lin)) {
	case LONG_PLACED:
		fault_count(b, f, TRAP_FILL);
		return;
	case LONG_NOT_CANONICAL:
		probed_far(b, f, m, uc, lin);
		return;
	case LONG_OTHER_HALF:
		adapt_trap(b, f, mark_insn(m), CAUSE_USER_PAGE, 1);
		b->user_wanted = true;
		dispatch_user_space(b);
		break;
	case LONG_IRREGULAR: /* no displacement serves all regions of a kernel in ring 3 */
		adapt_trap(b, f, mark_insn(m), CAUSE_DEVICE, 1);
		break;
	}
	by_address(b, f, m, uc);
}

static uint64_t host_register(const greg_t *g, ZydisRegister r)
{
	int n = ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR64 ? ZydisRegisterGetId(r) : -1;

	return n < 0 ? 0 : (uint64_t)(n < 8 ? g[greg_of[n]] : g[REG_R8 + n - 8]);
}

/* The host address of memory operand O. */
static uint64_t host_address(const struct bt_vcpu *b, const greg_t *g, const ZydisDecodedOperand *o)
{
	uint64_t d = o->mem.segment == ZYDIS_REGISTER_GS ? b->space.d : 0;

	return d + host_register(g, o->mem.base) + host_register(g, o->mem.index) * o->mem.scale +
	       (uint64_t)o->mem.disp.value;
}

/* The first operand of the host's instruction whose address is not canonical. */
static bool find_far(const struct bt_vcpu *b, const greg_t *g, uint64_t *hva)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisDecoder d;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&d, (const void *)g[REG_RIP], 15, &in, op)))
		return false;
	for (unsigned i = 0; i < in.operand_count; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY) {
			*hva = host_address(b, g, &op[i]);
			if (!cpu_canonical(*hva))
				return true;
		}
	return false;
}

/* A + D may be no canonical address though A is one: of the other half, or of a region that has no place
 * there. */
bool fault_general(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	uint64_t hva;
	gva lin;

	if (!find_far(b, uc->uc_mcontext.gregs, &hva))
		return false;
	lin = hva - b->space.d;
	if (!cpu_canonical(lin)) {
		not_canonical(b, f, m, uc);
		return true;
	}
	if (mmu_long_place(b->v.mmu, lin) == LONG_OTHER_HALF)
		adapt_trap(b, f, mark_insn(m), CAUSE_USER_PAGE, 1);
	by_address(b, f, m, uc);
	return true;
}

/* The same in the user space. */
static void place_user(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin)
{
	switch (mmu_long_place_user(b->v.mmu, lin)) {
	case LONG_PLACED:
		fault_count(b, f, TRAP_USER);
		dispatch_user_space(b);
		restart(b, f, m, uc->uc_mcontext.gregs);
		return;
	case LONG_NOT_CANONICAL:
		probed_far(b, f, m, uc, lin);
		return;
	default: /* the form stays: it is right for all that is regular */
		by_address(b, f, m, uc);
	}
}

/* A probe of user code that took LIN for an address of the lower part (lower/long_memory.c): the next
 * translation takes it for any. Other fragments with the instruction get here, too. */
static bool not_low(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin)
{
	gva pc = f->pc + f->ioff[f->ninsn + mark_insn(m)];
	uint64_t *any = &b->any_part[ENTRY_HASH(pc) / 64], bit = 1ull << ENTRY_HASH(pc) % 64;

	if ((f->mode & MODE_CPL) != MODE_CPL || !(lin >> PART_SHIFT))
		return false;
	*any |= bit;
	fault_count(b, f, TRAP_USER);
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	fault_resume(b, uc, XC_LOOKUP);
	if (f != b->transient.ccf)
		cache_drop(b, f, DROP_DEMOTED, pc);
	return true;
}

/* The user space was not ready, or kernel code must not reach it: then the semantics of the access say so. */
static void user_stale(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	b->user_wanted = true;
	if (dispatch_user_space(b)) {
		fault_count(b, f, TRAP_USER);
		restart(b, f, m, uc->uc_mcontext.gregs);
	} else {
		by_address(b, f, m, uc);
	}
}

static void user_missed(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin,
			bool write)
{
	struct mmu_fault mf = { .pc = f->pc + f->ioff[f->ninsn + mark_insn(m)] };

	for (;;) {
		ppn p;

		switch (mmu_long_fill_user(b->v.mmu, lin, write ? MM_WRITE : MM_READ, &mf)) {
		case FILL_OK:
			fault_count(b, f, TRAP_FILL);
			adapt_trap(b, f, mark_insn(m), CAUSE_MISS, fault_can_precheck(f, m));
			return;
		case FILL_FAULT:
			fault_count(b, f, TRAP_TRUE);
			adapt_trap(b, f, mark_insn(m), CAUSE_MISS, fault_can_precheck(f, m));
			fault_store(b, f, m, uc->uc_mcontext.gregs);
			fault_page(b, uc, lin, &mf);
			return;
		case FILL_CODE:
			p = (ppn)(mf.pa >> PAGE_SHIFT);
			fault_count(b, f, TRAP_CODE);
			if (fault_own_page(b, f, m, uc, p))
				return;
			adapt_code_written(b, p);
			mm_untrace_code(b->vm, p);
			break;
		case FILL_WAIT:
			fault_page_away(b, f, m, uc);
			return;
		case FILL_ERROR:
			fault_refused(b, f, m, uc);
			return;
		case FILL_MMIO:
			adapt_failed(b, f, mark_insn(m), CAUSE_USER_PAGE);
			by_address(b, f, m, uc);
			return;
		}
	}
}

/* Is the host's instruction a probe, movzx r, byte [r9+r-20] or [r8+r-20], with the MiB of an address that is
 * not canonical? It may have read from anywhere, the guest's memory included. */
static bool probes_far(const greg_t *g, gva *lin)
{
	const uint8_t *code = (const uint8_t *)g[REG_RIP];
	unsigned r = code[3] >> 3 & 7; /* of r8 to r15 */

	if (code[0] != 0x47 || code[1] != 0x0f || code[2] != 0xb6 || code[3] != (0x44 | r << 3) ||
	    (code[4] & ~1u) != r << 3 || code[5] != 0xec)
		return false;
	*lin = (uint64_t)g[REG_R8 + (int)r] << LONG_MIB_SHIFT;
	return !cpu_canonical(*lin);
}

/* A probe that stands for no access of the guest's failed: at the entry of F, or before an indirect transfer.
 * The dispatcher continues; F begins without probes when it is translated anew. */
static void not_granted(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	if (m->fix == FIX_POLL_R8) {
		fault_no_table(b, f, m, uc);
		return;
	}
	b->refused_entry[ENTRY_HASH(f->pc) / 64] |= 1ull << ENTRY_HASH(f->pc) % 64;
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	fault_resume(b, uc, XC_LOOKUP);
	cache_drop(b, f, DROP_DEMOTED, f->pc);
}

static bool grants(const struct mark *m)
{
	return m && (m->fix == FIX_ENTRY || m->fix == FIX_POLL_R8);
}

/* The page is not mapped as it was: prechecked accesses ask again. */
static void forget_tag(struct bt_vcpu *b, gva lin)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->tags.tag); i++)
		b->tags.tag[i][lin >> PAGE_SHIFT & (TAGS - 1)] = 0;
}

bool fault_space(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, uint64_t addr,
		 bool write)
{
	gva lin, far;

	if (grants(m)) {
		if (mmu_long_where(b->v.mmu, addr, &lin) == LONG_PROBE &&
		    !probes_far(uc->uc_mcontext.gregs, &far) && mmu_long_place(b->v.mmu, lin) == LONG_PLACED)
			fault_count(b, f, TRAP_FILL);
		else
			not_granted(b, f, m, uc);
		return true;
	}
	if (probes_far(uc->uc_mcontext.gregs, &lin)) {
		probed_far(b, f, m, uc, lin);
		return true;
	}
	if (addr - b->guard.no_vt < GUARD_VT_BYTES) {
		user_stale(b, f, m, uc);
		return true;
	}
	if (addr >> 47) { /* A + D is in the host kernel's half: A is no address, or of another region */
		by_address(b, f, m, uc);
		return true;
	}
	switch (mmu_long_where(b->v.mmu, addr, &lin)) {
	case LONG_MEMORY:
		forget_tag(b, lin);
		if (!cpu_canonical(lin)) {
			not_canonical(b, f, m, uc);
			return true;
		}
		fault_window(b, f, m, uc, lin, write);
		return true;
	case LONG_PROBE:
		place(b, f, m, uc, lin);
		return true;
	case LONG_PROBE_USER:
		if (not_low(b, f, m, uc, lin))
			return true;
		place_user(b, f, m, uc, lin);
		return true;
	case LONG_USER:
		forget_tag(b, lin);
		user_missed(b, f, m, uc, lin, write);
		return true;
	case LONG_BEYOND:
		by_address(b, f, m, uc);
		return true;
	case LONG_ELSEWHERE:
		break;
	}
	return false;
}
