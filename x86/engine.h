/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine interface: the one seam between an executor of the processor (bt,
 * later vtx) and the machine around it (hv). Neither includes the other. */
#ifndef X86_ENGINE_H
#define X86_ENGINE_H
#include <signal.h>

#include "base/view.h"
#include "x86/cpu.h"

/* The machine's side of the interface. All callbacks run on the vCPU's
 * thread, and all but run_timers may run while the guest's x87 and vector registers
 * are live: they keep them (base/gpr.h). An unanswered port reads as all ones. */
struct platform {
	void *ctx;
	uint32_t (*in)(void *ctx, uint16_t port, unsigned size); /* size 1, 2, 4 */
	void (*out)(void *ctx, uint16_t port, unsigned size, uint32_t val);
	void (*mmio_read)(void *ctx, gpa a, void *buf, unsigned size); /* 1..64 bytes */
	void (*mmio_write)(void *ctx, gpa a, const void *buf, unsigned size);
	bool (*irq_pending)(void *ctx); /* is INTR asserted? cheap */
	int (*irq_ack)(void *ctx);	/* acknowledge: vector 0..255, or -1 if it went away */
	void (*cpuid)(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4]);
	/* MSRs the engine does not own. False: #GP. */
	bool (*rdmsr)(void *ctx, uint32_t msr, uint64_t *val);
	bool (*wrmsr)(void *ctx, uint32_t msr, uint64_t val);
	uint64_t (*tsc)(void *ctx);    /* guest TSC now, used where it cannot be read in line */
	void (*run_timers)(void *ctx); /* called after a kick and at icount deadlines */
	/* Have run() ask virt_ops.due when tsc() reaches AT, by setting vcpu.due; UINT64_MAX: never. Replaces
	 * the time before it, cheaply. NULL: absent. */
	void (*alarm_at)(void *ctx, uint64_t at);
	/* A record of a probe is available; the vCPU keeps running. NULL: records are not announced. */
	void (*notify)(void *ctx);
};

/* Interrupts translated code on the vCPU's thread. The engine installs the handler when it makes a vCPU; the
 * machine's timers and kick() send it to that thread alone. The handler sets the kick and returns. */
#define ENGINE_KICK_SIGNAL (SIGRTMIN + 1)

/* The source of VM time: the host's clock, or instructions retired (deterministic). */
enum clock_mode { CLOCK_HOST, CLOCK_ICOUNT };

/* Why run() returned. */
enum engine_exit {
	ENGINE_STOP,	 /* request_stop() asked for it */
	ENGINE_HALT,	 /* HLT with nothing pending; cpu.halted is set */
	ENGINE_BREAK,	 /* about to execute an address with a breakpoint */
	ENGINE_STEPPED,	 /* step() executed one instruction */
	ENGINE_WATCH,	 /* a watchpoint was hit (details in touch[]) */
	ENGINE_EVENT,	 /* a filtered event happened (details in event) */
	ENGINE_ICOUNT,	 /* retired == icount_limit (icount mode only) */
	ENGINE_SHUTDOWN, /* triple fault */
	ENGINE_ERROR,	 /* failure of the engine itself, text in error[]; guest state is kept */
};

/* Events that event_set() can stop at, and the number that filters each. */
enum engine_event {
	ENGINE_EV_EXCEPTION,	 /* vector */
	ENGINE_EV_IRQ,		 /* vector, external interrupts only */
	ENGINE_EV_INT,		 /* vector of an INT instruction */
	ENGINE_EV_PORT,		 /* port */
	ENGINE_EV_MSR,		 /* MSR number, read or written */
	ENGINE_EV_CR,		 /* control register written: 0, 2, 3, 4 */
	ENGINE_EV_MODE,		 /* the mode entered, an enum engine_mode */
	ENGINE_EV_CALLOUT,	 /* translated code called the monitor: the kind, see callout_name() */
	ENGINE_EV_FRAGMENT,	 /* code was translated: its guest-linear address; before it runs */
	ENGINE_EV_EXIT,		 /* a VM exit, by its reason; before the host's first instruction */
	ENGINE_EV_ENTRY_FAILURE, /* a VM entry failed: the VM-instruction error, or the exit reason */
	ENGINE_EVENTS,
};
/* V86: virtual-8086; leaving it enters PROTECTED or PAGING. LONG: IA-32e mode. */
enum engine_mode {
	ENGINE_MODE_REAL,
	ENGINE_MODE_PROTECTED,
	ENGINE_MODE_PAGING,
	ENGINE_MODE_V86,
	ENGINE_MODE_LONG
};

