/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of interrupts: the router, with what each line leads to now, and the controllers' registers as
 * text. The 8259's view is in views.c. */
#include <stdio.h>
#include <string.h>

#include "hv/machine_int.h"

static struct board *board_of(void *owner)
{
	return &((struct machine *)owner)->board;
}

static uint32_t lapic(const struct board *b, unsigned n)
{
	uint64_t base, deadline;

	return lapic_register(b->dev[SLOT_lapic], n, &base, &deadline);
}

/* ---- the router ---- */

static const struct view_col irq_cols[] = {
	{ "line", "line", VAL_STR, "",
	  "interrupt line, or what interrupts by itself: timer, IPI, MSI, NMI..." },
	{ "level", "level", VAL_BOOL, "", "present level" },
	{ "sources", "sources", VAL_STR, "", "who drives the line now" },
	{ "raised", "raised", VAL_UINT, "", "rising edges, or messages" },
	{ "taken", "taken", VAL_UINT, "", "acknowledged by the processor" },
	{ "route", "route", VAL_STR, "",
	  "where it leads now: 8259 input, IO-APIC pin, LINT pin; masked: nowhere" },
	{ "vector", "vector", VAL_HEX, "", "vector by that controller" },
	{ "trigger", "trigger", VAL_STR, "", "edge or level, by that controller" },
	{ "destination", "destination", VAL_STR, "", "which local APIC the message addresses" },
};

static const char *const source_names[IRQ_SOURCES] = {
	[IRQ_ISA] = "ISA",     [IRQ_PIRQA] = "PIRQA", [IRQ_PIRQB] = "PIRQB", [IRQ_PIRQC] = "PIRQC",
	[IRQ_PIRQD] = "PIRQD", [IRQ_SCI] = "SCI",     [IRQ_HPET] = "HPET",
};

static void sources_text(const struct board *b, unsigned line, char *out, size_t n)
{
	size_t at = 0;

	out[0] = 0;
	for (unsigned i = 0; i < IRQ_SOURCES; i++)
		if ((b->driven[i] >> line & 1) && at < n)
			at += (size_t)snprintf(out + at, n - at, "%s%s", at ? " " : "", source_names[i]);
}

/* Where a line leads. */
struct route {
	char text[48], dest[24];
	unsigned vector;
	bool open, level;
};

static void pic_route(const struct board *b, unsigned line, struct route *r)
{
	unsigned vector;

	if (line >= ISA_LINES || !pic_entry(b->dev[SLOT_pic], line, &vector))
		return;
	r->open = b->extint;
	r->vector = vector;
	snprintf(r->text, sizeof(r->text), "8259 input %u%s", line,
		 !b->extint	   ? ", masked at LINT0"
		 : b->apic.present ? " by LINT0"
				   : "");
}

static void pin_route(const struct board *b, unsigned line, struct route *r)
{
	unsigned pin = board_irq_pin(line);
	uint64_t e = ioapic_entry(b->dev[SLOT_ioapic], pin);

	if (!b->apic.present || (e & RTE_MASK))
		return;
	r->open = true;
	r->level = e & RTE_LEVEL;
	r->vector = e & 0xff;
	snprintf(r->text, sizeof(r->text), "IO-APIC pin %u%s%s", pin, (e >> 8 & 7) ? ", " : "",
		 (e >> 8 & 7) ? apic_mode_names[e >> 8 & 7] : "");
	snprintf(r->dest, sizeof(r->dest), "%s %#x", e & RTE_LOGICAL ? "logical" : "physical",
		 (unsigned)(e >> 56));
}

static void line_row(const struct board *b, unsigned line, struct row_sink *s)
{
	struct route r = { .text = "masked" };
	char name[8], sources[64];

	pic_route(b, line, &r);
	if (!r.open)
		pin_route(b, line, &r);
	snprintf(name, sizeof(name), "%u", line);
	sources_text(b, line, sources, sizeof(sources));
	s->row(s, (const struct value[]){ V_STR(name), V_BOOL(b->lines >> line & 1), V_STR(sources),
					  V_UINT(b->irq_raised[line]), V_UINT(b->irq_acked[line]),
					  V_STR(r.text), r.open ? V_HEX(r.vector) : V_NONE,
					  r.open ? V_STR(r.level ? "level" : "edge") : V_NONE,
					  r.dest[0] ? V_STR(r.dest) : V_NONE });
}

/* An interrupt without a line. LVT: the entry that it goes by, or LVTS. */
static void local_row(const struct board *b, const char *name, uint64_t raised, uint64_t taken, unsigned lvt,
		      struct row_sink *s)
{
	uint32_t e = lvt < LVTS ? lapic(b, LAPIC_LVT + lvt) : 0;
	bool nmi = lvt == LVT_LINT1 && (e >> 8 & 7) == APIC_NMI;

