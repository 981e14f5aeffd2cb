/* SPDX-License-Identifier: GPL-3.0-or-later
 * The seam between an engine, which executes the processor, and a virtualization extension of it (VMX in
 * vtx/, SVM in svm/). The extension fills struct virt and hangs it at vcpu.virt; without it (NULL) nothing
 * costs anything.
 *
 * Guest mode runs on the engine as all code does, with struct cpu holding the guest's state. There is one
 * path out of it: an intercepted instruction, a nested-paging violation, an event that exits. Whoever notices
 * returns -1 with cpu.exc.vector = EXC_EXIT, the extension having noted what the exit is; cpu_deliver_exc()
 * calls leave(), which saves the guest's state and loads the host's. All calls run while the guest's vector
 * registers are live: GPR-only code (base/gpr.h), on the vCPU's thread. */
#ifndef CPU_VIRT_H
#define CPU_VIRT_H
#include "x86/engine_virt.h"

enum virt_point {
#define VIRT_POINT(id, name) VIRT_##id,
#include "cpu/virt_points.def"
#undef VIRT_POINT
	VIRT_POINTS
};
_Static_assert(VIRT_POINTS <= 64, "a bit each");
#define VIRT_BIT(id) (1ull << VIRT_##id)

/* The extensions' own instructions, whose operands are in struct virt_insn. */
enum virt_own {
	/* VMX */
	VIRT_VMXON,
	VIRT_VMXOFF,
	VIRT_VMCLEAR,
	VIRT_VMPTRLD,
	VIRT_VMPTRST,
	VIRT_VMREAD,
	VIRT_VMWRITE,
	VIRT_VMLAUNCH,
	VIRT_VMRESUME,
	VIRT_VMCALL,
	VIRT_VMFUNC,
	VIRT_INVEPT,
	VIRT_INVVPID,
	VIRT_GETSEC,
	/* SVM */
	VIRT_VMRUN,
	VIRT_VMLOAD,
	VIRT_VMSAVE,
	VIRT_VMMCALL,
	VIRT_STGI,
	VIRT_CLGI,
	VIRT_SKINIT,
	VIRT_INVLPGA,
	VIRT_OWN
};

/* A decoded instruction, at cpu.rip. What does not apply is 0. */
struct virt_insn {
	uint8_t id;    /* enum virt_point, or enum virt_own in execute() */
	uint8_t size;  /* of the operand, of an I/O access; in bytes */
	uint8_t reg;   /* general register: source or destination; VMREAD and VMWRITE: with the encoding */
	uint8_t value; /* general register that is the other operand of VMREAD and VMWRITE */
	uint8_t seg;   /* of the memory operand */
	uint8_t asize; /* of an address; in bytes */
	uint8_t vector, how;		 /* SOFT_INT: enum cpu_int_kind */
	uint8_t number;			 /* of the debug register; of CR0_WRITE: enum virt_cr0 */
	bool memory;			 /* the operand is in memory at SEG:OFFSET; else in a register */
	bool in, string, rep, immediate; /* of IO */
	uint16_t port, selector;	 /* selector: of TASK_SWITCH */
	uint64_t offset;       /* effective address; linear address of INVLPG, and of INS and OUTS */
	uint64_t next;	       /* offset of the next instruction in CS */
	uint64_t displacement; /* of the operand, and what else there is of it, as SDM vol. 3C 28.2.5 */
	uint32_t info;	       /* codes them for an exit */
	uint32_t msr;
	/* Writes: what is to be written, which intercept() may change. Reads: what is in the register, which
	 * intercept() replaces by what the guest reads. */
	uint64_t data;
};
enum virt_cr0 { VIRT_CR0_MOV, VIRT_CR0_CLTS, VIRT_CR0_LMSW };

/* An event on its way into the guest. */
enum virt_event_type {
	VIRT_EVENT_NONE,
	VIRT_EVENT_INTR, /* external interrupt */
	VIRT_EVENT_NMI,
	VIRT_EVENT_EXCEPTION, /* raised by the processor */
	VIRT_EVENT_INT_N,
	VIRT_EVENT_INT1,
	VIRT_EVENT_INT3_INTO,
	VIRT_EVENT_SHUTDOWN, /* a triple fault */
};
struct virt_event {
	uint8_t type; /* enum virt_event_type */
	uint8_t vector;
	bool has_err;
	bool rf;	/* the image of EFLAGS has RF set, whatever EFLAGS has */
	uint8_t length; /* of the instruction, for software events */
	uint32_t err;
	uint64_t address; /* #PF: for CR2. #DB: the bits that are set in DR6 for it; ERR is DR6 before */
};

