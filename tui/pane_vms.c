/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMs of a pool, one in a row: what its memory is as a bar of the memory configured, the policy's target
 * marked on it, figures in esxtop's words, and how one of them has gone on. */
#include "tui/columns.h"
#include "tui/panes.h"
#include "tui/rates.h"
#include "tui/tui_int.h"

#include <string.h>

enum { MAX_VMS = 64, BAR_LEAST = 24, BAR_W = 60, TREND_LEAST = 8, TREND_W = 40 };

/* The columns of "info memory" that are shown as figures; those left out first come last. */
static const struct figure {
	const char *name, *title;
} figures[] = {
	{ "memsz", "MEMSZ" }, { "grant", "GRANT" },   { "sztgt", "SZTGT" }, { "tchd", "TCHD" },
	{ "shrd", "SHRD" },   { "mctlsz", "MCTLSZ" }, { "swcur", "SWCUR" },
};
enum { FIGURES = ARRAY_LEN(figures) };
enum { MEMSZ, GRANT, SZTGT, TCHD, SHRD, MCTLSZ, SWCUR };

/* What the trend can be of; the key t goes round. */
static const int trends[] = { GRANT, TCHD, SHRD, MCTLSZ, SWCUR };

struct vm_row {
	char name[32];
	double mib[FIGURES];
	bool known[FIGURES];
	bool waits; /* it is blocked until there is memory */
};

struct vms {
	struct vm_row vm[MAX_VMS];
	int n, left_out;
	const char *error;
	struct list list;
	unsigned trend;
	struct rates history; /* by VM and figure */
};

static void init(struct pane *p)
{
	rates_init(&((struct vms *)p->state)->history);
}

static void fini(struct pane *p)
{
	rates_fini(&((struct vms *)p->state)->history);
}

static bool live(const struct pane *p, const struct tui *t)
{
	(void)p;
	return inspect_view_is_live(t->s, "memory");
}

/* The pool has a row, too, which is shown by another pane. */
static bool is_pool(const char *name)
{
	return name[0] == '(';
}

static void take_row(struct vm_row *vm, const struct table *k, size_t row)
{
	snprintf(vm->name, sizeof(vm->name), "%s", cell_str(k, row, "name"));
	vm->waits = !strcmp(cell_str(k, row, "state"), "blocked");
	for (int i = 0; i < FIGURES; i++) {
		const struct value *v = cell(k, row, figures[i].name);

		vm->known[i] = v && v->type == VAL_REAL;
		vm->mib[i] = vm->known[i] ? v->d : 0;
	}
}

static void note_history(struct vms *m)
{
	char name[RATES_NAME];

	for (int i = 0; i < m->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(trends); k++) {
			snprintf(name, sizeof(name), "%.30s %d", m->vm[i].name, trends[k]);
			rates_put(&m->history, name, m->vm[i].mib[trends[k]]);
		}
}

static void update(struct pane *p, struct tui *t)
{
	struct vms *m = p->state;
	const struct table *k = query(t, &m->error, "info memory");
	double seconds;

	m->n = 0;
	for (size_t r = 0; k && r < k->nrows && m->n < MAX_VMS; r++)
		if (!is_pool(cell_str(k, r, "name")))
			take_row(&m->vm[m->n++], k, r);
	if (rates_sample(&m->history, tui_clock(), inspect_running(t->s) || t->refresh.held, &seconds))
		note_history(m);
	list_fit(&m->list, m->n, p->area.h - 1);
}

/* ---- drawing ---- */

/* The parts of a bar from the left. */
static const struct part {
	const char *name;
	uint32_t ch;
	enum style style;
} parts[] = {
	{ "active", 0x2588, ST_HEAT5 },	   { "granted", 0x2593, ST_INTC },  { "shared", 0x2592, ST_WINDOW },
	{ "ballooned", 0x25cb, ST_CHAIN }, { "swapped", 0x00d7, ST_POINT }, { "none", 0x00b7, ST_ZERO },
};

static void draw_memory(const struct vm_row *vm, const struct area *a, int x, int y, int w, enum style sel)
{
	double own = vm->mib[GRANT] - vm->mib[SHRD], active = vm->mib[TCHD] < own ? vm->mib[TCHD] : own;
	double ends[] = { active, own, vm->mib[GRANT], vm->mib[GRANT] + vm->mib[MCTLSZ],
			  vm->mib[GRANT] + vm->mib[MCTLSZ] + vm->mib[SWCUR] };
	double size = vm->mib[MEMSZ] > 0 ? vm->mib[MEMSZ] : 1;

	for (int i = 0; i < w; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(ends) && (i + 0.5) * size / w >= ends[k])
			k++;
		area_char(a, x + i, y, sel ? sel : parts[k].style, parts[k].ch);
	}
	if (vm->known[SZTGT]) {
		int at = (int)(vm->mib[SZTGT] / size * w);

		area_char(a, x + (at < w ? at : w - 1), y, sel ? sel : ST_CHANGED, 0x2502);
	}
}

/* Columns: the name, the bar, the figures, the trend. */
enum { NAME, BAR, FIRST, TREND = FIRST + FIGURES, COLUMNS };

