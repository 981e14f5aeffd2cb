/* SPDX-License-Identifier: GPL-3.0-or-later
 * Saving and loading a machine. The file: a line "VITRINE-STATE version length", a JSON object of
 * that length (everything but memory, by the names in the field tables), one record for each page
 * that is not all zero (its address and its bytes, in order), a record with address ~0 without
 * bytes, and the XXH3 hash of all that. A file is checked whole before anything is changed. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "hv/state_int.h"
#include "hv/ram.h"
#include "x86/model.h"

enum { VERSION = 1, HEADER_MAX = 64, JSON_MAX = 16 << 20, JSON_STYLE = JSON_INDENT(1) | JSON_SORT_KEYS };
#define MAGIC "VITRINE-STATE"
#define PAGES_END UINT64_MAX

static const char *const kind_names[ARRIVAL_KINDS] = {
	[ARRIVAL_SERIAL] = "serial", [ARRIVAL_KEYS] = "keys", [ARRIVAL_MOUSE] = "mouse", [ARRIVAL_NMI] = "nmi"
};

static bool fail(char *err, size_t errlen, const char *text)
{
	snprintf(err, errlen, "%s", text);
	return false;
}

/* A state file, and the hash of all bytes read or written so far. */
struct state_file {
	FILE *f;
	XXH3_state_t *hash;
};

/* ---- identity of the machine ---- */

/* Properties that are not state but must match: a machine keeps its own when it loads a state. */
static json_t *identity(const struct machine *m)
{
	bool icount = m->cfg.clock == CLOCK_ICOUNT;
	json_t *drives = json_array();

	for (unsigned i = 0; i < m->loader.drives.n; i++) {
		const struct drive *d = &m->loader.drives.d[i];

		json_array_append_new(drives, json_pack("{s:i, s:b, s:i, s:I}", "kind", (int)d->kind,
							"virtio", d->virtio, "unit", (int)d->unit, "bytes",
							(json_int_t)block_size(d->block)));
	}
	return json_pack(
	    "{s:I, s:s, s:i, s:s, s:o, s:I, s:s}", "memory", (json_int_t)m->memory, "clock",
	    icount ? "icount" : "host", "icount_ns", icount ? (int)m->board.clock.ns_per_insn : 0,
	    "cpu_model", m->cfg.cpu_model ? m->cfg.cpu_model : "host", "drives", drives, "bios_bytes",
	    (json_int_t)m->loader.bios.len, "balloon", balloon_device_name(m->board.balloon.device));
}

static bool same_machine(const struct machine *m, const json_t *saved, char *err, size_t errlen)
{
	json_t *own = identity(m), *v;
	const char *key;
	bool same = true;

	json_object_foreach(own, key, v)
	{
		const json_t *w = json_object_get(saved, key);
		char *a = w ? json_dumps(w, JSON_ENCODE_ANY) : xstrdup("nothing"),
		     *b = json_dumps(v, JSON_ENCODE_ANY);

		if (same && !(w && json_equal(v, w))) {
			snprintf(err, errlen, "saved by a machine with %s %s; this one has %s", key, a, b);
			same = false;
		}
		free(a);
		free(b);
	}
	json_decref(own);
	return same;
}

/* ---- saving ---- */

static bool all_zero(const uint8_t page[PAGE_SIZE])
{
	return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

static bool put(struct state_file *s, const void *p, size_t n)
{
	XXH3_64bits_update(s->hash, p, n);
	return fwrite(p, 1, n, s->f) == n;
}

static json_t *save_inbox(struct machine *m)
{
	json_t *list = json_array();

	pthread_mutex_lock(&m->inbox.lock);
	for (const struct arrival *a = m->inbox.head; a; a = a->next)
		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:o}", "kind", kind_names[a->kind],
						      "device", m->board.dev[a->slot]->name, "bytes",
						      (int)(a->len - a->taken), "data",
						      hex_save(a->data + a->taken, a->len - a->taken)));
	pthread_mutex_unlock(&m->inbox.lock);
	return list;
}

/* The pages in the guest's balloon, as runs: first page, length. */
static json_t *save_ballooned(struct machine *m)
{
	json_t *list = json_array();
	uint32_t n = 0;

	for (ppn p = 0; mm_next_ballooned(m->vm, p, &p, &n); p += n)
		json_array_append_new(list, json_pack("[i, i]", (int)p, (int)n));
	return list;
}

