/* SPDX-License-Identifier: GPL-3.0-or-later
 * break-on: stop at events of the processor at any address, and at events of the machine. The engine detects
 * the former (x86/engine.h), the machine the latter (hv/machine.h); conditions and texts are here. */
#include "inspect/tables_int.h"
#include "base/address.h"
#include "base/alloc.h"
#include "hv/balloon.h"
#include "mm/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const mode_names[] = { [ENGINE_MODE_REAL] = "real",
					  [ENGINE_MODE_PROTECTED] = "protected",
					  [ENGINE_MODE_PAGING] = "paging",
					  [ENGINE_MODE_V86] = "v86",
					  [ENGINE_MODE_LONG] = "long" };

static const char *const packet_names[] = { "sent", "received" };

/* Columns: name, greatest number, printed in hex. By enum engine_event, then enum machine_event. */
static const struct kind {
	const char *name;
	uint64_t max;
	bool hex; /* print numbers in hexadecimal */
} kinds[MACHINE_EVENTS] = {
	[ENGINE_EV_EXCEPTION] = { "exception", EXC_VECTORS - 1, false },
	[ENGINE_EV_IRQ] = { "irq", 255, true },
	[ENGINE_EV_INT] = { "int", 255, true },
	[ENGINE_EV_PORT] = { "port", 0xffff, true },
	[ENGINE_EV_MSR] = { "msr", UINT32_MAX, true },
	[ENGINE_EV_CR] = { "cr", 8, false },
	[ENGINE_EV_MODE] = { "mode", ENGINE_MODE_LONG, false },
	[ENGINE_EV_CALLOUT] = { "callout", 255, false },
	[ENGINE_EV_FRAGMENT] = { "fragment", UINT64_MAX, true },
	[ENGINE_EV_EXIT] = { "exit", UINT32_MAX, false },
	[ENGINE_EV_ENTRY_FAILURE] = { "entry-failure", UINT32_MAX, false },
	[MACHINE_EV_WORLD_SWITCH] = { "world-switch", MACHINE_EVENT_NUMBERS - 1, false },
	[MACHINE_EV_PACKET] = { "packet", ARRAY_LEN(packet_names) - 1, false },
	[MACHINE_EV_BALLOON] = { "balloon", BALLOON_EVENTS - 1, false },
	[MACHINE_EV_DISK_READ] = { "disk-read", UINT32_MAX, false },
	[MACHINE_EV_DISK_WRITE] = { "disk-write", UINT32_MAX, false },
	[MACHINE_EV_COW] = { "cow", UINT32_MAX, true },
	[MACHINE_EV_SWAP_IN] = { "swap-in", UINT32_MAX, true },
	[MACHINE_EV_STATE] = { "state", POOL_STATES - 1, false },
};

static bool is_virt(unsigned kind)
{
	return kind == ENGINE_EV_EXIT || kind == ENGINE_EV_ENTRY_FAILURE;
}

/* The name of number N of KIND; NULL: none, nor of those after it; "": none. */
static const char *number_name(struct inspect *s, unsigned kind, uint64_t number)
{
	uint32_t n = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
	const struct engine_ops *ops = s->m ? machine_vcpu(s->m)->ops : NULL;

	if (kind == ENGINE_EV_EXCEPTION)
		return exc_name(n);
	if (kind == ENGINE_EV_MODE)
		return n < ARRAY_LEN(mode_names) ? mode_names[n] : NULL;
	if (kind == MACHINE_EV_WORLD_SWITCH)
		return machine_switch_reason(n);
	if (kind == MACHINE_EV_PACKET)
		return n < ARRAY_LEN(packet_names) ? packet_names[n] : NULL;
	if (kind == MACHINE_EV_BALLOON)
		return balloon_event_name(n);
	if (kind == MACHINE_EV_STATE)
		return n < POOL_STATES ? mm_pool_state_name(n) : NULL;
	if (kind == ENGINE_EV_EXIT && session_virt(s))
		return session_virt(s)->ops->reason_name(session_virt(s)->ctx, n);
	if (kind == ENGINE_EV_ENTRY_FAILURE && session_virt(s))
		return session_virt(s)->ops->failure_name(session_virt(s)->ctx, n);
	return kind == ENGINE_EV_CALLOUT && ops && ops->callout_name ? ops->callout_name(n) : NULL;
}

