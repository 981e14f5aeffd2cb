/* SPDX-License-Identifier: GPL-3.0-or-later
 * Cached results of callouts that translated code replays while their inputs stay the same. Numbers are kept
 * negated, so that code can compare them by an addition that leaves the flags alone. */
#ifndef BT_STATE_MEMO_H
#define BT_STATE_MEMO_H
#include "x86/cpu.h"

struct ctx;
struct window;

/* A segment register as its last load by callout left it, the descriptor it came from, and that descriptor's
 * bytes. */
struct seg_memo {
	uint64_t sel_neg, cache_neg[2], gdtr_neg, raw_neg;
	uint32_t at;  /* linear address of the descriptor */
	uint16_t sel; /* of the last load, also when there is no memo of it */
};

/* The last answer of CPUID or RDMSR at one of the sites that share this (lower/memo.c). */
#define MEMOS 16
struct memo {
	uint64_t question_neg; /* -(ECX << 32 | EAX), or -ECX for RDMSR, 1: no MSR's */
	uint32_t empty;	       /* CPUID: any question is possible */
	uint32_t answer[4];    /* EAX, EBX, ECX, EDX; EAX, EDX */
};

/* Cached result of the last SYSENTER or SYSEXIT callout, replayed by the entry stubs (stub_enter_kernel,
 * stub_leave_kernel). Invalidated when any input changes or a stop is pending. */
enum { SYSCALL_ENTER, SYSCALL_LEAVE, SYSCALL_PATHS };
struct syscall_cache {
	uint64_t from_neg;		/* -(the mode it came from); 1: invalid */
	uint64_t seg[4];		/* CS and SS behind it */
	uint64_t gs, shadow, jt, table; /* jt: poisoned to stop; table is not */
	struct window *window;
	struct ctx *ctx;
	uint32_t mode;
};

/* The same of SYSCALL and SYSRET between 64-bit code (stub_long_enter, stub_long_leave). */
struct long_syscall_cache {
	uint64_t from_neg;    /* as above */
	uint64_t seg[4];      /* CS and SS behind it */
	uint64_t space[4];    /* struct long_space */
	uint64_t live, table; /* of the context */
	uint64_t upper;	      /* LEAVE: upper half of the addresses that TABLE has */
	struct window *window;
	struct ctx *ctx;
	uint32_t mode;
	uint8_t no_links;
};

struct memos {
	struct seg_memo seg[SEG_COUNT];
	struct syscall_cache syscall[SYSCALL_PATHS];
	struct long_syscall_cache long_syscall[SYSCALL_PATHS];
	struct memo cpuid[MEMOS], msr[MEMOS];
	bool none; /* in neither of the two */
};
#endif
