/* SPDX-License-Identifier: GPL-3.0-or-later
 * The list of record types besides views; each is declared where its records are made. */
#include "inspect/tables_int.h"

#include <string.h>

static const struct record_doc history_record = { .commands = "ccf-history", .view = "history" };
static const struct record_doc savings_record = { .commands = "ccf-savings", .view = "savings" };
static const struct record_doc patches_record = { .commands = "patches", .view = "patches" };

const struct record_doc *const record_docs[] = {
	&stop_record,	  &point_record,  &trace_record,      &display_record, &data_record,
	&pointer_record,  &string_record, &insn_record,	      &print_record,   &walk_record,
	&page_record,	  &info_record,	  &register_record,   &ccf_record,     &ccf_code_record,
	&patch_record,	  &frame_record,  &list_record,	      &profile_record, &find_record,
	&sum_record,	  &port_record,	  &screendump_record, &loaded_record,  &log_record,
	&hash_record,	  &swap_record,	  &share_record,      &balloon_record, &books_record,
	&virt_record,	  &help_record,	  &help_group_record, &peer_record,    &hexdump_record,
	&help_one_record, &fields_record, &history_record,    &savings_record, &patches_record,
	&tasks_record,	  &vmas_record,	  &dmesg_record,      &modules_record, NULL,
};

bool record_doc_is_of(const struct record_doc *doc, const struct command *c)
{
	size_t n = strlen(c->name);

	for (const char *p = doc->commands; p; p = strchr(p, ' ')) {
		p += strspn(p, " ");
		if (!strncmp(p, c->name, n) && (!p[n] || p[n] == ' '))
			return true;
	}
	return false;
}

const struct record_doc *record_doc_at(const struct inspect *s, unsigned i)
{
	unsigned n = ARRAY_LEN(record_docs) - 1;

	if (i < n)
		return record_docs[i];
	for (unsigned k = 0; k < s->naddons; k++)
		for (const struct record_doc *const *d = s->addons[k]->records; d && *d; d++)
			if (i == n++)
				return *d;
	return NULL;
}
