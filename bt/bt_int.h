/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside the translator. How a fragment sees the world:
 *
 *   rax..rdi  the guest's registers, upper halves zero; rsp holds ESP
 *   flags     the guest's arithmetic flags and DF
 *   x87, SSE  the guest's
 *   gs base   the window of the present address space and view
 *   r8-r11    scratch
 *   r12       jump table of the present context; a poisoned one to stop at the
 *             next poll (the table load faults)
 *   r13       window base (string instructions)
 *   r14       base of the translation cache (executable view)
 *   r15       struct bt_vcpu
 *
 * Nothing in a fragment but window accesses, and string instructions between
 * "lea rsi,[rsi+r13]" and the matching truncation, reaches guest memory. */
#ifndef BT_BT_INT_H
#define BT_BT_INT_H
#include <Zydis/Zydis.h>
#include "base/gpr.h"
#include "bt/adapt/account.h"
#include "bt/adapt/adapt.h"
#include "bt/bt.h"
#include "bt/cache/history.h"
#include "bt/probe/probe.h"
#include "cpu/system.h"
#include "mm/mmu.h"
#include <pthread.h>

struct tx;

#define TU_DEFAULT 32
#define TU_LIMIT 64
#define JT_BITS 20
#define JT_ENTRIES (1u << JT_BITS)
#define JT_SLOT(eip) ((eip) & (JT_ENTRIES - 1))
#define JT_BYTES (JT_ENTRIES * 4)
#define JT_PAGES (JT_BYTES >> PAGE_SHIFT)
#define JT_PAGE(eip) (JT_SLOT(eip) >> (PAGE_SHIFT - 2))
#define JT_KEEP 256 /* pages that are cleared when a table is emptied; more are given back to the host */

/* ---- mode: the part of a fragment's key that changes lowering ---- */
enum seg_class { SEGC_FLAT, SEGC_BASED, SEGC_64K, SEGC_OTHER };
enum {
	MODE_D = 1 << 0, /* CS.D: 32-bit code */
	MODE_B = 1 << 1, /* SS.B: 32-bit stack */
	MODE_CPL = 3 << 2,
	MODE_PE = 1 << 4,
	MODE_VM = 1 << 5,
	MODE_NOFPU = 1 << 6, /* CR0.EM or TS: x87 raises #NM */
	MODE_NOSSE = 1 << 7, /* !OSFXSR or EM: #UD */
	MODE_AVX = 1 << 8,   /* OSXSAVE and XCR0.AVX */
	MODE_OSXSAVE = 1 << 9,
	MODE_TS = 1 << 10,    /* CR0.TS (SSE raises #NM) */
	MODE_MPTS = 1 << 11,  /* MP and TS: WAIT raises #NM */
	MODE_CSLIM = 1 << 12, /* CS limit below 4 GiB: checked by the dispatcher */
	MODE_XCHAIN =
	    1 << 13,	    /* supervisor mappings are the same in all address spaces: chain across pages */
	MODE_TSD = 1 << 14, /* RDTSC is for CPL 0 */
	MODE_SEG = 16,	    /* from here: 2 bits for each segment register */
};
static inline enum seg_class mode_seg(uint32_t mode, enum seg s)
{
	return (enum seg_class)(mode >> (MODE_SEG + 2 * s) & 3);
}

/* ---- decoded guest instruction ---- */
struct insn {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t bytes[16];
	uint32_t pc; /* linear */
	uint32_t eip;
	uint32_t next; /* EIP of the following instruction (wrapped to 16 bits in 16-bit code) */
	uint8_t len;
	uint8_t ilen_pages; /* 2 when it straddles a page */
	int mem;	    /* index of the memory operand, -1 none */
	enum seg seg;	    /* its segment */
	bool invalid;
};

/* How an instruction was lowered, for views and colours. */
enum lowering { LOW_IDENT, LOW_WINDOW, LOW_INTC, LOW_CALLOUT, LOW_CHAIN, LOW_EXIT, LOW_COUNT };

/* Fix-ups a fault at a host instruction needs to give exact guest state. */
enum fixup {
	FIX_NONE,
	FIX_XCHG,    /* arg: guest register that is exchanged with r8 */
	FIX_STRING,  /* interruptible here: a REP in progress */
	FIX_POLL,    /* poll: pc is the instruction's own */
	FIX_POLL_R8, /* poll after the instruction: pc is in r8d */
	FIX_XSAVE,   /* eax is in r10, edx in r11 */
};
/* State at host offset HOST and later, until the next mark. */
struct mark {
	uint16_t host;
	uint8_t insn;
	uint8_t fix : 4, arg : 4; /* arg: a register, or STRING_* */
};

