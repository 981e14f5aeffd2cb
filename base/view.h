/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views: named tables that a module declares where its data lives. inspect/
 * registers and renders them (text, JSON, panes); the module that owns a view
 * does not know its readers. */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H
#include "base/types.h"

enum val_type { VAL_NONE, VAL_STR, VAL_UINT, VAL_INT, VAL_HEX, VAL_ADDR, VAL_BOOL, VAL_REAL };

/* More types of columns, for faces that colour them; the values are VAL_STR. */
enum text_type {
	VAL_SYMBOL = VAL_REAL + 1, /* a place in the guest */
	VAL_FLAGS,		   /* names of bits */
	VAL_VERDICT,		   /* a decision of adaptation, with an enum decision */
	VAL_HELP,		   /* an explanation of the row */
};

/* What a verdict says, for faces that colour it. */
enum decision { DECISION_NONE, DECISION_PROMOTED, DECISION_DEMOTED };

struct value {
	enum val_type type;
	enum decision decision;
	union {
		uint64_t u; /* UINT, HEX, ADDR, BOOL */
		int64_t i;
		double d;
		const char *s; /* borrowed until the sink's row() returns */
	};
};

#define V_STR(x) ((struct value){ .type = VAL_STR, .s = (x) })
#define V_VERDICT(x, m) ((struct value){ .type = VAL_STR, .decision = (m), .s = (x) })
#define V_UINT(x) ((struct value){ .type = VAL_UINT, .u = (x) })
#define V_INT(x) ((struct value){ .type = VAL_INT, .i = (x) })
#define V_HEX(x) ((struct value){ .type = VAL_HEX, .u = (x) })
#define V_ADDR(x) ((struct value){ .type = VAL_ADDR, .u = (x) })
#define V_BOOL(x) ((struct value){ .type = VAL_BOOL, .u = (x) })
#define V_REAL(x) ((struct value){ .type = VAL_REAL, .d = (x) })
#define V_NONE ((struct value){ .type = VAL_NONE })

/* A column: key in JSON and in sort expressions, heading, type, unit ("" for
 * none), one line of help. */
struct view_col {
	const char *name, *title;
	uint8_t type; /* enum val_type or text_type */
	const char *unit, *help;
};

/* Where rows go. row() receives as many values as the view has columns. */
struct row_sink {
	void (*row)(struct row_sink *sink, const struct value *vals);
};

/* Facts about a view; bits. */
enum view_flags {
	VIEW_VERTICAL = 1, /* as text, a row is lines of "name value" */
	VIEW_TEXT = 2,	   /* as text, a row is one line without a heading, by FORMAT where there is one */
	/* It can be read beside a running vCPU: it is the control thread's own, or nothing but counters and
	 * device registers in memory that stays where it is. A reader sees each value whole, though not all
	 * of the same moment. */
	VIEW_LIVE = 4,
	VIEW_BARE = 8, /* as text, the reason why there are no rows is a line, not an error */
};

/* A view. rows() emits every row for OWNER (the object given at registration);
 * ARG is the rest of the command line ("" when none). Returns NULL, or a
 * static one-line error text. */
struct view {
	const char *name; /* what follows "info" */
	const char *help;
	const struct view_col *cols;
	unsigned ncols;
	const char *(*rows)(void *owner, const char *arg, struct row_sink *sink);
	unsigned flags;
	const char *format; /* of a line of text, with "{column}" or "{column:width}"; NULL: all columns */
	const char *words;  /* what may follow the name, for completion (inspect/complete.c); NULL: nothing */
};
#define VIEW_COLS(table) .cols = (table), .ncols = ARRAY_LEN(table)
#endif
