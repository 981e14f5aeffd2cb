/* SPDX-License-Identifier: GPL-3.0-or-later
 * The oracle: runs a case on the host CPU in compatibility mode, inside this 64-bit process. A far jump
 * enters the 32- or 16-bit code segment. Every end of a case (the int3 after the instruction, or a fault) is
 * a signal, whose handler leaves by restoring the stack of native_enter().
 *
 * The kernel delivers a 64-bit frame with all registers, the trap number, the error code and the XSAVE image,
 * and leaves the data segment registers alone. The FS base is the C library's: no library call before it is
 * restored.
 *
 * Wild addresses of a case must fault as they do in the guest, so nothing of this process may be accessible
 * below 4 GiB while a case runs. The engine has its vCPU and the translation cache there, AddressSanitizer
 * its shadow of low memory, from 0x7fff8000 on: they are made inaccessible for that time. */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "tests/conform/conform.h"
#include "tests/conform/rows.h"

/* Input of native_enter(), accessed by offset. */
struct entry {
	uint32_t gpr[8];		 /* 0 */
	uint64_t eflags;		 /* 32 */
	uint32_t eip;			 /* 40 */
	uint16_t cs, pad;		 /* 44: with eip, a far pointer */
	uint16_t seg[SEG_COUNT];	 /* 48 */
	const union fpu_image *fpu;	 /* 64 */
	const struct avx512_image *wide; /* 72; NULL: the host has none */
};
_Static_assert(offsetof(struct entry, eflags) == 32 && offsetof(struct entry, eip) == 40 &&
		   offsetof(struct entry, seg) == 48 && offsetof(struct entry, fpu) == 64,
	       "asm uses these");

static const int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS };

/* A mapping below 4 GiB that belongs to the process, not to a case. */
struct low_map {
	uint64_t start, end;
	int prot;
};
enum { MAX_LOW_MAPS = 32 };

struct native {
	struct entry in;
	struct outcome *out;
	uint64_t fsbase, gsbase;
	bool ldt;
	struct low_map low_maps[MAX_LOW_MAPS];
	unsigned nlow_maps;
	void *altstack;
	stack_t old_stack;
	struct sigaction old[ARRAY_LEN(signals)];
};

/* The running case, for the signal handler: the FS base, which locates thread-local variables, is not
 * restored when the handler starts. */
static struct native *current;
uint64_t native_saved_rsp;

#define ALTSTACK_BYTES 65536

/* Returns through native_leave(). */
void native_enter(struct entry *in);
void native_leave(void) __attribute__((noreturn));
asm(".text\n"
    "native_enter:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsp, native_saved_rsp(%rip)\n"
    "	mov %rdi, %r15\n"
    "	mov 64(%r15), %rbx\n"
    "	mov $7, %eax\n" /* x87, SSE, AVX */
    "	xor %edx, %edx\n"
    "	xrstor (%rbx)\n"
    "	mov 72(%r15), %rbx\n"
    "	test %rbx, %rbx\n"
    "	jz 1f\n"
    "	mov $0xe0, %eax\n"
    "	xrstor (%rbx)\n"
    "1:\n"
    "	movw 48(%r15), %es\n"
    "	movw 54(%r15), %ds\n"
    "	movw 56(%r15), %fs\n"
    "	movw 58(%r15), %gs\n"
    "	mov 0(%r15), %eax\n"
    "	mov 4(%r15), %ecx\n"
    "	mov 8(%r15), %edx\n"
    "	mov 12(%r15), %ebx\n"
    "	mov 20(%r15), %ebp\n"
    "	mov 24(%r15), %esi\n"
    "	mov 28(%r15), %edi\n"
    "	pushq 32(%r15)\n"
    "	popfq\n"
    "	movw 52(%r15), %ss\n"
    "	mov 16(%r15), %esp\n"
    "	ljmpl *40(%r15)\n"
    "native_leave:\n"
    "	mov native_saved_rsp(%rip), %rsp\n"
    "	cld\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n");

static const uint8_t greg_of[8] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };

static inline __attribute__((always_inline)) void clear_ac_nt(void)
{
	asm volatile("pushfq; andl $~0x44100, (%%rsp); popfq" ::: "memory", "cc");
}

/* Read the data segment registers and restore the process's own. */
static inline __attribute__((always_inline)) void swap_segments(struct native *n, uint16_t seg[SEG_COUNT])
{
	asm volatile("movw %%es, %0; movw %%ds, %1; movw %%fs, %2; movw %%gs, %3"
		     : "=m"(seg[SEG_ES]), "=m"(seg[SEG_DS]), "=m"(seg[SEG_FS]), "=m"(seg[SEG_GS]));
	asm volatile("movw %w0, %%es; movw %w0, %%ds; movw %w0, %%fs; movw %w0, %%gs" ::"r"(0));
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, n->gsbase) | syscall(SYS_arch_prctl, ARCH_SET_FS, n->fsbase))
		_exit(99);
}

