/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to hv: the machine's parts, shared by machine.c, run.c, state.c, save.c and views.c. */
#ifndef HV_MACHINE_INT_H
#define HV_MACHINE_INT_H
#include <pthread.h>
#include <stdatomic.h>

#include "hv/board.h"
#include "hv/cpuid.h"
#include "hv/field.h"
#include "hv/boot/image.h"
#include "hv/inbox.h"
#include "hv/io/door.h"
#include "hv/io/notice.h"
#include "hv/msr.h"
#include "hv/network_int.h"

/* Command from the controlling thread to the vCPU thread. */
enum machine_cmd { CMD_NONE, CMD_RUN, CMD_STEP, CMD_STEP_IRQ, CMD_RELOAD, CMD_QUIT };

/* Host cycles of the vCPU's thread while the machine runs, for the view "time". Only that thread (or the one
 * that steps in its place) writes; a reader sees each word whole. */
struct spent {
	uint64_t ran, halted;	    /* so far, without what lasts still, */
	uint64_t since, halt_since; /* which began then; 0: none does */
};

/* Hosted I/O, around the door (hosted.c). */
enum { SECTOR_POINTS = 32 };
struct hosted {
	enum door_reason left_for; /* why the engine returned last */
	struct vm_timer poll;	   /* vector off: when the descriptors are polled at the latest */
	uint64_t polls, notices, visits;
	uint8_t wanted[MACHINE_EV_DISK_READ - ENGINE_EVENTS]
		      [MACHINE_EVENT_NUMBERS]; /* points, by kind and number */
	struct sectors {
		unsigned kind;
		uint32_t lo, hi;
	} sectors[SECTOR_POINTS]; /* points at requests of drives */
	unsigned nsectors;
};

/* Work on memory that comes back in VM time (memory.c). */
enum { MEMORY_POINTS = 32 };
struct memory_work {
	struct vm_timer tick;
	bool sampling;	  /* a period runs ... */
	uint64_t sampled; /* ... since then, VM ns */
	uint64_t policy;  /* when it is to run next */
	uint32_t state;	  /* of the pool, last seen */
	struct memory_point {
		unsigned kind;
		uint32_t lo, hi;
	} point[MEMORY_POINTS];
	unsigned npoints;
};

/* When a guest hypervisor's timer is due (platform.alarm_at). */
struct processor_alarm {
	struct vm_timer timer;
	uint64_t at;	  /* TSC; UINT64_MAX: never */
	uint64_t set_for; /* what the timer is set for: AT, or earlier, and it sets itself again */
};

/* Large because it composes the parts of the machine. */
struct machine {
	struct machine_config cfg; /* strings are our own copies */
	uint64_t memory;
	struct mm_pool *pool; /* cfg.pool, or our own */
	struct mm_vm *vm;
	struct vcpu *v;
	struct board board;
	struct cpuid_table cpuid;
	struct msr_bank msr;
	struct state_part extra; /* machine_add_state(); fields NULL: none */
	struct loader loader;
	struct inbox inbox;
	atomic_uint mouse_buttons; /* as the last move had them */
	struct io_notice io;	   /* of the drives and the networks */
	atomic_bool napping;	   /* the vCPU's thread sleeps, or is about to */
	struct door door;
	struct network network;
	struct hosted hosted;
	struct memory_work memory_work;
	struct processor_alarm alarm;
	bool held;   /* stopped for a query only */
	bool loaded; /* an image has been loaded: memory is not all zero */

	pthread_t thread;
	bool have_thread;
	enum { THREAD_STARTS, THREAD_SERVES, THREAD_FAILED } thread_state; /* under LOCK */
	pthread_mutex_t lock; /* guards the next four, with both conditions */
	pthread_cond_t wake, done;
	_Atomic enum machine_cmd cmd;
	_Atomic enum machine_state state;
	struct machine_stop stop;
	bool reload_ok;
	char reload_err[256];
	atomic_bool stop_wanted;   /* machine_request_stop() was called */
	uint64_t target;	   /* icount to stop at, UINT64_MAX: none */
	int stop_fd;		   /* readable: stopped */
	int wake_fd;		   /* ends the HLT wait */
	uint64_t halts, halted_ns; /* HLT waits and the time in them */
	struct spent spent;
	uint64_t tsc_start; /* the time-stamp counter, and ... */
	int64_t ns_start;   /* ... the host's monotonic clock when the machine was made */
};

/* Execute one instruction without interrupts on the calling thread while the vCPU thread waits. Debuggers
 * step in long series, and each hand-over would cost two wake-ups. */
struct machine_stop run_step_here(struct machine *m, unsigned how);
/* The vCPU thread's main function. */
void *run_thread(void *m);
/* Put memory, devices and processor into the state before the first instruction. Call on the vCPU thread,
 * or before it exists. */
bool machine_load(struct machine *m, char *err, size_t errlen);
/* Platform callbacks for the engine. */
struct platform run_platform(struct machine *m);
/* Of interrupts: irq lapic ioapic hpet timers (views_irq.c). */
extern const struct view irq_views[5];
/* ---- hosted.c ---- */
void hosted_init(struct machine *m);
/* Start the networks' threads. */
bool hosted_start(struct machine *m, char *err, size_t errlen);
void hosted_fini(struct machine *m);
/* In the host world: send what has waited, take what has arrived. Not in the middle of a drive's access. */
void hosted_serve(struct machine *m);
/* Sleep until a wake-up from another thread, or for TIMEOUT ns (CLOCK_NEVER: no limit). */
void hosted_nap(struct machine *m, uint64_t timeout);
/* ---- memory.c ---- */
void memory_init(struct machine *m);
/* Until when a processor that cannot be interrupted may sleep; CLOCK_NEVER: for ever. */
uint64_t memory_deadline(const struct machine *m);
/* The VM is blocked until there is memory: wait for a moment. False, at once: it is not. */
bool memory_waits(struct machine *m);
bool memory_event_set(struct machine *m, unsigned kind, uint32_t lo, uint32_t hi, bool on);
/* The callbacks that translated code reaches (platform.c). */
struct platform platform_callbacks(struct machine *m);
/* Of the processor's alarm. */
void platform_alarm(void *m);
#endif
