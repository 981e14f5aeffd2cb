/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/device_options.h. */
#include "hv/device_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "hv/machine.h"

static bool bad(char *err, size_t errlen, const char *text, const char *what, size_t len, const char *word)
{
	snprintf(err, errlen, "--device: %s: %s: %.*s", text, what, (int)len, word);
	return false;
}

static bool number(const struct device_key *k, const char *val, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(val, &end, 0);
	return end != val && !*end && !errno && val[0] != '-' && *n >= k->min && *n <= k->max;
}

static bool take(const struct device_key *k, const char *val, void *at)
{
	uint64_t n;

	if (k->kind == KEY_TEXT) {
		snprintf(at, DEVICE_TEXT, "%s", val);
		return true;
	}
	if (k->kind == KEY_SIZE ? !size_parse(val, &n) || !n : !number(k, val, &n))
		return false;
	memcpy(at, &n, sizeof(n));
	return true;
}

/* Take KEY=VALUE, the LEN bytes at WORD. */
static bool take_word(const char *text, const char *word, size_t len, const struct device_key *keys,
		      unsigned n, void *at, char *err, size_t errlen)
{
	size_t name = strcspn(word, "=,");
	char val[DEVICE_TEXT];

	if (name >= len || name + 1 == len || len - name - 1 >= sizeof(val))
		return bad(err, errlen, text, "expected KEY=VALUE", len, word);
	memcpy(val, word + name + 1, len - name - 1);
	val[len - name - 1] = 0;
	for (unsigned i = 0; i < n; i++)
		if (strlen(keys[i].name) == name && !strncmp(keys[i].name, word, name))
			return take(&keys[i], val, (char *)at + keys[i].off) ||
			       bad(err, errlen, text, "bad value", len, word);
	return bad(err, errlen, text, "it has no such key", name, word);
}

bool device_options(const char *text, const struct device_key *keys, unsigned n, void *at, char *err,
		    size_t errlen)
{
	const char *word = text + strcspn(text, ",");

	while (*word) {
		size_t len = strcspn(++word, ",");

		if (!take_word(text, word, len, keys, n, at, err, errlen))
			return false;
		word += len;
	}
	return true;
}

bool device_is(const char *text, const char *model)
{
	return strlen(model) == strcspn(text, ",") && !strncmp(text, model, strlen(model));
}

bool devices_have(const struct machine_config *cfg, const char *model)
{
	for (unsigned i = 0; i < DEVICES_MAX && cfg->device[i]; i++)
		if (device_is(cfg->device[i], model))
			return true;
	return false;
}
