/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMX: the virtual APIC (SDM vol. 3, "APIC Virtualization and Virtual Interrupts"). The APIC-access page is
 * at G_FREE in the guest. */
#include "guests/hyper/cases.h"

#define APIC 0xfee00000u
#define PAGE __attribute__((aligned(4096)))
static u8 access_page[4096] PAGE;
static struct {
	u32 requests[8];
	u32 on, zero[7];
} posted __attribute__((aligned(64)));

PROGRAM(tpr, "movl $0x50, 0xc080\nmovl 0xc080, %eax\norl $5, 0xc080\nmovb 0xc080, %bl");
PROGRAM(write_tpr, "movl $0x50, 0xc080\nnop");
PROGRAM(lower_tpr, "sti\nmovl $0x10, 0xc080\nnop\nnop");
PROGRAM(read_reg, "movl 0xc000(%edx), %eax");
PROGRAM(read_two, "movw 0xc000(%edx), %ax");
PROGRAM(write_reg, "movl %eax, 0xc000(%edx)\nnop");
PROGRAM(modify_reg, "addl %eax, 0xc000(%edx)\nnop");
PROGRAM(push_there, "movl $0xc304, %esp\npushl %eax");
PROGRAM(jump_there, "movl $0xc080, %eax\njmp *%eax");
PROGRAM(undefined, "ud2");
PROGRAM(read_high, "movl 0x400123, %eax");
PROGRAM(sti_nop, "sti\nnop\nnop");
PROGRAM(sti_write, "sti\nmovl %eax, 0xc000(%edx)\nnop\nnop");
PROGRAM(wait, "1: jmp 1b");
PROGRAM(rdmsr_, "rdmsr");
PROGRAM(wrmsr_, "wrmsr\nnop");
PROGRAM(sti_wrmsr, "sti\nwrmsr\nnop\nnop");
PROGRAM(self_ipi, "movl $0x1ff, 0xc0f0\nmovl %eax, 0xc300\nmovl 0xc300, %eax");

enum { TPR = 0x80, PPR = 0xa0, EOI = 0xb0, ISR = 0x100, IRR = 0x200, ICR = 0x300 };

static u32 *reg(u32 at)
{
	return (u32 *)(virtual_apic + at);
}

static bool bit_of(u32 regs_at, u32 vector)
{
	return *reg(regs_at + vector / 32 * 16) >> (vector & 31) & 1;
}

static bool offers(u32 proc2)
{
	return vmx_has(vmx_caps.proc, PROC_TPR) && vmx_has(vmx_caps.proc2, proc2);
}

/* Virtualize with these secondary controls. */
static void use(u32 proc2)
{
	vm_or(VM_PROC, PROC_TPR);
	vmx_set_proc2(proc2);
	if (proc2 & PROC2_APIC) {
		memset(access_page, 0x77, sizeof(access_page));
		vmwrite64(VM_APIC_ACCESS, phys_of(access_page));
		vm_map(G_FREE / 4096, phys_of(access_page));
	}
	vmwrite64(VM_VIRTUAL_APIC, phys_of(virtual_apic));
	vmwrite(VM_TPR_THRESHOLD, 0);
	if (!(proc2 & PROC2_DELIVERY))
		return;
	vm_or(VM_PIN, PIN_INTR);
	vmwrite(VM_INTERRUPT_STATUS, 0);
	for (u32 i = 0; i < 4; i++)
		vmwrite64(VM_EOI_EXIT + 2 * i, 0);
}

static const char *exit_at(u32 reason, u32 qualification, u32 eip)
{
	const char *wrong = until_exit(reason, 0);

	if (wrong)
		return wrong;
	CHECK("qualification", out.info1, qualification);
	CHECK("eip", be->get(S_EIP), eip);
	return NULL;
}

/* Start again at G_CODE. */
static const char *again(u32 reason, u32 qualification, u32 eip)
{
	be->set(S_EIP, G_CODE);
	return exit_at(reason, qualification, eip);
}

/* ---- the TPR shadow ---- */

