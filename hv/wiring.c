/* SPDX-License-Identifier: GPL-3.0-or-later
 * Requests of devices to the board (hv/board.h): interrupt lines, power-off and reset, A20, the debug
 * console. GPR-only code (base/gpr.h). */
#include "base/log.h"
#include "hv/board.h"
#include "mm/pages.h"

/* Have the engine look at its pins soon. */
static void kick(struct vcpu *v)
{
	struct vector_state s;

	vectors_away(&s);
	v->ops->kick(v);
	vectors_back(&s);
}

static struct dev *lapic(const struct board *b)
{
	return b->dev[SLOT_lapic];
}

static struct dev *ioapic(const struct board *b)
{
	return b->dev[SLOT_ioapic];
}

const char *const apic_mode_names[8] = {
	[APIC_FIXED] = "fixed",	    [APIC_LOWEST] = "lowest", [APIC_SMI] = "SMI",
	[3] = "reserved",	    [APIC_NMI] = "NMI",	      [APIC_INIT] = "INIT",
	[APIC_STARTUP] = "startup", [APIC_EXTINT] = "ExtINT",
};

/* ---- lines ---- */

static void line_changed(struct board *b, unsigned line, bool level)
{
	b->lines ^= 1u << line;
	if (level) {
		b->irq_raised[line]++;
		LOG(irq, "line %u raised", line);
	}
	if (line < ISA_LINES)
		pic_set(b->dev[SLOT_pic], line, level);
	if (b->apic.present)
		ioapic_set(ioapic(b), board_irq_pin(line), level);
}

/* Levels by what the sources drive. */
static uint32_t levels(const struct board *b)
{
	uint32_t all = 0;

	for (unsigned i = 0; i < IRQ_SOURCES; i++)
		all |= b->driven[i] & ~(i == IRQ_ISA && b->legacy_off ? 1u << 0 | 1u << 8 : 0);
	return all;
}

void board_irq_from(struct board *b, enum irq_source source, unsigned line, bool level)
{
	uint32_t bit = 1u << line, all;

	if (level)
		b->driven[source] |= bit;
	else
		b->driven[source] &= ~bit;
	all = levels(b);
	if ((all ^ b->lines) & bit)
		line_changed(b, line, all & bit);
}

void board_irq(struct board *b, unsigned line, bool level)
{
	if (level != (b->driven[IRQ_ISA] >> line & 1))
		board_irq_from(b, IRQ_ISA, line, level);
}

void board_irq_legacy_off(struct board *b, bool off)
{
	b->legacy_off = off;
	for (unsigned line = 0; line <= 8; line += 8)
		if ((levels(b) ^ b->lines) >> line & 1)
			line_changed(b, line, levels(b) >> line & 1);
}

void board_irq_taken(struct board *b, unsigned line)
{
	if (line < IRQ_LINES)
		b->irq_acked[line]++;
}

/* ---- messages and NMI ---- */

/* SDM vol. 3A 11.11: address bits 19 to 12 are the destination, bit 2 says that it is logical. */
bool board_msi(struct board *b, gpa a, uint32_t data)
{
	struct apic_message m = {
		.dest = a >> 12 & 0xff,
		.logical = a & 4,
		.level = data >> 15 & 1,
		.mode = data >> 8 & 7,
		.vector = (uint8_t)data,
		.from = FROM_MSI,
	};

	b->msis++;
	if (b->apic.present && a >= MSI_FIRST && a <= MSI_LAST && lapic_deliver(lapic(b), &m))
		return true;
	b->msis_dropped++;
	LOG(irq, "message %#x to %#llx: nobody takes it", data, (unsigned long long)a);
	return false;
}

void board_cpu_nmi(struct board *b)
{
	b->nmis_taken++;
	LOG(irq, "NMI");
	if (!b->v)
		return;
	b->v->cpu.nmi_pending = 1;
	kick(b->v);
}

/* An edge of pin LINT1, which is the processor's NMI pin while there is no APIC in between. */
void board_nmi(struct board *b)
{
	b->nmis++;
	if (!lapic_enabled(lapic(b))) {
		board_cpu_nmi(b);
		return;
	}
	lapic_lint(lapic(b), 1, true);
	lapic_lint(lapic(b), 1, false);
}

/* ---- the processor's INTR pin ---- */

static void set_intr(struct board *b)
{
	b->intr = b->apic_intr || (b->pic_intr && b->extint);
}

void board_intr(struct board *b, bool level)
{
	if (level == b->pic_intr)
		return;
	b->pic_intr = level;
	if (b->apic.present) {
		lapic_lint(lapic(b), 0, level);
		ioapic_set(ioapic(b), 0, level);
	}
	set_intr(b);
}

void board_apic_intr(struct board *b, bool level)
{
	b->apic_intr = level;
	set_intr(b);
}

void board_extint_changed(struct board *b)
{
	b->extint = lapic_extint(lapic(b)) || ioapic_extint(ioapic(b));
	set_intr(b);
}

int board_irq_ack(struct board *b)
{
	int v = b->apic_intr ? lapic_ack(lapic(b)) : -1;

	if (v >= 0 || !b->extint)
		return v;
	return pic_ack(b->dev[SLOT_pic]);
}

/* ---- requests of devices ---- */

static void stop(struct vcpu *v)
{
	struct vector_state s;

	vectors_away(&s);
	v->ops->request_stop(v);
	vectors_back(&s);
}

void board_event(struct board *b, enum board_event ev)
{
	if (b->event == EVENT_NONE)
		b->event = ev;
	if (b->v)
		stop(b->v);
}

void board_exit(struct board *b, uint32_t val)
{
	if (b->event == EVENT_NONE)
		b->exit_code = (int)(val << 1 | 1);
	board_event(b, EVENT_EXIT);
}

void board_a20(struct board *b, bool on)
{
	uint32_t mask = on ? 0xffffffffu : 0xffefffffu;

	if (b->v && b->v->cpu.a20_mask != mask) {
		LOG(dev, "A20 %s", on ? "on" : "off");
		b->v->cpu.a20_mask = mask;
		if (b->v->mmu)
			mmu_flush(b->v->mmu, true);
	}
	b->a20 = on;
}

bool board_dma_read(struct board *b, gpa a, void *buf, uint64_t n)
{
	mm_dma_touched(b->vm, a, n);
	return mm_phys_read(b->vm, a, buf, n);
}

bool board_dma_write(struct board *b, gpa a, const void *buf, uint64_t n)
{
	const uint8_t *from = buf;
	bool ok = mm_is_ram(b->vm, a, n);

	mm_dma_touched(b->vm, a, n);
	for (uint64_t part; ok && n; a += part, from += part, n -= part) {
		part = PAGE_SIZE - (a & PAGE_MASK);
		part = part < n ? part : n;
		ok = mm_is_rom(b->vm, a) || mm_dma_write(b->vm, a, from, part);
	}
	return ok;
}

void board_hit(struct board *b, const struct machine_hit *hit)
{
	if (b->hit.kind)
		return;
	b->hit = *hit;
	if (b->v)
		stop(b->v);
}

static void log_line(struct board *b)
{
	if (b->line_len)
		LOG(guest, "%.*s", (int)b->line_len, b->line);
	b->line_len = 0;
}

void board_debug_byte(struct board *b, uint8_t c)
{
	b->debug.buf[b->debug.total++ % BOARD_RING] = c;
	if (c == '\n') {
		log_line(b);
		return;
	}
	if (b->line_len == sizeof(b->line))
		log_line(b);
	if (c != '\r')
		b->line[b->line_len++] = (char)c;
}