enum callout_kind {
	CO_SYSTEM,
	CO_SEGLOAD,
	CO_FAR,
	CO_IRET,
	CO_INT,
	CO_IO,
	CO_STRING,
	CO_CPUID,
	CO_TSC,
	CO_MSR,
	CO_CR,
	CO_FLAGS,
	CO_HLT,
	CO_SEGCHECK,
	CO_MMIO,
	CO_PRECHECK,
	CO_PROBE,
	CO_OTHER,
	CO_KINDS
};
enum trap_cause {
	TRAP_FILL,
	TRAP_TRUE,
	TRAP_USER,
	TRAP_MMIO,
	TRAP_CODE,
	TRAP_POLL,
	TRAP_FPE,
	TRAP_ILL,
	TRAP_GP,
	TRAP_SENS,
	TRAP_CAUSES
};

struct bt_vcpu;
struct ccf;

/* A place where a fragment calls the monitor. fn returns the host address to go
 * on at; 0: behind the call. */
struct site {
	uint64_t (*fn)(struct bt_vcpu *b, struct site *s, uint32_t ea);
	struct ccf *ccf;
	uint32_t eip, next; /* of the instruction, and of the one behind it */
	uint8_t insn;	    /* index in the TU */
	uint8_t op;	    /* operand size in bytes */
	uint8_t reg, reg2;  /* register operands or numbers (see fn) */
	uint8_t seg;	    /* segment of the memory operand, or segment register */
	uint8_t mem;	    /* the operand is in memory, at offset EA */
	uint8_t rep;	    /* string: 1 REP/REPE, 2 REPNE */
	uint8_t asize;	    /* address size in bytes */
	uint8_t kind;	    /* enum callout_kind */
	uint8_t heavy;	    /* needs x87/SSE saved */
	uint8_t code;	    /* sub-operation */
	uint16_t slot;	    /* where it counts, see adapt/account.h */
	uint32_t imm, imm2;
	uint64_t count;
};

/* A direct exit: starts as a jump to its stub, is patched to the target. */
struct exit_link {
	uint64_t (*fn)(struct bt_vcpu *b, struct exit_link *l, uint32_t ea); /* as in struct site */
	struct ccf *from;
	struct ccf *to;		   /* chained to, or NULL */
	struct exit_link *next_in; /* other links into TO */
	uint32_t eip;		   /* target */
	uint32_t pc;
	uint32_t patch; /* TC offset of the rel32 */
	uint32_t stub;	/* TC offset of the stub */
	bool cross;	/* leaves the page: only chained where that is safe */
	bool no_chain;
};

#define MAX_FORWARD 2 /* conditional branches within a TU, beside that at its end */
#define MAX_EXITS (MAX_FORWARD + 2)

struct ccf {
	uint32_t pc, eip, mode;
	uint32_t cs_base, cs_limit;
	ppn page, page2;      /* page2: UINT32_MAX unless an instruction straddles */
	uint32_t host, hsize; /* TC offset of the main entry; size to the end of the stubs */
	uint32_t ind;	      /* TC offset of the indirect entry (in front) */
	uint16_t body;	      /* bytes before the stubs */
	uint8_t ninsn, nlink;
	uint16_t nmark;
	uint16_t glen; /* guest bytes */
	bool dead, checked;
	struct exit_link link[MAX_EXITS];
	struct exit_link *in;
	struct mark *marks;
	uint16_t *ioff;		    /* host offset of each instruction, then guest offset */
	uint8_t *low;		    /* enum lowering of each */
	struct ccf *hnext;	    /* hash chain */
	struct ccf *pnext, *pnext2; /* page chains */
	uint32_t counter;	    /* index in entry_count[], or NOT_COUNTED */
	uint32_t traps[TRAP_CAUSES];
	struct sens_use *sens; /* its sensitive instructions */
	uint8_t nsens;
	uint64_t cycles; /* of the host, in traps and in what replaces them */
	uint64_t made;	 /* host TSC */
	bool pinned;	 /* by the user: neither adaptation nor a full cache drops it */
	bool prechecks;	 /* has a site that looks before it accesses */
	uint32_t callouts;
	uint32_t in_tu;
};

