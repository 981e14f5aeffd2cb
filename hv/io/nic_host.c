/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host world's side of hv/io/nic.h: what the door leads to. */
#include "hv/io/net.h"
#include "hv/io/nic.h"

#include "hv/board.h"

enum { BATCH = 512 }; /* frames in a row, at most: a guest's ring may have no end */

/* Hand the guest's frames to the link until there are no more, or it has no room. */
static void send_frames(void *arg)
{
	struct nic *k = arg;
	uint32_t len;

	for (unsigned i = 0; i < BATCH && (len = k->ops->next(k->d, k->frame)); i++) {
		k->blocked = len >= NET_FRAME_MIN && !net_send(k->link->net, k->frame, len);
		if (k->blocked)
			break;
		if (k->watch)
			k->watch(k->ctx, k, true, len);
		k->ops->sent(k->d);
	}
	net_push(k->link->net);
}

static void made_room(void *arg)
{
	net_made_room(((struct nic *)arg)->link->net);
}

/* Requests have waited for a tick. */
static void tick(void *arg)
{
	struct nic *k = arg;

	if (!k->waiting)
		return;
	k->stats.spared += k->waiting;
	k->waiting = 0;
	k->stats.sends++;
	door_call(k->door, k->d->user, DOOR_TRANSMIT, send_frames, k);
}

void nic_join(struct nics *all, struct nic *k, struct dev *d, const struct nic_ops *ops)
{
	const struct nic_link *link = d->config;
	struct nic **at = &all->first;

	*k = (struct nic){ .d = d,
			   .ops = ops,
			   .link = link,
			   .door = all->door,
			   .clock = all->clock,
			   .arrived = net_arrived(link->net),
			   .sleeps = net_sleeps(link->net),
			   .up = net_up(link->net),
			   .wants_room = net_wants_room(link->net),
			   .tick = { .fire = tick, .ctx = k },
			   .send = send_frames,
			   .made_room = made_room };
	k->leaving = net_leaving(link->net, &k->leaving_most);
	while (*at)
		at = &(*at)->next;
	*at = k;
}

void nic_leave(struct nics *all, struct nic *k)
{
	for (struct nic **at = &all->first; *at; at = &(*at)->next)
		if (*at == k) {
			*at = k->next;
			timer_cancel(k->clock, &k->tick);
			return;
		}
}
