/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest addresses as text: one function decides how wide they are. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H
#include "base/types.h"

enum {
	ADDRESS_BITS = 32, /* of the widest address space a guest can have */
	ADDRESS_TEXT = 24, /* bytes of a buffer for the text */
};

/* Write ADDR, from a space of BITS bits, in hexadecimal: as many digits as the space needs, or more where
 * ADDR does. Return BUF. */
char *address_text(char buf[ADDRESS_TEXT], uint64_t addr, unsigned bits);
/* The text of a guest address, valid until the end of the enclosing block. */
#define ADDRESS(addr) address_text((char[ADDRESS_TEXT]){ 0 }, addr, ADDRESS_BITS)
/* Has TEXT the form that ADDRESS() gives an address within ADDRESS_BITS? */
bool address_is_text(const char *text);

#endif
