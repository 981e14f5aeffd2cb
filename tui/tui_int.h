/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the parts of tui/ share: panes, screens, the state of the dashboard.
 *
 * A pane is a model and a drawing of it. update() fetches the model by query(), draw()
 * puts it on the canvas; nothing is fetched while drawing. Only panes on the screen are
 * updated, always before they are drawn. */
#ifndef TUI_TUI_INT_H
#define TUI_TUI_INT_H
#include "base/loop.h"
#include "inspect/query.h"
#include "inspect/record.h"
#include "inspect/serial_port.h"
#include "tui/canvas.h"
#include "tui/journal.h"
#include "tui/layout.h"
#include "tui/menu.h"
#include "tui/term.h"
#include "tui/tui.h"
#include "tui/vt.h"
#include "x86/cpu.h"

enum { MAX_PANES = 64, MAX_SCREENS = 9, MAX_LAYOUTS = 3, STATUS_LOST = 129 };

struct pane;

/* What a prompt asks for. */
enum ask { ASK_COMMAND, ASK_SEARCH, ASK_FILTER, ASK_GOTO };

struct pane_key {
	int key;
	const char *name, *help; /* for the help screen */
};

struct pane_class {
	const char *name; /* in layouts */
	const char *title;
	const char *help;	     /* one line for the help screen */
	size_t size;		     /* of the state */
	const void *arg;	     /* what tells classes with the same functions apart */
	bool live;		     /* update() looks only at what can be read beside a running guest */
	const struct pane_key *keys; /* of its own; ends with key 0 */
	/* All but update and draw may be NULL. */
	void (*init)(struct pane *p);
	void (*fini)(struct pane *p);
	void (*update)(struct pane *p, struct tui *t);
	void (*draw)(struct pane *p, struct tui *t, const struct area *a);
	void (*heading)(struct pane *p, struct tui *t, char *buf, size_t len); /* what follows the title */
	bool (*key)(struct pane *p, struct tui *t, int key);		       /* true: it was for the pane */
	void (*mouse)(struct pane *p, struct tui *t,
		      const struct term_event *e);			/* coordinates of the pane */
	bool (*address)(struct pane *p, struct tui *t, uint64_t *addr); /* what the cursor stands on */
	void (*answer)(struct pane *p, struct tui *t, enum ask what, const char *text);
	bool (*cursor)(struct pane *p, struct tui *t, int *x, int *y); /* the guest's text cursor */
};

struct pane {
	const struct pane_class *cls;
	void *state;
	struct area area; /* of the contents, where it was drawn last */
	unsigned round;	  /* when it was updated last */
};

struct screen_class {
	const char *name, *title, *help;
	const struct pane_class *const *panes; /* NULL-terminated; the first has the keys at first */
	struct {
		int w, h; /* for screens at least so big */
		const char *text;
	} layouts[MAX_LAYOUTS]; /* the smallest first */
};
extern const struct screen_class *const screens[]; /* NULL-terminated (screens.c) */

struct screen_state {
	struct layout *tree[MAX_LAYOUTS];
	bool changed[MAX_LAYOUTS]; /* by the user: to be saved */
	char focus[LAYOUT_NAME];
	bool zoomed;
};

/* Text over the screen: help, output of a command, the journal. */
enum { BOTTOM = 1 << 20 }; /* more lines than there can be */

struct overlay {
	bool open;
	char title[80];
	char *text; /* lines; owned */
	int top;
	bool at_end; /* its last line is shown */
	bool is_help;
	uint64_t journal; /* it shows the journal with so many lines; 0: something else */
};

struct prompt {
	bool open;
	enum ask what;
	char text[512];
	size_t len, at;
	char **history; /* of commands */
	size_t nhistory, hist_at, hist_new;
	char stash[512]; /* what was typed before history was looked at */
};

struct query; /* a cached result (query_cache.c) */

