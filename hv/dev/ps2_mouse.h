/* SPDX-License-Identifier: GPL-3.0-or-later
 * A PS/2 mouse behind the keyboard controller's second port. Private to hv/dev. */
#ifndef HV_DEV_PS2_MOUSE_H
#define HV_DEV_PS2_MOUSE_H
#include "base/types.h"

enum { MOUSE_QUEUE = 64, MOUSE_RATES = 3, MOUSE_MOVES = 1 << 20 /* most that are kept */ };

struct ps2_mouse {
	uint8_t id;			   /* 0: three buttons, 3: and a wheel, 4: and five buttons */
	uint8_t command;		   /* that waits for its argument, 0 none */
	uint8_t rate, resolution, scaling; /* samples a second; code; 1: 2 to 1 */
	uint8_t reporting, remote, wrap;
	uint8_t buttons;	       /* left, right, middle, fourth, fifth */
	uint8_t told;		       /* as the last packet had them */
	uint8_t rates[MOUSE_RATES];    /* the last ones set, by which drivers choose the id */
	int64_t dx, dy, dz;	       /* moves not told of yet: right, up, towards the user */
	uint8_t queue[MOUSE_QUEUE];    /* to the controller */
	uint8_t head, len, last;       /* of the queue; what it gave last */
	uint64_t moves, packets, lost; /* records that arrived; told; while reporting was off */
};

void ps2_mouse_reset(struct ps2_mouse *m);
/* The driver sends VAL. */
void ps2_mouse_write(struct ps2_mouse *m, uint8_t val);
/* It was moved, DX to the right, DY down, its wheel by DZ towards the user, and has these BUTTONS down. */
void ps2_mouse_moved(struct ps2_mouse *m, int dx, int dy, int dz, uint8_t buttons);
/* The next byte for the driver; M->len is not 0. */
uint8_t ps2_mouse_next(struct ps2_mouse *m);
#endif
