/* SPDX-License-Identifier: GPL-3.0-or-later
 * Nested paging: who may not fetch, tables of the guest that are not mapped, changed mappings, accessed and
 * dirty flags. */
#include "guests/hyper/cases.h"

static void invvpid(u32 type, u16 vpid)
{
	u64 d[2] = { vpid, 0 };

	asm volatile("invvpid %0, %1" : : "m"(d), "r"(type) : "cc", "memory");
}

PROGRAM(jump_hole, "movl $0xf000, %eax\njmp *%eax");
PROGRAM(jump_free, "movl $0xc000, %eax\njmp *%eax");
PROGRAM(switch_twice, "xorl %eax, %eax\nmovl $7, %ecx\nvmfunc\nmovl 0xc000, %ebx\nxorl %ecx, %ecx\nvmfunc\n"
		      "movl 0xc000, %edx");
PROGRAM(vmfunc_any, "vmfunc");
PROGRAM(read_hole, "movl 0xf010, %eax");
PROGRAM(load_pdptes, "nop\nnop\nmovl $0x2000, %eax\nmovl %eax, %cr3");
PROGRAM(read_high, "movl 0x400123, %eax");
PROGRAM(read_free, "movl 0xc000, %eax");
PROGRAM(write_free, "movl %eax, 0xc000");
PROGRAM(read_data, "movl 0x2000, %eax");

static const char *fetch_hole(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(jump_hole);
	wrong = until_exit(48, SVM_NPF);
	if (wrong)
		return wrong;
	CHECK("eip", be->get(S_EIP), G_HOLE);
	CHECK("address", out.info2, G_HOLE);
	if (be->on == ON_VMX)
		CHECK("qualification", out.info1, 0x184);
	else
		CHECK("EXITINFO1", out.info1 & ~0x10ull, 1ull << 32 | 4); /* fetches show with NX alone */
	return NULL;
}

/* A page directory entry that names a table in a hole. */
static const char *table_in_hole(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(read_high);
	ram32(G_DIR)[1] = G_HOLE | 7;
	wrong = until_exit(48, SVM_NPF);
	if (wrong)
		return wrong;
	CHECK("eip", be->get(S_EIP), G_CODE);
	if (be->on == ON_VMX) {
		CHECK("address", out.info2, G_HOLE);
		CHECK("linear address", out.linear, 0x400123);
		CHECK("qualification", out.info1, 0x81);
	} else {
		CHECK("address", out.info2 & ~0xfffull, G_HOLE);
		CHECK("EXITINFO1, of a table", out.info1 & (3ull << 32 | 5), 2ull << 32 | 4);
	}
	return NULL;
}

/* Translations of before must not survive a change that was made known. */
static const char *remap(enum mode m)
{
	static u8 other[4096] __attribute__((aligned(4096)));
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(read_free);
	*ram32(G_FREE) = 0x1111;
	*(u32 *)other = 0x2222;
	for (u32 i = 0; i < 6; i++) {
		be->nested(G_FREE / 4096, phys_of(i & 1 ? other : ram + G_FREE), RIGHT_ALL);
		be->set(S_EIP, G_CODE);
		wrong = until_hypercall(END_OF(read_free));
		if (wrong)
			return wrong;
		CHECK("what the guest reads", regs.eax, i & 1 ? 0x2222 : 0x1111);
	}
	be->nested(G_FREE / 4096, 0, 0);
	be->set(S_EIP, G_CODE);
	return until_exit(48, SVM_NPF);
}

/* A write to a page that was read before, then protected. */
static const char *write_protect(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(write_free);
	wrong = until_hypercall(END_OF(write_free));
	if (wrong)
		return wrong;
	be->nested(G_FREE / 4096, phys_of(ram + G_FREE), RIGHT_R | RIGHT_X);
	be->set(S_EIP, G_CODE);
	wrong = until_exit(48, SVM_NPF);
	if (wrong)
		return wrong;
	be->nested(G_FREE / 4096, phys_of(ram + G_FREE), RIGHT_ALL);
	regs.eax = 0xfeed;
	wrong = until_hypercall(END_OF(write_free));
	if (!wrong)
		CHECK("memory", *ram32(G_FREE), 0xfeed);
	return wrong;
}

static const char *no_execute(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(jump_free);
	memcpy(ram + G_FREE, be->hypercall, 3);
	be->nested(G_FREE / 4096, phys_of(ram + G_FREE), RIGHT_R | RIGHT_W);
	wrong = until_exit(48, 0);
	if (wrong)
		return wrong;
	CHECK("qualification", out.info1, 0x19c);
	CHECK("eip", be->get(S_EIP), G_FREE);
	be->nested(G_FREE / 4096, phys_of(ram + G_FREE), RIGHT_ALL);
	return until_hypercall(G_FREE);
}