	s->row(s, (const struct value[]){ V_STR(name), V_BOOL(false), V_STR(""), V_UINT(raised),
					  V_UINT(taken), V_STR(e & LVT_MASK ? "masked" : "local APIC"),
					  nmi		    ? V_HEX(EXC_NMI)
					  : lvt < LVTS && e ? V_HEX(e & 0xff)
							    : V_NONE,
					  V_NONE, V_NONE });
}

static const struct {
	enum apic_from from;
	const char *name;
	unsigned lvt;
} locals[] = {
	{ FROM_TIMER, "timer", LVT_TIMER },
	{ FROM_LINT, "LINT", LVT_LINT0 },
	{ FROM_ERROR, "error", LVT_ERROR },
	{ FROM_IPI, "IPI", LVTS },
};

static const char *irq_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct board *b = board_of(owner);
	const struct lapic_counts *n = lapic_counts(b->dev[SLOT_lapic]);

	(void)arg;
	for (unsigned i = 0; i < IRQ_LINES; i++)
		if (b->irq_raised[i] || b->irq_acked[i])
			line_row(b, i, s);
	for (unsigned i = 0; i < ARRAY_LEN(locals); i++)
		if (n->taken[locals[i].from])
			local_row(b, locals[i].name, n->taken[locals[i].from], n->taken[locals[i].from],
				  locals[i].lvt, s);
	if (b->msis)
		local_row(b, "MSI", b->msis, n->taken[FROM_MSI], LVTS, s);
	if (b->nmis || b->nmis_taken)
		local_row(b, "NMI", b->nmis, b->nmis_taken, b->apic.present ? LVT_LINT1 : LVTS, s);
	return NULL;
}

/* ---- local APIC ---- */

static const struct view_col lapic_cols[] = {
	{ "register", "register", VAL_STR, "", "register" },
	{ "number", "number", VAL_HEX, "", "its number: the offset is 16 times that, the MSR 0x800 more" },
	{ "value", "value", VAL_HEX, "", "value" },
	{ "meaning", "meaning", VAL_STR, "", "what it says" },
};

static void put_row(struct row_sink *s, const char *name, unsigned n, uint64_t val, const char *text)
{
	s->row(s, (const struct value[]){ V_STR(name), n ? V_HEX(n) : V_NONE, V_HEX(val), V_STR(text) });
}

/* The vectors whose bits are set in eight registers from N on. */
static void vectors_text(const struct board *b, unsigned n, char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (unsigned v = 0; v < 256; v++)
		if ((lapic(b, n + v / 32) >> v % 32 & 1) && at < size)
			at += (size_t)snprintf(out + at, size - at, "%s%#x", at ? " " : "", v);
}

static void lvt_text(unsigned lvt, uint32_t e, char *out, size_t size)
{
	static const char *const timer[] = { "one-shot", "periodic", "TSC deadline", "reserved mode" };
	const char *mode = lvt == LVT_TIMER   ? timer[e >> 17 & 3]
			   : lvt == LVT_ERROR ? "fixed"
					      : apic_mode_names[e >> 8 & 7];

	snprintf(out, size, "%s, vector %#x%s%s%s", mode, e & 0xff, e & LVT_LEVEL ? ", level" : "",
		 e & LVT_REMOTE_IRR ? ", not ended" : "", e & LVT_MASK ? ", masked" : "");
}

static void svr_text(const struct board *b, uint32_t v, char *out, size_t size)
{
	const struct lapic_counts *n = lapic_counts(b->dev[SLOT_lapic]);

	snprintf(out, size, "%s, spurious vector %#x; %llu interrupts came while it was disabled",
		 v & 0x100 ? "enabled" : "disabled by software", v & 0xff, (unsigned long long)n->refused);
}

static void icr_text(uint32_t v, char *out, size_t size)
{
	static const char *const to[] = { "to its destination", "to itself", "to all", "to all others" };

	snprintf(out, size, "%s, vector %#x, %s", apic_mode_names[v >> 8 & 7], v & 0xff, to[v >> 18 & 3]);
}

static const char *base_text(uint64_t base)
{
	if (!(base & APIC_BASE_ENABLE))
		return "off";
	return base & APIC_BASE_X2APIC ? "x2APIC mode" : "xAPIC mode";
}

