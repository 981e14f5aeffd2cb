/* SPDX-License-Identifier: GPL-3.0-or-later
 * See engine.h. */
#include "inspect/engine.h"
#include "cpu/virt.h"
#include "inspect/session_int.h"

#include <stddef.h>

static bool has_watch(const struct vcpu *v)
{
	return v->ops->watch_insert && v->ops->watch_remove;
}

static bool has_break_physical(const struct vcpu *v)
{
	return v->ops->bp_physical;
}

static bool has_events(const struct vcpu *v)
{
	return v->ops->event_set;
}

static bool has_mmu(const struct vcpu *v)
{
	return v->mmu;
}

static bool has_virt(const struct vcpu *v)
{
	return v->virt && v->virt->controls;
}

/* A table of the translator, by its place in struct engine_translator. */
static bool has_table(const struct vcpu *v, size_t offset)
{
	const char *t = (const char *)v->ops->translator;

	return t && *(const void *const *)(t + offset);
}

#define TABLE(member) NULL, offsetof(struct engine_translator, member)
/* Columns: the test for it; or its table; the text if it is missing. */
static const struct part {
	bool (*has)(const struct vcpu *v);
	size_t table;
	const char *lacks;
} parts[PARTS] = {
	[PART_WATCH] = { has_watch, 0, "this engine has no watchpoints" },
	[PART_BREAK_PHYSICAL] = { has_break_physical, 0,
				  "this engine has no breakpoints at physical addresses" },
	[PART_EVENTS] = { has_events, 0, "this engine does not stop at events" },
	[PART_MMU] = { has_mmu, 0, "this engine does not show its address translation" },
	[PART_FRAGMENTS] = { TABLE(fragments), "this engine has no translation cache" },
	[PART_PINS] = { TABLE(pins), "this engine has no fragments to pin" },
	[PART_COUNTING] = { TABLE(counting), "this engine has no fragments to count" },
	[PART_POLICY] = { TABLE(policy), "this engine has no choice of ways for sensitive instructions" },
	[PART_ADAPTATION] = { TABLE(adaptation), "this engine does not adapt translations" },
	[PART_PATCHES] = { TABLE(patches), "this engine has no patches of translated code" },
	[PART_PROBES] = { TABLE(probes), "this engine has no probes" },
	[PART_VIRT] = { has_virt, 0, "no VMX or SVM in this processor (--cpu MODEL,+vmx or +svm)" },
};

bool engine_has(const struct inspect *s, enum engine_part part)
{
	const struct vcpu *v = s->m ? machine_vcpu(s->m) : NULL;

	if (!v || part == PART_NONE)
		return true;
	return parts[part].has ? parts[part].has(v) : has_table(v, parts[part].table);
}

const char *engine_lacks(enum engine_part part)
{
	return parts[part].lacks;
}

const struct engine_translator *session_translator(const struct inspect *s)
{
	return s->m ? machine_vcpu(s->m)->ops->translator : NULL;
}

const struct engine_virt *session_virt(const struct inspect *s)
{
	const struct vcpu *v = s->m ? machine_vcpu(s->m) : NULL;

	return v && has_virt(v) ? v->virt->controls : NULL;
}
