/* SPDX-License-Identifier: GPL-3.0-or-later
 * The text of a "--net" option: BACKEND[:PLACE][,KEY=VALUE]... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "hv/io/net.h"

static bool bad(char *err, size_t errlen, const char *what, const char *text)
{
	snprintf(err, errlen, "--net: %s: %s", text, what);
	return false;
}

static bool parse_mac(uint8_t mac[6], const char *text)
{
	unsigned b[6];
	char end;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return !(mac[0] & 1);
}

/* Bits a second, with suffix K, M or G (of 1,000). */
static bool parse_rate(uint64_t *rate, const char *text)
{
	static const uint64_t units[] = { 1000, 1000000, 1000000000 };
	static const char letters[] = "KMG";
	uint64_t unit = 1;
	char *end;

	*rate = strtoull(text, &end, 10);
	for (unsigned i = 0; i < ARRAY_LEN(units); i++)
		if (*end && (*end & ~0x20) == letters[i] && !end[1]) {
			unit = units[i];
			end++;
		}
	if (end == text || *end || text[0] == '-' || *rate > 1000000000000 / unit)
		return false;
	*rate *= unit;
	return *rate >= 8000;
}

static bool parse_model(struct net_config *c, const char *name, char *err, size_t errlen)
{
	if (!strcmp(name, "pcnet"))
		c->model = NET_PCNET;
	else if (!strcmp(name, "virtio"))
		c->model = NET_VIRTIO;
	else
		return bad(err, errlen, "no such model: there are pcnet, virtio", name);
	return true;
}

static bool parse_key(struct net_config *c, const char *key, const char *val, char *err, size_t errlen)
{
	if (!strcmp(key, "model"))
		return parse_model(c, val, err, errlen);
	if (!strcmp(key, "mac")) {
		c->have_mac = parse_mac(c->mac, val);
		return c->have_mac || bad(err, errlen, "not the address of a station", val);
	}
	if (!strcmp(key, "rate"))
		return parse_rate(&c->rate, val) ||
		       bad(err, errlen, "not a rate in bits a second, from 8K (suffix K, M or G)", val);
	if (!strcmp(key, "pcap"))
		c->pcap = val;
	else if (!strcmp(key, "rom"))
		c->rom = val;
	else if (!strcmp(key, "bootfile") && !strcmp(c->backend, "user"))
		c->bootfile = val;
	else if (!strcmp(key, "tftp") && !strcmp(c->backend, "user"))
		c->tftp = val;
	else if (!strcmp(key, "hostfwd") && !strcmp(c->backend, "user") && c->nforwards < NET_FORWARDS)
		c->forward[c->nforwards++] = val;
	else
		return bad(err, errlen, "no such key here, or one too many", key);
	return true;
}

/* The first word: sets back end and place. */
static bool parse_backend(struct net_config *c, char *word, char *err, size_t errlen)
{
	char *place = strchr(word, ':');

	if (place)
		*place++ = 0;
	c->backend = word;
	c->place = place;
	if (!strcmp(word, "user") && place && !strncmp(place, "socket=", 7)) {
		c->backend = "passt";
		c->place = place + 7;
		return true;
	}
	if (!strcmp(word, "user"))
		return !place || bad(err, errlen, "after \"user:\" there may be socket=PATH", place);
	if (!strcmp(word, "tap"))
		return (place && *place) ||
		       bad(err, errlen, "tap:NAME needs the name of the interface", word);
	return !strcmp(word, "hub") ||
	       bad(err, errlen, "no such back end: there are user, tap:NAME, hub[:PATH]", word);
}

bool net_parse(struct net_config *c, const char *text, char *err, size_t errlen)
{
	char *rest, *word;

	*c = (struct net_config){ .text = xstrdup(text) };
	rest = c->text;
	word = strsep(&rest, ",");
	if (!parse_backend(c, word, err, errlen))
		return false;
	while ((word = strsep(&rest, ","))) {
		char *val = strchr(word, '=');

		if (!val || !val[1])
			return bad(err, errlen, "expected KEY=VALUE", word);
		*val++ = 0;
		if (!parse_key(c, word, val, err, errlen))
			return false;
	}
	return true;
}

void net_config_fini(struct net_config *c)
{
	free(c->text);
	*c = (struct net_config){ 0 };
}