static const struct lapic_row {
	uint8_t n;
	const char *name, *text;
} lapic_row_table[] = {
	{ LAPIC_ID, "id", "" },
	{ LAPIC_VERSION_REG, "version", "" },
	{ LAPIC_TPR, "tpr", "task priority" },
	{ LAPIC_PPR, "ppr", "processor priority: above it interrupts are delivered" },
	{ LAPIC_LDR, "ldr", "logical destination" },
	{ LAPIC_DFR, "dfr", "destination format: flat, or clusters" },
	{ LAPIC_SVR, "svr", NULL },
	{ LAPIC_ISR, "isr", NULL },
	{ LAPIC_TMR, "tmr", NULL },
	{ LAPIC_IRR, "irr", NULL },
	{ LAPIC_ESR, "esr", "errors up to its last write" },
	{ LAPIC_ICR, "icr", NULL },
	{ LAPIC_ICR_HIGH, "icr_high", "destination" },
	{ LAPIC_LVT + LVT_TIMER, "lvt_timer", NULL },
	{ LAPIC_LVT + LVT_THERMAL, "lvt_thermal", NULL },
	{ LAPIC_LVT + LVT_PERF, "lvt_perf", NULL },
	{ LAPIC_LVT + LVT_LINT0, "lvt_lint0", NULL },
	{ LAPIC_LVT + LVT_LINT1, "lvt_lint1", NULL },
	{ LAPIC_LVT + LVT_ERROR, "lvt_error", NULL },
	{ LAPIC_INITIAL, "initial", "timer: initial count" },
	{ LAPIC_CURRENT, "current", "timer: current count" },
	{ LAPIC_DIVIDE, "divide", NULL },
};

static void register_row(const struct board *b, const struct lapic_row *r, struct row_sink *s)
{
	uint32_t v = lapic(b, r->n);
	char text[256] = "";

	switch (r->n) {
	case LAPIC_SVR:
		svr_text(b, v, text, sizeof(text));
		break;
	case LAPIC_ISR:
	case LAPIC_TMR:
	case LAPIC_IRR:
		vectors_text(b, r->n, text, sizeof(text));
		break;
	case LAPIC_ICR:
		icr_text(v, text, sizeof(text));
		break;
	case LAPIC_DIVIDE:
		snprintf(text, sizeof(text), "by %u", 1u << (((v & 3) + (v >> 1 & 4) + 1) & 7));
		break;
	case LAPIC_LVT ... LAPIC_LVT + LVTS - 1:
		lvt_text(r->n - LAPIC_LVT, v, text, sizeof(text));
		break;
	}
	put_row(s, r->name, r->n, v, r->text ? r->text : text);
}

static const char *lapic_view_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct board *b = board_of(owner);
	const struct lapic_counts *n = lapic_counts(b->dev[SLOT_lapic]);
	uint64_t base, deadline;
	char text[96];

	(void)arg;
	if (!b->apic.present)
		return "this machine has no APIC";
	lapic_register(b->dev[SLOT_lapic], LAPIC_ID, &base, &deadline);
	put_row(s, "apic_base", 0, base, base_text(base));
	for (unsigned i = 0; i < ARRAY_LEN(lapic_row_table); i++)
		register_row(b, &lapic_row_table[i], s);
	put_row(s, "tsc_deadline", 0, deadline, deadline ? "" : "not set");
	snprintf(text, sizeof(text),
		 "ends of interrupts; %llu interrupts came while their vector was pending",
		 (unsigned long long)n->merged);
	s->row(s, (const struct value[]){ V_STR("eois"), V_NONE, V_UINT(n->eois), V_STR(text) });
	return NULL;
}

/* ---- IO-APIC, HPET ---- */

static const struct view_col ioapic_cols[] = {
	{ "pin", "pin", VAL_UINT, "",
	  "input; the line of the same number, of line 0 pin 2, of the 8259 pin 0" },
	{ "level", "level", VAL_BOOL, "", "present level" },
	{ "masked", "masked", VAL_BOOL, "", "its interrupts are not sent" },
	{ "vector", "vector", VAL_HEX, "", "vector" },
	{ "mode", "mode", VAL_STR, "", "delivery mode" },
	{ "trigger", "trigger", VAL_STR, "", "edge or level" },
	{ "polarity", "polarity", VAL_STR, "", "active level, which has no effect here" },
	{ "pending", "pending", VAL_BOOL, "", "remote IRR: sent, and not ended yet" },
	{ "address", "address", VAL_STR, "", "how the destination is meant" },
	{ "destination", "destination", VAL_HEX, "", "local APIC, or a set of them" },
	{ "sent", "sent", VAL_UINT, "", "messages sent" },
};

static const char *ioapic_view_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct board *b = board_of(owner);

	(void)arg;
	if (!b->apic.present)
		return "this machine has no APIC";
	ioapic_rows(b->dev[SLOT_ioapic], s);
	return NULL;
}