static __attribute__((no_sanitize("address", "undefined"), no_stack_protector)) void
on_signal(int sig, siginfo_t *si, void *ctx)
{
	struct native *n = current;
	ucontext_t *uc = ctx;
	const greg_t *g = uc->uc_mcontext.gregs;
	struct outcome *o;
	uint16_t seg[SEG_COUNT];

	clear_ac_nt();
	if (!n || (g[REG_CSGSFS] & 0xffff) == 0x33) { /* our own bug: let it kill the process */
		signal(sig, SIG_DFL);
		return;
	}
	swap_segments(n, seg);
	o = n->out;
	for (unsigned i = 0; i < 8; i++)
		o->st.gpr[i] = (uint32_t)g[greg_of[i]];
	o->st.eip = (uint32_t)g[REG_RIP];
	o->st.eflags = (uint32_t)g[REG_EFL];
	seg[SEG_CS] = (uint16_t)g[REG_CSGSFS];
	seg[SEG_SS] = (uint16_t)(g[REG_CSGSFS] >> 48);
	memcpy(o->st.seg, seg, sizeof(seg));
	o->vector = (uint32_t)g[REG_TRAPNO];
	o->err = (uint32_t)g[REG_ERR];
	o->cr2 = o->vector == EXC_PF ? (uint32_t)(uintptr_t)si->si_addr : 0;
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

bool native_find_foreign(struct native *n)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512], rights[5];
	struct low_map at;
	bool fits = f != NULL;

	n->nlow_maps = 0;
	while (fits && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s", &at.start, &at.end, rights) != 3 || at.start >> 32)
			continue;
		if (at.end >> 32)
			at.end = 1ull << 32;
		at.prot = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) |
			  (rights[2] == 'x' ? PROT_EXEC : 0);
		if (!at.prot || region_of((uint32_t)at.start))
			continue;
		fits = n->nlow_maps < MAX_LOW_MAPS;
		if (fits)
			n->low_maps[n->nlow_maps++] = at;
	}
	if (f)
		fclose(f);
	return fits;
}

static void hide_foreign(struct native *n, bool hide)
{
	for (unsigned i = 0; i < n->nlow_maps; i++) {
		struct low_map *m = &n->low_maps[i];

		if (mprotect((void *)m->start, m->end - m->start, hide ? PROT_NONE : m->prot))
			_exit(99);
	}
}

static bool map_regions(void)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &conform_regions[i];
		void *at = (void *)(uintptr_t)r->addr;

		if (mmap(at, r->size, PROT_READ | PROT_WRITE | (r->exec ? PROT_EXEC : 0),
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
			return false;
	}
	return true;
}

static bool install_ldt(void)
{
	for (unsigned i = 0; i < LDT_COUNT; i++) {
		const struct ldt_entry *e = &conform_ldt[i];
		struct user_desc d = {
			.entry_number = i,
			.base_addr = e->base,
			.limit = e->limit,
			.seg_32bit = e->big,
			.contents = e->code   ? 2
				    : e->down ? 1
					      : 0,
			.read_exec_only = !e->write && !e->code,
		};

		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
			return false;
	}
	return true;
}

struct native *native_new(const char **why)
{
	struct native *n = calloc(1, sizeof(*n));

	if (!n)
		return *why = "out of memory", NULL;
	if (!map_regions()) {
		*why = "cannot map the low memory regions";
		free(n);
		return NULL;
	}
	n->ldt = install_ldt();
	n->altstack = malloc(ALTSTACK_BYTES);
	return n;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < RGN_COUNT; i++)
		munmap((void *)(uintptr_t)conform_regions[i].addr, conform_regions[i].size);
	free(n->altstack);
	free(n);
}

bool native_has_ldt(const struct native *n)
{
	return n->ldt;
}

static void copy_regions(uint8_t *image, bool in)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &conform_regions[i];
		void *at = (void *)(uintptr_t)r->addr;

		if (!in) {
			memcpy(image + r->at, at, r->size);
			continue;
		}
		if (!r->write)
			mprotect(at, r->size, PROT_READ | PROT_WRITE);
		memcpy(at, image + r->at, r->size);
		if (!r->write)
			mprotect(at, r->size, PROT_READ);
	}
}

void native_run(struct native *n, const struct conform_case *c, struct outcome *out)
{
	syscall(SYS_arch_prctl, ARCH_GET_FS, &n->fsbase);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &n->gsbase); /* the engine's window base */
	copy_regions(c->mem, true);
	memcpy(n->in.gpr, c->st.gpr, sizeof(n->in.gpr));
	memcpy(n->in.seg, c->st.seg, sizeof(n->in.seg));
	n->in.eflags = c->st.eflags;
	n->in.eip = c->st.eip;
	n->in.cs = c->st.seg[SEG_CS];
	n->in.fpu = &c->st.fpu;
	n->in.wide = host_has_wide() ? &c->st.wide : NULL;
	n->out = out;
	take_signals(n);
	hide_foreign(n, true);
	current = n;
	native_enter(&n->in);
	hide_foreign(n, false);
	give_back_signals(n);
	copy_regions(out->mem, false);
}
