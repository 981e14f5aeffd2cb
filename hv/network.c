/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/network_int.h. */
#include "hv/network_int.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hv/board.h"

extern const struct dev_class pcnet_class, virtio_net_class;

/* An address of our own for network I, if its option names none: local, and likely to be unique among the
 * machines of a hub. */
static void choose_mac(uint8_t mac[6], const struct net_config *c, const char *name, unsigned i)
{
	uint32_t h = 2166136261u ^ (uint32_t)getpid();

	for (const char *p = name ? name : ""; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	h *= 2654435761u;
	memcpy(
	    mac,
	    (uint8_t[]){ 0x02, 'V', (uint8_t)(h >> 24), (uint8_t)(h >> 16), (uint8_t)(h >> 8), (uint8_t)i },
	    6);
	if (c->have_mac)
		memcpy(mac, c->mac, 6);
}

/* libslirp keeps the time in a variable of the process. */
static bool second_user(const struct network *w, const struct net_config *c)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->config[i].backend, "user") && !strcmp(c->backend, "user"))
			return true;
	return false;
}

static bool open_one(struct network *w, const struct machine_config *cfg, struct board *b, char *err,
		     size_t errlen)
{
	struct net_config *c = &w->config[w->n];
	struct nic_link *l = &w->link[w->n];
	char name[DEV_NAME];

	if (!net_parse(c, cfg->net[w->n], err, errlen))
		return false;
	if (second_user(w, c)) {
		snprintf(err, errlen,
			 "--net: there may be one network \"user\"; others can be hub, tap or user:socket=");
		return false;
	}
	choose_mac(l->mac, c, cfg->name, w->n);
	l->bit = NETWORK_BIT + w->n;
	l->rom = c->rom;
	l->net = net_open(c, err, errlen);
	snprintf(name, sizeof(name), "net%u", w->n);
	return l->net &&
	       board_add(b, c->model == NET_VIRTIO ? &virtio_net_class : &pcnet_class, name, l, err, errlen);
}

bool network_open(struct network *w, const struct machine_config *cfg, struct board *b, char *err,
		  size_t errlen)
{
	if (cfg->net[0] && cfg->clock == CLOCK_ICOUNT) {
		snprintf(err, errlen,
			 "--net: not with --clock icount: what arrives, and when, would differ at each run");
		return false;
	}
	for (; w->n < NETS_MAX && cfg->net[w->n]; w->n++)
		if (!open_one(w, cfg, b, err, errlen)) {
			net_close(w->link[w->n].net);
			net_config_fini(&w->config[w->n]);
			return false;
		}
	return true;
}

bool network_start(struct network *w, const struct net_host *host, char *err, size_t errlen)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!net_start(w->link[i].net, host, w->link[i].bit, err, errlen))
			return false;
	return true;
}

void network_close(struct network *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		net_close(w->link[i].net);
		net_config_fini(&w->config[i]);
	}
	w->n = 0;
}

void network_deliver(struct network *w, uint64_t ready)
{
	for (; ready; ready &= ready - 1)
		nics_notice(&w->nics, (unsigned)__builtin_ctzll(ready));
}