/* Context: what the jump table depends on. */
struct ctx {
	uint32_t *jt;
	uint32_t mode, cs_base;
	unsigned win;
	struct ctx *went_to; /* the one that was selected after it last */
	bool used, supervisor;
	uint32_t lru;
	uint64_t touched[JT_PAGES / 64]; /* pages of the table that have entries */
	unsigned ntouched;
};
#define MAX_CTX 128

enum exit_code {
	XC_NONE,
	XC_LOOKUP,
	XC_CHAIN,
	XC_POLL,
	XC_HALT,
	XC_MMIO,
	XC_SMC,
	XC_SHUTDOWN,
	XC_BREAK,
	XC_EXC,
	XC_STEPPED,
	XC_STALE,
	XC_ERROR,
	XC_TRANSIENT
};

#define MAX_FILTERS 64 /* of event_set() */

struct page_info {
	struct ccf *list; /* fragments made from this page */
	uint16_t smc;	  /* times its code was dropped because of a write */
	bool mixed;
	uint64_t calm_since; /* mixed: host TSC of the verdict or of the last change seen */
};
/* The argument of FIX_STRING marks: log2 of the element size in two bits, and */
#define STRING_SIZE(arg) (1u << ((arg)&3))
#define STRING_SOURCE 4	   /* reads at ESI before it accesses EDI */
#define STRING_MAP_AHEAD 8 /* REP MOVS or STOS: may map the pages it reaches next */
#define STRING_AHEAD 16	   /* pages of a string operand that are mapped at once */
#define MAX_MIXED 1024

/* ---- choices (adapt/policy.c) ---- */
enum sens {
#define SENS(id, name, in_tc, help) SENS_##id,
#include "bt/adapt/policy.def"
#undef SENS
	SENS_KINDS
};
enum way { WAY_DEFAULT, WAY_TRAP, WAY_CALLOUT, WAY_INTC, WAYS };
struct code_patch {
	uint32_t pc, number;
	uint8_t len, bits, bytes[240];
	uint8_t nover, over[240]; /* it holds only where the guest has these bytes from PC on */
};
#define MAX_PATCHES 64
#define MAX_PROBES 64
#define PROBES_AT 8   /* at one address */
#define PROBE_TERMS 4 /* comparisons of an inline condition */
#define MAX_HITS 1024 /* records waiting to be taken */
struct probe {
	unsigned number; /* 0: a free slot */
	struct bt_probe is;
	uint64_t failed, recorded, lost;
};
#define MAX_PINS 64
struct pin {
	uint32_t pc, len; /* of the fragment that was pinned; 1 where none was */
};
#define MAX_COUNTED 262144
#define PIN_COUNTED 16384 /* of these for pinned fragments */
#define NOT_COUNTED UINT32_MAX
#define MAX_ODD 8	 /* times a replacement may fail to serve its site */
#define RAM_DEMOTIONS 64 /* uses of RAM in a row by a site promoted for device memory */

#define CCF_HASH_BITS 18
#define CCF_HASH (1u << CCF_HASH_BITS)
#define MAX_BPS 1024

struct bt_stats {
	uint64_t translations, insns, host_bytes, guest_bytes, flushes, chains, jt_misses, jt_fills,
	    dispatches;
	uint64_t lookups, smc_drops, mode_switches, ctx_flushes, transients, low[LOW_COUNT];
	uint64_t traps[TRAP_CAUSES], irqs, excs[32], verify_runs, verify_fails, stops;
};

/* A segment register as its last load by callout left it, where it came from, and what was
 * there; the numbers negated, for comparing without flags. */
struct seg_memo {
	uint64_t sel_neg, cache_neg[2], gdtr_neg, raw_neg;
	uint32_t at;  /* linear address of the descriptor */
	uint16_t sel; /* of the last load, also when there is no memo of it */
};

/* What CPUID or RDMSR said last at one of the sites that share this (lower/memo.c). */
#define MEMOS 16
struct memo {
	uint64_t question_neg; /* -(ECX << 32 | EAX), or -ECX for RDMSR, 1: no MSR's */
	uint32_t empty;	       /* CPUID: any question is possible */
	uint32_t answer[4];    /* EAX, EBX, ECX, EDX; EAX, EDX */
};

/* What the last callout of a SYSENTER or SYSEXIT came to, for doing it again in the glue (stub_enter_kernel,
 * stub_leave_kernel) without one. Forgotten as soon as that may be otherwise, or when somebody wants
 * attention. */
