/* SPDX-License-Identifier: GPL-3.0-or-later
 * Tasks, a log and modules in the memory of a make-believe Linux guest. */
#ifndef TESTS_INSPECT_LX_STRUCTURES_H
#define TESTS_INSPECT_LX_STRUCTURES_H
#include "inspect/linux/tasks.h"
#include "tests/inspect/lx_image.h"

enum { IMAGE_TASKS = 9, IMAGE_USER = 20, IMAGE_STRUCTURES_END = IMAGE_FREE + 0x40000 };

/* What was found of them. */
struct image_seen {
	const char *why[4]; /* of tasks, log, modules, memory areas; NULL: complete */
	unsigned tasks;
	struct lx_task user, current;
	char texts[400], modules[400], areas[400], place[100];
	unsigned level; /* of the last record */
	uint64_t time;
};

/* Add them to IM, from IMAGE_FREE on. IMAGE_TASKS tasks, threads included; number IMAGE_USER is "program",
 * whose parent is number 1. */
void image_structures(struct image *im);
#endif