static json_t *save_parts(struct machine *m)
{
	json_t *top = json_object(), *devices = json_object();

	balloon_sync(&m->board);
	json_object_set_new(top, "machine", identity(m));
	for (unsigned i = 0; i < machine_parts(m); i++) {
		struct state_part p = state_part(m, i);

		json_object_set_new(top, p.name, part_save(&p, &m->board.clock));
	}
	for (unsigned i = 0; i < m->board.ndevs; i++) {
		struct state_part p = state_dev_part(m->board.dev[i]);

		json_object_set_new(devices, p.name, part_save(&p, &m->board.clock));
	}
	json_object_set_new(top, "devices", devices);
	json_object_set_new(top, "inbox", save_inbox(m));
	json_object_set_new(top, "ballooned", save_ballooned(m));
	return top;
}

static bool put_parts(struct state_file *s, struct machine *m)
{
	json_t *top = save_parts(m);
	char *text = json_dumps(top, JSON_STYLE), head[HEADER_MAX];
	bool ok;

	json_decref(top);
	if (!text)
		return false;
	snprintf(head, sizeof(head), "%s %d %zu\n", MAGIC, VERSION, strlen(text));
	ok = put(s, head, strlen(head)) && put(s, text, strlen(text));
	free(text);
	return ok;
}

static bool put_memory(struct state_file *s, struct machine *m)
{
	uint64_t end = PAGES_END;
	uint8_t page[PAGE_SIZE];

	for (gpa a = mm_next_populated(m->vm, 0); a != UINT64_MAX;
	     a = mm_next_populated(m->vm, a + PAGE_SIZE)) {
		if (!mm_phys_read(m->vm, a, page, sizeof(page)) || all_zero(page))
			continue;
		if (!put(s, &a, sizeof(a)) || !put(s, page, sizeof(page)))
			return false;
	}
	return put(s, &end, sizeof(end));
}

static bool put_all(struct state_file *s, struct machine *m)
{
	uint64_t sum;

	if (!put_parts(s, m) || !put_memory(s, m))
		return false;
	sum = XXH3_64bits_digest(s->hash);
	return fwrite(&sum, 1, sizeof(sum), s->f) == sizeof(sum);
}

static bool stopped(struct machine *m, char *err, size_t errlen)
{
	return machine_state(m) == MACHINE_STOPPED ||
	       fail(err, errlen, "the guest is not stopped, or has ended");
}

static bool open_file(struct state_file *s, const char *path, const char *mode, char *err, size_t errlen)
{
	s->f = fopen(path, mode);
	if (!s->f)
		return fail(err, errlen, strerror(errno));
	s->hash = XXH3_createState();
	if (!s->hash) {
		fclose(s->f);
		return fail(err, errlen, "out of memory");
	}
	XXH3_64bits_reset(s->hash);
	return true;
}

bool machine_save_state(struct machine *m, const char *path, char *err, size_t errlen)
{
	char *part =
	    xasprintf("%s.part", path); /* an earlier file of that name stays until this one is complete */
	struct state_file s;
	bool ok = stopped(m, err, errlen) && open_file(&s, part, "we", err, errlen);

	if (ok) {
		drives_drain(&m->loader.drives);
		board_flush(&m->board);
		ok = put_all(&s, m);
		XXH3_freeState(s.hash);
		ok = !fclose(s.f) && ok && !rename(part, path);
		if (!ok) {
			fail(err, errlen, strerror(errno));
			remove(part);
		}
	}
	free(part);
	return ok;
}

/* ---- reading and checking ---- */

static bool take(struct state_file *s, void *p, size_t n)
{
	if (fread(p, 1, n, s->f) != n)
		return false;
	XXH3_64bits_update(s->hash, p, n);
	return true;
}

static json_t *take_parts(struct state_file *s, char *err, size_t errlen)
{
	json_error_t why;
	json_t *top;
	char head[HEADER_MAX], *text;
	size_t len = 0;
	int version = 0;

	if (!fgets(head, sizeof(head), s->f) || sscanf(head, MAGIC " %d %zu", &version, &len) != 2) {
		fail(err, errlen, "not a saved state");
		return NULL;
	}
	if (version != VERSION || len > JSON_MAX) {
		snprintf(err, errlen, "version %d of the format; this program reads version %d", version,
			 VERSION);
		return NULL;
	}
	XXH3_64bits_update(s->hash, head, strlen(head));
	text = xmalloc(len + 1);
	top = take(s, text, len) ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &why) : NULL;
	free(text);
	if (!top)
		fail(err, errlen, "damaged or cut short");
	return top;
}

/* May the state with PARTS have a page at A? The VGA has memory where that state says, not where this machine
 * has it now. */
static bool may_have(const struct machine *m, const json_t *parts, gpa a)
{
	const json_t *vga = json_object_get(json_object_get(parts, "devices"), "vga");
	gpa frame = (gpa)json_integer_value(json_object_get(vga, "frame"));

	return mm_is_ram(m->vm, a, PAGE_SIZE) || (a >= 0xa0000 && a < 0xb0000) ||
	       (frame && a >= frame && a - frame < VGA_FRAME_SIZE);
}