/* What comes before the next instruction. */
enum virt_due {
	VIRT_DUE_USUAL, /* NMI and INTR as without the extension */
	VIRT_DUE_HELD,	/* neither can be taken now */
	VIRT_DUE_EXC,	/* deliver cpu.exc, EXC_EXIT it may be */
	VIRT_DUE_EVENT, /* deliver virt.due */
};

struct virt_ops {
	const char *name;
	/* Execute I (enum virt_own), in any mode. 0: cpu.rip is where execution continues, and the mode may
	 * have changed, an injected event been delivered. -1: cpu.exc is to be delivered. */
	int (*execute)(struct vcpu *v, const struct virt_insn *i);
	/* VMREAD and VMWRITE of general registers: the encoding is in register FIELD, the value in VALUE.
	 * False: nothing was done, and execute() is to be called. NULL: there are none. */
	bool (*field)(struct vcpu *v, bool write, unsigned field, unsigned value);
	/* Guest mode: I, of a point in the set, is about to execute; the checks of mode and privilege that
	 * precede an exit have been made. 0: execute it, with I->data. 1: it is done, but for RIP (CR8_WRITE
	 * alone). -1: cpu.exc. */
	int (*intercept)(struct vcpu *v, struct virt_insn *i);
	/* RDMSR and WRMSR of the extension's MSRs and of those that read otherwise with it. 1: done; 0: none
	 * of these; -1: #GP. */
	int (*rdmsr)(struct vcpu *v, uint32_t msr, uint64_t *val);
	int (*wrmsr)(struct vcpu *v, uint32_t msr, uint64_t val);
	/* May CR0 and CR4 get these values? False: #GP. */
	bool (*cr_ok)(struct vcpu *v, uint32_t cr0, uint32_t cr4);
	/* Guest mode: does E exit? Raised during delivery of virt.delivering, if that is any. True: noted, as
	 * by EXC_EXIT. */
	bool (*exits)(struct vcpu *v, const struct virt_event *e);
	/* Leave guest mode by the exit that was noted, at cpu.rip. False: the processor shuts down. */
	bool (*leave)(struct vcpu *v);
	/* Between two instructions, in guest mode or while virt.ask is set. INTR: an external interrupt is
	 * pending. */
	enum virt_due (*due)(struct vcpu *v, bool intr);
	/* The processor is reset; its state was loaded or changed from outside. */
	void (*reset)(struct vcpu *v);
	void (*loaded)(struct vcpu *v);
	/* The vCPU stops: its state may be saved. NULL: it is in struct virt. */
	void (*stopped)(struct vcpu *v);
};

struct virt {
	const struct virt_ops *ops;
	bool guest;   /* in guest mode */
	bool changed; /* mode, points or tsc_offset changed; the engine clears it */
	bool ask;     /* due() must be asked before the next instruction even if nothing is pending */
	bool held;    /* outside guest mode due() decides about interrupts, too */
	bool step;    /* run one instruction; then the engine sets STEPPED instead, and asks due() */
	bool stepped;
	uint8_t shadow;		      /* SHADOW_*, in force at the instruction that runs */
	bool iret_keeps_nmi;	      /* guest mode: IRET does not end the blocking of NMIs */
	bool unblocked;		      /* guest mode: the IRET that faults has ended it */
	bool window;		      /* due() must be asked when interrupts become possible */
	uint64_t points;	      /* what is intercepted at present: VIRT_BIT() of enum virt_point */
	uint64_t tsc_offset;	      /* guest mode: added to what RDTSC reads */
	struct virt_event delivering; /* through the IDT at present; VIRT_EVENT_NONE: none */
	struct virt_event due;	      /* for VIRT_DUE_EVENT */
	void (*free)(struct vcpu *v); /* this struct and what it is part of */
	const struct engine_virt *controls; /* views and controls of it; NULL: none */
};

static inline bool virt_guest(const struct vcpu *v)
{
	return __builtin_expect(v->virt != NULL, 0) && v->virt->guest;
}
static inline bool virt_wants(const struct vcpu *v, enum virt_point p)
{
	return __builtin_expect(v->virt != NULL, 0) && v->virt->points >> p & 1;
}

/* Deliver E through the guest's IDT at cpu.rip, as an entry injects it: no intercept of E itself; faults on
 * the way exit or are delivered. False: shutdown. */
bool cpu_deliver_event(struct vcpu *v, const struct virt_event *e);
#endif