static const char *execute_only(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(jump_free);
	memcpy(ram + G_FREE, be->hypercall, 3);
	be->nested(G_FREE / 4096, phys_of(ram + G_FREE), RIGHT_X);
	if (!(vmx_caps.ept & 1))
		return until_exit(49, 0);
	wrong = until_hypercall(G_FREE);
	if (wrong)
		return wrong;
	LOAD_PROGRAM(read_free);
	be->set(S_EIP, G_CODE);
	wrong = until_exit(48, 0);
	if (!wrong)
		CHECK("qualification", out.info1, 0x1a1);
	return wrong;
}

/* Bit 10 of an entry, not bit 2, decides at user-mode linear addresses. */
static const char *mode_based_execute(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.proc2, PROC2_MODE_EXECUTE))
		return not_here;
	vmx_set_proc2(PROC2_MODE_EXECUTE);
	for (u32 p = 0; p < G_BYTES / 4096; p++)
		if (ept_table[p] & 4)
			ept_table[p] |= 0x400;
	ept_table[G_FREE / 4096] &= ~0x400ull;
	invept_all();
	LOAD_PROGRAM(jump_free);
	memcpy(ram + G_FREE, be->hypercall, 3);
	wrong = until_exit(48, 0); /* all pages of the guest are user-mode ones */
	if (wrong)
		return wrong;
	CHECK("qualification", out.info1, 0x1bc);
	ram32(G_TABLE)[G_FREE / 4096] &= ~4u;
	be->set(S_EIP, G_CODE);
	invept_all();
	wrong = until_hypercall(G_FREE);
	if (wrong)
		return wrong;
	ept_table[G_FREE / 4096] = (ept_table[G_FREE / 4096] & ~4ull) | 0x400;
	be->set(S_EIP, G_CODE);
	invept_all();
	wrong = until_exit(48, 0);
	if (!wrong)
		CHECK("qualification of a supervisor's page", out.info1, 0x1dc);
	return wrong;
}

static const char *misconfigured(enum mode m)
{
	/* Bits to set in an entry that allows all, after clearing others. */
	static const struct {
		u64 clear, set;
	} rows[] = {
		{ RIGHT_R, 0 }, { 7 << 3, 2 << 3 }, { 7 << 3, 3 << 3 }, { 7 << 3, 7 << 3 }, { 0, 1ull << 51 }
	};
	const char *wrong;

	for (u32 i = 0; i < LEN(rows); i++) {
		vm_reset(m);
		LOAD_PROGRAM(read_free);
		ept_table[G_FREE / 4096] = (ept_table[G_FREE / 4096] & ~rows[i].clear) | rows[i].set;
		invept_all();
		wrong = until_exit(49, 0);
		if (wrong)
			return wrong;
		CHECK("address", out.info2, G_FREE);
	}
	return NULL;
}

static const char *accessed_dirty(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!(vmx_caps.ept >> 21 & 1))
		return not_here;
	LOAD_PROGRAM(read_free);
	vm_or(VM_EPTP, 1 << 6);
	wrong = until_hypercall(END_OF(read_free));
	if (wrong)
		return wrong;
	CHECK("flags after a read", ept_table[G_FREE / 4096] & 0x300, 0x100);
	CHECK("flags of an unused page", ept_table[G_READONLY / 4096] & 0x300, 0);
	LOAD_PROGRAM(write_free);
	be->set(S_EIP, G_CODE);
	wrong = until_hypercall(END_OF(write_free));
	if (!wrong)
		CHECK("flags after a write", ept_table[G_FREE / 4096] & 0x300, 0x300);
	return wrong;
}

static const char *modification_log(enum mode m)
{
	static u64 log[512] __attribute__((aligned(4096)));
	const char *wrong;

	(void)m;
	if (!(vmx_caps.ept >> 21 & 1) || !vmx_has(vmx_caps.proc2, PROC2_PML))
		return not_here;
	LOAD_PROGRAM(write_free);
	vm_or(VM_EPTP, 1 << 6);
	vmx_set_proc2(PROC2_PML);
	vmwrite64(VM_PML, phys_of(log));
	vmwrite(VM_GUEST_PML_INDEX, 511);
	for (u32 p = 0; p < G_BYTES / 4096; p++)
		if (p != G_FREE / 4096 && ept_table[p])
			ept_table[p] |= 0x300;
	wrong = until_hypercall(END_OF(write_free));
	if (wrong)
		return wrong;
	CHECK("index", vmread(VM_GUEST_PML_INDEX), 510);
	CHECK("entry", log[511], G_FREE);
	ept_table[G_FREE / 4096] &= ~0x300ull;
	invept_all();
	vmwrite(VM_GUEST_PML_INDEX, 0xffff);
	be->set(S_EIP, G_CODE);
	wrong = until_exit(62, 0);
	if (!wrong)
		CHECK("eip", be->get(S_EIP), G_CODE);
	return wrong;
}