/* Read all pages. The hash at the end tells whether the file is whole. */
static bool check_memory(struct state_file *s, const struct machine *m, const json_t *parts, char *err,
			 size_t errlen)
{
	uint64_t sum, want;
	uint8_t page[PAGE_SIZE];
	gpa a, from = 0; /* where the next page may be */

	while (take(s, &a, sizeof(a)) && a != PAGES_END) {
		if (a < from || (a & PAGE_MASK) || !may_have(m, parts, a) || !take(s, page, sizeof(page)))
			return fail(err, errlen, "damaged or cut short");
		from = a + PAGE_SIZE;
	}
	want = XXH3_64bits_digest(s->hash);
	if (a != PAGES_END || fread(&sum, 1, sizeof(sum), s->f) != sizeof(sum) || sum != want)
		return fail(err, errlen, "damaged or cut short");
	return true;
}

static bool check_cpu(struct machine *m, const json_t *j, char *err, size_t errlen)
{
	struct state_part p = state_part(m, PART_CPU);
	struct cpu *copy = aligned_alloc(_Alignof(struct cpu), sizeof(*copy));
	const char *why;

	if (!copy)
		return fail(err, errlen, "out of memory");
	*copy = m->v->cpu;
	p.obj = copy;
	part_load(&p, j);
	why = cpu_refused(&m->v->plat, copy);
	free(copy);
	if (!why)
		return true;
	snprintf(err, errlen, "cpu: impossible state: %s", why);
	return false;
}

static int slot_named(const struct machine *m, const char *name)
{
	for (unsigned i = 0; i < m->board.ndevs; i++)
		if (name && !strcmp(m->board.dev[i]->name, name))
			return (int)i;
	return -1;
}

static int kind_named(const char *name)
{
	for (int i = 0; i < ARRIVAL_KINDS; i++)
		if (name && !strcmp(kind_names[i], name))
			return i;
	return -1;
}

static bool check_inbox(const struct machine *m, const json_t *list)
{
	size_t i;
	json_t *a;

	json_array_foreach(list, i, a)
	{
		int slot = slot_named(m, json_string_value(json_object_get(a, "device")));
		json_int_t n = json_integer_value(json_object_get(a, "bytes"));

		if (slot < 0 || !m->board.dev[slot]->cls->accept || n < 1 || n > JSON_MAX ||
		    kind_named(json_string_value(json_object_get(a, "kind"))) < 0 ||
		    !hex_load(json_object_get(a, "data"), NULL, (size_t)n))
			return false;
	}
	return json_is_array(list);
}

