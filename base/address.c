/* SPDX-License-Identifier: GPL-3.0-or-later
 * See address.h. */
#include "base/address.h"

#include <stdio.h>
#include <string.h>

char *address_text(char buf[ADDRESS_TEXT], uint64_t addr, unsigned bits)
{
	snprintf(buf, ADDRESS_TEXT, "%0*llx", (int)(bits + 3) / 4, (unsigned long long)addr);
	return buf;
}

bool address_is_text(const char *text)
{
	return strlen(text) == ADDRESS_BITS / 4 && strspn(text, "0123456789abcdefABCDEF") == ADDRESS_BITS / 4;
}
