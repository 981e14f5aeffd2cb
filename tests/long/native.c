/* SPDX-License-Identifier: GPL-3.0-or-later
 * The oracle: runs a case on the host CPU inside this process. Every end of a case (the INT3 after the
 * instruction, or a fault) is a signal, whose handler leaves by restoring the stack of native_enter(). The
 * bases of FS and GS are the case's while it runs: no library call before they are restored. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "tests/conform/rows.h"
#include "tests/long/long.h"

static const int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS };

/* Input of native_enter(), accessed by offset. */
struct entry {
	uint64_t gpr[REGS];		 /* 0 */
	uint64_t rflags;		 /* 128 */
	uint64_t fs_base, gs_base;	 /* 136, 144 */
	const union fpu_image *fpu;	 /* 152 */
	const struct avx512_image *wide; /* 160; NULL: the host has none */
};
_Static_assert(offsetof(struct entry, rflags) == 128 && offsetof(struct entry, fpu) == 152, "asm uses these");

struct native {
	struct entry in;
	struct outcome *out;
	uint64_t fs_base, gs_base;
	void *altstack;
	stack_t old_stack;
	struct sigaction old[ARRAY_LEN(signals)];
};

/* The running case, for the signal handler: thread-local variables are out of reach when it starts. */
static struct native *current;
uint64_t native_saved_rsp, native_rip;

#define ALTSTACK_BYTES 65536

/* Returns through native_leave(). */
void native_enter(struct entry *in);
void native_leave(void) __attribute__((noreturn));
asm(".text\n"
    "native_enter:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsp, native_saved_rsp(%rip)\n"
    "	mov %rdi, %r15\n"
    "	mov 152(%r15), %rbx\n"
    "	mov $7, %eax\n" /* x87, SSE, AVX */
    "	xor %edx, %edx\n"
    "	xrstor64 (%rbx)\n"
    "	mov 160(%r15), %rbx\n"
    "	test %rbx, %rbx\n"
    "	jz 1f\n"
    "	mov $0xe0, %eax\n"
    "	xrstor64 (%rbx)\n"
    "1:\n"
    "	mov 136(%r15), %rax\n"
    "	wrfsbase %rax\n"
    "	mov 144(%r15), %rax\n"
    "	wrgsbase %rax\n"
    "	mov 0(%r15), %rax\n"
    "	mov 8(%r15), %rcx\n"
    "	mov 16(%r15), %rdx\n"
    "	mov 24(%r15), %rbx\n"
    "	mov 40(%r15), %rbp\n"
    "	mov 48(%r15), %rsi\n"
    "	mov 56(%r15), %rdi\n"
    "	mov 64(%r15), %r8\n"
    "	mov 72(%r15), %r9\n"
    "	mov 80(%r15), %r10\n"
    "	mov 88(%r15), %r11\n"
    "	mov 96(%r15), %r12\n"
    "	mov 104(%r15), %r13\n"
    "	mov 112(%r15), %r14\n"
    "	pushq 128(%r15)\n"
    "	popfq\n"
    "	mov 32(%r15), %rsp\n"
    "	mov 120(%r15), %r15\n"
    "	jmp *native_rip(%rip)\n"
    "native_leave:\n"
    "	mov native_saved_rsp(%rip), %rsp\n"
    "	cld\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n");

static const uint8_t greg_of[REGS] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15
};

static inline __attribute__((always_inline)) void clear_ac_nt(void)
{
	asm volatile("pushfq; andl $~0x44100, (%%rsp); popfq" ::: "memory", "cc");
}

/* Read the data segment registers and bases, and restore the process's own. */
static inline __attribute__((always_inline)) void swap_segments(struct native *n, struct long_state *st)
{
	uint16_t *seg = st->seg;

	asm volatile("rdfsbase %0; rdgsbase %1" : "=r"(st->fs_base), "=r"(st->gs_base));
	asm volatile("movw %%es, %0; movw %%ds, %1; movw %%fs, %2; movw %%gs, %3"
		     : "=m"(seg[SEG_ES]), "=m"(seg[SEG_DS]), "=m"(seg[SEG_FS]), "=m"(seg[SEG_GS]));
	asm volatile("movw %w0, %%es; movw %w0, %%ds; movw %w0, %%fs; movw %w0, %%gs" ::"r"(0));
	asm volatile("wrfsbase %0; wrgsbase %1" ::"r"(n->fs_base), "r"(n->gs_base));
}

