/* SPDX-License-Identifier: GPL-3.0-or-later
 * The log of copy-on-write breaks: of a VM, and in the host's session of all VMs. Each VM writes its own, in
 * its slot (struct mm_cow), with the bytes of the instruction as they were then. */
#include "mm/vm.h"
#include "mm/views_int.h"
#include "x86/disas.h"

#include <stdlib.h>
#include <string.h>

static const struct view_col cols[] = {
	{ "number", "number", VAL_UINT, "", "of the copy, among those of all VMs of this machine memory" },
	{ "vm", "VM", VAL_STR, "", "whose page it is, in a host's session" },
	{ "by", "by", VAL_STR, "",
	  "who wrote: an instruction; the processor for one, or for an event; its page walk (accessed or dirty "
	  "bit); a device; the debugger; unshare: nobody" },
	{ "lin", "address", VAL_ADDR, "", "linear address written, or walked; a device's have none" },
	{ "ppn", "PPN", VAL_HEX, "", "page that was copied to its home slot" },
	{ "pc", "pc", VAL_ADDR, "", "the instruction" },
	{ "insn", "instruction", VAL_STR, "", "the same as text, as its bytes were then" },
	{ "mpn", "MPN", VAL_HEX, "", "frame that the page was on" },
	{ "left", "left", VAL_UINT, "", "pages still on the frame" },
	{ "cycles", "cycles", VAL_UINT, "", "the copy, and mapping it" },
};

static const char *writer_name(uint8_t by)
{
	static const char *const names[WRITERS] = {
		[WRITER_INSN] = "instruction", [WRITER_PROCESSOR] = "processor", [WRITER_WALK] = "page walk",
		[WRITER_DEVICE] = "device",    [WRITER_OPERATOR] = "debugger",	 [WRITER_NONE] = "unshare",
	};

	return by < WRITERS ? names[by] : "?";
}

struct row {
	uint64_t number;
	struct mm_cow c;
	const struct mm_slot *slot;
};

/* Copy the entry C if it is whole. */
static bool take(const struct mm_cow *c, struct row *r)
{
	r->number = atomic_load(&c->number);
	memcpy(&r->c, c, sizeof(*c));
	atomic_thread_fence(memory_order_acquire);
	return r->number && atomic_load(&c->number) == r->number;
}

static int by_number(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static struct value address(uint64_t a)
{
	return a == MM_ANYWHERE ? V_NONE : V_ADDR(a);
}

/* NAMED: among those of other VMs. */
static void show(const struct row *r, bool named, struct row_sink *k)
{
	unsigned n = r->c.bytes < MM_COW_INSN ? r->c.bytes : MM_COW_INSN;
	struct disas_insn d = { 0 };
	struct vm_name name;

	if (n)
		disas_decode(r->c.insn, n, r->c.pc, r->c.bits == 16 ? 16 : 32, &d);
	k->row(k, (struct value[]){ V_UINT(r->number), named ? V_STR(view_vm_name(r->slot, &name)) : V_NONE,
				    V_STR(writer_name(r->c.by)), address(r->c.lin), V_HEX(r->c.ppn),
				    address(r->c.pc), n ? V_STR(d.text) : V_NONE, V_HEX(r->c.frame),
				    V_UINT(r->c.left), V_UINT(r->c.cycles) });
}

/* Of the VMs in slots [FIRST, END), or of the one that is called NAME; in a VM's session of one slot. */
static const char *rows_of(struct mm_pool *p, unsigned first, unsigned end, const char *name,
			   struct row_sink *k)
{
	struct row *r = calloc((size_t)(end - first) * MM_COWS, sizeof(*r));
	bool found = !*name;
	size_t n = 0;

	if (!r)
		return "no memory";
	for (unsigned i = first; i < end; i++) {
		const struct mm_slot *s = view_vm(p, i);
		struct vm_name own;

		if (!s || (*name && strcmp(view_vm_name(s, &own), name)))
			continue;
		found = true;
		for (unsigned e = 0; e < MM_COWS; e++) {
			r[n].slot = s;
			n += take(&s->cow_log[e], &r[n]);
		}
	}
	qsort(r, n, sizeof(*r), by_number);
	for (size_t i = 0; i < n; i++)
		show(&r[i], end - first > 1, k);
	free(r);
	return found ? NULL : "no VM of that name";
}

static const char *rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_vm *vm = owner;
	unsigned slot = vm_slot_number(vm);

	(void)arg;
	return rows_of(vm->pool, slot, slot + 1, "", k);
}

const struct view view_cow = {
	.name = "cow",
	.help = "the last copies of shared pages: who wrote where, which instruction, at what cost",
	VIEW_COLS(cols),
	.rows = rows,
	.flags = VIEW_LIVE,
};

static const char *host_rows(void *owner, const char *arg, struct row_sink *k)
{
	return rows_of(owner, 0, MM_VMS, arg, k);
}

const struct view view_host_cow = {
	.name = "cow",
	.help =
	    "the last copies of shared pages of all VMs, or of the one that is named: who wrote where, which "
	    "instruction, at what cost",
	VIEW_COLS(cols),
	.rows = host_rows,
	.flags = VIEW_LIVE,
	.words = "<vms.vm>",
};
