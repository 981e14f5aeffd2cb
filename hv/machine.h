/* SPDX-License-Identifier: GPL-3.0-or-later
 * A machine: memory, one vCPU on an engine, a PC's devices, and the thread
 * that runs them. Run control here is the mechanism; points, conditions and
 * stepping over calls are inspect's. */
#ifndef HV_MACHINE_H
#define HV_MACHINE_H
#include "mm/mm.h"
#include "x86/engine.h"

struct machine;
/* Limits of a drive, a second of VM time; 0: none. */
struct drive_limits {
	uint64_t iops_read, iops_write, bps_read, bps_write;
};
/* A drive; without a file: none. */
struct drive_config {
	const char *file;    /* raw image, or the URI of an NBD server ("nbd:...", "nbd+unix:...") */
	const char *overlay; /* file that takes what is written, "temp": one that goes away; NULL: none */
	bool read_only, virtio;
	struct drive_limits limits;
};
enum { FLOPPIES_MAX = 2, DISKS_MAX = 8, IDE_MAX = 4 };
struct image_config {
	const char *kernel, *initrd, *append; /* Linux bzImage, Multiboot, PVH: distinguished by content */
	const char
	    *entry; /* how it is entered: 32, 64 (bzImage), multiboot, multiboot2, pvh; NULL: by what it is */
	const char *boot_sector; /* boot image, a floppy or a hard disk by its size */
	struct drive_config floppy[FLOPPIES_MAX], disk[DISKS_MAX], cdrom;
	const char *bios; /* BIOS file; NULL: the distribution's, when one is needed */
	const char *flat; /* flat binary at flat_addr, entered in 32-bit flat protected mode */
	gpa flat_addr;
	const void *blob; /* Multiboot ELF in memory (the embedded guest) */
	size_t blob_len;
	const char *blob_name; /* first word of its command line */
};

enum { NETS_MAX = 8, DEVICES_MAX = 8 };
struct machine_config {
	const char *name;
	uint64_t memory; /* guest RAM in bytes: 1 MiB .. 32 GiB, on a 32-bit processor 3 GiB */
	struct mm_pool
	    *pool; /* machine memory shared with other machines, borrowed; NULL: a pool of its own */
	uint64_t machine_memory; /* size of its own pool; 0: as the guest's memory plus what else there is */
	uint64_t engine_memory;	 /* what the engine takes of it for itself */
	const char *swap;	 /* file for pages that the pool has no room for; NULL: none */
	/* Instead of SWAP: a file that machines of one host share; borrowed for machine_new(). */
	const struct machine_swap {
		int fd;
		uint64_t base; /* where 4 GiB for this machine begin */
	} * shared_swap;
	const char *cpu_model; /* "host" (masked), "max", "pentium", "486", ..., and features (hv/cpuid.h).
				  NULL: host */
	enum clock_mode clock;
	unsigned icount_ns;  /* VM nanoseconds per instruction in icount mode, default 1 */
	const char *balloon; /* the device by which a driver has the guest's balloon: "vmware" (NULL),
				"virtio", "none" */
	bool no_reboot, testdev;
	const char *net[NETS_MAX];	 /* texts of "--net" options; NULL: no more */
	const char *device[DEVICES_MAX]; /* likewise of "--device" */
	struct image_config image;
	/* Serial port COM1: called on the vCPU thread with bytes the guest sends. */
	void (*serial_out)(void *ctx, const uint8_t *buf, size_t n);
	void *serial_ctx;
	/* Called on the vCPU's thread before its first command; false with one line in ERR: machine_new()
	 * fails. NULL: nothing to do. */
	bool (*thread_begins)(char *err, size_t errlen);
	/* Likewise on the thread of the alarm (hv/alarm.h). */
	bool (*alarm_thread_begins)(char *err, size_t errlen);
	/* Likewise on the thread of each drive. */
	bool (*drive_thread_begins)(char *err, size_t errlen);
	/* One line for the user, on the vCPU's thread: the host failed a drive. NULL: nobody is told. */
	void (*report)(const char *line);
	/* Likewise on the thread of each network; SOCKETS: it makes connections. */
	bool (*net_thread_begins)(bool sockets, char *err, size_t errlen);
	const char *sandbox; /* for "info cpus": what restricts the threads, static; NULL: nothing does */
};

