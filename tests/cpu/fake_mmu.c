/* SPDX-License-Identifier: GPL-3.0-or-later
 * Implementation of the flat mmu for tests (fake_mmu.h). */
#include "tests/cpu/fake_mmu.h"

#include <stdlib.h>
#include <string.h>

#include "mm/long.h"

struct mmu *fake_mmu_new(struct cpu *cpu)
{
	struct mmu *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->cpu = cpu;
	m->absent_from = FAKE_RAM;
	m->ram = calloc(1, FAKE_RAM);
	if (!m->ram)
		abort();
	return m;
}

void fake_mmu_free(struct mmu *m)
{
	if (m)
		free(m->ram);
	free(m);
}

static int page_fault(struct mmu *m, uint32_t lin, unsigned how, unsigned present)
{
	uint32_t err = present | (how & MM_WRITE ? 2 : 0) | (how & MM_USER ? 4 : 0);

	m->cpu->exc = (struct exc){ .vector = EXC_PF, .has_err = true, .err = err, .cr2 = lin };
	return -1;
}

static int check(struct mmu *m, gva lin, unsigned n, unsigned how)
{
	uint32_t a = (uint32_t)lin;

	if ((uint64_t)a + n > m->absent_from)
		return page_fault(m, a < m->absent_from ? m->absent_from : a, how, 0);
	if ((how & MM_USER) && a < m->user_from)
		return page_fault(m, a, how, 1);
	return 0;
}

int mmu_check_write(struct mmu *m, gva lin, unsigned n, unsigned how)
{
	return check(m, lin, n, how | MM_WRITE);
}

int mmu_read(struct mmu *m, gva lin, void *buf, unsigned n, unsigned how)
{
	m->reads++;
	if (check(m, lin, n, how))
		return -1;
	memcpy(buf, m->ram + (uint32_t)lin, n);
	return 0;
}

int mmu_write(struct mmu *m, gva lin, const void *buf, unsigned n, unsigned how)
{
	m->writes++;
	if (check(m, lin, n, how | MM_WRITE))
		return -1;
	memcpy(m->ram + (uint32_t)lin, buf, n);
	return 0;
}

void mmu_invlpg(struct mmu *m, gva lin)
{
	(void)lin;
	m->invlpgs++;
}

void mmu_flush(struct mmu *m, bool global)
{
	m->flushes++;
	m->global_flushes += global;
}

void mmu_switch(struct mmu *m, bool keep)
{
	m->switches++;
	m->kept += keep;
}

void mmu_invpcid(struct mmu *m, enum mmu_invpcid what, unsigned pcid, gva lin)
{
	(void)pcid, (void)lin;
	m->invpcids[what]++;
}

void mmu_wp_changed(struct mmu *m)
{
	m->wp_changes++;
}

int mmu_load_pdptrs(struct mmu *m, uint32_t cr3)
{
	m->pdptr_loads++;
	m->pdptr_cr3 = cr3;
	return m->pdptr_bad ? cpu_raise_err(m->cpu, EXC_GP, 0) : 0;
}
