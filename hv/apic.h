/* SPDX-License-Identifier: GPL-3.0-or-later
 * Local APIC, IO-APIC and HPET: what the interrupt router, the processor's side and the views ask of them.
 * Everything here runs on the vCPU thread. */
#ifndef HV_APIC_H
#define HV_APIC_H
#include "base/types.h"
#include "hv/latency.h"
#include "x86/msrs.h"

struct board;
struct dev;
struct row_sink;

enum {
	LAPIC_AT = 0xfee00000,
	LAPIC_VERSION = 0x14,
	IOAPIC_AT = 0xfec00000,
	IOAPIC_VERSION = 0x20,
	IOAPIC_PINS = 24,
	HPET_AT = 0xfed00000,
	HPET_PERIOD_NS = 10,
	MSI_FIRST = 0xfee00000,
	MSI_LAST = 0xfeefffff,
};

/* What the processor's model has of it. */
struct apic_caps {
	bool present, x2apic, deadline;
};

/* Delivery modes of LVT entries, redirection table entries, ICR and messages. */
enum apic_mode {
	APIC_FIXED,
	APIC_LOWEST,
	APIC_SMI,
	APIC_NMI = 4,
	APIC_INIT,
	APIC_STARTUP,
	APIC_EXTINT,
};
extern const char *const apic_mode_names[8];

/* Registers of the local APIC by number. */
enum lapic_reg_number {
	LAPIC_ID = 0x02,
	LAPIC_VERSION_REG = 0x03,
	LAPIC_TPR = 0x08,
	LAPIC_APR = 0x09,
	LAPIC_PPR = 0x0a,
	LAPIC_EOI = 0x0b,
	LAPIC_RRD = 0x0c,
	LAPIC_LDR = 0x0d,
	LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f,
	LAPIC_ISR = 0x10,
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR_HIGH = 0x31,
	LAPIC_LVT = 0x32, /* and the next five */
	LAPIC_INITIAL = 0x38,
	LAPIC_CURRENT = 0x39,
	LAPIC_DIVIDE = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
	LAPIC_REGS = 0x40,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };
enum { LVT_MASK = 1 << 16, LVT_LEVEL = 1 << 15, LVT_REMOTE_IRR = 1 << 14 };

/* Where a vector came from, for statistics: a line of the router (FROM_LINE and up), or one of these. */
enum apic_from { FROM_NONE, FROM_TIMER, FROM_LINT, FROM_ERROR, FROM_IPI, FROM_MSI, FROM_LINE };

struct apic_message {
	uint32_t dest;
	bool logical, level;
	uint8_t mode, vector;
	uint8_t from; /* enum apic_from, or FROM_LINE + line */
};

/* ---- local APIC ---- */
/* Deliver M. False: no processor takes it (not addressed, or its APIC is off). */
bool lapic_deliver(struct dev *d, const struct apic_message *m);
/* Acknowledge the interrupt of highest priority: its vector, or -1 when there is none above PPR. */
int lapic_ack(struct dev *d);
/* The level of pin LINT0 or LINT1. */
void lapic_lint(struct dev *d, unsigned n, bool level);
/* Is LINT0 a path for the 8259's INTR output, and does it answer as an APIC at all? */
bool lapic_extint(const struct dev *d);
bool lapic_enabled(const struct dev *d);
/* Does pin LINT1, the NMI button's, lead anywhere now? */
bool lapic_nmi_open(const struct dev *d);
/* The processor's reset: of it alone, or with the board. */
void lapic_cpu_reset(struct dev *d);
/* As firmware leaves it: enabled, virtual wire. */
void lapic_post(struct dev *d);
/* IA32_APIC_BASE was written: VAL has been checked. */
void lapic_set_base(struct dev *d, uint64_t val);
void lapic_tsc_changed(struct dev *d);
/* MSRs 800H to 83FH and IA32_TSC_DEADLINE. False: #GP(0). */
bool lapic_rdmsr(struct dev *d, uint32_t msr, uint64_t *val);
bool lapic_wrmsr(struct dev *d, uint32_t msr, uint64_t val);

/* ---- IO-APIC ---- */
void ioapic_set(struct dev *d, unsigned pin, bool level);
void ioapic_eoi(struct dev *d, unsigned vector); /* of a level-triggered interrupt */
/* Offer level-triggered interrupts that no processor took. */
void ioapic_retry(struct dev *d);
/* Is a pin set to ExtINT a path for the 8259's output? */
bool ioapic_extint(const struct dev *d);
uint64_t ioapic_entry(const struct dev *d, unsigned pin);
enum { RTE_LOGICAL = 1 << 11, RTE_REMOTE_IRR = 1 << 14, RTE_LEVEL = 1 << 15, RTE_MASK = 1 << 16 };

/* ---- for views ---- */
/* Counts, and register N as it would be read (its offset is 16 N). */
struct lapic_counts {
	uint64_t eois;
	uint64_t merged;  /* interrupts whose vector was pending already */
	uint64_t refused; /* while it was disabled by software */
	uint64_t taken[FROM_LINE + 1];
	struct latency timer; /* from its expiry to the acknowledge */
};
uint32_t lapic_register(const struct dev *d, unsigned n, uint64_t *base, uint64_t *deadline);
const struct lapic_counts *lapic_counts(const struct dev *d);
void ioapic_rows(struct dev *d, struct row_sink *s);
void hpet_rows(struct dev *d, struct row_sink *s);
#endif