struct tui {
	const struct tui_config *cfg;
	struct inspect *s;
	struct inspect_sink sink;
	struct loop *loop;
	struct term *term; /* NULL: printing, or */
	bool
	    remote; /* drawn for a client: its loop, serial output and the end are the session's (remote.c) */
	struct canvas canvas;
	int signal_fd;
	struct serial_port *port; /* where the serial line goes besides the screen; NULL: nowhere */
	/* standard error, while curses has the terminal (stderr_capture.c) */
	int saved_stderr, stderr_capture_fd; /* -1: none */
	char aside[400];
	size_t stderr_capture_len;
	/* ends */
	bool quit, lost;
	int ended_by; /* a signal */
	/* state */
	bool busy;     /* a command is being executed */
	bool stepping; /* its result goes to the message line only */
	bool handed;   /* the keyboard is the guest's */
	bool paused;   /* Z: nothing is refreshed */
	bool dirty;    /* to be drawn */
	bool stale;    /* everything is to be updated */
	bool moved; /* a cursor has moved: panes are to be updated, what is known need not be fetched again */
	bool was_running;
	char message[300];
	enum style message_style;
	struct journal journal;
	uint64_t unread; /* lines of the journal that came by themselves since the last key */
	unsigned told;	 /* the generation of the stop that the message line has told of */
	char *output;	 /* text of the results of the command being executed */
	size_t output_len;
	/* panes and screens */
	struct pane panes[MAX_PANES];
	unsigned npanes;
	struct screen_state screen_state[MAX_SCREENS];
	int screen;
	struct prompt prompt;
	struct overlay overlay;
	struct menu menu;
	/* refreshing */
	unsigned round, evicted; /* evicted: the last round after which old results were freed */
	unsigned fetched;	 /* the last round in which everything was fetched */
	bool reuse;		 /* what was fetched since then is good enough */
	int64_t now, next_live, next_hold, next_wanted, next_draw; /* monotonic ns */
	int64_t period;
	int64_t held_ns, run_ns,
	    run_mark; /* how long looks have held the guest; how long it ran, since when */
	bool held;    /* it runs, but stands for a look right now */
	uint64_t holds;
	bool want_hold; /* a pane on the screen needs the guest to stand */
	struct query *queries;
	/* what panes share */
	struct cpu cpu, before; /* at this stop, at the one before */
	bool has_cpu;
	int64_t cpu_time;	       /* when CPU was taken */
	unsigned generation, revision; /* of the session, when that was seen last */
	struct vt vt;		       /* the serial console */
	uint64_t cursor;	       /* address under the cursor of the pane that has the keys */
	uint64_t ccf_pc, ccf_host;     /* the fragment chosen */
	bool has_ccf;
};

