/* SPDX-License-Identifier: GPL-3.0-or-later
 * The stress guest: a pool of physical pages that serve in turn as data, page table, page
 * directory, code and neighbours of device memory, accessed by random code in kernel and user mode.
 *
 * Everything is run twice: first by a model (model.c: memory, page walk, TLB staleness;
 * interp.c: a subset of the instruction set), which determines where it ends, with which registers,
 * through which faults, and what the handlers do; then by the processor (run.c), whose
 * results must match. What the manual leaves open (a stale translation, code changed through another
 * address without serializing, a store onto its own instruction) the model calls OPEN: it
 * is undone and not run. The model reads no page of the pool: it has a copy of its own.
 *
 * Linear addresses: four zones of ZPAGES pages, two in user and two in kernel space, on both
 * sides of a boundary where a page table ends; at KERNEL_BASE all physical memory. */
#ifndef STRESS_STRESS_H
#define STRESS_STRESS_H

#include "guests/demo/kernel.h"

#define NPOOL 64
#define ZPAGES 32u
#define POOL_PA 0x013e0000u /* around 20 MiB, where large pages of both sizes begin */
#define ZONE_U 0x02000000u  /* the boundary in user space, and */
#define ZONE_K 0xfd000000u  /* in kernel space */
#define HOLE_PA 0xf0000000u /* no device is there */
#define VGA_PA 0x000b8000u
#define USTACK (USER_TEXT + 0x8000)
#define STUB_SIZE 32
#define END_INT 0x82	 /* ends a run */
#define SERVICE_INT 0x81 /* the kernel changes pages */

#ifndef __ASSEMBLER__