static void number_text(struct inspect *s, unsigned kind, uint64_t n, char *buf, size_t len)
{
	const char *name = number_name(s, kind, n);

	if (name && name[0])
		snprintf(buf, len, "%s", name);
	else
		snprintf(buf, len, kinds[kind].hex ? "0x%llx" : "%llu", (unsigned long long)n);
}

/* Offer "PF" as "pf". */
static void offer_lower(struct finder *f, const char *name, void (*offer)(struct finder *f, const char *text))
{
	char lower[16];
	size_t n;

	for (n = 0; name[n] && n + 1 < sizeof(lower); n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	lower[n] = 0;
	offer(f, lower);
}

void event_numbers(struct inspect *s, const char *kind, void (*offer)(struct finder *f, const char *text),
		   struct finder *f)
{
	const char *name;

	for (unsigned k = 0; k < MACHINE_EVENTS; k++)
		for (uint32_t n = 0; !strcmp(kinds[k].name, kind) && (name = number_name(s, k, n)); n++) {
			if (name[0])
				offer(f, name);
			if (name[0] == '#')
				offer_lower(f, name + 1, offer);
		}
}

void event_name(struct inspect *s, const struct point *p, char *buf, size_t len)
{
	char lo[24], hi[24];

	number_text(s, p->event, p->lo, lo, sizeof(lo));
	number_text(s, p->event, p->hi, hi, sizeof(hi));
	if (p->lo == 0 && p->hi == kinds[p->event].max)
		snprintf(buf, len, "any %s", kinds[p->event].name);
	else
		snprintf(buf, len, "%s %s%s%s", kinds[p->event].name, lo, p->lo == p->hi ? "" : "-",
			 p->lo == p->hi ? "" : hi);
}

/* " (check ...)": the whole reason in the line that says where. */
static void failure_text(struct inspect *s, char *buf, size_t len)
{
	const struct engine_virt *v = session_virt(s);
	char why[380];

	v->ops->failure_text(v->ctx, why, sizeof(why));
	snprintf(buf, len, why[0] ? " (%s)" : "%s", why);
}

void event_text(struct inspect *s, const struct engine_hit *h, char *buf, size_t len)
{
	char number[40], sym[120], how[400] = "";

	number_text(s, h->kind, h->number, number, sizeof(number));
	symbols_text(&s->symbols, h->pc, sym, sizeof(sym));
	if (h->kind == ENGINE_EV_EXCEPTION && h->val)
		snprintf(how, sizeof(how), " (error code 0x%llx)", (unsigned long long)h->val);
	else if (h->kind == ENGINE_EV_PORT || h->kind == ENGINE_EV_MSR || h->kind == ENGINE_EV_CR)
		snprintf(how, sizeof(how), " %s 0x%llx", h->write ? "written with" : "read as",
			 (unsigned long long)h->val);
	else if ((unsigned)h->kind == MACHINE_EV_STATE)
		snprintf(how, sizeof(how), " after %s", mm_pool_state_name((unsigned)h->val));
	else if ((unsigned)h->kind == MACHINE_EV_WORLD_SWITCH || (unsigned)h->kind == MACHINE_EV_COW ||
		 (unsigned)h->kind == MACHINE_EV_SWAP_IN)
		snprintf(how, sizeof(how), " (%llu cycles)", (unsigned long long)h->val);
	else if ((unsigned)h->kind == MACHINE_EV_BALLOON)
		snprintf(how, sizeof(how), " (%llu pages)", (unsigned long long)h->val);
	else if ((unsigned)h->kind >= MACHINE_EV_PACKET)
		snprintf(how, sizeof(how), " (%llu bytes)", (unsigned long long)h->val);
	else if (h->kind == ENGINE_EV_EXIT)
		snprintf(how, sizeof(how), ", %s 0x%llx,", session_virt(s) ? session_virt(s)->info : "value",
			 (unsigned long long)h->val);
	else if (h->kind == ENGINE_EV_ENTRY_FAILURE && session_virt(s))
		failure_text(s, how, sizeof(how));
	else if (h->kind == ENGINE_EV_FRAGMENT)
		snprintf(how, sizeof(how), ", %llu instruction%s,", (unsigned long long)h->val,
			 h->val == 1 ? "" : "s");
	snprintf(buf, len, "%s %s%s at 0x%s%s%s%s", kinds[h->kind].name, number, how, ADDRESS(h->pc),
		 sym[0] ? " <" : "", sym, sym[0] ? ">" : "");
}

/* Are LEN characters of A and B the same, in any case, and '-' for '_'? */
static bool same_word(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i]) &&
		    !(a[i] == '_' && b[i] == '-'))
			return false;
	return true;
}

