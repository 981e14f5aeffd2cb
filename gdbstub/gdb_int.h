/* SPDX-License-Identifier: GPL-3.0-or-later
 * The stub's inside. server.c owns the connection, query.c, target.c and monitor.c hold the
 * handlers of packets, table.c their rows. */
#ifndef GDBSTUB_GDB_INT_H
#define GDBSTUB_GDB_INT_H
#include "base/loop.h"
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

struct gdb {
	struct inspect *s;
	struct loop *loop;
	struct inspect_addon addon;
	struct debug_listener listener;
	struct point_owner owner;
	struct gdb_regs regs;
	struct gdb_stats stats;
	/* the listening side */
	int listen_fd;	 /* -1: none */
	char where[160]; /* as people gave it */
	char path[108];	 /* of a Unix socket, to remove; "" */
	uint64_t inode;	 /* that one's, lest somebody else's is removed */
	/* the client; reset for each */
	int conn; /* -1: none */
	struct packet_reader in;
	uint8_t raw[RAW_MAX]; /* received while a packet was being worked on */
	size_t raw_len;
	size_t stale; /* so many bytes of RAW came before the last packet was sent */
	struct out reply, frame;
	bool noack, multiprocess, swbreak, hwbreak, error_text;
	bool read_regs;	 /* it has read all registers: they are what it takes them for */
	bool physical;	 /* addresses are physical (PhyMemMode) */
	bool busy;	 /* a packet is being worked on */
	bool waiting;	 /* gdb waits for a stop reply */
	bool interrupt;	 /* 0x03 came meanwhile */
	bool in_command; /* ... of "monitor" */
	bool given_up; /* gdb has sent something else meanwhile: its user does not wait for that command's end
			*/
	bool passing;  /* ... for a single step that a page fault came between */
	bool sliced;   /* gdb was told of a stop that is none: a slice of a range is over */
	bool broken;   /* the connection is to be dropped */
	bool left_standing; /* the guest stood when gdb came, and gdb has not let it go on */
	unsigned sstep;
};

/* ---- packets ---- */

enum packet_flags {
	P_EXACT = 1,  /* the whole packet is the name */
	P_HOLD = 2,   /* looks at the guest or changes it: it stands meanwhile */
	P_SILENT = 4, /* the handler sends its replies itself */
};

/* A handler puts its reply into g->reply; an empty one means "not known". */
struct gdb_packet {
	const char *name;
	void (*handle)(struct gdb *g, struct span a);
	unsigned flags;
};
extern const struct gdb_packet gdb_packets[]; /* longer names before their prefixes; NULL-terminated */

void gdb_handle(struct gdb *g, char *body, size_t len);

/* ---- replies ---- */
void reply_ok(struct gdb *g);
/* "Enn", or "E.TEXT" when the client understands that. */
void reply_error(struct gdb *g, unsigned number, const char *text);
void gdb_send(struct gdb *g, const char *body, size_t n); /* one packet, now */

/* ---- server.c ---- */
void gdb_step_again(struct gdb *g);			 /* a fault has been passed; run.c */
void gdb_drop(struct gdb *g, bool resume);		 /* end the connection */
void gdb_stop_reply(struct gdb *g);			 /* send why the guest stands */
void gdb_say(struct gdb *g, const char *text, size_t n); /* at gdb's console; monitor.c */
const char *gdb_thread(const struct gdb *g);		 /* the one thread's id; query.c */
bool gdb_condition_holds(void *g, const void *extra);	 /* of a point; run.c */

/* ---- handlers, by file ---- */
/* One packet's handler; A: what follows the name of the packet. */
typedef void packet_handler(struct gdb *g, struct span a);
/* target.c: registers, memory */
packet_handler on_read_regs, on_write_regs, on_read_reg, on_write_reg, on_read_mem, on_write_mem,
    on_read_binary, on_write_binary, on_search;
/* run.c: run control, points */
packet_handler on_continue, on_continue_sig, on_step, on_step_sig, on_vcont, on_vcont_query, on_why,
    on_point_insert, on_point_remove, on_detach, on_kill, on_vkill, on_restart, on_attach, on_vctrlc;
/* query.c */
packet_handler on_supported, on_noack, on_features, on_memory_map, on_threads_xml, on_threads_first,
    on_threads_next, on_thread_info, on_current_thread, on_attached, on_set_thread, on_thread_alive,
    on_extended, on_sstep_bits, on_sstep_get, on_sstep_set, on_phys_get, on_phys_set, on_qemu_supported,
    on_host_info, on_process_info, on_region_info, on_unknown;
/* monitor.c */
packet_handler on_monitor;

/* ---- face.c ---- */
extern const struct command_group gdb_commands;
extern const struct record_doc *const gdb_records[];
extern const struct view *const gdb_views[];
#endif
