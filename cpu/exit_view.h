/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views that VMX and SVM have in common: exits by reason, by place, one by one; the walk through a guest's
 * page tables and nested ones; which MSRs and ports exit. Not GPR-only: views are read while the vCPU is
 * stopped, counters at any time. */
#ifndef CPU_EXIT_VIEW_H
#define CPU_EXIT_VIEW_H
#include <stddef.h>

#include "base/view.h"
#include "cpu/exit_log.h"
#include "mm/walk.h"
#include "x86/engine_virt.h"

/* ---- exits ---- */

/* What an extension says of its exits; CTX is that of struct exit_show. */
struct exit_texts {
	unsigned slots;
	const char *(*name)(unsigned slot);  /* NULL: no reason has this slot */
	const char *(*title)(unsigned slot); /* in the manual */
	uint32_t (*number)(unsigned slot);
	/* What E says besides: its information and events, decoded. */
	void (*text)(const struct exit_log_exit *e, char *buf, size_t len);
	enum engine_steering (*steered)(const void *ctx, unsigned slot);
};

/* The owner of exit_views. */
struct exit_show {
	const struct exit_log *log;
	const struct exit_texts *texts;
	const void *ctx;
};
extern const struct view *const exit_views[]; /* exits, exit-log, exit-sites */

enum { EXIT_TEXT = 512 };
/* "CPUID forced, HLT suppressed"; "" without any. */
void exit_steered_text(const struct exit_show *s, char *buf, size_t len);

/* ---- both dimensions of paging ---- */

extern const struct view_col exit_walk_cols[6];

/* A walk for a view: rows for the guest's tables, each behind those of the nested walk that led to it. */
struct exit_walk {
	struct row_sink *k;
	struct paging guest;
	bool load_pdptes; /* of a PAE guest, from its CR3: they are not in GUEST */
	/* Make rows for the nested walk of ADDRESS on behalf of WHAT, and say where it leads. False: nowhere;
	 * FAILED says why. Without nested paging: *TO is ADDRESS. */
	bool (*nested)(struct exit_walk *w, const char *what, gpa address, gpa *to);
	void (*read)(struct exit_walk *w, gpa at, void *buf, unsigned n);
	const void *ctx;
	const char *failed; /* why the first walk that led to no memory did not; NULL: all did */
};
/* Show the translation of ADDRESS, which is guest-physical if PHYSICAL. */
void exit_walk_rows(struct exit_walk *w, uint64_t address, bool physical);
/* A row of it. TO: where the entry leads, if LEADS. */
void exit_walk_row(struct exit_walk *w, const char *what, const char *level, gpa at, uint64_t entry,
		   const char *bits, bool leads, gpa to);

/* ---- permission maps ---- */

extern const struct view_col exit_msr_cols[4], exit_io_cols[3];

/* Rows for MSRs FIRST to LAST, one for each range that is alike. */
void exit_msr_rows(const void *ctx, bool (*exits)(const void *ctx, uint32_t msr, bool write), uint32_t first,
		   uint32_t last, struct row_sink *k);
/* The ports, or that of ARG. Returns an error text. */
const char *exit_io_rows(const void *ctx, bool (*exits)(const void *ctx, uint16_t port), const char *arg,
			 struct row_sink *k);
#endif
