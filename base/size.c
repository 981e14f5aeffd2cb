/* SPDX-License-Identifier: GPL-3.0-or-later
 * See base/size.h. */
#include "base/size.h"

#include <errno.h>
#include <stdlib.h>

bool size_parse(const char *text, uint64_t *size)
{
	unsigned shift = 0;
	char *end;

	errno = 0;
	*size = strtoull(text, &end, 0);
	switch (*end) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	}
	if (end == text || errno || text[0] == '-' || end[shift != 0] || *size > UINT64_MAX >> shift)
		return false;
	*size <<= shift;
	return true;
}