enum {
	F_VGA = NPOOL,
	NVGA = 8,
	F_HOLE = F_VGA + NVGA,
	F_USTACK,
	F_KSTACK,
	NFRAMES,
	F_KTEXT = NFRAMES,
	F_UTEXT
};
enum { Z_UA, Z_UB, Z_KA, Z_KB, NZONES };
enum { NSPACES = 3, NSTALE = 16 };
enum role { R_DATA, R_CODE, R_TABLE, R_DIR };
enum outcome { OK, FAULT, OPEN, INT };
enum reg { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

#define FL_CF 1u
#define FL_PF 4u
#define FL_AF 0x10u
#define FL_ZF 0x40u
#define FL_SF 0x80u
#define FL_IF 0x200u
#define FL_DF 0x400u
#define FL_OF 0x800u
#define FL_ARITH (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)
#define CR0_WP 0x10000u

/* Registers in the order of instruction encodings; run.c and entry.S rely on it. */
struct regs {
	u32 r[8], eip, fl;
};

/* State of the model besides memory. */
struct state {
	u8 space; /* the space whose directory is in CR3 */
	bool wp, pge;
	u8 dir[NSPACES][2]; /* frames of the directories for user and kernel zones (the same without PAE) */
	u32 xmm[8][4];
	u32 nstale;	   /* pages whose translation changed and was not flushed: */
	u32 stale[NSTALE]; /* linear page number << 1 | global */
	u8 all_stale;
#define STALE_LOCAL 1 /* whole tables changed, without or with global pages */
#define STALE_GLOBAL 2
	u32 written[NPOOL]; /* code frames written since the last serializing instruction: by */
#define WRITTEN_ALIASES 1u  /* several addresses, or this linear page | 2; 0: not written */
};
extern struct state st;

/* A handler's action at an event, determined by the model. */
struct action {
	enum { A_STORE, A_FILL, A_COPY, A_INVLPG, A_CR3, A_PGE, A_WP } kind;
	u32 a, b; /* physical address and value (all dwords of the page); frames to, from; linear address;
		     value of CR3; on or off */
};

/* An event that leaves the tested code: the registers there, and the handler's actions. */
struct event {
	u32 vec, err, err_open, cr2; /* err_open: bits of the error code that the manual leaves open */
	struct regs at;
	u32 fl_open;
	bool user, last;
	u32 action, nactions;
};
enum { MAX_EVENTS = 96, MAX_ACTIONS = 512 };
struct script {
	struct regs start;
	bool user;
	u32 nevents, nactions;
	struct event ev[MAX_EVENTS];
	struct action act[MAX_ACTIONS];
};
extern struct script script;

/* ---- main.c ---- */
u32 rnd(void);
static inline u32 below(u32 n)
{
	return (u32)((u64)rnd() * n >> 32);
}
static inline bool chance(u32 percent)
{
	return below(100) < percent;
}
extern u32 round_no, pae, noglobal, check_from, trace_from;
static inline bool tracing(void)
{
	return round_no >= trace_from;
}
void diverged(const char *what, u32 expected, u32 got) __attribute__((noreturn));

/* ---- model.c: memory and page tables ---- */
extern u8 mem[NFRAMES][4096]; /* content of the pages */
extern u8 may[NFRAMES][4096]; /* bits of it that may differ (accessed, dirty) */
extern u8 role[NPOOL];
struct place {
	u16 frame, off;
};
/* Bytes [0, n) of an access, in one or two pages. */
struct span {
	struct place at[2];
	u32 n[2];
};
struct fault {
	u32 err, err_open, cr2;
};
extern struct fault fault;
#define AC_WRITE 1
#define AC_USER 2
#define AC_RMW 4 /* with AC_WRITE: reads first */
#define AC_FETCH 8

void model_begin(void); /* from here on all changes can be undone */
void model_undo(void);
bool model_room(void); /* to remember more changes */
u32 page_va(u32 zone, u32 page);
void mark_dir(u32 frame);
u32 get32(u32 frame, u32 off);
u32 open32(u32 frame, u32 off); /* of these, the bits that may differ */
void put8(u32 frame, u32 off, u8 v);
void put32(u32 frame, u32 off, u32 v);
void copy_frame(u32 to, u32 from);
u32 frame_pa(u32 frame);
int pa_frame(u32 pa); /* -1: not a page of the pool */
u32 entry_bytes(void);
u32 large_shift(void);
struct place pde_place(u32 space, u32 va);
struct place pte_place(u32 space, u32 va); /* frame 0xffff: no table there */
int peek(u32 va, struct place *at);	   /* frame of VA in this space regardless of rights; marks nothing */
enum outcome translate(u32 va, unsigned how, struct place *at);
enum outcome reach(u32 va, u32 n, unsigned how, struct span *s);
void instruction_begins(void);
bool read_what_it_marked(void);
void look_ahead(u32 va, unsigned how);
void commit(bool done); /* set accessed and dirty bits of an instruction that completed or faulted */
enum outcome load(const struct span *s, u8 *v);
enum outcome store(const struct span *s, u32 va, const u8 *v);
extern struct span fetching; /* the instruction at work */
/* An entry went from OLD, in which the bits OPEN may have been set, to NOW. False: more became stale than
 * can be kept. */
bool entry_changed(u32 frame, u32 off, u32 old, u32 open, u32 now);
void flush_page(u32 va);
void flush_local(void);
void flush_all(void);
void serialize(void);
bool anything_stale(void);
void may_settle(u32 frame, const u8 *real);

/* ---- interp.c ---- */
extern struct regs cpu;
extern bool cpu_user;
extern u32 cpu_undef; /* flags that are undefined now */
enum outcome step(u32 *vector);

/* ---- run.c ---- */
bool run(u32 eip, const u32 r[8], bool user, bool if_on); /* false: OPEN, nothing was run */
void act(const struct action *a);
void add_action(u32 kind, u32 a, u32 b);
void check_frame(u32 frame);
void check_all(void);
void stress_trap(struct frame *f);
void run_init(void);
struct counts {
	u32 runs, open, faults, fixed, services, irqs, changes, functions;
};
extern struct counts counts;
extern u8 *ustack_page;

/* ---- pages.c: changes by the driver and by handlers ---- */
void pages_init(void);
void pages_step(void);			       /* one random change */
bool fix_fault(bool write, bool user);	       /* in the model: at fault.cr2; adds actions */
void service(void);			       /* likewise */
u32 space_root(u32 space);		       /* value for CR3 */
u32 random_place(bool write, bool user);       /* a linear address to try */
bool random_pte(u32 *at, u32 *value, u32 *va); /* an entry for tested code to store, and its page */
/* Each changes the model and adds an action. */
void do_store(u32 frame, u32 off, u32 v);
void do_space(u32 space);
void do_flush(u32 va);	 /* of a page that was changed, in one way or another */
void driver_begin(void); /* the driver itself: begin, do, end */
void driver_end(void);

/* ---- gen.c ---- */
void gen_function(void);	     /* write a new function somewhere */
void gen_run(void);		     /* run one */
bool gen_constant(struct place *at); /* a number in some function's code, which may be changed */
void stub_run(void);		     /* run a fixed instruction on random addresses */

/* ---- entry.S, user.S ---- */
extern u8 kstubs[], kstubs_end[], kstack[];
extern const u32 stress_stubs[6];
void run_guest(const struct regs *r, u32 user);
void run_leave(void) __attribute__((noreturn));
void enter_pae(u32 pdpt_pa);
#endif
#endif
