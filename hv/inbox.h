/* SPDX-License-Identifier: GPL-3.0-or-later
 * Arrivals from outside the machine, queued for a device: console input, and later completions of host
 * I/O. Any thread posts; the vCPU thread delivers, at points that it chooses itself. Under the icount
 * clock these are instruction counts, so the list of (count, arrival) in order of delivery is all that
 * a replay needs. */
#ifndef HV_INBOX_H
#define HV_INBOX_H
#include <pthread.h>
#include <stdatomic.h>

#include "hv/board.h"

/* One arrival; DATA is meant for the device in SLOT alone. */
struct arrival {
	struct arrival *next;
	enum arrival_kind kind;
	enum board_slot slot;
	size_t len, taken; /* the device has accepted data[0..taken) */
	uint8_t data[];
};

struct inbox {
	pthread_mutex_t lock;
	atomic_bool any; /* there may be an arrival */
	struct arrival *head, **tail;
	size_t held[ARRIVAL_KINDS]; /* bytes not yet accepted */
};

void inbox_init(struct inbox *b);
void inbox_fini(struct inbox *b);
void inbox_clear(struct inbox *b);
/* Queue N bytes for the device in SLOT. Returns how many were queued: each kind has a limit. */
size_t inbox_post(struct inbox *b, enum arrival_kind kind, enum board_slot slot, const void *data, size_t n);
/* Hand over as much as the devices accept, in order for each device; one that is full does not hold up
 * the others. vCPU thread. */
void inbox_deliver(struct inbox *b, struct board *board);
#endif
