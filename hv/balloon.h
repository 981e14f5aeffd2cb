/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's balloon (Waldspurger, OSDI 2002, section 3.2), whichever driver in the guest has it: Linux'
 * vmw_balloon or the embedded guest's by VMware's backdoor (hv/dev/vmware_balloon.c), virtio_balloon
 * (hv/dev/virtio_balloon.c). The devices are protocols; here is what they have in common: the target, what
 * the driver holds, the figures. Which pages are in the balloon is their state in the pmap (mm/pages.h).
 *
 * A page that the guest touches all the same is popped: it gets fresh memory, and the driver, which knows
 * nothing of it, has to begin anew at its next contact. On the vCPU's thread. GPR-only code (base/gpr.h). */
#ifndef HV_BALLOON_H
#define HV_BALLOON_H
#include "mm/slot.h"

struct board;

/* What driver and device have agreed on. The first are numbered as in VMware's protocol. */
enum balloon_capability {
	BALLOON_BASIC = 1 << 1,	   /* pages one by one */
	BALLOON_BATCHED = 1 << 2,  /* up to 512 of them in a call */
	BALLOON_LARGE = 1 << 3,	   /* of 2 MiB */
	BALLOON_WIDE = 1 << 5,	   /* targets of 64 bits */
	BALLOON_TELLS = 1 << 8,	   /* the guest uses no page before it has said so */
	BALLOON_STATS = 1 << 9,	   /* statistics of the guest's memory */
	BALLOON_REPORTS = 1 << 10, /* free pages are reported */
};

/* Events that a point can wait for. */
enum balloon_event {
	BALLOON_EV_INFLATE, /* pages have come in a call: how many */
	BALLOON_EV_DEFLATE, /* pages were given back in one */
	BALLOON_EV_REACHED, /* the target is reached: pages held */
	BALLOON_EV_START,   /* a driver begins */
	BALLOON_EV_RESET,   /* pages were popped, how many: the driver has to begin anew */
	BALLOON_EVENTS
};
const char *balloon_event_name(unsigned ev); /* NULL: there is none */

/* Statistics of the guest's, by virtio's numbers. */
enum { BALLOON_STAT_COUNT = 10 };

/* What the machine offers (--balloon). */
enum balloon_device { BALLOON_BY_VMWARE, BALLOON_BY_VIRTIO, BALLOON_BY_NOBODY, BALLOON_DEVICES };
/* The device called NAME (NULL: VMware's). False: there is none. */
bool balloon_device(const char *name, enum balloon_device *d);
const char *balloon_device_name(enum balloon_device d);

struct balloon {
	enum balloon_device device;
	uint32_t driver; /* enum mm_balloon_driver: who began last; BALLOON_NONE: nobody since the reset */
	uint32_t capabilities; /* agreed with it */
	uint32_t guest;	       /* how it calls its guest */
	uint32_t limit;	       /* pages of memory that it says the guest has */
	uint32_t held;	       /* pages in the balloon, as it counts them */
	uint32_t target;       /* the slot's, as of balloon_sync() */
	bool reset;	       /* it has to begin anew */
	uint64_t pops;	       /* mm_counts.popped as of balloon_sync() */
	uint64_t contact;      /* VM time of the last call; of the reset, if there was none */
	/* Since power-on; pages. */
	uint64_t inflated, deflated, refused, popped, reported;
	uint64_t starts, resets;
	uint64_t rate, rate_at, rate_from; /* pages moved a second, measured from RATE_AT on */
	uint64_t stat[BALLOON_STAT_COUNT];
	uint32_t stats_known;		/* bit N: stat[N] has been said */
	uint64_t stats_at;		/* VM time */
	uint8_t wanted[BALLOON_EVENTS]; /* points */
};

/* Take in what happened meanwhile: pages that were popped, the slot's target. Also before the state is saved
 * or hashed. */
void balloon_sync(struct board *b);
/* The board is reset: all pages come back, and no driver has begun. */
void balloon_reset(struct board *b);
/* State has been loaded; the pages in the balloon are not there yet. */
void balloon_loaded(struct board *b);
/* A driver begins, with nothing in its balloon. */
void balloon_start(struct board *b, enum mm_balloon_driver driver, uint32_t capabilities);
/* The driver that has begun is this one. */
void balloon_named(struct board *b, enum mm_balloon_driver driver);
/* The driver calls. False: it has not begun, or has to begin anew. */
bool balloon_contact(struct board *b);
/* The pages that the balloon shall have: at most the machine's. */
uint32_t balloon_target(struct board *b);
/* Put the N pages from FIRST on into the balloon, and get them out: see mm/pages.h. */
enum mm_balloon balloon_inflate(struct board *b, uint64_t first, uint32_t n);
enum mm_balloon balloon_deflate(struct board *b, uint64_t first, uint32_t n);
/* How many of the N numbers of pages in LIST, each of which is shifted left by SHIFT, are adjacent from its
 * first one on, up or down; the lowest in *FIRST. */
uint32_t balloon_run(const uint64_t *list, uint32_t n, unsigned shift, uint64_t *first);
/* Put the N pages from FIRST on into the balloon at the cost of about one. False, with nothing done or
 * counted: not all of them can be, which is to be found out one by one. */
bool balloon_inflate_run(struct board *b, uint64_t first, uint32_t n);
/* The driver's call is complete; there were BEFORE pages in the balloon. */
void balloon_moved(struct board *b, uint32_t before);
#endif
