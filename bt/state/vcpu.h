/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtual processor of the translator, composed of the parts that its sub-folders own. How a fragment
 * sees it:
 *
 *   rax..rdi  the guest's registers, upper halves zero; rsp holds ESP
 *   flags     the guest's arithmetic flags and DF
 *   x87, SSE  the guest's
 *   gs base   the window of the present address space and view
 *   r8-r11    scratch
 *   r12       jump table of the present context; a poisoned one to stop at the
 *             next indirect jump (the table load faults)
 *   r13       window base (string instructions)
 *   r14       base of the translation cache (executable view)
 *   r15       struct bt_vcpu
 *
 * At backward branches fragments load through POLL, which another thread may make
 * point to where the load faults.
 *
 * Nothing in a fragment but window accesses, and string instructions between
 * "lea rsi,[rsi+r13]" and the matching truncation, reaches guest memory. */
#ifndef BT_STATE_VCPU_H
#define BT_STATE_VCPU_H
#include "bt/bt.h"
#include "bt/state/account.h"
#include "bt/state/adapt.h"
#include "bt/state/context.h"
#include "bt/state/debug.h"
#include "bt/state/exit.h"
#include "bt/state/fragment.h"
#include "bt/state/guest.h"
#include "bt/state/history.h"
#include "bt/state/isa.h"
#include "bt/state/memo.h"
#include "bt/state/mode.h"
#include "bt/state/patch.h"
#include "bt/state/probe.h"
#include "bt/state/refusal.h"
#include "bt/state/site.h"
#include "bt/state/space.h"
#include "bt/state/stats.h"
#include "bt/state/tc.h"

struct host_thread;
struct tx;
struct window;

/* Entry stubs (runtime/stubs.c), and what they keep between host and guest. */
struct stubs {
	uint64_t host_rsp, ret_addr;
	uint64_t callout, callout_fpu, exit;		    /* addresses of the stubs in use */
	uint64_t long_callout, long_callout_fpu, long_exit; /* of 64-bit code */
	uint64_t ea_mask; /* of what callouts get: 32 bits, or all in 64-bit code */
	uint8_t is_long;  /* the fragment to be entered next is 64-bit code */
	uint64_t syscall[SYSCALL_PATHS], long_syscall[SYSCALL_PATHS];
	uint32_t host_mxcsr, host_fcw;
	uint32_t xsave_mask;
	uint8_t wide; /* the guest has enabled AVX-512 */
};

/* The selected windows of guest memory as translated code reaches them. */
struct windows {
	struct window **selected;   /* mmu_selected() */
	const uint64_t *apart;	    /* mmu_apart() */
	bool no_links;		    /* its bit for the selected window */
	bool quarters_valid;	    /* the two arrays of quarters are what the mmu gives for kernel code */
	uint64_t quarter[4];	    /* window base by the upper two address bits (mmu_quarters) */
	uint64_t home;		    /* mmu_home(): base of soft pages */
	uint64_t shadow;	    /* shadow entries of the selected window, by VPN */
	uint64_t shadow_quarter[4]; /* likewise by the upper two address bits (mmu_shadow_quarters) */
};

#define GUARD_VT_BYTES (1ull << 27)
/* Reservations that fault, or read as not mapped. */
struct guards {
	uint64_t trap_page;  /* PROT_NONE: sensitive instructions that run by trap read it */
	uint8_t *map, *base; /* 8 GiB, PROT_NONE: in quarter[] while the user window is stale */
	uint8_t *no_shadow;  /* entries of a window that maps nothing */
	uint64_t no_vt;	     /* a validity table in which nothing is valid */
};

struct icount {
	bool on;
	int64_t left;	/* instructions until LIMIT; fragments charge it */
	uint64_t limit; /* icount_limit when LEFT was set */
};

/* Faults in a row of one guest instruction that has made no progress (fault/progress.c). */
struct stuck {
	uint64_t insn, windows;	    /* hashed: the instruction with its registers; what removes mappings */
	uint32_t faults, unchanged; /* with the same INSN; with the same WINDOWS too */
};