static const char *tpr_shadow(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(PROC2_APIC))
		return not_here;
	for (u32 i = 0; i < 100; i++) { /* often enough for code that is made for devices */
		LOAD_PROGRAM(tpr);
		use(PROC2_APIC);
		be->set(S_EIP, G_CODE);
		wrong = until_hypercall(END_OF(tpr));
		if (wrong)
			return wrong;
		CHECK("TPR as read", regs.eax, 0x50);
		CHECK("its byte, later", regs.ebx & 0xff, 0x55);
		CHECK("VTPR", *reg(TPR), 0x55);
		CHECK("the access page", *(u32 *)(access_page + TPR), 0x77777777);
	}
	return NULL;
}

/* Without virtualized accesses nothing in a 32-bit guest reaches VTPR; the entry compares it. */
static const char *tpr_shadow_alone(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.proc, PROC_TPR))
		return not_here;
	LOAD_PROGRAM(undefined);
	vm_or(VM_PROC, PROC_TPR);
	vmwrite64(VM_VIRTUAL_APIC, phys_of(virtual_apic));
	*reg(TPR) = 0x50;
	vmwrite(VM_TPR_THRESHOLD, 5);
	wrong = until_hypercall(handler(6));
	if (wrong)
		return wrong;
	vmwrite(VM_TPR_THRESHOLD, 6);
	be->enter();
	CHECK("entry with VTPR below the threshold", out.info1, 7);
	return NULL;
}

static const char *tpr_threshold(enum mode m)
{
	const char *wrong = NULL;

	(void)m;
	if (!offers(PROC2_APIC))
		return not_here;
	LOAD_PROGRAM(write_tpr);
	use(PROC2_APIC);
	for (u32 i = 0; i < 100 && !wrong; i++) {
		*reg(TPR) = 0x60;
		vmwrite(VM_TPR_THRESHOLD, 6);
		wrong = again(43, 0, END_OF(write_tpr) - 1);
	}
	if (wrong)
		return wrong;
	return exit_at(43, 0, END_OF(write_tpr) - 1); /* it still is below, at the entry */
}

/* ---- what is not virtualized ---- */

static const char *apic_access(enum mode m)
{
	static const struct {
		u32 offset;
		bool write;
	} rows[] = {
		{ 0x20, 0 }, { 0x20, 1 }, { 0x84, 0 }, { 0x88, 1 }, { 0x81, 1 }, { 0xffc, 0 }, { 0, 0 }
	};
	const char *wrong;

	if (!offers(PROC2_APIC))
		return not_here;
	use(PROC2_APIC);
	for (u32 i = 0; i < LEN(rows); i++) {
		if (rows[i].write)
			LOAD_PROGRAM(write_reg);
		else
			LOAD_PROGRAM(read_reg);
		regs.edx = rows[i].offset;
		wrong = again(44, rows[i].offset | rows[i].write << 12, G_CODE);
		if (wrong)
			return wrong;
	}
	LOAD_PROGRAM(read_two);
	regs.edx = TPR + 3;
	wrong = again(44, TPR + 3, G_CODE);
	if (wrong)
		return wrong;
	LOAD_PROGRAM(push_there);
	wrong = again(44, 0x1300, END_OF(push_there) - 1);
	if (wrong)
		return wrong;
	be->set(S_ESP, G_STACK);
	LOAD_PROGRAM(jump_there);
	wrong = again(44, 0x2080, G_FREE + TPR);
	if (wrong)
		return wrong;
	LOAD_PROGRAM(undefined);
	be->set(S_IDT_BASE, G_FREE);
	wrong = again(44, 0x3030, G_CODE);
	if (!wrong)
		CHECK("vectoring information", out.vectoring, 0x80000306);
	if (wrong || m != PAGED)
		return wrong;
	be->set(S_IDT_BASE, G_IDT);
	LOAD_PROGRAM(read_high);
	ram32(G_DIR)[1] = G_FREE | 7;
	return again(44, 0xf000, G_CODE);
}

/* Without the shadow every access exits. */
static const char *apic_access_no_shadow(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(PROC2_APIC))
		return not_here;
	use(PROC2_APIC);
	vmwrite(VM_PROC, vmread(VM_PROC) & ~PROC_TPR);
	LOAD_PROGRAM(write_reg);
	regs.edx = TPR;
	wrong = again(44, 0x1000 | TPR, G_CODE);
	LOAD_PROGRAM(read_reg);
	return wrong ? wrong : again(44, TPR, G_CODE);
}

