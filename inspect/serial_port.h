/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host's end of the guest's serial port if it is a file or a socket: "file:PATH" gets a
 * copy of the output, "unix:PATH" serves one client at a time. Terminals and screens are the
 * faces' business. */
#ifndef INSPECT_SERIAL_PORT_H
#define INSPECT_SERIAL_PORT_H
#include "base/loop.h"
#include "inspect/inspect.h"

struct serial_port;

bool serial_port_is(const char *where); /* does WHERE name a file or a socket? */
/* Open the port. NULL with the reason in ERR. S and LOOP are borrowed. */
struct serial_port *serial_port_new(struct inspect *s, struct loop *loop, const char *where, char *err,
				    size_t errlen);
void serial_port_free(struct serial_port *p);
/* Write output of the guest. A client that reads too slowly loses output, as on a line without flow control.
 */
void serial_port_write(struct serial_port *p, const uint8_t *buf, size_t n);
#endif