/* Large because translated code addresses everything from r15: one structure holds the parts. */
struct bt_vcpu {
	struct vcpu v; /* first: r15 points here */
	/* -- read or written by fragments and stubs, offsets below 2^31 -- */
	struct stubs stubs;
	uint64_t jt_live, gs_live, tc_base;
	struct site *miss_site;
	struct icount icount;
	uint32_t sysflags_neg; /* -(cpu.sysflags & SYSFLAGS_COMPARED), for comparing without flags; set by
				* dispatch_select */
	uint64_t cr0_neg;      /* likewise -cpu.cr0; 1, which matches none, while its writes are watched */
	uint8_t intr_wait;     /* an interrupt is pending and IF was 0 */
	volatile uint8_t kick, stop;
	uint64_t poll; /* address that polls read: itself, or the poison */
	uint64_t scratch[16];
	struct windows win;
	struct long_space space;
	bool user_wanted; /* code has used the user parts of PARTS */
	struct guards guard;
	struct memos memo;
	uint8_t bounce[2752] __attribute__((aligned(64)));
	struct exit_state exit;
	struct contexts jt;
	uint32_t mode; /* of the context that runs */
	struct guest_mode guest;
	uint8_t soft_used[SOFT_USES]; /* by soft_use(pc): the site has accessed soft pages since the last
					 review */
	struct probes probes;
	struct entries entries;
	struct account account;
	/* -- the rest -- */
	struct site miss; /* what miss_site points to: the jump table's miss */
	struct tc tc;
	struct transient transient;
	bool stepping;	    /* the transient fragment runs */
	bool memory_failed; /* the host refused memory or a mapping; v.error says which */
	struct debug_state debug;
	struct adapt adapt;
	struct history_log history;
	struct patches patches;
	struct bt_stats st;
	struct refusals refusals;
	struct {
		gpa pa;		/* where a bypassed store ends */
		uint32_t count; /* bypasses, and the cost of the last one that was timed */
		uint64_t cost;
	} bypass;
	struct {
		bool armed; /* PC raised a #PF that the guest handles; the IRET back to it maps LIN */
		gva pc, lin;
	} prefill;
	struct stuck stuck;
	uint64_t random;  /* state of co_random */
	uint32_t x87_fip; /* what was last put in place of a host address */
	struct isa isa;
	struct bt_config cfg;
	struct mm_vm *vm;
	struct tx *tx;		    /* the translator's work space */
	void *verifier;		    /* of verify/fragment.c */
	struct host_thread *thread; /* of fault/fault.c */
	struct long_parts parts[2]; /* of 64-bit code; by CPL 3. Read by fragments */
	struct long_smap smap;
	uint64_t any_part[ENTRY_HASHES / 64];	   /* instructions that reach more than the lower part */
	uint64_t refused_entry[ENTRY_HASHES / 64]; /* by ENTRY_HASH: fragments whose entry's probes failed */
	struct long_tags tags;
};

/* System flags that POPF of kernel code may change. */
#define SYSFLAGS_COMPARED (FL_SYS & ~(uint32_t)(FL_RF | FL_VM | FL_VIF | FL_VIP))

#define OFF(f) ((int32_t)offsetof(struct bt_vcpu, f))
#define OFF_GPR(n) ((int32_t)(offsetof(struct bt_vcpu, v.cpu.gpr) + 8 * (n)))
#define OFF_CPU(f) ((int32_t)offsetof(struct bt_vcpu, v.cpu.f))
#define OFF_SEG(s, f)                                                                                        \
	((int32_t)(offsetof(struct bt_vcpu, v.cpu.seg) + sizeof(struct seg_cache) * (s) +                    \
		   offsetof(struct seg_cache, f)))
_Static_assert(offsetof(struct bt_vcpu, v) == 0, "a struct vcpu is cast to its bt_vcpu");
_Static_assert(sizeof(struct bt_vcpu) < INT32_MAX, "a disp32 reaches it");

static inline struct bt_vcpu *bt_of(struct vcpu *v)
{
	return (struct bt_vcpu *)v;
}

/* Leave translated code at the next poll or indirect jump; on the vCPU's thread, not in translated code. */
static inline void poll_poison(struct bt_vcpu *b)
{
	b->jt_live = (uint64_t)b->jt.poison;
	__atomic_store_n(&b->poll, (uint64_t)b->jt.poison, __ATOMIC_RELAXED);
}

/* Let polls pass. Another thread that poisons them sets KICK first: look at it, or do what it asks for,
 * after this. */
static inline void poll_pass(struct bt_vcpu *b)
{
	__atomic_store_n(&b->poll, (uint64_t)&b->poll, __ATOMIC_SEQ_CST);
}

/* From now on SYSENTER, SYSCALL and their counterparts go by callouts, until one of those. */
static inline void syscall_cache_forget(struct bt_vcpu *b)
{
	for (unsigned i = 0; i < SYSCALL_PATHS; i++) {
		b->memo.syscall[i].from_neg = 1;
		b->memo.syscall[i].jt = (uint64_t)b->jt.poison;
		b->memo.long_syscall[i].from_neg = 1;
	}
}
#endif