/* The guest takes another of two tables, which differ in one page. */
static const char *eptp_switching(enum mode m)
{
	static u64 other[4][512] __attribute__((aligned(4096))), list[512] __attribute__((aligned(4096)));
	static u8 page[4096] __attribute__((aligned(4096)));
	u64 eptp = vmread(VM_EPTP) | (u64)vmread(VM_EPTP + 1) << 32;
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.proc2, PROC2_VMFUNC) || !(rdmsr(0x491) & 1))
		return not_here;
	for (u32 i = 0; i < 3; i++)
		other[i][0] = phys_of(other[i + 1]) | 0x407;
	memcpy(other[3], ept_table, sizeof(ept_table));
	other[3][G_FREE / 4096] = (ept_table[G_FREE / 4096] & 0xfff) | phys_of(page);
	memset(list, 0, sizeof(list));
	list[0] = eptp;
	list[7] = (eptp & 0xfff) | phys_of(other[0]);
	*ram32(G_FREE) = 0x1111;
	*(u32 *)page = 0x2222;
	vmx_set_proc2(PROC2_VMFUNC);
	vmwrite64(VM_FUNCTIONS, 1);
	vmwrite64(VM_EPTP_LIST, phys_of(list));
	LOAD_PROGRAM(switch_twice);
	for (u32 i = 0; i < 3; i++) {
		be->set(S_EIP, G_CODE);
		wrong = until_hypercall(END_OF(switch_twice));
		if (wrong)
			return wrong;
		CHECK("in the other table", regs.ebx, 0x2222);
		CHECK("in the first table again", regs.edx, 0x1111);
	}
	CHECK("EPT pointer", vmread(VM_EPTP), (u32)eptp);
	LOAD_PROGRAM(vmfunc_any);
	for (u32 i = 0; i < 3; i++) { /* no such pointer, no such entry, no such function */
		be->set(S_EIP, G_CODE);
		regs.eax = i == 2;
		regs.ecx = i ? 512 : 3;
		wrong = until_exit(59, 0);
		if (wrong)
			return wrong;
		CHECK("eip", be->get(S_EIP), G_CODE);
		CHECK("length", out.len, 3);
	}
	be->set(S_EIP, G_CODE);
	regs.eax = 64;
	return until_hypercall(handler(6));
}

static const char *virtualization_exception(enum mode m)
{
	static struct {
		u32 reason, busy;
		u64 qualification, linear, physical;
		u16 index;
	} info __attribute__((aligned(4096)));
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.proc2, PROC2_VE))
		return not_here;
	memset(&info, 0, sizeof(info));
	LOAD_PROGRAM(read_hole);
	vmx_set_proc2(PROC2_VE);
	vmwrite64(VM_VE, phys_of(&info));
	vmwrite(VM_EPTP_INDEX, 0x1234);
	wrong = until_hypercall(handler(20));
	if (wrong)
		return wrong;
	CHECK("pushed eip", *ram32(be->get(S_ESP)), G_CODE);
	CHECK("reason", info.reason, 48);
	CHECK("busy", info.busy, ~0u);
	CHECK("qualification", info.qualification, 0x181);
	CHECK("linear address", info.linear, G_HOLE + 0x10);
	CHECK("guest-physical address", info.physical, G_HOLE + 0x10);
	CHECK("EPTP index", info.index, 0x1234);
	be->set(S_EIP, G_CODE); /* the information has not been taken */
	wrong = until_exit(48, 0);
	if (wrong)
		return wrong;
	info.busy = 0;
	ept_table[G_HOLE / 4096] = 1ull << 63; /* suppressed */
	invept_all();
	wrong = until_exit(48, 0);
	if (wrong)
		return wrong;
	ept_table[G_HOLE / 4096] = 0;
	invept_all();
	vm_or(VM_EXCEPTIONS, 1 << 20);
	wrong = until_exit(0, 0);
	if (!wrong)
		CHECK("interruption information", out.event, 0x80000314);
	return wrong;
}

