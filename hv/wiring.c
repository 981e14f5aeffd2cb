/* SPDX-License-Identifier: GPL-3.0-or-later
 * Requests of devices to the board (hv/board.h): interrupt lines, power-off and reset, A20, the debug
 * console. GPR-only code (base/gpr.h). */
#include "base/log.h"
#include "hv/board.h"

/* Have the engine look at its pins soon. */
static void kick(struct vcpu *v)
{
	struct vector_state s;

	vectors_away(&s);
	v->ops->kick(v);
	vectors_back(&s);
}

static void line_changed(struct board *b, unsigned line, bool level)
{
	b->lines ^= (uint16_t)(1u << line);
	if (level) {
		b->irq_raised[line]++;
		LOG(irq, "line %u raised", line);
	}
	pic_set(b->dev[SLOT_pic], line, level);
}

void board_irq_from(struct board *b, enum irq_source source, unsigned line, bool level)
{
	uint16_t bit = (uint16_t)(1u << line), all = 0;

	if (level)
		b->driven[source] |= bit;
	else
		b->driven[source] &= (uint16_t)~bit;
	for (unsigned i = 0; i < IRQ_SOURCES; i++)
		all |= b->driven[i];
	if ((all ^ b->lines) & bit)
		line_changed(b, line, all & bit);
}

void board_irq(struct board *b, unsigned line, bool level)
{
	if (level != !!(b->driven[IRQ_ISA] & 1u << line))
		board_irq_from(b, IRQ_ISA, line, level);
}

bool board_msi(struct board *b, gpa a, uint32_t data)
{
	b->msis++;
	b->msis_dropped++;
	LOG(irq, "message %#x to %#llx: no controller", data, (unsigned long long)a);
	return false;
}

void board_nmi(struct board *b)
{
	b->nmis++;
	LOG(irq, "NMI");
	if (!b->v)
		return;
	b->v->cpu.nmi_pending = 1;
	kick(b->v);
}

void board_intr(struct board *b, bool level)
{
	b->intr = level;
}

int board_irq_ack(struct board *b)
{
	return pic_ack(b->dev[SLOT_pic]);
}

void board_irq_taken(struct board *b, unsigned line)
{
	b->irq_acked[line]++;
}

unsigned board_irq_vector(const struct board *b, unsigned line)
{
	return pic_vector(b->dev[SLOT_pic], line);
}

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
	return mm_phys_read(b->vm, a, buf, n);
}

bool board_dma_write(struct board *b, gpa a, const void *buf, uint64_t n)
{
	const uint8_t *from = buf;
	bool ok = mm_is_ram(b->vm, a, n);

	for (uint64_t part; ok && n; a += part, from += part, n -= part) {
		part = PAGE_SIZE - (a & PAGE_MASK);
		part = part < n ? part : n;
		ok = mm_is_rom(b->vm, a) || mm_phys_write(b->vm, a, from, part);
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