/* Events of the machine that a point can wait for, beside the engine's: numbers go on behind those. */
enum machine_event {
	MACHINE_EV_WORLD_SWITCH =
	    ENGINE_EVENTS,  /* the reason, an enum door_reason; value: cycles of it all */
	MACHINE_EV_PACKET,  /* 0 sent, 1 received; value: bytes */
	MACHINE_EV_BALLOON, /* an enum balloon_event; value: pages */
	/* The first sector of a request that a point names; value: bytes of the request. */
	MACHINE_EV_DISK_READ,
	MACHINE_EV_DISK_WRITE,
	MACHINE_EV_COW,	    /* a shared page was copied: its PPN; value: cycles */
	MACHINE_EV_SWAP_IN, /* a page was read back: its PPN; value: cycles */
	MACHINE_EV_STATE,   /* the pool has another state: enum mm_pool_state; value: the state before */
	MACHINE_EVENTS
};
enum { MACHINE_EVENT_NUMBERS = 8 };
/* KIND 0: none. */
struct machine_hit {
	unsigned kind;
	uint32_t number;
	uint64_t val;
};

/* The engine is handed in by the composition root, so that hv does not know which one it is. */
typedef struct vcpu *(*engine_ctor)(void *engine_config, struct mm_vm *vm, const struct platform *plat,
				    enum clock_mode clock, char *err, size_t errlen);

/* Build the machine, load the image, set the vCPU to its first instruction.
 * Starts the vCPU thread, stopped. NULL with one line in ERR on bad input. */
struct machine *machine_new(const struct machine_config *cfg, engine_ctor ctor, void *engine_config,
			    char *err, size_t errlen);
void machine_free(struct machine *m); /* stops and joins the thread */

/* ---- run control (any one controlling thread) ---- */
enum machine_state {
	MACHINE_STOPPED,
	MACHINE_RUNNING,
	MACHINE_OFF,	/* guest powered off */
	MACHINE_EXITED, /* debug-exit port; machine_exit_code() */
	MACHINE_DEAD,	/* triple fault, or reset with no_reboot */
	MACHINE_FAILED, /* engine error; text in machine_error() */
};
enum stop_reason {
	STOP_NONE,
	STOP_REQUEST,
	STOP_BREAK,
	STOP_STEP,
	STOP_WATCH,
	STOP_EVENT,
	STOP_ICOUNT,
	STOP_PANIC, /* the guest's kernel says that it has panicked */
	STOP_END
};

struct machine_stop {
	enum machine_state state;
	enum stop_reason reason;
	uint64_t icount;
};

void machine_continue(struct machine *m);
void machine_request_stop(struct machine *m); /* any thread, async-signal-safe */
/* Wait until the machine is not running (or TIMEOUT_MS passed; <0: forever). False on timeout. */
bool machine_wait(struct machine *m, int timeout_ms, struct machine_stop *out);
/* One instruction, synchronously. The machine must be stopped. HOW: bits of enum engine_step. */
struct machine_stop machine_step(struct machine *m, unsigned how);
/* Run until icount reaches N exactly (icount clock only), then stop. */
void machine_continue_to_icount(struct machine *m, uint64_t n);
/* A descriptor that becomes readable when the machine stops (for event loops). */
int machine_stop_fd(struct machine *m);
/* Power cycle: memory zeroed, image loaded again, stopped at the first instruction. */
bool machine_reset(struct machine *m, char *err, size_t errlen);