/* Accept the name of a number of KIND at *TEXT, in any case and without "#". False: none. */
static bool named(struct inspect *s, unsigned kind, const char **text, int64_t *n)
{
	static const char prefix[] = "vmexit_"; /* of AMD's manual */
	size_t skip = kind == ENGINE_EV_EXIT && same_word(prefix, *text, strlen(prefix)) ? strlen(prefix) : 0;
	size_t len = strcspn(*text + skip, " \t");
	const char *name;

	for (uint32_t i = 0; (name = number_name(s, kind, i)); i++) {
		if (name[0] == '#' && **text != '#')
			name++;
		if (!len || strlen(name) != len || !same_word(name, *text + skip, len))
			continue;
		*n = (int64_t)i;
		*text += skip + len;
		*text += strspn(*text, " \t");
		return true;
	}
	return false;
}

/* Parse "N", "N to M", a name, or nothing (any) at *TEXT and advance *TEXT past it. 0, or -1 with the error
 * in R. */
static int numbers(struct inspect *s, const struct cmd_args *a, const char **text, struct point *p,
		   struct result *r)
{
	struct expr_env env = session_env(s);
	int64_t lo = 0, hi = (int64_t)kinds[p->event].max;
	struct expr_error err;

	if (**text && strncmp(*text, "if", 2)) {
		if (!named(s, p->event, text, &lo) && !expr_eval_prefix(&env, text, &lo, &err))
			return result_fail(r, "%s: %s", a->name, err.text);
		hi = lo;
		if (!strncmp(*text, "to ", 3)) {
			*text += 3;
			if (!expr_eval_prefix(&env, text, &hi, &err))
				return result_fail(r, "%s: %s", a->name, err.text);
		}
	}
	if ((uint64_t)hi < (uint64_t)lo || (uint64_t)hi > kinds[p->event].max)
		return result_fail(r, "%s: the number of %s must be from 0 to 0x%llx", a->name,
				   kinds[p->event].name, (unsigned long long)kinds[p->event].max);
	p->lo = (uint64_t)lo;
	p->hi = (uint64_t)hi;
	return 0;
}

static int cmd_break_on(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *text = a->rest + strcspn(a->rest, " \t"), *cond;
	size_t word = (size_t)(text - a->rest);
	struct point want = { 0 }, *p;

	while (want.event < MACHINE_EVENTS &&
	       (strlen(kinds[want.event].name) != word || strncmp(kinds[want.event].name, a->rest, word)))
		want.event++;
	if (want.event == MACHINE_EVENTS)
		return result_fail(r,
				   "break-on: expected exception, irq, int, port, msr, cr, mode, callout, "
				   "fragment, exit, entry-failure, world-switch, packet, balloon, disk-read, "
				   "disk-write, cow, swap-in or state");
	if (is_virt(want.event) && !session_virt(s))
		return result_fail(r, "break-on: %s", engine_lacks(PART_VIRT));
	text += strspn(text, " \t");
	if (numbers(s, a, &text, &want, r) || point_condition(s, a, text, &cond, r))
		return -1;
	p = points_add(&s->points, 0, false, cond);
	p->kind = POINT_EVENT;
	p->event = want.event;
	p->lo = want.lo;
	p->hi = want.hi;
	if (!run_event_changed(s, p, true)) {
		points_delete(&s->points, p->number);
		return result_fail(r, "break-on: the engine has no room for another event point; delete one");
	}
	point_report(s, p, r);
	return 0;
}