static __attribute__((no_sanitize("address", "undefined"), no_stack_protector)) void
on_signal(int sig, siginfo_t *si, void *ctx)
{
	struct native *n = current;
	ucontext_t *uc = ctx;
	const greg_t *g = uc->uc_mcontext.gregs;
	struct outcome *o;

	clear_ac_nt();
	if (!n) { /* our own bug: let it kill the process */
		signal(sig, SIG_DFL);
		return;
	}
	o = n->out;
	swap_segments(n, &o->st);
	for (unsigned i = 0; i < REGS; i++)
		o->st.gpr[i] = (uint64_t)g[greg_of[i]];
	o->st.rip = (uint64_t)g[REG_RIP];
	o->st.rflags = (uint64_t)g[REG_EFL];
	o->st.seg[SEG_CS] = (uint16_t)g[REG_CSGSFS];
	o->st.seg[SEG_SS] = (uint16_t)((uint64_t)g[REG_CSGSFS] >> 48);
	o->vector = (uint32_t)g[REG_TRAPNO];
	o->err = (uint32_t)g[REG_ERR];
	o->cr2 = o->vector == EXC_PF ? (uint64_t)si->si_addr : 0;
	memcpy(o->st.fpu.b, uc->uc_mcontext.fpregs, XSAVE_BYTES);
	if (n->in.wide)
		wide_from_frame(&o->st.wide, (const uint8_t *)uc->uc_mcontext.fpregs);
	current = NULL;
	native_leave();
}

static void take_signals(struct native *n)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t ss = { .ss_sp = n->altstack, .ss_size = ALTSTACK_BYTES };

	sigaltstack(&ss, &n->old_stack);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, &n->old[i]);
}

/* Restore the engine's signal handlers and signal stack. */
static void give_back_signals(struct native *n)
{
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &n->old[i], NULL);
	sigaltstack(&n->old_stack, NULL);
}

static bool map_regions(void)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &long_regions[i];
		void *at = (void *)r->addr;

		if (mmap(at, r->size, PROT_READ | PROT_WRITE | (r->exec ? PROT_EXEC : 0),
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
			return false;
	}
	return true;
}

struct native *native_new(const char **why)
{
	enum { FSGSBASE = 2 };
	struct native *n = calloc(1, sizeof(*n));

	if (!n)
		return *why = "out of memory", NULL;
	if (!(getauxval(AT_HWCAP2) & FSGSBASE))
		*why = "the host has no WRFSBASE";
	else if (!map_regions())
		*why = "cannot map the regions";
	if (*why) {
		free(n);
		return NULL;
	}
	n->altstack = malloc(ALTSTACK_BYTES);
	return n;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < RGN_COUNT; i++)
		munmap((void *)long_regions[i].addr, long_regions[i].size);
	free(n->altstack);
	free(n);
}

static void copy_regions(uint8_t *out, const uint8_t *in)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &long_regions[i];
		void *at = (void *)r->addr;

		if (out) {
			memcpy(out + r->at, at, r->size);
			continue;
		}
		if (!r->write && !memcmp(at, in + r->at, r->size))
			continue;
		if (!r->write)
			mprotect(at, r->size, PROT_READ | PROT_WRITE);
		memcpy(at, in + r->at, r->size);
		if (!r->write)
			mprotect(at, r->size, PROT_READ);
	}
}

void native_run(struct native *n, const struct long_case *c, struct outcome *out)
{
	asm volatile("rdfsbase %0; rdgsbase %1" : "=r"(n->fs_base), "=r"(n->gs_base)); /* GS: the engine's */
	copy_regions(NULL, c->mem);
	memcpy(n->in.gpr, c->st.gpr, sizeof(n->in.gpr));
	n->in.rflags = c->st.rflags;
	n->in.fs_base = c->st.fs_base;
	n->in.gs_base = c->st.gs_base;
	n->in.fpu = &c->st.fpu;
	n->in.wide = host_has_wide() ? &c->st.wide : NULL;
	native_rip = c->st.rip;
	n->out = out;
	take_signals(n);
	current = n;
	native_enter(&n->in);
	give_back_signals(n);
	copy_regions(out->mem, NULL);
}
