/* SPDX-License-Identifier: GPL-3.0-or-later
 * The exceptions as x86/exceptions.def lists them. */
#ifndef X86_EXCEPTIONS_H
#define X86_EXCEPTIONS_H
#include "base/types.h"

enum exc_class { EXC_CLASS_FAULT, EXC_CLASS_TRAP, EXC_CLASS_ABORT, EXC_CLASS_INTERRUPT };
enum exc_double { EXC_BENIGN, EXC_CONTRIBUTORY, EXC_PAGE };

enum {
#define EXC(vector, id, name, err, class, dbl, title) EXC_##id = vector,
#include "x86/exceptions.def"
#undef EXC
	EXC_VECTORS = 32, /* the architecture reserves so many for exceptions */
	EXC_EXIT = 0xff,  /* in place of an exception: leave guest mode (cpu/virt.h) */
};

/* Sets of vectors, a bit each. */
enum {
	EXC_SET_NONE = 0,
#define EXC(vector, id, name, err, class, dbl, title) | (err ? 1 << vector : 0)
	EXC_SET_ERROR_CODE = 0
#include "x86/exceptions.def"
	,
#undef EXC
#define EXC(vector, id, name, err, class, dbl, title)                                                        \
	| (EXC_CLASS_##class == EXC_CLASS_FAULT ? 1 << vector : 0)
	EXC_SET_FAULT = 0
#include "x86/exceptions.def"
	,
#undef EXC
#define EXC(vector, id, name, err, class, dbl, title) | (EXC_##dbl == EXC_CONTRIBUTORY ? 1 << vector : 0)
	EXC_SET_CONTRIBUTORY = 0
#include "x86/exceptions.def"
#undef EXC
};

static inline bool exc_in(uint32_t set, unsigned vector)
{
	return vector < EXC_VECTORS && (set >> vector & 1);
}

struct exc_info {
	const char *name, *title; /* NULL: the vector is reserved */
	bool error_code;
	enum exc_class class;
	enum exc_double dbl;
};
extern const struct exc_info exc_infos[EXC_VECTORS];

/* The name of exception VECTOR ("#PF"); NULL: it has none. */
const char *exc_name(unsigned vector);
#endif
