/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shared by the files behind kvm/kvm.h. */
#ifndef KVM_KVM_INT_H
#define KVM_KVM_INT_H
#include "kvm/kvm.h"
#include "mm/mirror.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#define KVM_EXIT_MEMORY_FAULT_ 39 /* Linux 6.8; not in older headers */

enum kvm_reason {
#define KVM_REASON(id, name, help) REASON_##id,
#include "kvm/reasons.def"
#undef KVM_REASON
	REASONS,
	REASON_NONE = REASONS
};

/* What an exit, or what the other engine executed for a reason, has cost so far, in host cycles. */
struct kvm_cost {
	uint64_t count;
	uint64_t guest; /* from the entry to the exit; or in the other engine */
	uint64_t here;	/* in handling it */
	gva pc;		/* where it came last, if that is known */
};

enum { KVM_EXITS = 64, KVM_DEBUG_REGISTERS = 4, KVM_BREAKS = 1024 };

/* Points of the user's, as far as KVM is concerned. */
struct kvm_points {
	gva breaks[KVM_BREAKS];
	unsigned nbreaks;
	unsigned nwatches, nevents, nphysical;
	struct kvm_guest_debug set; /* as KVM has it */
};

struct kvm_engine {
	struct vcpu *v;			/* as the machine sees it: the other engine's */
	const struct engine_ops *inner; /* what executes where KVM does not */
	struct engine_ops ops;		/* that, with what is ours in front */
	const struct view **views;	/* ours, and those of INNER, hidden */
	struct view *hidden;
	struct mm_vm *vm;
	struct mm_mirror *mirror;
	int vm_fd, cpu_fd;
	struct kvm_run *run; /* shared with KVM */
	size_t run_bytes;
	bool pages;	      /* KVM has paging in 32-bit modes */
	unsigned nslots;      /* memory slots that it has */
	uint32_t layouts;     /* of the VM, when they were made (mm_vm_layouts()) */
	bool in_kvm;	      /* the registers are KVM's now; struct cpu is behind */
	bool pending;	      /* the last exit has something that the next entry completes */
	bool ready;	      /* an interrupt can be injected */
	bool stepping;	      /* a single step */
	enum kvm_reason once; /* of what the last exit leaves to the other engine; REASON_NONE */
	bool tsc_known;	      /* KVM has ... */
	uint64_t tsc_offset;  /* ... this offset */
	pthread_t thread;     /* that executes run(), while ACTIVE */
	atomic_bool active, kick, stop;
	struct kvm_points points;
	struct kvm_cost exits[KVM_EXITS], other[REASONS];
	uint64_t irqs, cycles;				   /* interrupts injected; cycles of run() */
	uint64_t inside;				   /* and of KVM_RUN */
	uint64_t run_since, inside_since;		   /* when what lasts still began; 0: none does */
	uint64_t tsc_start;				   /* the time-stamp counter, and ... */
	int64_t ns_start;				   /* ... the host's clock when this was made */
	uint8_t buffer[4096] __attribute__((aligned(64))); /* an XSAVE image as KVM takes it */
};

/* What an exit's handler says: go on, or an enum engine_exit to return. */
enum { GO_ON = -1 };

/* ---- kvm/setup.c ---- */

/* Open KVM, make the VM and its vCPU. False with one line in ERR. */
bool kvm_setup(struct kvm_engine *k, char *err, size_t errlen);
void kvm_teardown(struct kvm_engine *k);
/* Give KVM the memory slots, again when the VM's memory has changed. False: v->error says why. */
bool kvm_set_slots(struct kvm_engine *k);

/* ---- kvm/state.c: registers, in struct cpu and in KVM ---- */

/* To KVM, which runs with them from now on. False: v->error says what it refused. */
bool state_to_kvm(struct kvm_engine *k);
/* Back. An event that KVM was about to deliver is delivered. GO_ON, ENGINE_SHUTDOWN if the processor shut
 * down over that, ENGINE_ERROR. */
int state_from_kvm(struct kvm_engine *k);
/* Only the general registers, at an exit. */
void state_peek(struct kvm_engine *k);
/* The handler of an exit may have changed general registers in struct cpu: tell KVM. */
void state_poke_general(struct kvm_engine *k);
/* MSRs that are in struct cpu, and that KVM has as well. */
struct kvm_shared {
	uint64_t efer, apic_base, pat, tsc_aux;
};
struct kvm_shared state_shared(const struct kvm_engine *k);
/* They were OLD: tell KVM what is different, and the time-stamp counter's offset. False: v->error says why.
 */
bool state_poke_msrs(struct kvm_engine *k, const struct kvm_shared *old);
/* Does KVM keep CR0.PG in 32-bit modes, for a new vCPU that nothing else is done with? */
bool state_keeps_paging(int cpu_fd);

/* ---- kvm/exits.c ---- */

/* Handle the exit in K->run. GO_ON, or what run() returns. */
int exit_handle(struct kvm_engine *k);
/* The name of KVM's exit N; NULL: the engine does not know it. */
const char *exit_name(unsigned n);

/* ---- kvm/points.c ---- */

void points_fill_ops(struct engine_ops *ops);
/* Is there something that KVM cannot stop at? */
bool points_need_other(const struct kvm_engine *k);
bool points_break_at(const struct kvm_engine *k, gva pc);
/* Tell KVM the breakpoints, and whether to step. */
bool points_to_kvm(struct kvm_engine *k);

/* ---- kvm/engine.c ---- */

struct kvm_engine *kvm_of(struct vcpu *v);

/* ---- kvm/view.c ---- */

/* Make K->views. False: no memory. */
bool kvm_make_views(struct kvm_engine *k);
#endif
