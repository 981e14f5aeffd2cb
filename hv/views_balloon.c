/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of the guest's balloon. Owner: struct machine. */
#include <stdio.h>

#include "hv/machine_int.h"
#include "hv/views_int.h"

/* ---- the balloon ---- */

static const struct view_col cols[] = {
	{ "driver", "driver", VAL_STR, "",
	  "who has the balloon: vmware, virtio, embedded; none: no driver has begun" },
	{ "device", "device", VAL_STR, "", "what the machine offers (--balloon)" },
	{ "capabilities", "capabilities", VAL_FLAGS, "", "what both have agreed on" },
	{ "guest", "guest", VAL_HEX, "", "how the driver calls its guest" },
	{ "limit", "limit", VAL_UINT, "pages", "memory of the guest, as the driver says" },
	{ "target", "target", VAL_UINT, "pages", "what the balloon shall have" },
	{ "reached", "reached", VAL_UINT, "pages", "what it has, as its driver says" },
	{ "rate", "rate", VAL_UINT, "pages/s",
	  "pages that came or went, in the second before the last call" },
	{ "contact", "contact", VAL_REAL, "s",
	  "since the driver's last call, in VM time; since the reset, if none has called" },
	{ "starts", "starts", VAL_UINT, "", "times that a driver began" },
	{ "inflated", "inflated", VAL_UINT, "pages", "given back by the guest" },
	{ "deflated", "deflated", VAL_UINT, "pages", "taken back by it" },
	{ "refused", "refused", VAL_UINT, "pages",
	  "that could not be given or taken back, or were not wanted" },
	{ "popped", "popped", VAL_UINT, "pages", "touched while in the balloon" },
	{ "resets", "resets", VAL_UINT, "", "times that the driver had to begin anew because of that" },
	{ "reported", "reported", VAL_UINT, "pages",
	  "free ones that the guest reported and whose memory went" },
};

static void capabilities_text(const struct balloon *x, char *buf, size_t len)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = { { BALLOON_BASIC, "basic" },    { BALLOON_BATCHED, "batched" },
		      { BALLOON_LARGE, "large" },    { BALLOON_WIDE, "wide" },
		      { BALLOON_TELLS, "tells" },    { BALLOON_STATS, "stats" },
		      { BALLOON_REPORTS, "reports" } };
	size_t n = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < ARRAY_LEN(names) && n < len; i++)
		if (x->capabilities & names[i].bit)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " " : "", names[i].name);
}

static const char *driver_name(uint32_t driver)
{
	static const char *const names[] = { [BALLOON_NONE] = "none",
					     [BALLOON_VMWARE] = "vmware",
					     [BALLOON_VIRTIO] = "virtio",
					     [BALLOON_EMBEDDED] = "embedded" };

	return driver < ARRAY_LEN(names) ? names[driver] : "?";
}

static const char *rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	const struct balloon *x = &m->board.balloon;
	uint64_t now = clock_now(&m->board.clock), pops = mm_counts(m->vm)->popped - x->pops;
	char capabilities[80];

	(void)arg;
	capabilities_text(x, capabilities, sizeof(capabilities));
	s->row(s, (const struct value[]){
		      V_STR(driver_name(x->driver)), V_STR(balloon_device_name(x->device)),
		      V_STR(capabilities), x->guest ? V_HEX(x->guest) : V_NONE,
		      x->limit ? V_UINT(x->limit) : V_NONE, V_UINT(balloon_target(&m->board)),
		      V_UINT(x->held), V_UINT(x->rate), V_REAL((double)(now - x->contact) / NS_PER_SEC),
		      V_UINT(x->starts), V_UINT(x->inflated), V_UINT(x->deflated), V_UINT(x->refused),
		      V_UINT(x->popped + pops), V_UINT(x->resets), V_UINT(x->reported) });
	return NULL;
}

const struct view view_balloon = {
	.name = "balloon",
	.help = "the guest's balloon: pages that it has given back",
	VIEW_COLS(cols),
	.rows = rows,
	.flags = VIEW_LIVE | VIEW_VERTICAL,
};

/* ---- statistics of the guest's ---- */

static const struct view_col stat_cols[] = {
	{ "name", "name", VAL_STR, "", "what the guest counts" },
	{ "value", "value", VAL_UINT, "", "its value, as of the last statistics" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *stat_rows(void *owner, const char *arg, struct row_sink *s)
{
	static const struct {
		const char *name, *help;
	} stats[BALLOON_STAT_COUNT] = {
		{ "swap_in", "bytes read back from the guest's swap" },
		{ "swap_out", "bytes written to it" },
		{ "major_faults", "page faults that waited for I/O" },
		{ "minor_faults", "page faults that did not" },
		{ "free", "bytes of memory that are not used" },
		{ "total", "bytes of memory that the guest has, without its balloon" },
		{ "available", "bytes that programs could have without swapping" },
		{ "caches", "bytes that could be taken from disk caches" },
		{ "hugetlb_allocations", "large pages allocated" },
		{ "hugetlb_failures", "large pages that could not be" },
	};
	const struct balloon *x = &((struct machine *)owner)->board.balloon;

	(void)arg;
	for (unsigned i = 0; i < BALLOON_STAT_COUNT; i++)
		if (x->stats_known >> i & 1)
			s->row(s, (const struct value[]){ V_STR(stats[i].name), V_UINT(x->stat[i]),
							  V_STR(stats[i].help) });
	return NULL;
}

const struct view view_balloon_stats = {
	.name = "balloon-stats",
	.help = "statistics of its memory that the guest sends every few seconds (virtio)",
	VIEW_COLS(stat_cols),
	.rows = stat_rows,
	.flags = VIEW_LIVE,
};