enum { SYSCALL_ENTER, SYSCALL_LEAVE, SYSCALL_PATHS };
struct syscall_cache {
	uint64_t from_neg;		/* -(the mode it came from); 1: forgotten */
	uint64_t seg[4];		/* CS and SS behind it */
	uint64_t gs, shadow, jt, table; /* jt: poisoned to stop; table is not */
	struct window *window;
	struct ctx *ctx;
	uint32_t mode;
};

struct bt_vcpu {
	struct vcpu v; /* first: r15 points here */
	/* -- read by fragments and glue, offsets below 2^31 -- */
	uint64_t host_rsp, ret_addr, jt_live, gs_live, tc_base, tmp;
	uint64_t g_callout, g_heavy, g_exit; /* glue entry points */
	uint64_t g_syscall[SYSCALL_PATHS];
	struct site *miss_site;
	int64_t budget;	       /* icount: instructions left */
	uint32_t sysflags_neg; /* -cpu.sysflags, for comparing without flags; set by dispatch_select */
	uint64_t cr0_neg;      /* likewise -cpu.cr0; 1, which is none, when its writes are to be seen */
	uint8_t intr_wait;     /* an interrupt is pending and IF was 0 */
	volatile uint8_t kick, stop;
	uint8_t in_tc;
	uint64_t scratch[16];
	uint64_t trap_page; /* PROT_NONE: where a sensitive instruction run by trap reads */
	uint64_t probe_count[MAX_PROBES], probe_match[MAX_PROBES];
	uint64_t entry_count[MAX_COUNTED]; /* by a fragment's counter, while counting */
	bool quarters_hold;   /* the two arrays of quarters are as the mmu would give them for kernel code */
	uint64_t shadow_live; /* shadow entries of the selected window, by VPN */
	uint64_t shadow_quarter[4]; /* the same by the upper two address bits (mmu_shadow_quarters) */
	uint64_t quarter[4];	    /* window base by the upper two address bits (mmu_quarters) */
	struct seg_memo seg_memo[SEG_COUNT];
	struct syscall_cache syscall[SYSCALL_PATHS];
	struct window **selected; /* mmu_selected() */
	struct memo memo_cpuid[MEMOS], memo_msr[MEMOS];
	uint8_t bounce[1024] __attribute__((aligned(64)));
	uint32_t host_mxcsr, host_fcw;
	uint32_t xsave_mask;
	/* -- the rest -- */
	struct exit_link *last_exit;
	enum exit_code xcode;
	uint32_t xarg;
	gpa xpa;
	struct ccf *stale;
	uint32_t mmio_lin;
	uint8_t *bypass_at; /* machine memory that a passing store ends in */
	uint8_t *no_shadow; /* entries of a window that maps nothing */
	uint32_t bypassed;  /* passes, and what the last one that was timed cost */
	uint64_t bypass_cost;
	uint64_t random;			       /* state of co_random */
	uint8_t *rx, *rw;			       /* TC, two views */
	uint32_t tc_size, tc_pos, tc_end, tc_stub_end; /* the next fragment goes to tc_pos */
	int tc_fd;
	uint8_t *stop_jt; /* PROT_NONE, JT_BYTES */
	struct ccf **hash;
	struct page_info *pages; /* by PPN */
	struct ccf **order;	 /* all fragments by host address */
	uint32_t norder, cap_order;
	struct ctx ctx[MAX_CTX], *cur;
	uint32_t ctx_tick;
	uint8_t *arena, *arena_pos, *arena_end;
	uint8_t once[16384] __attribute__((aligned(16))); /* arena of the transient fragment */
	uint32_t once_used;
	struct zone {
		uint32_t tc_pos, tc_end;
		uint8_t *arena_pos, *arena_end;
	} pin_zone;	  /* where pinned fragments go: trades places with the four above meanwhile */
	uint32_t npinned; /* fragments in it: the first so many in order[] */
	struct bt_config cfg;
	bool icount, stepping;
	bool no_trap;	/* the transient instruction was INT: TF does not trap behind it */
	bool step_done; /* the transient instruction completed (did not fault) */
	uint32_t mode;	/* of the context that runs */
	uint64_t transient_pc;
	struct ccf *transient; /* the one-instruction fragment being run */
	uint32_t transient_host;
	gva bps[MAX_BPS];
	unsigned nbps;
	uint32_t dr[8]; /* DR0 to DR3 and DR7 as they are in force (guest_debug.c) */
	struct event_filter {
		uint32_t lo, hi;
		uint8_t kind; /* enum engine_event */
	} filters[MAX_FILTERS];
	unsigned nfilters;
	uint32_t event_kinds; /* bit N: there is a filter of kind N */
	bool event_hit;	      /* v.event happened; stop is set too */
	bool was_vm;	      /* EFLAGS.VM when last looked at for an event */
	bool watched;	      /* a watchpoint was hit; mm has the note */
	struct mm_vm *vm;
	void *verifier;
	ppn mixed[MAX_MIXED]; /* pages whose code is checked at entry */
	unsigned nmixed;
	struct bt_stats st;
	bool want_flush, full, unlink_cross; /* full: flush, because there is no more room */
	uint8_t *guard_map;
	uint8_t *guard; /* 8 GiB of nothing: quarter[] while the user window is stale */
	bool pf_armed;	/* a #PF went to the guest from pf_pc; at the IRET back, look at pf_lin */
	uint32_t pf_pc, pf_lin;
	struct verdict *verdicts; /* VERDICTS slots by guest pc */
	uint64_t ctx_dirty;	  /* bit N: code went from window N */
	uint64_t limit0;	  /* icount_limit when budget was set */
	ZydisDecoder dec16, dec32;
	uint8_t policy[SENS_KINDS]; /* enum way */
	unsigned nsites;	    /* verdicts with a way of their own were made */
	bool count_entries;
	uint32_t ncounted, npin_counted; /* counters handed out: from the first on, and, of pinned fragments,
					    from the last down */
	uint64_t calibrate;		 /* where a fault on the trap page goes on while measuring */
	struct bt_costs cost;
	struct cost translate; /* making fragments */
	struct cause_state causes[CAUSES];
	struct charge charge;
	struct adapt_entry events[MAX_EVENTS];
	uint64_t nevents;
	struct history *history; /* MAX_HISTORY, a ring */
	uint64_t nhistory, tsc_start,
	    ns_start; /* what the TSC and the host's clock were when the vCPU was made */
	struct pin pins[MAX_PINS];
	unsigned npins;
	struct code_patch patches[MAX_PATCHES];
	unsigned npatches, patch_number;
	struct probe probes[MAX_PROBES];
	unsigned nprobes, probe_number;
	bool again;		   /* the transient instruction is one that was met before and not finished */
	struct bt_probe_hit *hits; /* MAX_HITS, a ring: the vCPU's thread writes, another takes */
	uint32_t hit_head, hit_tail;
	void *altstack;
	pthread_t altstack_thread, thread;
	bool running;
	struct account a;
	struct tx *tx; /* the translator's work space */
	struct ccf *transient_ccf;
};