/* HELD: a front end stopped the machine for a query only, and resumes it: views show it as running. */
void machine_held(struct machine *m, bool held);
enum machine_state machine_state(const struct machine *m);
int machine_exit_code(const struct machine *m); /* (v<<1)|1 after MACHINE_EXITED */
const char *machine_error(const struct machine *m);
struct vcpu *machine_vcpu(struct machine *m); /* exact while stopped */
/* Of the kernel that the machine was started with: 32, 64; 0: none, or not known. */
unsigned machine_image_bits(const struct machine *m);
struct mm_vm *machine_vm(struct machine *m);
uint32_t machine_balloon_most(const struct machine *m); /* pages; 0: the machine has no balloon device */
/* Reads of addresses where there is neither memory nor a device; the last in *RECENT. Also while it runs. */
uint64_t machine_unanswered(const struct machine *m, gpa *recent);
/* Bytes of the host's memory that M takes beside the guest's, apart from anonymous memory. */
uint64_t machine_overhead(struct machine *m);
uint64_t machine_clock_ns(struct machine *m); /* VM time; does not advance while stopped */

/* Stop (ON) at events of KIND with numbers LO..HI, as the engine's event_set(). While stopped only. False: no
 * room for another. */
bool machine_event_set(struct machine *m, unsigned kind, uint32_t lo, uint32_t hi, bool on);
/* Why the VMM world was left: the name of reason N; NULL: there is none. */
const char *machine_switch_reason(unsigned n);
/* The optimizations of hosted I/O: "vmm", "combine", "vector". While stopped. False: no such name. */
bool machine_hosted_io(struct machine *m, const char *name, bool on);

/* A parameter of the pool's policy, or something in the VM's slot, has been changed by hand. While stopped,
 * or in the pool of a host. */
void machine_memory_changed(struct machine *m);

/* ---- the outside world ---- */
void machine_serial_input(struct machine *m, const uint8_t *buf, size_t n); /* any thread */
/* Input of the first virtio console, from any thread. False, without effect: there is none. */
bool machine_console_input(struct machine *m, const uint8_t *buf, size_t n);
/* The user types: into the virtio console while its driver serves it, else into the serial port. Any thread.
 */
void machine_terminal_input(struct machine *m, const uint8_t *buf, size_t n);
void machine_key(struct machine *m, uint8_t scancode); /* set-1 code, any thread */
/* Move the mouse by DX to the right, DY down and its wheel by DZ towards the user; which buttons (left 1,
 * right 2, middle 4) are down then; those that the last move had. Any thread. */
void machine_mouse(struct machine *m, int dx, int dy, int dz, unsigned buttons);
unsigned machine_mouse_buttons(const struct machine *m);
/* Access a port as the guest's IN and OUT do, with all that the device makes of it; SIZE 1, 2, 4 bytes. While
 * stopped. */
uint32_t machine_port_in(struct machine *m, uint16_t port, unsigned size);
void machine_port_out(struct machine *m, uint16_t port, unsigned size, uint32_t val);
/* Press the NMI button, from any thread. False, without effect: LINT1 of the local APIC is masked. */
bool machine_nmi(struct machine *m);
/* CR8, which is the upper half of the local APIC's task priority. */
unsigned machine_cr8(const struct machine *m);
/* P, of the engine's processor, is part of M's state, too. */
struct state_part;
void machine_add_state(struct machine *m, const struct state_part *p);
/* Deterministic hash of registers, device state and RAM. While stopped. */
uint64_t machine_state_hash(struct machine *m);
/* Write the whole state to the file PATH, and put a state so written back into a machine that was made
 * alike (memory, clock, processor model, BIOS, disk): the guest then runs on as it did. While stopped.
 * False with one line in ERR that does not name PATH; a refused load changes nothing. */
bool machine_save_state(struct machine *m, const char *path, char *err, size_t errlen);
bool machine_load_state(struct machine *m, const char *path, char *err, size_t errlen);

/* A picture: rows of 3 WIDTH bytes, red first. RGB is malloc()ed. */
struct picture {
	unsigned width, height;
	uint8_t *rgb;
};
/* What the guest's screen shows, while stopped. NULL, or why there is no picture, static. */
const char *machine_picture(struct machine *m, struct picture *p);

extern const struct view
    *const machine_views[]; /* owner: struct machine: pic pit irq rtc serial pci mtree screen cpus ... */
#endif
