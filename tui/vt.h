/* SPDX-License-Identifier: GPL-3.0-or-later
 * A small terminal for the guest's serial port: the part of ECMA-48 and VT100 that shells,
 * editors and kernels use. Pure: bytes in, a grid of cells out. */
#ifndef TUI_VT_H
#define TUI_VT_H
#include "base/types.h"

enum { VT_W = 80, VT_H = 25, VT_HISTORY = 2000 };

struct vt_cell {
	uint8_t ch, color; /* color: 0 to 7, or VT_BOLD, VT_REVERSE */
};
enum { VT_BOLD = 8, VT_REVERSE = 9 };

struct vt {
	struct vt_cell line[VT_H][VT_W];
	struct vt_cell (*past)[VT_W]; /* ring of lines that scrolled off the top */
	unsigned npast, past_at;
	int x, y, top, bottom; /* cursor; scrolling region */
	int saved_x, saved_y;
	uint8_t color;
	bool bold, reverse, wrap; /* wrap: the cursor is beyond the last column */
	bool application;	  /* cursor keys send ESC O x */
	/* the sequence being read */
	enum { VT_TEXT, VT_ESC, VT_CSI, VT_OSC, VT_SKIP } state;
	int arg[8], nargs;
	bool private;
	uint64_t bytes; /* written so far */
	/* a reply to the guest (cursor position reports), which the owner sends and clears */
	char answer[32];
};

void vt_init(struct vt *v);
void vt_fini(struct vt *v);
/* Make TO, which is initialised, a copy of FROM. */
void vt_copy(struct vt *to, const struct vt *from);
void vt_write(struct vt *v, const uint8_t *buf, size_t n);
/* The line N lines above the top of the screen (1: the last one that scrolled off), or NULL. */
const struct vt_cell *vt_past(const struct vt *v, unsigned n);
#endif
