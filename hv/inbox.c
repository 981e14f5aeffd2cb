/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/inbox.h. */
#include "hv/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

_Static_assert(BOARD_MAX_DEVS <= 64, "a bit for each slot");

/* Most bytes queued of each kind: enough for a pasted text, and for keys typed ahead; NMIs merge. */
static const size_t limits[ARRIVAL_KINDS] = { [ARRIVAL_SERIAL] = 65536,
					      [ARRIVAL_KEYS] = 256,
					      [ARRIVAL_MOUSE] = 64 * sizeof(struct mouse_move),
					      [ARRIVAL_NMI] = 1 };

void inbox_init(struct inbox *b)
{
	memset(b, 0, sizeof(*b));
	pthread_mutex_init(&b->lock, NULL);
	b->tail = &b->head;
}

void inbox_clear(struct inbox *b)
{
	pthread_mutex_lock(&b->lock);
	while (b->head) {
		struct arrival *a = b->head;

		b->head = a->next;
		free(a);
	}
	b->tail = &b->head;
	memset(b->held, 0, sizeof(b->held));
	atomic_store(&b->any, false);
	pthread_mutex_unlock(&b->lock);
}

void inbox_fini(struct inbox *b)
{
	inbox_clear(b);
	pthread_mutex_destroy(&b->lock);
}

size_t inbox_post(struct inbox *b, enum arrival_kind kind, enum board_slot slot, const void *data, size_t n)
{
	struct arrival *a;

	pthread_mutex_lock(&b->lock);
	n = n < limits[kind] - b->held[kind] ? n : limits[kind] - b->held[kind];
	if (n) {
		a = xmalloc(sizeof(*a) + n);
		*a = (struct arrival){ .kind = kind, .slot = slot, .len = n };
		memcpy(a->data, data, n);
		*b->tail = a;
		b->tail = &a->next;
		b->held[kind] += n;
		atomic_store(&b->any, true);
	}
	pthread_mutex_unlock(&b->lock);
	return n;
}

/* Offer A to its device. True: it is accepted whole. */
static bool offer(struct inbox *b, struct board *board, struct arrival *a)
{
	struct dev *d = board->dev[a->slot];
	size_t n = d->cls->accept(d, a->kind, a->data + a->taken, a->len - a->taken);

	a->taken += n;
	b->held[a->kind] -= n;
	return a->taken == a->len;
}

void inbox_deliver(struct inbox *b, struct board *board)
{
	uint64_t full = 0; /* slots that did not accept all */

	if (!atomic_load_explicit(&b->any, memory_order_relaxed))
		return;
	pthread_mutex_lock(&b->lock);
	for (struct arrival **p = &b->head; *p;) {
		struct arrival *a = *p;

		if ((full >> a->slot & 1) || !offer(b, board, a)) {
			full |= 1ull << a->slot;
			p = &a->next;
			continue;
		}
		*p = a->next;
		if (!*p)
			b->tail = p;
		free(a);
	}
	atomic_store(&b->any, b->head != NULL);
	pthread_mutex_unlock(&b->lock);
}
