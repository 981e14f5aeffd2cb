/* SPDX-License-Identifier: GPL-3.0-or-later
 * Port I/O by hand: in, out. */
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"

#include <string.h>

static const struct view_col port_cols[] = {
	{ "port", "Port", VAL_HEX, "", "the port" },
	{ "size", "Size", VAL_UINT, "B", "bytes accessed: 1, 2, 4" },
	{ "value", "Value", VAL_HEX, "", "what was read, or written" },
};
RECORD_DOC(port_record, "in out", port_cols);

/* The port and the size of the access. 0, or -1 with the error in R. */
static int where(struct inspect *s, const struct cmd_args *a, struct result *r, uint16_t *port,
		 unsigned *size)
{
	int64_t n;

	if (strlen(a->fmt) > 1 || (a->fmt[0] && !strchr("bhw", a->fmt[0])))
		return result_fail(r, "%s: /%s is no size (b 1, h 2, w 4 bytes)", a->name, a->fmt);
	*size = examine_unit(a->fmt[0] ? a->fmt[0] : 'b');
	if (session_eval(s, a->argv[0], &n, r))
		return -1;
	if (n < 0 || n + *size > 0x10000)
		return result_fail(r, "%s: 0x%llx is no port (0 to 0xffff)", a->name, (unsigned long long)n);
	*port = (uint16_t)n;
	return 0;
}

static void report(struct result *r, uint16_t port, unsigned size, uint32_t val, const char *format)
{
	struct table *t = result_table(r, port_cols, ARRAY_LEN(port_cols), TABLE_PLAIN, format);

	table_row(t, (struct value[]){ V_HEX(port), V_UINT(size), V_HEX(val) });
}

static int cmd_in(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	uint16_t port;
	unsigned size;

	if (where(s, a, r, &port, &size))
		return -1;
	report(r, port, size, machine_port_in(s->m, port, size), "port {port}: {value}");
	session_changed(s);
	return 0;
}

static int cmd_out(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	uint16_t port;
	unsigned size;
	int64_t val;

	if (where(s, a, r, &port, &size) || session_eval(s, a->argv[1], &val, r))
		return -1;
	if (val < 0 || (uint64_t)val >> 8 * size)
		return result_fail(r, "out: 0x%llx does not fit into %u byte%s", (unsigned long long)val,
				   size, size == 1 ? "" : "s");
	machine_port_out(s->m, port, size, (uint32_t)val);
	session_changed(s);
	return 0;
}

static const struct command commands[] = {
	{ "in", NULL, "[/b|h|w] PORT", "read a port, as the guest would with IN",
	  "b 1 byte (default), h 2, w 4. What reading changes in the device is changed: a byte that arrived is taken.",
	  cmd_in, CMD_STOPPED | CMD_FMT, 1, 1, COMP_EXPR },
	{ "out", NULL, "[/b|h|w] PORT VALUE", "write to a port, as the guest would with OUT",
	  "A reset or power-off that the device asks for comes when the guest runs again.", cmd_out,
	  CMD_STOPPED | CMD_FMT, 2, 2, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_ports_group = { "ports", "Ports", commands };