/* An event that stopped the engine. */
struct engine_hit {
	enum engine_event kind;
	uint64_t number; /* see above */
	bool write;	 /* to a port, an MSR */
	uint64_t val;	 /* read or written; error code of an exception; instructions in a fragment;
			  * pc of a callout; qualification of a VM exit; the field that failed an entry */
	gva pc;		 /* of the instruction; of an interrupt, where it came; into and out of V86,
			  * where it leads; of a VM exit, in the guest */
};

/* Kinds of access that a watchpoint stops at, or that an instruction made; bits. */
enum engine_watch {
	ENGINE_WATCH_WRITE = 1,
	ENGINE_WATCH_READ = 2,
	ENGINE_WATCH_ACCESS = ENGINE_WATCH_READ | ENGINE_WATCH_WRITE,
	ENGINE_WATCH_PHYSICAL = 4, /* the address is physical, not linear */
};

/* One access to a watched range; an instruction may make several. */
struct engine_touch {
	uint64_t at;  /* the first byte of the access that is watched */
	uint8_t type; /* ENGINE_WATCH_WRITE or _READ, and _PHYSICAL if AT is physical */
};
enum { MAX_TOUCHES = 8 };

/* How step() steps; bits. */
enum engine_step {
	ENGINE_STEP_IRQ = 1,   /* deliver a pending interrupt first */
	ENGINE_STEP_WHOLE = 2, /* all iterations of a REP */
};

/* An exception, and where. */
struct engine_exc {
	struct exc exc;
	uint16_t cs;
	uint64_t eip;
};
enum { MAX_CHAIN = 6 };

/* Host cycles of run() so far, and what parts of them went to; parts may be estimated from samples. */
struct engine_times {
	uint64_t run; /* in all */
	uint64_t callouts, traps, translating;
	bool nonroot;	/* the guest runs in non-root operation: that is what remains, beside */
	uint64_t exits; /* the handling of its exits, and */
	uint64_t code;	/* translated code outside non-root operation */
};

struct engine_ops;
struct virt;
struct engine_translator; /* x86/engine_translator.h */

/* One virtual processor as the machine and inspect/ see it. The engine
 * embeds it as the first member of its own struct. */
struct vcpu {
	struct cpu cpu; /* exact only while the vCPU is outside run() */
	const struct engine_ops *ops;
	struct platform plat;
	struct mmu *mmu;   /* NULL in an engine that translates addresses by itself */
	struct virt *virt; /* the processor's virtualization extension (cpu/virt.h); NULL: none */
	bool any_intr;	   /* guest mode: an external interrupt ends HLT whatever EFLAGS.IF is, as it exits */
	bool any_nmi;	   /* likewise an NMI, whatever blocks it */
	bool due;	   /* guest mode: virt_ops.due is to be asked, in HLT too; that clears it */
	bool nonroot;	   /* guest mode of VMX: HLT lasts until what ends it is taken, as an exit saves it;
			    * PDPTEs are not those in memory */
	bool deaf;	   /* guest mode: no interrupt ends HLT, which is another inactive state */
	uint64_t icount;   /* instructions retired (icount mode; exact outside run()) */
	uint64_t icount_limit; /* run() returns ENGINE_ICOUNT when icount gets here; the machine
				  may lower it inside a callback */
	struct engine_touch touch[MAX_TOUCHES]; /* after ENGINE_WATCH: accesses of the instruction */
	unsigned ntouch;
	struct engine_hit event; /* after ENGINE_EVENT */
	/* Where the delivery of an exception or interrupt raised another one: each in turn, of double faults
	 * also the one that is replaced. Valid after ENGINE_SHUTDOWN. */
	struct engine_exc chain[MAX_CHAIN];
	unsigned nchain;
	char error[256];
};