#define OFF(f) ((int32_t)offsetof(struct bt_vcpu, f))
#define OFF_GPR(n) ((int32_t)(offsetof(struct bt_vcpu, v.cpu.gpr) + 8 * (n)))
#define OFF_CPU(f) ((int32_t)offsetof(struct bt_vcpu, v.cpu.f))
#define OFF_SEG(s, f)                                                                                        \
	((int32_t)(offsetof(struct bt_vcpu, v.cpu.seg) + sizeof(struct seg_cache) * (s) +                    \
		   offsetof(struct seg_cache, f)))

/* cache/cache.c */
bool cache_init(struct bt_vcpu *b, char *err, size_t n);
void cache_fini(struct bt_vcpu *b);
/* Empty the cache. FULL: because it is full; pinned fragments stay. */
void cache_flush_all(struct bt_vcpu *b, bool full);
void *arena_alloc(struct bt_vcpu *b, size_t n);
/* Trade places between the ordinary zone and that of pinned fragments. */
void cache_zones(struct bt_vcpu *b);
struct ccf *cache_find(struct bt_vcpu *b, uint32_t pc, uint32_t mode, uint32_t cs_base, ppn page); /* light */
void cache_insert(struct bt_vcpu *b, struct ccf *f);
struct ccf *cache_by_host(struct bt_vcpu *b, uint64_t rip);
/* BY: the instruction that is the reason, 0: none. */
void cache_drop(struct bt_vcpu *b, struct ccf *f, enum drop_why why, uint32_t by);
/* Those that cover any of LEN bytes from PC on; returns how many. */
unsigned cache_drop_at(struct bt_vcpu *b, uint32_t pc, uint32_t len, enum drop_why why);
void cache_drop_page(struct bt_vcpu *b, ppn p, bool by_write);
void ctx_reset(struct bt_vcpu *b, struct ctx *c); /* light: forget the table and the context */
void chain_unlink_cross(struct bt_vcpu *b);
/* Pages that have not changed for long get their traces back. */
void cache_demote_pages(struct bt_vcpu *b);
void cache_hooks(struct bt_vcpu *b);
void chain_patch(struct bt_vcpu *b, struct exit_link *l, struct ccf *to);
void chain_unlink_in(struct bt_vcpu *b, struct ccf *f);

