/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the stub. server.c owns the connection; query.c, target.c, run.c and monitor.c have the packet
 * handlers, table.c their rows. */
#ifndef GDBSTUB_GDB_INT_H
#define GDBSTUB_GDB_INT_H
#include "base/loop.h"
#include "base/unix_socket.h"
#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"
#include "gdbstub/regs.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "inspect/query.h"

/* QEMU's bits of qqemu.sstep. */
enum { SSTEP_ENABLE = 1, SSTEP_NOIRQ = 2, SSTEP_NOTIMER = 4 };
enum { RAW_MAX = 2 * PACKET_MAX };

struct gdb_stats {
	uint64_t clients, packets, bad_packets, steps, stops, bytes_in, bytes_out;
};

/* Lines of trace points and probes that reach gdb, limited in rate. */
struct gdb_line_rate {
	int64_t since;		 /* ns: when the present interval began */
	size_t bytes;		 /* sent in it */
	unsigned long long lost; /* lines not sent, and not yet mentioned */
};

/* What was received while a packet was being handled. */
struct gdb_received {
	uint8_t bytes[RAW_MAX];
	size_t len;
	size_t stale; /* bytes that came before the last packet was sent */
};

struct gdb_threads {
	bool tasks;   /* the guest's tasks are threads, too */
	int64_t task; /* the one whose registers and memory gdb asks for, by number; -1: the processor */
};

struct gdb {
	struct inspect *s;
	struct loop *loop;
	struct inspect_addon addon;
	struct debug_listener listener;
	struct inspect_tap tap; /* lines of trace points and probes */
	struct point_owner owner;
	struct gdb_regs regs;
	bool arch_chosen; /* by the command arch; else each client gets what fits the guest */
	struct gdb_stats stats;
	/* the listening side */
	struct unix_socket listening; /* a TCP port: without a path */
	char where[160];	      /* as the user gave it */
	bool files;		      /* its commands may reach files of the host */
	/* the client; reset for each */
	int conn; /* -1: none */
	struct packet_reader in;
	struct gdb_received raw;
	struct out reply, frame;
	bool greeted; /* it has sent a valid packet; before that it has no effect on the guest */
	struct gdb_line_rate lines;
	bool noack, multiprocess, swbreak, hwbreak, error_text;
	bool read_regs; /* gdb has read all registers: it accepted our description */
	bool extended;	/* "target extended-remote": kill and run keep the connection */
	bool killed;	/* ... and it was killed: off for good unless "run" follows */
	bool physical;	/* addresses are physical (PhyMemMode) */
	struct gdb_threads threads;
	bool busy;	    /* a packet is being handled */
	bool waiting;	    /* gdb waits for a stop reply */
	bool asked;	    /* gdb's interrupt is being handled: the stop is its own */
	bool interrupt;	    /* 0x03 came while a packet was being handled */
	bool in_command;    /* the packet is a "monitor" command */
	bool given_up;	    /* gdb has sent another packet: its user no longer waits for the command */
	bool in_fault;	    /* a single step raised a page fault: the guest runs until its handler returns */
	bool sliced;	    /* gdb was sent a stop only because a slice of a range step ended */
	bool broken;	    /* drop the connection */
	bool found_stopped; /* the guest was stopped when gdb attached, and gdb has not resumed it */
	unsigned sstep;
};

/* ---- packets ---- */

enum packet_flags {
	P_EXACT = 1,  /* the whole packet is the name */
	P_HOLD = 2,   /* reads or changes the guest, which is stopped meanwhile */
	P_SILENT = 4, /* the handler sends its replies itself */
};

/* A handler writes its reply to g->reply; an empty reply means "not supported". */
struct gdb_packet {
	const char *name;
	void (*handle)(struct gdb *g, struct span a);
	unsigned flags;
};
extern const struct gdb_packet gdb_packets[]; /* a name comes before its prefixes; NULL-terminated */

void gdb_handle(struct gdb *g, char *body, size_t len);

/* ---- replies ---- */
/* Error numbers, as gdb's file I/O has them. */
enum { E_FAULT = 0x0e, E_INVAL = 0x16, E_NOSYS = 0x26 };
void reply_ok(struct gdb *g);
/* Reply "Enn", or "E.TEXT" if the client supports it. */
void reply_error(struct gdb *g, unsigned number, const char *text);
void gdb_send(struct gdb *g, const char *body, size_t n); /* one packet, now */

/* ---- server.c ---- */
void gdb_step_again(struct gdb *g);			 /* the fault of a step has been resolved; run.c */
void gdb_drop(struct gdb *g, bool resume);		 /* end the connection */
void gdb_stop_reply(struct gdb *g);			 /* send why the guest is stopped */
void gdb_say(struct gdb *g, const char *text, size_t n); /* at gdb's console; monitor.c */
void gdb_line(void *g, const struct result *r);		 /* a tap's output; monitor.c */
void gdb_lines_done(struct gdb *g);			 /* mention lines that were left out; monitor.c */
void gdb_say_why(struct gdb *g);			 /* at the console, where the stop reply cannot */
const char *gdb_thread(const struct gdb *g);		 /* the processor's thread id; threads.c */
/* Append registers FROM on, N of them, of the selected task. */
void gdb_task_regs(struct gdb *g, unsigned from, unsigned n);
size_t gdb_task_read(struct gdb *g, uint64_t addr, void *buf, size_t n);
int gdb_cmd_threads(struct inspect *s, const struct cmd_args *a, struct result *r);
/* Answer "OFFSET,LENGTH" with that part of DOC; query.c. */
void gdb_transfer(struct gdb *g, struct span a, const struct out *doc);
/* Of a breakpoint's condition; run.c. */
bool gdb_condition_holds(void *g, const void *extra);
bool gdb_condition_same(const void *a, const void *b);
void gdb_condition_text(void *g, const void *extra, char *buf, size_t len);

/* ---- handlers, by file ---- */
/* A packet's handler; A is the rest of the packet behind its name. */
typedef void packet_handler(struct gdb *g, struct span a);
/* target.c: registers, memory */
packet_handler on_read_regs, on_write_regs, on_read_reg, on_write_reg, on_read_mem, on_write_mem,
    on_read_binary, on_write_binary, on_search;
/* run.c: run control, points */
packet_handler on_continue, on_continue_sig, on_step, on_step_sig, on_vcont, on_vcont_query, on_why,
    on_point_insert, on_point_remove, on_detach, on_kill, on_vkill, on_vrun, on_restart, on_attach, on_vctrlc;
/* threads.c */
packet_handler on_threads_xml, on_threads_first, on_threads_next, on_thread_info, on_current_thread,
    on_set_thread, on_thread_alive;
/* query.c */
packet_handler on_supported, on_noack, on_features, on_memory_map, on_attached, on_extended, on_sstep_bits,
    on_sstep_get, on_sstep_set, on_phys_get, on_phys_set, on_qemu_supported, on_host_info, on_process_info,
    on_region_info, on_unknown;
/* monitor.c */
packet_handler on_monitor;

/* ---- face.c ---- */
extern const struct command_group gdb_commands;
extern const struct record_doc *const gdb_records[];
extern const struct view *const gdb_views[];
#endif