/* ---- APIC-register virtualization ---- */

static const char *apic_registers(enum mode m)
{
	static const u16 reads[] = { 0x20,  0x30,  0xb0,  0xd0,	 0xe0,	0xf0,  0x170,
				     0x1f0, 0x200, 0x280, 0x310, 0x370, 0x380, 0x3e0 };
	static const u16 exits[] = { 0x20, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x320, 0x370, 0x380, 0x3e0 };
	static const u16 neither[] = { 0x10, 0xa0, 0xc0, 0x390, 0x400 };
	const char *wrong;

	(void)m;
	if (!offers(PROC2_APIC | PROC2_REGISTERS))
		return not_here;
	use(PROC2_APIC | PROC2_REGISTERS);
	for (u32 i = 0; i < LEN(reads); i++) {
		LOAD_PROGRAM(read_reg);
		*reg(reads[i]) = 0x12340000 | i;
		regs.edx = reads[i];
		be->set(S_EIP, G_CODE);
		wrong = until_hypercall(END_OF(read_reg));
		if (wrong)
			return wrong;
		CHECK("register as read", regs.eax, 0x12340000 | i);
	}
	for (u32 i = 0; i < LEN(exits); i++) {
		LOAD_PROGRAM(write_reg);
		regs.edx = exits[i];
		regs.eax = 0x56780000 | i;
		wrong = again(56, exits[i], END_OF(write_reg) - 1);
		if (wrong)
			return wrong;
		CHECK("register", *reg(exits[i]), 0x56780000 | i);
	}
	for (u32 i = 0; i < LEN(neither); i++) {
		LOAD_PROGRAM(read_reg);
		regs.edx = neither[i];
		wrong = again(44, neither[i], G_CODE);
		if (wrong)
			return wrong;
	}
	LOAD_PROGRAM(modify_reg);
	*reg(0x380) = 5;
	regs.edx = 0x380;
	regs.eax = 2;
	wrong = again(56, 0x380, END_OF(modify_reg) - 1);
	if (!wrong)
		CHECK("sum", *reg(0x380), 7);
	return wrong;
}

/* ---- virtual-interrupt delivery ---- */

static const char *delivered(u32 vector)
{
	const char *wrong = until_hypercall(handler(vector));

	if (wrong)
		return wrong;
	CHECK("interrupt status", vmread(VM_INTERRUPT_STATUS), vector << 8);
	CHECK("request", bit_of(IRR, vector), 0);
	CHECK("service", bit_of(ISR, vector), 1);
	CHECK("VPPR", *reg(PPR), vector & 0xf0);
	return NULL;
}

static void request(u32 vector)
{
	*reg(IRR + vector / 32 * 16) |= 1u << (vector & 31);
	vmwrite(VM_INTERRUPT_STATUS, vector);
}

#define FULL (PROC2_APIC | PROC2_REGISTERS | PROC2_DELIVERY)

static const char *virtual_delivery(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(FULL))
		return not_here;
	LOAD_PROGRAM(sti_nop);
	use(FULL);
	request(0x51);
	wrong = delivered(0x51);
	if (!wrong)
		wrong = differs("where it came, after STI and one more", *ram32(be->get(S_ESP)), G_CODE + 2);
	if (wrong)
		return wrong;
	/* its end, which exits when its bit is set */
	LOAD_PROGRAM(write_reg);
	be->set(S_EIP, G_CODE);
	regs.edx = EOI;
	wrong = until_hypercall(END_OF(write_reg));
	if (wrong)
		return wrong;
	CHECK("interrupt status after EOI", vmread(VM_INTERRUPT_STATUS), 0);
	CHECK("service", bit_of(ISR, 0x51), 0);
	*reg(ISR + 0x20) |= 1u << 0x11;
	vmwrite(VM_INTERRUPT_STATUS, 0x5100);
	vmwrite64(VM_EOI_EXIT + 2, 1ull << 0x11);
	return again(45, 0x51, END_OF(write_reg) - 1);
}

