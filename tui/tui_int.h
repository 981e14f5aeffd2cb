/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard's state, which panes, keys and drawing share. */
#ifndef TUI_TUI_INT_H
#define TUI_TUI_INT_H
#include "base/loop.h"
#include "inspect/query.h"
#include "inspect/serial_port.h"
#include "tui/away.h"
#include "tui/canvas.h"
#include "tui/frame.h"
#include "tui/journal.h"
#include "tui/keys.h"
#include "tui/menu.h"
#include "tui/overlay.h"
#include "tui/prompt.h"
#include "tui/query_cache.h"
#include "tui/refresh.h"
#include "tui/screen.h"
#include "tui/stderr_capture.h"
#include "tui/term.h"
#include "tui/time_line.h"
#include "tui/tui.h"
#include "tui/vt.h"
#include "x86/cpu.h"

/* Registers at this stop and at the one before. */
struct stop_state {
	bool known;
	struct cpu cpu, before;
	unsigned generation; /* of the snapshot that CPU is from */
	int64_t time;	     /* when it was taken, monotonic ns */
};

/* ADDR as a linear address of the mode that the guest is in. */
static inline uint64_t stop_linear(const struct stop_state *s, uint64_t addr)
{
	return cpu_long(&s->cpu) ? addr : (uint32_t)addr;
}

/* What the user points at. */
struct selection {
	uint64_t address; /* under the cursor of the pane that has the keys */
	bool has_ccf;
	uint64_t ccf_pc, ccf_host; /* the chosen fragment */
	bool has_content;
	uint64_t bucket, hash; /* the chosen content of pages: where it is in the hash table */
};

/* The dashboard; large because it is what all its parts share. */
struct tui {
	const struct tui_config *cfg;
	struct inspect *s;
	struct inspect_sink sink;
	struct loop *loop;
	int signal_fd;
	struct serial_port *port; /* where serial output goes besides the screen; NULL: nowhere else */
	struct stderr_capture capture;
	/* the picture */
	struct term *term; /* NULL: it is printed, or */
	bool remote; /* drawn for a client: loop, serial line and signals are the session's (remote.c) */
	struct canvas canvas;
	struct pane panes[MAX_PANES];
	unsigned npanes;
	struct screen_state screen_state[MAX_SCREENS];
	int screen;
	struct away away; /* another VM, and the list of all */
	struct prompt prompt;
	struct overlay overlay;
	struct menu menu;
	struct vt vt; /* the serial console */
	/* ends */
	bool quit, lost;
	int ended_by; /* a signal */
	/* modes */
	bool busy;   /* a command is being executed */
	bool handed; /* the guest has the keyboard */
	bool zeroed; /* r: totals are since a moment the user chose */
	bool paused; /* Z: nothing is refreshed */
	bool was_running;
	/* work that is due */
	bool dirty; /* draw */
	bool stale; /* update everything */
	bool moved; /* a cursor has moved: update panes from results that are there */
	struct refresh refresh;
	struct query_cache queries;
	struct time_line time_line;
	struct stop_state stop;
	struct selection sel;
	/* messages */
	char message[300];
	enum style message_style;
	struct journal journal;
	uint64_t unread;	/* unsolicited lines of the journal since the last key */
	unsigned reported_stop; /* generation of the stop that the message line has reported */
	struct {
		char *text;
		size_t len;
	} output; /* of the results of the command being executed */
};

/* Execute a command line; its output goes to the message line, or over the screen when it is long. BRIEF: to
 * the message line only. */
void tui_exec(struct tui *t, bool brief, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tui_message(struct tui *t, enum style st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tui_note(struct tui *t, const struct result *r); /* show R in the journal and the message line */
void tui_show_journal(struct tui *t);		      /* over the screen; it follows new lines */
/* The state alone, without terminal, loop and signals. */
void tui_init(struct tui *t, const struct tui_config *cfg, struct inspect *s);
void tui_fini(struct tui *t);
void tui_greet(struct tui *t);	       /* suggest keys, when there is no message */
bool tui_is_host(const struct tui *t); /* a session without a machine, about the memory of others */
void tui_resize(struct tui *t, int w, int h);
/* Draw on T->canvas, if something has changed and the last drawing is old enough. */
bool tui_draw(struct tui *t, int *cx, int *cy);
/* Notice that the guest started or stopped. */
void tui_watch_guest(struct tui *t);
int tui_timeout(struct tui *t); /* milliseconds until there is something to do */

/* Without a terminal: print screens (dump.c). Returns the exit status. */
int dump_main(struct tui *t);

#endif
