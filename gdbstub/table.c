/* SPDX-License-Identifier: GPL-3.0-or-later
 * The packets, one row each (gdb manual, appendix E.2 to E.5; QEMU's extensions as its gdbstub defines them).
 */
#include "gdbstub/gdb_int.h"

#include <string.h>

/* Columns: name, handler, flags. A name comes before its prefixes. */
const struct gdb_packet gdb_packets[] = {
	/* the session */
	{ "!", on_extended, P_EXACT },
	{ "?", on_why, P_EXACT | P_SILENT },
	{ "D", on_detach, P_SILENT },
	{ "k", on_kill, P_SILENT },
	{ "vKill", on_vkill, P_SILENT },
	{ "vRun;", on_vrun, P_SILENT },
	{ "vAttach", on_attach, P_SILENT },
	{ "R", on_restart, P_SILENT },
	{ "vMustReplyEmpty", on_unknown, P_EXACT },
	{ "QStartNoAckMode", on_noack, P_EXACT | P_SILENT },
	{ "qSupported", on_supported, 0 },
	{ "qAttached", on_attached, 0 },
	/* threads */
	{ "H", on_set_thread, P_HOLD },
	{ "T", on_thread_alive, P_HOLD },
	{ "qC", on_current_thread, P_EXACT },
	{ "qfThreadInfo", on_threads_first, P_EXACT | P_HOLD },
	{ "qsThreadInfo", on_threads_next, P_EXACT },
	{ "qThreadExtraInfo,", on_thread_info, P_HOLD },
	/* registers and memory */
	{ "g", on_read_regs, P_EXACT | P_HOLD },
	{ "G", on_write_regs, P_HOLD },
	{ "p", on_read_reg, P_HOLD },
	{ "P", on_write_reg, P_HOLD },
	{ "m", on_read_mem, P_HOLD },
	{ "M", on_write_mem, P_HOLD },
	{ "x", on_read_binary, P_HOLD },
	{ "X", on_write_binary, P_HOLD },
	{ "qSearch:memory:", on_search, P_HOLD },
	{ "qXfer:features:read:target.xml:", on_features, 0 },
	{ "qXfer:memory-map:read::", on_memory_map, P_HOLD },
	{ "qXfer:threads:read::", on_threads_xml, P_HOLD },
	/* run control */
	{ "c", on_continue, P_SILENT },
	{ "C", on_continue_sig, P_SILENT },
	{ "s", on_step, P_SILENT },
	{ "S", on_step_sig, P_SILENT },
	{ "vCont?", on_vcont_query, P_EXACT },
	{ "vCont", on_vcont, P_SILENT },
	{ "vCtrlC", on_vctrlc, P_EXACT },
	{ "Z", on_point_insert, P_HOLD },
	{ "z", on_point_remove, P_HOLD },
	/* the shell */
	{ "qRcmd,", on_monitor, P_SILENT },
	/* QEMU's, which accepts either letter; gef and pwndbg send the capital */
	{ "qqemu.sstepbits", on_sstep_bits, P_EXACT },
	{ "Qqemu.sstepbits", on_sstep_bits, P_EXACT },
	{ "qqemu.sstep=", on_sstep_set, 0 },
	{ "Qqemu.sstep=", on_sstep_set, 0 },
	{ "qqemu.sstep", on_sstep_get, P_EXACT },
	{ "Qqemu.sstep", on_sstep_get, P_EXACT },
	{ "qqemu.PhyMemMode", on_phys_get, P_EXACT },
	{ "Qqemu.PhyMemMode:", on_phys_set, 0 },
	{ "qqemu.Supported", on_qemu_supported, P_EXACT },
	/* LLDB's */
	{ "qHostInfo", on_host_info, P_EXACT },
	{ "qProcessInfo", on_process_info, P_EXACT },
	{ "qMemoryRegionInfo:", on_region_info, P_HOLD },
	{ 0 },
};

static const struct gdb_packet *find(const char *body, size_t len)
{
	for (const struct gdb_packet *p = gdb_packets; p->name; p++) {
		size_t n = strlen(p->name);

		if (len >= n && !memcmp(body, p->name, n) && (!(p->flags & P_EXACT) || len == n))
			return p;
	}
	return NULL;
}

void gdb_handle(struct gdb *g, char *body, size_t len)
{
	const struct gdb_packet *p = find(body, len);
	struct span a = { body, body + len };
	bool held = false;

	out_clear(&g->reply);
	if (p) {
		a.p += strlen(p->name);
		held = (p->flags & P_HOLD) && inspect_hold(g->s);
		p->handle(g, a);
		if (held)
			inspect_release(g->s);
		if (p->flags & P_SILENT)
			return;
	}
	gdb_send(g, g->reply.data, g->reply.len);
}

void reply_ok(struct gdb *g)
{
	out_clear(&g->reply);
	out_printf(&g->reply, "OK");
}

void reply_error(struct gdb *g, unsigned number, const char *text)
{
	out_clear(&g->reply);
	if (g->error_text && text)
		out_printf(&g->reply, "E.%s", text);
	else
		out_printf(&g->reply, "E%02x", number);
}
