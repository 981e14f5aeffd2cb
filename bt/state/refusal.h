/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the verifier refused lately. */
#ifndef BT_STATE_REFUSAL_H
#define BT_STATE_REFUSAL_H
#include "base/types.h"

enum { REFUSALS = 64 };

struct refusal {
	gva pc, at;	 /* of the fragment; of the instruction in it */
	uint32_t off;	 /* of the host instruction, from the fragment's start */
	uint32_t count;	 /* refusals of that instruction for that reason */
	const char *why; /* the rule, a static text */
	char text[64];	 /* the host instruction */
};

struct refusals {
	struct refusal last[REFUSALS]; /* a ring */
	uint64_t n;		       /* all, but repetitions */
};
#endif
