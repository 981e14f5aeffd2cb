/* SPDX-License-Identifier: GPL-3.0-or-later
 * Declarations shared by the files of a host: its VMs, and what becomes of them. */
#ifndef HOST_HOST_INT_H
#define HOST_HOST_INT_H
#include "host/host.h"
#include "base/loop.h"
#include "base/unix_socket.h"
#include "host/protocol.h"
#include "host/starter.h"
#include "inspect/command.h"
#include "mm/host.h"

#include <jansson.h>

/* A VM's life, as the host sees it. */
enum vm_state {
	VM_STARTS, /* its process was started here, and has not joined yet */
	VM_JOINS,  /* it has a slot; its memory is being made */
	VM_LIVES,
	VM_ENDS, /* its connection has ended; its process may still be there */
	VM_ENDED,
};

/* The last output of a VM's serial port, and what its process printed. */
struct vm_log {
	char *text; /* the first SIZE bytes of a buffer of VM_LOG; NULL: nothing yet */
	size_t size;
	uint64_t lost; /* bytes that are gone */
};

/* A command that was sent to a VM. */
struct vm_call {
	int64_t id;
	json_t *answer; /* NULL: none yet */
	struct vm_call *next;
};

/* The host's connection to a VM's session (docs/control.md). */
struct vm_control {
	int fd; /* -1: none */
	char *in;
	size_t len, cap;
	int64_t last_id;
	struct vm_call *calls; /* waiting for answers */
};

struct host_vm {
	struct host *h;
	struct host_vm *next;
	char name[RUNTIME_NAME];
	enum vm_state state;
	bool quits;	   /* it was asked to end in order */
	bool started;	   /* by the starter, which says how it ends */
	bool lived;	   /* it was a VM, and not only an attempt */
	int pid, pidfd;	   /* PIDFD -1: its process has ended */
	int link;	   /* connection by which it joined; -1: none */
	int output;	   /* what its process prints; -1: none */
	int slot;	   /* in the pool; -1: none */
	bool said_bye;	   /* with BYE, its exit status */
	bool status_known; /* STATUS is there, as of waitpid() */
	int bye, status;
	int64_t gone;	      /* when the connection or the process ended, monotonic ns */
	uint64_t memory;      /* bytes */
	uint32_t max;	      /* pages, as the user said; 0: the default */
	char last[HOST_LINE]; /* the last line that its process printed */
	struct vm_log log;
	struct vm_control control;
	unsigned users; /* commands that wait for it: it must stay */
};

/* A connection from which no valid HELLO has come yet. */
struct host_conn {
	struct host *h;
	struct host_conn *next;
	int fd;
	int64_t until; /* monotonic ns */
};

struct host {
	const struct host_config *cfg;
	struct mm_pool *pool;
	int swap; /* -1: none */
	struct starter *starter;
	struct unix_socket socket;
	int timer; /* ticks while something has a time limit */
	int policy_timer;
	bool ticks;
	bool reclaims; /* pages of a VM that died may be left to take back */
	bool ends;     /* it ends, and its VMs with it */
	struct inspect *s;
	struct loop *loop;
	struct host_conn *conns;
	unsigned nconns;
	struct host_vm *vms; /* the newest first; those that ended last, for their log */
	struct inspect_addon addon;
};

/* ---- host.c ---- */
/* Call host_tick() twice a second until nothing has a time limit. */
void host_need_ticks(struct host *h);
/* Run the pool's policy now: a VM has come, or gone. */
void host_run_policy(struct host *h);

/* ---- vms.c: the VMs, and their ends ---- */
struct host_vm *vm_find(struct host *h, const char *name); /* not those that have ended; NULL: none */
struct host_vm *vm_find_ended(struct host *h, const char *name);
struct host_vm *vm_add(struct host *h, const char *name);
/* Its process is PID, watched by PIDFD, which the VM takes. */
void vm_watch(struct host_vm *vm, int pid, int pidfd);
/* What its process prints can be read from FD, which the VM takes. */
void vm_watch_output(struct host_vm *vm, int fd);
/* Serve its connection FD, which the VM takes. */
void vm_watch_link(struct host_vm *vm, int fd);
/* The connection of VM has ended, or it is to: nothing more is expected of its process. */
void vm_hang_up(struct host_vm *vm);
/* Process PID has ended; STATUS as of waitpid(). For the starter. */
void vm_reaped(void *host, int pid, int status);
/* Look after those whose end takes too long. True: there are some. */
bool vm_tick(struct host *h, int64_t now);
void vm_kill(struct host_vm *vm);
/* Tell all faces, in one line, what has become of VM. WHAT is the word for programs. */
void vm_say(struct host_vm *vm, const char *what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *vm_state_text(const struct host_vm *vm);
/* Forget VMs that ended: ALL, or those beyond the last few. */
void vm_sweep(struct host *h, bool all);
extern const struct record_doc vm_event_record;

/* ---- joining.c: the handshake ---- */
void joining_open(struct host *h); /* listen */
/* Drop those that do not say what they want in time. True: there are some left. */
bool joining_tick(struct host *h, int64_t now);
void joining_close(struct host *h);
/* READY has come from VM, with its two descriptors, which this takes. NULL, or why it may not run. */
const char *joining_ready(struct host_vm *vm, const struct host_message *m, const int fds[2]);

/* ---- remote.c: the session of a VM ---- */
/* FD is a connection to it, which VM takes. */
void remote_open(struct host_vm *vm, int fd);
void remote_close(struct host_vm *vm);
/* Take what is still to be read, when its process has ended. */
void remote_drain(struct host_vm *vm);
/* Send COMMAND and wait for its answer; both as text and as records in R. Interrupted, send "stop". 0, or -1
 * with the error in R. */
int remote_command(struct host_vm *vm, const char *command, struct result *r);
/* Complete the word at [START, END) of LINE, a line of its session, as struct inspect_addon does. */
enum completion remote_complete(struct host_vm *vm, const char *line, size_t start, size_t end,
				void (*found)(void *ctx, const char *text), void *ctx);
/* Send COMMAND, of which the answer does not matter. */
void remote_send(struct host_vm *vm, const char *command);

/* ---- check.c ---- */
/* Count the books of the whole pool. */
int host_check(struct host *h, struct result *r);
extern const struct record_doc pool_books_record;

/* ---- log.c ---- */
void log_add(struct host_vm *vm, const char *text, size_t n);
void log_free(struct host_vm *vm);
/* Add its last N lines to R. */
void log_show(const struct host_vm *vm, unsigned n, struct result *r);

/* ---- complete.c ---- */
/* For struct inspect_addon. */
enum completion host_complete(void *owner, const struct command *c, const char *line, size_t start,
			      size_t end, void (*found)(void *ctx, const char *text), void *ctx);

/* ---- commands.c, views.c ---- */
extern const struct command_group host_commands;
extern const struct view *const host_views[]; /* owner: the host */
#endif