/* commands NUMBER "LIST" */
static int cmd_commands(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct point *p;
	int64_t n;

	if (session_eval(s, a->argv[0], &n, r))
		return -1;
	p = n > 0 && n <= UINT32_MAX ? points_find(&s->points, (unsigned)n) : NULL;
	if (!p || p->owner)
		return result_fail(r, "commands: no point %s that can have commands (info break lists them)",
				   a->argv[0]);
	free(p->commands);
	p->commands = a->argc > 1 && a->argv[1][0] ? xstrdup(a->argv[1]) : NULL;
	p->no_files = a->sink && a->sink->no_files;
	return 0;
}

static const struct command commands[] = {
	{ "break-on", "catch", "EVENT [N [to M]] [if EXPR]",
	  "stop after an event of the processor or the machine, at any address",
	  "EVENT is one of these. exception: by vector or name (14, #PF, pf); stops before the handler's first instruction. irq: an external "
	  "interrupt, by vector. int: an INT instruction. port, msr: an access. cr: a write to control register N. "
	  "mode: real, protected, paging, long (IA-32e) or v86 is entered. callout: translated code called the monitor, by the kind's "
	  "name (info callouts). fragment: code at N, or from N to M, was translated and is about to run. exit: a guest of the guest left, by "
	  "reason or its name (CPUID, EPT_VIOLATION; info exits), before its hypervisor's first instruction. "
	  "entry-failure: a VM entry failed, by VM-instruction error or exit reason. world-switch: the VMM "
	  "world was left, by reason (info worlds). packet: sent or received. balloon: inflate, deflate, reached (its target), start (of a driver), reset. disk-read, disk-write: a request of a drive, by sector of 512 bytes. cow: a shared page was copied, swap-in: a page was read back, by PPN. state: the machine's memory is in another state, high, soft, hard or low. Without N: any. In EXPR $event is N. $value is the value read or written, or the error code; for a callout the address of "
	  "the instruction, for a fragment its number of instructions, for an exit its qualification, for a world switch, a copy or a page read back its cycles, for a state the one before, for a packet or a disk request its bytes, for the balloon pages. Events without a point cost nothing. delete "
	  "removes the point.",
	  cmd_break_on, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_EVENTS), 1, -1,
	  "exception|irq|int|port|msr|cr|mode|callout|fragment|exit|entry-failure|world-switch|packet|balloon|disk-read|disk-write|cow|swap-in|state <event> <expr> ..." },
	{ "commands", NULL, "NUMBER [\"COMMAND; COMMAND...\"]",
	  "execute COMMANDs after point NUMBER has stopped the guest",
	  "If one of them resumes the guest and a point stops it again, the rest is not executed. Without COMMAND the "
	  "list is removed.",
	  cmd_commands, CMD_MACHINE | CMD_PAUSE, 1, 2, "<break.number>" },
	{ "trace", "dprintf", "ADDRESS \"FORMAT\" [EXPR,...]",
	  "print each time ADDRESS is reached, without stopping",
	  "FORMAT is printf's: %d %u %x %c, %s for a string in guest memory, %a for an address as a symbol, %%; with "
	  "widths, \\n and \\t. info break counts the hits; delete removes it.",
	  cmd_trace, CMD_MACHINE | CMD_PAUSE, 2, -1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_event_group = { "events", "Events and actions", commands };