/* runtime/dispatch.c: no floating point, no libc */
uint32_t dispatch_mode(const struct cpu *c);
void dispatch_quarters(struct bt_vcpu *b); /* quarter[] and the pointers to shadows */
void dispatch_select(struct bt_vcpu *b);   /* window, context, jump table for the present state */
struct ccf *dispatch_find(struct bt_vcpu *b, uint32_t pc);
uint64_t
dispatch_next(struct bt_vcpu *b); /* where to go on for the present cpu state: a fragment or the exit */
static inline uint64_t eight(const void *p)
{
	return *(const any64 *)p;
}

/* What dispatch_select() goes by, as far as an interrupt, an exception or a return from one changes it. (A
 * task switch, which changes anything, changes TR too.) */
struct mode_inputs {
	uint64_t seg[5]; /* CS, SS; base and limit of TR */
	uint32_t sysflags;
	uint8_t cpl;
};
void dispatch_mode_inputs(const struct bt_vcpu *b, struct mode_inputs *s);
/* dispatch_next() behind such a transfer: WAS before it. */
uint64_t dispatch_next_from(struct bt_vcpu *b, const struct mode_inputs *was);
/* The same where nothing changed but the mode. */
uint64_t dispatch_next_mode(struct bt_vcpu *b, uint32_t mode);
/* b->mode with the class of segment register S, not CS or SS, as it is now. */
uint32_t dispatch_seg_mode(const struct bt_vcpu *b, enum seg s);
uint64_t dispatch_exit(struct bt_vcpu *b, enum exit_code c);
uint64_t dispatch_raise(struct bt_vcpu *b); /* deliver cpu.exc and go on */
uint64_t dispatch_miss(struct bt_vcpu *b, struct site *s, uint32_t pc);
uint64_t dispatch_chain(struct bt_vcpu *b, struct exit_link *l, uint32_t ea);
uint64_t dispatch_after_fault(struct bt_vcpu *b);
/* An event happened at PC; to stop when a filter wants it. */
void runtime_event_hit(struct bt_vcpu *b, enum engine_event kind, uint32_t number, uint64_t val, bool write,
		       uint32_t pc);
static inline void runtime_event(struct bt_vcpu *b, enum engine_event kind, uint32_t number, uint64_t val,
				 bool write, uint32_t pc)
{
	if (__builtin_expect(b->event_kinds >> kind & 1, 0))
		runtime_event_hit(b, kind, number, val, write, pc);
}
/* Likewise for the write of control register N, OLD the CR0 before. */
void runtime_cr_event(struct bt_vcpu *b, unsigned n, uint32_t old, uint32_t pc);
/* Has virtual-8086 mode been entered or left? Where control may have been transferred. */
void runtime_vm_changed(struct bt_vcpu *b);
static inline void runtime_vm_event(struct bt_vcpu *b)
{
	if (__builtin_expect(b->event_kinds >> ENGINE_EV_MODE & 1, 0))
		runtime_vm_changed(b);
}

/* runtime/callout_system.c: something may have changed that answers of CPUID or RDMSR rest on. */
void memo_forget(struct bt_vcpu *b);

/* From now on SYSENTER and SYSEXIT go by callouts, until one of those. */
static inline void syscall_cache_forget(struct bt_vcpu *b)
{
	for (unsigned i = 0; i < SYSCALL_PATHS; i++) {
		b->syscall[i].from_neg = 1;
		b->syscall[i].jt = (uint64_t)b->stop_jt;
	}
}