/* Held back by VTPR, until the guest lowers it. */
static const char *virtual_delivery_priority(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(FULL))
		return not_here;
	LOAD_PROGRAM(sti_nop);
	use(FULL);
	request(0x51);
	*reg(TPR) = 0x50;
	wrong = until_hypercall(END_OF(sti_nop));
	if (wrong)
		return wrong;
	LOAD_PROGRAM(lower_tpr);
	be->set(S_EIP, G_CODE);
	wrong = delivered(0x51);
	if (!wrong)
		CHECK("where it came, after TPR", *ram32(be->get(S_ESP)), END_OF(lower_tpr) - 2);
	return wrong;
}

static const char *virtual_delivery_window(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(FULL))
		return not_here;
	LOAD_PROGRAM(sti_nop);
	use(FULL);
	request(0x51);
	vm_or(VM_PROC, PROC_INTR_WINDOW);
	wrong = until_exit(7, 0);
	if (wrong)
		return wrong;
	vmwrite(VM_PROC, vmread(VM_PROC) & ~PROC_INTR_WINDOW);
	wrong = delivered(0x51);
	if (wrong || !(vmx_caps.misc & 1 << 6))
		return wrong;
	vmwrite(VM_ACTIVITY, 1); /* HLT ends by it */
	be->set(S_EFLAGS, 0x202);
	be->set(S_EIP, G_CODE);
	*reg(ISR + 0x20) = 0;
	request(0x61);
	return delivered(0x61);
}

static const char *virtual_self_ipi(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(FULL))
		return not_here;
	LOAD_PROGRAM(sti_write);
	use(FULL);
	regs.edx = ICR;
	regs.eax = 0x44061; /* fixed, edge, to itself */
	wrong = delivered(0x61);
	if (wrong)
		return wrong;
	be->set(S_EFLAGS, 2);
	regs.eax = 0x4061; /* not to itself */
	LOAD_PROGRAM(write_reg);
	return again(56, ICR, END_OF(write_reg) - 1);
}

/* ---- x2APIC mode ---- */

static const char *x2apic_tpr(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(PROC2_X2APIC) || !vmx_has(vmx_caps.proc, PROC_MSR_BITMAPS))
		return not_here;
	use(PROC2_X2APIC);
	LOAD_PROGRAM(rdmsr_);
	*reg(TPR) = 0x70;
	*reg(TPR + 4) = 0x123;
	regs.ecx = 0x808;
	wrong = until_hypercall(END_OF(rdmsr_));
	if (wrong)
		return wrong;
	CHECK("TPR", regs.eax, 0x70);
	CHECK("what is above it", regs.edx, 0x123);
	vmwrite(VM_TPR_THRESHOLD, 7);
	for (u32 i = 0; i < 10; i++) {
		*reg(TPR) = 0x70;
		LOAD_PROGRAM(wrmsr_);
		regs.eax = 0x40;
		regs.edx = 0;
		wrong = again(43, 0, END_OF(wrmsr_) - 1);
		if (wrong)
			return wrong;
		CHECK("VTPR", *reg(TPR), 0x40);
	}
	vmwrite(VM_TPR_THRESHOLD, 0);
	be->set(S_EIP, G_CODE);
	regs.eax = 0x140; /* a reserved bit */
	return until_hypercall(handler(13));
}

static const char *x2apic_delivery(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!offers(PROC2_X2APIC | PROC2_REGISTERS | PROC2_DELIVERY))
		return not_here;
	use(PROC2_X2APIC | PROC2_REGISTERS | PROC2_DELIVERY);
	LOAD_PROGRAM(sti_wrmsr);
	regs.ecx = 0x83f; /* SELF IPI */
	regs.eax = 0x61;
	wrong = delivered(0x61);
	if (wrong)
		return wrong;
	be->set(S_EFLAGS, 2);
	LOAD_PROGRAM(wrmsr_);
	be->set(S_EIP, G_CODE);
	regs.ecx = 0x80b; /* EOI */
	regs.eax = 0;
	wrong = until_hypercall(END_OF(wrmsr_));
	if (wrong)
		return wrong;
	CHECK("interrupt status after EOI", vmread(VM_INTERRUPT_STATUS), 0);
	regs.ecx = 0x83f;
	regs.eax = 5; /* no vector for it */
	wrong = again(56, 0x3f0, END_OF(wrmsr_) - 1);
	if (wrong)
		return wrong;
	LOAD_PROGRAM(rdmsr_);
	*reg(0x390) = 0x4242;
	regs.ecx = 0x839;
	be->set(S_EIP, G_CODE);
	wrong = until_hypercall(END_OF(rdmsr_));
	if (!wrong)
		CHECK("current count", regs.eax, 0x4242);
	return wrong;
}