static int plan(const struct vms *m, struct column *c, int room)
{
	int name = 4;

	for (int i = 0; i < m->n; i++)
		name = (int)strlen(m->vm[i].name) > name ? (int)strlen(m->vm[i].name) : name;
	c[NAME] = (struct column){ .need = name, .least = name < 16 ? name : 16, .keep = true };
	c[BAR] = (struct column){ .need = BAR_W, .least = BAR_LEAST, .keep = true };
	for (int i = 0; i < FIGURES; i++)
		c[FIRST + i] =
		    (struct column){ .need = 6, .least = 6, .rank = FIGURES - i, .keep = i == GRANT };
	c[TREND] = (struct column){ .need = TREND_W, .least = TREND_LEAST, .rank = FIGURES - SZTGT };
	return columns_fit(c, COLUMNS, room);
}

static void draw_history(const struct vms *m, const struct vm_row *vm, const struct area *a, int x, int y,
			 int w, enum style sel)
{
	char name[RATES_NAME];

	snprintf(name, sizeof(name), "%.30s %d", vm->name, trends[m->trend]);
	rates_draw(rates_find(&m->history, name), a, x, y, w, sel ? sel : ST_SPARK);
}

static void draw_vm(const struct vms *m, const struct vm_row *vm, const struct column *c,
		    const struct area *a, int y, enum style sel)
{
	char buf[16];
	int x = 0;

	if (sel)
		area_fill(a, 0, y, a->w, sel, ' ');
	for (int i = 0; i < COLUMNS; i++) {
		int f = i - FIRST;

		if (!c[i].w)
			continue;
		if (i == NAME) {
			area_field(a, x, y, c[i].w, sel ? sel : vm->waits ? ST_POINT : ST_NAME, vm->name);
		} else if (i == BAR) {
			draw_memory(vm, a, x, y, c[i].w, sel);
		} else if (i == TREND) {
			draw_history(m, vm, a, x, y, c[i].w, sel);
		} else if (vm->known[f]) {
			snprintf(buf, sizeof(buf), vm->mib[f] < 9.95 && vm->mib[f] > 0 ? "%.1f" : "%.0f",
				 vm->mib[f]);
			area_right(a, x, y, c[i].w, sel ? sel : vm->mib[f] > 0 ? ST_VALUE : ST_ZERO, buf);
		}
		x += c[i].w + COLUMN_GAP;
	}
}

/* The titles; over the bar, what its colours mean. */
static void draw_titles(const struct vms *m, const struct column *c, const struct area *a)
{
	int x = 0;

	for (int i = 0; i < COLUMNS; i++) {
		if (!c[i].w)
			continue;
		if (i == NAME)
			area_field(a, x, 0, c[i].w, ST_COLUMN, "VM");
		else if (i == TREND)
			area_printf(a, x, 0, ST_COLUMN, "t: %.*s", c[i].w - 3,
				    figures[trends[m->trend]].title);
		else if (i != BAR)
			area_right(a, x, 0, c[i].w, ST_COLUMN, figures[i - FIRST].title);
		for (int k = 0, at = x; i == BAR && k < (int)ARRAY_LEN(parts); k++) {
			if (at + (int)strlen(parts[k].name) > x + c[i].w)
				break;
			at = area_put(a, at, 0, parts[k].style, parts[k].name) + 1;
		}
		x += c[i].w + COLUMN_GAP;
	}
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct vms *m = p->state;
	struct column c[COLUMNS];

	if (!m->n) {
		area_wrap(a, 0, ST_DIM, m->error ? query_reason(m->error) : "no VM");
		return;
	}
	m->left_out = plan(m, c, a->w);
	draw_titles(m, c, a);
	list_fit(&m->list, m->n, a->h - 1);
	for (int i = 0; i < m->list.view && m->list.top + i < m->n; i++)
		draw_vm(m, &m->vm[m->list.top + i], c, a, i + 1,
			m->list.top + i == m->list.at && m->n > 1 && screen_focus(t) == p ? ST_SELECT
											  : ST_NORMAL);
}

static int need(const struct pane *p, const struct tui *t)
{
	const struct vms *m = p->state;

	(void)t;
	return m->n ? m->n + 1 : 1;
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	const struct vms *m = p->state;
	size_t n;

	(void)t;
	buf[0] = 0;
	if (!m->n)
		return;
	n = (size_t)snprintf(buf, len, "MiB, %s: target", "│");
	if (m->left_out && n < len)
		snprintf(buf + n, len - n, ", +%d column%s", m->left_out, m->left_out == 1 ? "" : "s");
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct vms *m = p->state;

	(void)t;
	if (k != 't')
		return list_key(&m->list, k);
	m->trend = (m->trend + 1) % ARRAY_LEN(trends);
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	(void)t;
	list_mouse(&((struct vms *)p->state)->list, e, 1);
}

static const struct pane_key keys[] = {
	{ 't', "t", "show the history of the next figure" },
	{ 0 },
};

const struct pane_class pane_vms = {
	.name = "vms",
	.title = "VMs",
	.help = "the memory of each VM: a bar of what is configured, the policy's target, figures, history",
	.size = sizeof(struct vms),
	.keys = keys,
	.init = init,
	.fini = fini,
	.live = live,
	.update = update,
	.draw = draw,
	.need = need,
	.heading = heading,
	.key = key,
	.mouse = mouse,
};