/* runtime/stubs.c */
void stub_init(struct bt_vcpu *b);
void stub_enter(struct bt_vcpu *b, uint64_t host);
extern const uint8_t stub_reload[], stub_reload_end[], stub_syscall[], stub_syscall_end[];
void stub_resume(void);
/* What g_syscall[] are: SYSENTER and SYSEXIT as they went last, else g_callout. */
void stub_enter_kernel(void);
void stub_leave_kernel(void);
/* What g_callout and g_heavy are: plain, or with the time taken (adapt/account.h). */
void stub_callout(void);
void stub_heavy(void);
void stub_callout_timed(void);
void stub_heavy_timed(void);

/* fault/fault.c */
bool fault_init(struct bt_vcpu *b);
void fault_thread_enter(struct bt_vcpu *b);
void fault_thread_leave(void);

/* translate/decode.c */
/* Decode the instruction at EIP. 0; -1 with an exception raised. PAGE2 NULL: 1 when it
 * straddles, without looking at the second page (which would set its accessed bit
 * for an instruction that may never be reached). */
int decode_insn(struct bt_vcpu *b, uint32_t eip, struct insn *in, ppn *page, ppn *page2);

/* translate/translate.c */
enum tx_kind { TX_NORMAL, TX_TRANSIENT, TX_MMIO };
/* Translate the TU at the present cs:eip. NULL: an exception is in cpu.exc, or (xcode
 * XC_ERROR) our own failure. TX_TRANSIENT and TX_MMIO make a fragment of one instruction
 * that is run once and never found again. */
struct ccf *translate(struct bt_vcpu *b, enum tx_kind kind);

/* adapt/policy.c */
extern const char *const way_names[];
enum sens policy_kind(const struct insn *in); /* SENS_KINDS: not sensitive */
const char *policy_kind_name(unsigned kind);
enum way policy_way(const struct bt_vcpu *b, const struct insn *in);
extern const struct view view_policy;

/* adapt/steer.c, adapt/cost.c, view/history.c */
void adapt_init(struct bt_vcpu *b);
extern const struct view view_sites, view_adapt, view_causes, view_costs, view_history, view_savings,
    view_pins;

/* probe/patch.c */
/* The last patch of any of N bytes at LIN, of a fragment from PAGE (and PAGE2): its number; 0: none. */
unsigned patch_at(const struct bt_vcpu *b, uint32_t lin, unsigned n, ppn page, ppn page2);
/* Put into BYTES what the translator reads instead of the guest's N at LIN, all on PAGE. */
void patch_overlay(const struct bt_vcpu *b, uint32_t lin, uint8_t *bytes, unsigned n, ppn page);
/* N bytes as the translator read them: from LIN on PAGE, or on PAGE and then PAGE2. */
void patch_source(const struct bt_vcpu *b, uint32_t lin, uint8_t *bytes, unsigned n, ppn page, ppn page2);
extern const struct view view_patches;

/* probe/probe.c */
void probe_emit(struct tx *t, struct insn *in);
bool probe_rewind(struct tx *t);
void probes_free(struct bt_vcpu *b);
extern const struct view view_probes;

/* view/traps.c, view/tc.c */
const char *trap_name(unsigned cause);
const char *callout_name(unsigned kind); /* NULL: there are no more */
/* How such an instruction is translated now, in a word. */
const char *site_form(const struct bt_vcpu *b, const struct verdict *v);
/* The sensitive instruction at PC in a live fragment; NULL: none. *COVERED: one has PC, at least. */
const struct sens_use *sens_use_at(const struct bt_vcpu *b, uint32_t pc, bool *covered);
/* What the callouts AFTER saved against the traps BEFORE; the same of all sites. Host cycles. */
struct value cycles_saved(const struct cost *before, const struct cost *after);
struct value cycles_saved_all(const struct bt_vcpu *b, enum cause c);
struct value since_start_ms(const struct bt_vcpu *b, uint64_t tsc);	  /* since the machine was made */
struct value judged_ms(const struct bt_vcpu *b, const struct verdict *v); /* likewise */
extern const struct view view_tc, view_ways, view_traps, view_trap_sites, view_callouts;

/* engine.c */
bool bp_at(const struct bt_vcpu *b, uint32_t pc); /* a breakpoint of somebody's */

/* guest_debug.c: the guest's own breakpoints */
bool guest_debug_stale(const struct bt_vcpu *b);
void guest_debug_set(struct bt_vcpu *b);		       /* as DR0 to DR3 and DR7 are now */
unsigned guest_debug_at(const struct bt_vcpu *b, uint32_t pc); /* on code: the bits of DR6 */

extern const struct view *const bt_views[];
#endif