struct engine_ops {
	const char *name;
	/* Execute until there is a reason to stop. vCPU thread only. */
	enum engine_exit (*run)(struct vcpu *v);
	/* Execute exactly one instruction, of a REP one iteration. HOW: bits of enum engine_step. A
	 * breakpoint at pc is ignored. */
	enum engine_exit (*step)(struct vcpu *v, unsigned how);
	/* Ask run() to check interrupts and timers soon (bounded, < 1 ms).
	 * Any thread; async-signal-safe when called on the vCPU thread. */
	void (*kick)(struct vcpu *v);
	/* The same by a store, without a signal: cheap for the caller, and the vCPU pays one host fault.
	 * Code without backward branches does not notice: see to it, later, that it has worked, and kick()
	 * otherwise. Any thread. NULL: absent. */
	void (*nudge)(struct vcpu *v);
	/* Ask run() to return ENGINE_STOP soon. Any thread. Sticky until honoured. */
	void (*request_stop)(struct vcpu *v);
	/* Breakpoints by linear address; no guest byte changes. While stopped only. */
	void (*bp_insert)(struct vcpu *v, gva lin);
	void (*bp_remove)(struct vcpu *v, gva lin);
	/* Add (ON) or remove a breakpoint at physical address AT, whatever linear address maps it. 0, or -1
	 * if there is no room. While stopped only. NULL in an engine without them. */
	int (*bp_physical)(struct vcpu *v, gpa at, bool on);
	/* Watchpoints on [AT, AT+LEN), of any length; TYPE: bits of enum engine_watch. run() and step()
	 * return ENGINE_WATCH after the instruction that touched one; touch[] says how. 0, or -1 if there
	 * is no room. While stopped only. Both NULL in an engine without watchpoints. */
	int (*watch_insert)(struct vcpu *v, uint64_t at, uint64_t len, unsigned type);
	void (*watch_remove)(struct vcpu *v, uint64_t at, uint64_t len, unsigned type);
	/* Stop (ON) at events of KIND with numbers LO..HI: run() returns ENGINE_EVENT when the
	 * instruction or the delivery is done. 0, or -1 if there is no room. While stopped only.
	 * NULL in an engine that cannot. */
	int (*event_set)(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on);
	/* The name of a kind of callout; NULL: there are no more. The member is NULL in an engine
	 * without callouts. */
	const char *(*callout_name)(unsigned kind);
	/* Any thread; each number is whole, though not all are of one moment. NULL: not known. */
	void (*times)(struct vcpu *v, struct engine_times *t);
	/* The processor was reset, and struct cpu with it; state_changed() follows. */
	void (*reset)(struct vcpu *v);
	/* The debugger changed registers, mode or memory mappings: drop derived state. */
	void (*state_changed)(struct vcpu *v);
	/* Bytes of the host's memory that the engine takes, apart from anonymous memory. NULL: none. */
	uint64_t (*host_memory)(struct vcpu *v);
	const struct view *const *views; /* NULL-terminated; owner is the vcpu; NULL: none */
	/* The tables of engines with a translation cache; NULL in others. Callers use them, and never cast a
	 * vcpu to an engine's own struct. An engine over VMX adds a table of its own beside it (fields of the
	 * VMCS, exits by reason). */
	const struct engine_translator *translator;
	void (*free)(struct vcpu *v);
};
#endif
