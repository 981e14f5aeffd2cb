/* SPDX-License-Identifier: GPL-3.0-or-later
 * The text of a "--device" option: MODEL[,KEY=VALUE]... A device that is added so has a table of its keys and
 * reads them when it opens; its configuration (struct dev, config) is the text. Private to hv. */
#ifndef HV_DEVICE_OPTIONS_H
#define HV_DEVICE_OPTIONS_H
#include "base/types.h"

enum { DEVICE_TEXT = 64 }; /* longest text, with its zero */

struct device_key {
	const char *name;
	enum { KEY_NUMBER /* uint64_t */, KEY_SIZE /* likewise, of bytes, not 0 */, KEY_TEXT } kind;
	size_t off;	   /* of the value: where KEY_TEXT has room for DEVICE_TEXT bytes */
	uint64_t min, max; /* of a number */
};

/* Set the values that TEXT names in the struct AT; those it does not name stay. False with one line in ERR.
 */
bool device_options(const char *text, const struct device_key *keys, unsigned n, void *at, char *err,
		    size_t errlen);
/* Does TEXT begin with MODEL? Does one of the devices of CFG? */
bool device_is(const char *text, const char *model);
struct machine_config;
bool devices_have(const struct machine_config *cfg, const char *model);
#endif