/* Element I of a run, -1: none. */
static json_int_t run_part(const json_t *run, size_t i)
{
	const json_t *v = json_array_get(run, i);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

static bool check_ballooned(const struct machine *m, const json_t *list)
{
	json_int_t from = 0;
	size_t i;
	json_t *run;

	json_array_foreach(list, i, run)
	{
		json_int_t first = run_part(run, 0), n = run_part(run, 1);

		if (first < from || first > UINT32_MAX || n < 1 || n > UINT32_MAX ||
		    ((uint64_t)first + (uint64_t)n) << PAGE_SHIFT > ram_end(m->memory))
			return false;
		from = first + n;
	}
	return json_is_array(list);
}

static bool check_parts(struct machine *m, const json_t *top, char *err, size_t errlen)
{
	const json_t *devices = json_object_get(top, "devices");

	if (!same_machine(m, json_object_get(top, "machine"), err, errlen))
		return false;
	for (unsigned i = 0; i < machine_parts(m); i++) {
		struct state_part p = state_part(m, i);

		if (!part_check(&p, json_object_get(top, p.name), err, errlen))
			return false;
	}
	for (unsigned i = 0; i < m->board.ndevs; i++) {
		struct state_part p = state_dev_part(m->board.dev[i]);

		if (!part_check(&p, json_object_get(devices, p.name), err, errlen))
			return false;
	}
	if (json_object_size(devices) != m->board.ndevs)
		return fail(err, errlen, "has devices that this machine does not");
	if (!check_inbox(m, json_object_get(top, "inbox")))
		return fail(err, errlen, "inbox: impossible value");
	if (!check_ballooned(m, json_object_get(top, "ballooned")))
		return fail(err, errlen, "ballooned: impossible value");
	return check_cpu(m, json_object_get(top, "cpu"), err, errlen);
}

/* ---- loading ---- */

static void load_inbox(struct machine *m, const json_t *list)
{
	size_t i;
	json_t *a;

	inbox_clear(&m->inbox);
	json_array_foreach(list, i, a)
	{
		size_t n = (size_t)json_integer_value(json_object_get(a, "bytes"));
		uint8_t *data = xmalloc(n);

		hex_load(json_object_get(a, "data"), data, n);
		inbox_post(
		    &m->inbox, (enum arrival_kind)kind_named(json_string_value(json_object_get(a, "kind"))),
		    (enum board_slot)slot_named(m, json_string_value(json_object_get(a, "device"))), data, n);
		free(data);
	}
}

static void load_parts(struct machine *m, const json_t *top)
{
	const json_t *devices = json_object_get(top, "devices");
	struct timer_set timers = { .n = 0 };

	for (unsigned i = 0; i < machine_parts(m); i++) {
		struct state_part p = state_part(m, i);

		part_load(&p, json_object_get(top, p.name));
	}
	for (unsigned i = 0; i < m->board.ndevs; i++) {
		struct state_part p = state_dev_part(m->board.dev[i]);
		const json_t *j = json_object_get(devices, p.name);

		part_load(&p, j);
		part_timers(&p, j, &m->board.clock, &timers);
	}
	for (unsigned i = 0; i < m->board.ndevs; i++)
		if (m->board.dev[i]->cls->loaded)
			m->board.dev[i]->cls->loaded(m->board.dev[i]);
	timers_arm(&timers, &m->board.clock);
	load_inbox(m, json_object_get(top, "inbox"));
}

/* Make page A hold WANT. A page with the right content is not written: it may be unpopulated. */
static bool load_page(struct machine *m, gpa a, const uint8_t want[PAGE_SIZE])
{
	uint8_t now[PAGE_SIZE];

	return mm_phys_read(m->vm, a, now, PAGE_SIZE) &&
	       (!memcmp(now, want, PAGE_SIZE) || mm_phys_write(m->vm, a, want, PAGE_SIZE));
}

/* Load the pages of the file, and clear the others that are populated. */
static bool load_memory(struct state_file *s, struct machine *m)
{
	static const uint8_t zero[PAGE_SIZE];
	gpa next, old = mm_next_populated(m->vm, 0);
	uint8_t page[PAGE_SIZE];

	if (!take(s, &next, sizeof(next)))
		return false;
	while (next != PAGES_END || old != UINT64_MAX) {
		gpa a = next < old ? next : old;

		if (a == next) {
			if (!take(s, page, sizeof(page)) || !load_page(m, a, page) ||
			    !take(s, &next, sizeof(next)))
				return false;
		} else if (mm_is_ram(m->vm, a, PAGE_SIZE) && !load_page(m, a, zero)) {
			return false;
		}
		if (a == old)
			old = mm_next_populated(m->vm, a + PAGE_SIZE);
	}
	return true;
}

/* Behind their content, which is none. ROM that a guest made of a page in its balloon is left out. */
static void load_ballooned(struct machine *m, const json_t *list)
{
	size_t i;
	json_t *run;

	json_array_foreach(list, i, run)
	{
		ppn first = (ppn)run_part(run, 0);

		for (json_int_t k = 0; k < run_part(run, 1); k++)
			mm_balloon_pages(m->vm, first + (uint64_t)k, 1);
	}
}

/* Drop or recompute state that is derived from registers and memory: translations, windows, PAE directory
 * pointers. */
static void derive(struct machine *m)
{
	struct cpu *c = &m->v->cpu;

	m->v->ops->state_changed(m->v);
	if (m->v->mmu && !m->v->nonroot && (c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE))
		mmu_load_pdptrs(m->v->mmu, c->cr3);
	c->exc = (struct exc){ 0 };
}

static bool load_all(struct state_file *s, struct machine *m, const json_t *top, char *err, size_t errlen)
{
	long pages = ftell(s->f);

	if (pages < 0)
		return fail(err, errlen, strerror(errno));
	if (!check_memory(s, m, top, err, errlen))
		return false;
	if (fseek(s->f, pages, SEEK_SET))
		return fail(err, errlen, strerror(errno));
	drives_drain(&m->loader.drives);
	board_flush(&m->board);
	load_parts(m, top);
	balloon_loaded(&m->board);
	if (!load_memory(s, m))
		return fail(err, errlen, "memory could not be restored whole; reset the machine");
	load_ballooned(m, json_object_get(top, "ballooned"));
	derive(m);
	machine_memory_changed(m);
	return true;
}

bool machine_load_state(struct machine *m, const char *path, char *err, size_t errlen)
{
	struct state_file s;
	json_t *top;
	bool ok;

	if (!stopped(m, err, errlen) || !open_file(&s, path, "re", err, errlen))
		return false;
	top = take_parts(&s, err, errlen);
	ok = top && check_parts(m, top, err, errlen) && load_all(&s, m, top, err, errlen);
	json_decref(top);
	XXH3_freeState(s.hash);
	fclose(s.f);
	return ok;
}