/* ---- posted interrupts ---- */

/* Have VECTOR pending in the processor's own APIC: by a guest without any of this. */
static const char *send(enum mode m, u32 vector)
{
	const char *wrong;

	vm_reset(m);
	LOAD_PROGRAM(self_ipi);
	vm_map(G_FREE / 4096, APIC);
	regs.eax = 0x44000 | vector;
	wrong = until_hypercall(END_OF(self_ipi));
	vm_reset(m);
	return wrong;
}

static const char *posted_interrupts(enum mode m)
{
	u32 one[4];
	const char *wrong;

	cpuid(1, one);
	if (!offers(FULL) || !vmx_has(vmx_caps.pin, PIN_POSTED) || !(one[3] & 1 << 9))
		return not_here;
	for (u32 i = 0; i < 2; i++) {
		wrong = send(m, 0x91);
		if (wrong)
			return wrong;
		LOAD_PROGRAM(wait);
		use(FULL);
		vm_or(VM_PIN, PIN_POSTED);
		vm_or(VM_EXITS, EXITS_ACK);
		vmwrite(VM_POSTED_VECTOR, i ? 0x92 : 0x91);
		vmwrite64(VM_POSTED, phys_of(&posted));
		memset(&posted, 0, sizeof(posted));
		posted.requests[0x51 / 32] = 1u << (0x51 & 31);
		posted.requests[0x43 / 32] |= 1u << (0x43 & 31);
		posted.on = 1;
		be->set(S_EFLAGS, 0x202);
		if (i) { /* another vector exits */
			wrong = until_exit(1, 0);
			if (!wrong)
				wrong = differs("interruption information", out.event, 0x80000091);
			break;
		}
		wrong = until_hypercall(handler(0x51));
		if (wrong)
			return wrong;
		CHECK("interrupt status", vmread(VM_INTERRUPT_STATUS), 0x5143);
		CHECK("requests", posted.requests[2], 0);
		CHECK("outstanding notification", posted.on, 0);
		CHECK("the other request", bit_of(IRR, 0x43), 1);
	}
	if (!wrong) { /* end that interrupt */
		vm_reset(m);
		LOAD_PROGRAM(write_reg);
		vm_map(G_FREE / 4096, APIC);
		regs.edx = EOI;
		wrong = until_hypercall(END_OF(write_reg));
	}
	return wrong;
}

/* Columns: name, modes, back end, function. */
const struct program apic_programs[] = {
	{ "tpr_shadow", PROTECTED, ON_VMX, tpr_shadow },
	{ "tpr_shadow_alone", IN(SHADOW), ON_VMX, tpr_shadow_alone },
	{ "tpr_threshold", PROTECTED, ON_VMX, tpr_threshold },
	{ "apic_access", PROTECTED, ON_VMX, apic_access },
	{ "apic_access_no_shadow", PROTECTED, ON_VMX, apic_access_no_shadow },
	{ "apic_registers", PROTECTED, ON_VMX, apic_registers },
	{ "virtual_delivery", PROTECTED, ON_VMX, virtual_delivery },
	{ "virtual_delivery_priority", PROTECTED, ON_VMX, virtual_delivery_priority },
	{ "virtual_delivery_window", PROTECTED, ON_VMX, virtual_delivery_window },
	{ "virtual_self_ipi", PROTECTED, ON_VMX, virtual_self_ipi },
	{ "x2apic_tpr", PROTECTED, ON_VMX, x2apic_tpr },
	{ "x2apic_delivery", PROTECTED, ON_VMX, x2apic_delivery },
	{ "posted_interrupts", PROTECTED, ON_VMX, posted_interrupts },
};
const u32 apic_program_count = LEN(apic_programs);