static const struct view_col hpet_cols[] = {
	{ "timer", "timer", VAL_UINT, "", "timer" },
	{ "runs", "runs", VAL_BOOL, "", "the main counter runs" },
	{ "legacy", "legacy", VAL_BOOL, "", "timers 0 and 1 have the lines of PIT and RTC" },
	{ "counter", "counter", VAL_HEX, "", "main counter" },
	{ "enabled", "enabled", VAL_BOOL, "", "it raises interrupts" },
	{ "mode", "mode", VAL_STR, "", "one-shot or periodic" },
	{ "trigger", "trigger", VAL_STR, "", "edge or level" },
	{ "bits", "bits", VAL_UINT, "", "bits of the counter that are compared" },
	{ "line", "line", VAL_UINT, "", "interrupt line; none: routed to one that it cannot drive" },
	{ "comparator", "comparator", VAL_HEX, "", "value to match next" },
	{ "period", "period", VAL_HEX, "", "of a periodic timer" },
	{ "status", "status", VAL_BOOL, "", "a level-triggered interrupt is active" },
	{ "fired", "fired", VAL_UINT, "", "interrupts raised" },
};

static const char *hpet_view_rows(void *owner, const char *arg, struct row_sink *s)
{
	(void)arg;
	hpet_rows(board_of(owner)->dev[SLOT_hpet], s);
	return NULL;
}

/* ---- latency of timers ---- */

#define BIN_COL(us) { "us" #us, #us " us", VAL_UINT, "", "up to " #us " microseconds late" },
static const struct view_col timer_cols[] = {
	{ "from", "from", VAL_STR, "", "whose deadlines" },
	{ "to", "to", VAL_STR, "", "what follows them" },
	{ "count", "count", VAL_UINT, "", "how many" },
	{ "least", "least", VAL_UINT, "ns", "shortest delay" },
	{ "mean", "mean", VAL_UINT, "ns", "mean delay" },
	{ "most", "most", VAL_UINT, "ns", "longest delay" },
	LATENCY_BINS(BIN_COL){ "more", "more", VAL_UINT, "", "later than that" },
	{ "announced", "announced", VAL_UINT, "",
	  "deadlines announced by the alarm's store, without a signal; none: this machine has no alarm" },
	{ "signalled", "signalled", VAL_UINT, "", "of those, how many needed a signal after all" },
	{ "serves", "serves", VAL_BOOL, "", "the alarm serves now; otherwise signals do, as on a busy host" },
};

static void latency_row(const char *from, const char *to, const struct latency *l, const struct alarm *a,
			struct row_sink *s)
{
	struct value v[ARRAY_LEN(timer_cols)] = { V_STR(from),
						  V_STR(to),
						  V_UINT(l->count),
						  V_UINT(l->least),
						  V_UINT(l->count ? l->sum / l->count : 0),
						  V_UINT(l->most) };
	unsigned n = 6;

	for (unsigned i = 0; i < LATENCY_NBINS; i++)
		v[n++] = V_UINT(l->bin[i]);
	v[n++] = a ? V_UINT(atomic_load(&a->nudges)) : V_NONE;
	v[n++] = a ? V_UINT(atomic_load(&a->missed)) : V_NONE;
	v[n++] = a ? V_BOOL(atomic_load(&a->serves)) : V_NONE;
	s->row(s, v);
}

static const char *timer_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct board *b = board_of(owner);

	(void)arg;
	latency_row("any timer", "its device", &b->clock.late, b->clock.alarm, s);
	if (b->apic.present)
		latency_row("local APIC", "acknowledge", &lapic_counts(b->dev[SLOT_lapic])->timer, NULL, s);
	return NULL;
}

const struct view irq_views[5] = {
	{ .name = "irq",
	  .help = "interrupts: lines, where they lead, counts",
	  VIEW_COLS(irq_cols),
	  .rows = irq_rows,
	  .flags = VIEW_LIVE },
	{ .name = "lapic",
	  .help = "registers of the local APIC",
	  VIEW_COLS(lapic_cols),
	  .rows = lapic_view_rows,
	  .flags = VIEW_LIVE },
	{ .name = "ioapic",
	  .help = "pins of the IO-APIC",
	  VIEW_COLS(ioapic_cols),
	  .rows = ioapic_view_rows,
	  .flags = VIEW_LIVE },
	{ .name = "hpet",
	  .help = "high precision event timers",
	  VIEW_COLS(hpet_cols),
	  .rows = hpet_view_rows,
	  .flags = VIEW_LIVE },
	{ .name = "timers",
	  .help = "timers: how late they are served and their interrupts taken",
	  VIEW_COLS(timer_cols),
	  .rows = timer_rows,
	  .flags = VIEW_VERTICAL | VIEW_LIVE },
};