/* Translations of one VPID survive those of another, and INVVPID drops its own. */
static const char *vpids(enum mode m)
{
	const char *wrong;

	if (!vmx_has(vmx_caps.proc2, PROC2_VPID) || !(vmx_caps.ept >> 41 & 1))
		return not_here;
	LOAD_PROGRAM(read_free);
	*ram32(G_FREE) = 0x1111;
	*ram32(G_DATA) = 0x2222;
	vmx_set_proc2(PROC2_VPID);
	for (u32 i = 0; i < 6; i++) {
		u32 page = i & 1 ? G_DATA : G_FREE;

		if (m == PAGED)
			ram32(G_TABLE)[G_FREE / 4096] = page | 7;
		else
			shadow_table[G_FREE / 4096] = phys_of(ram + page) | 7;
		vmwrite(VM_VPID, 1 + (i & 1));
		if (i >= 4)
			invvpid(1, (u16)(1 + (i & 1)));
		be->set(S_EIP, G_CODE);
		wrong = until_hypercall(END_OF(read_free));
		if (wrong)
			return wrong;
		CHECK("what the guest reads", regs.eax, i & 1 ? 0x2222 : 0x1111);
	}
	vmwrite(VM_VPID, 0);
	be->enter();
	CHECK("VPID 0", out.info1, 7);
	return NULL;
}

/* PAE paging under EPT: the entry takes PDPTEs from the VMCS, MOV to CR3 from memory, the exit stores them.
 */
static const char *pdptes(enum mode m)
{
	u64 *dir = (u64 *)(ram + G_DIR), *table = (u64 *)(ram + G_TABLE), *pdpt = (u64 *)(ram + G_DATA);
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(load_pdptes);
	memset(ram + G_DIR, 0, 0x2000);
	dir[0] = G_TABLE | 7;
	for (u32 p = 0; p < G_BYTES / 4096; p++)
		table[p] = p << 12 | 7;
	for (u32 i = 0; i < 4; i++) {
		pdpt[i] = G_DIR | 1 | i << 9; /* bits 11:9 are software's */
		vmwrite64(VM_PDPTE0 + 2 * i, i ? 0 : G_DIR | 1);
	}
	be->set(S_CR4, 0x20);
	be->set(S_CR3, 0); /* where no PDPTEs are */
	wrong = until_hypercall(END_OF(load_pdptes));
	if (wrong)
		return wrong;
	CHECK("PDPTE 3", vmread(VM_PDPTE0 + 6), G_DIR | 0x601);
	vmwrite64(VM_PDPTE0 + 4, 1 << 1);
	vmwrite64(VM_PDPTE0 + 4, 0x1e7);
	be->set(S_EIP, G_CODE);
	be->enter();
	CHECK("reserved bits of a PDPTE", out.reason, FAILED_ENTRY | 33);
	CHECK("qualification", out.info1, 2);
	return NULL;
}

/* SVM: a change of the guest's mappings is seen by another ASID at once. */
static const char *other_asid(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(read_data);
	*ram32(G_DATA) = 0x3333;
	*ram32(G_FREE) = 0x4444;
	wrong = until_hypercall(END_OF(read_data));
	if (wrong)
		return wrong;
	be->nested(G_DATA / 4096, phys_of(ram + G_FREE), RIGHT_ALL);
	vmcb[VMCB_TLB] = 0;
	*vmcb32(VMCB_ASID) = 2;
	be->set(S_EIP, G_CODE);
	wrong = until_hypercall(END_OF(read_data));
	if (!wrong)
		CHECK("what the guest reads", regs.eax, 0x4444);
	return wrong;
}

/* Columns: name, modes (0: all), back ends (0: both), function. */
const struct program nested_programs[] = {
	{ "fetch_hole", IN(FLAT) | IN(PAGED), 0, fetch_hole },
	{ "table_in_hole", IN(PAGED), 0, table_in_hole },
	{ "remap", IN(FLAT) | IN(PAGED), 0, remap },
	{ "write_protect", IN(FLAT) | IN(PAGED), 0, write_protect },
	{ "no_execute", IN(FLAT) | IN(PAGED), ON_VMX, no_execute },
	{ "execute_only", IN(FLAT) | IN(PAGED), ON_VMX, execute_only },
	{ "mode_based_execute", IN(PAGED), ON_VMX, mode_based_execute },
	{ "misconfigured", IN(FLAT) | IN(PAGED), ON_VMX, misconfigured },
	{ "accessed_dirty", IN(FLAT) | IN(PAGED), ON_VMX, accessed_dirty },
	{ "modification_log", IN(FLAT) | IN(PAGED), ON_VMX, modification_log },
	{ "vpids", IN(PAGED) | IN(SHADOW), ON_VMX, vpids },
	{ "pdptes", IN(PAGED), ON_VMX, pdptes },
	{ "eptp_switching", IN(FLAT) | IN(PAGED), ON_VMX, eptp_switching },
	{ "virtualization_exception", IN(FLAT) | IN(PAGED), ON_VMX, virtualization_exception },
	{ "other_asid", IN(FLAT) | IN(PAGED), ON_SVM, other_asid },
};
const u32 nested_program_count = LEN(nested_programs);