/* ---- tui.c ---- */
/* Execute a command line; its output goes to the message line, or over the screen when it is long. */
void tui_exec(struct tui *t, bool brief, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tui_message(struct tui *t, enum style st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tui_note(struct tui *t, const struct result *r); /* for the journal and the message line */
int64_t tui_clock(void);			      /* monotonic ns */
void tui_show_journal(struct tui *t);		      /* over the screen; it follows what comes */
/* The state alone, without terminal, loop and signals. */
void tui_init(struct tui *t, const struct tui_config *cfg, struct inspect *s);
void tui_fini(struct tui *t);
void tui_greet(struct tui *t); /* a hint what to press, when there is no message */
void tui_resize(struct tui *t, int w, int h);
/* Draw on T->canvas, when something has changed and the last drawing is old enough. */
bool tui_draw(struct tui *t, int *cx, int *cy);
/* Notice that the guest runs or stands. */
void tui_watch_guest(struct tui *t);
int tui_timeout(const struct tui *t); /* milliseconds until there is something to do */

/* ---- refresh.c ---- */
/* Update what is on the screen as far as it is time to. */
void tui_refresh(struct tui *t);
/* Update everything now; AGAIN: also what was fetched in this round. */
void tui_update(struct tui *t, bool again);
/* Take what the guest has said on its serial line. */
void tui_drain(struct tui *t);

/* ---- query_cache.c ---- */
/* The first table of what command line FMT shows; NULL: there is none (error in *ERR when not NULL). Valid
 * while pane_fresh() for the pane that asked. */
const struct table *query(struct tui *t, const char **err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void query_free_all(struct tui *t);
/* Free what was not asked for in this round: every pane on the screen has been updated in it. */
void query_evict(struct tui *t);
/* The value of expression TEXT; eight hexadecimal digits are an address as it is shown here. */
bool query_eval(struct tui *t, const char *text, uint64_t *val, const char **err);
/* The cell in column NAME, or NULL (also for a cell without a value). */
const struct value *cell(const struct table *t, size_t row, const char *name);
const char *cell_str(const struct table *t, size_t row, const char *name); /* "" when there is none */
uint64_t cell_u(const struct table *t, size_t row, const char *name);	   /* 0 when there is none */
int column_of(const struct table *t, const char *name);			   /* -1 */

/* ---- frame.c ---- */
/* Draw everything on T->canvas. The text cursor goes to CX, CY (-1: none). */
void screen_draw(struct tui *t, int *cx, int *cy);
/* The text of tab I; its length. */
int frame_tab(const struct tui *t, int i, char *buf, size_t len);
/* Label N of the footer: where it begins and ends. False: no more. */
bool frame_label(struct tui *t, unsigned n, int *from, int *to);

/* ---- screen.c ---- */
struct rect screen_body(const struct tui *t); /* what panes share */
/* The address under the cursor of the pane that has the keys. False: there is none, and a message says so. */
bool screen_address(struct tui *t, uint64_t *addr);
void screens_init(struct tui *t);
void screens_fini(struct tui *t);
/* The layout of the present screen that fits the canvas. */
struct layout *screen_layout(struct tui *t);
int screen_layout_index(struct tui *t);
void screen_arrange(struct tui *t); /* compute where panes stand */
struct pane *screen_focus(struct tui *t);
void screen_set_focus(struct tui *t, const char *name);
struct pane *pane_named(struct tui *t, const char *name);
/* Has P a model that can be drawn? */
bool pane_fresh(const struct tui *t, const struct pane *p);
/* Call FN for each pane that is on the screen. */
void screen_each(struct tui *t, void (*fn)(struct tui *t, struct pane *p));
void screen_mouse(struct tui *t, const struct term_event *e);

/* ---- keys.c ---- */
void keys_press(struct tui *t, const struct term_event *e);
char *keys_help(struct tui *t); /* text; free it */
/* The N-th label of the footer; NULL: no more. KEY: what it stands for. */
const char *keys_label(const struct tui *t, unsigned n, int *fkey);

/* ---- prompt.c ---- */
void prompt_open(struct tui *t, enum ask what, const char *text);
void prompt_key(struct tui *t, int key);
void prompt_init(struct tui *t);
void prompt_fini(struct tui *t);

/* ---- stderr_capture.c ---- */
/* Standard error goes to the journal until stderr_capture_end(), if it is a terminal. */
void stderr_capture_begin(struct tui *t);
void stderr_capture_end(struct tui *t);

/* ---- layout_file.c ---- */
void layouts_load(struct tui *t);
void layouts_save(struct tui *t);

/* ---- dump.c ---- */
int dump_main(struct tui *t);

/* ---- for panes ---- */
/* A list with a cursor: which rows are shown. */
struct list {
	int top, at, left, rows, view; /* first shown, cursor, columns scrolled, how many, how many fit */
};
bool list_key(struct list *l, int key);
bool list_mouse(struct list *l, const struct term_event *e, int first_row);
void list_fit(struct list *l, int rows, int view);
/* Move TOP, the first of ROWS lines of which VIEW are shown. False: the key is none that scrolls. */
bool scroll_key(int *top, int key, int rows, int view);
/* For a pane whose keys scroll: so does the wheel. */
void wheel_keys(struct pane *p, struct tui *t, const struct term_event *e);

#endif
