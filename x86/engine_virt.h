/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtualization extension of a processor, VMX or SVM, as views and commands see it: vcpu.extension
 * points to one of these, whoever executes the guest. Controls may be called only while the vCPU is stopped.
 * Functions that return text return NULL on success, else one static line with the reason. */
#ifndef X86_ENGINE_VIRT_H
#define X86_ENGINE_VIRT_H
#include <stddef.h>

#include "x86/engine.h"

enum engine_steering { ENGINE_STEER_DEFAULT, ENGINE_STEER_FORCE, ENGINE_STEER_SUPPRESS };

/* An event to inject. */
enum engine_injection {
	ENGINE_INJECT_INTERRUPT,
	ENGINE_INJECT_NMI,
	ENGINE_INJECT_EXCEPTION,
	ENGINE_INJECT_INT
};
struct engine_injected {
	enum engine_injection type;
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

struct engine_virt_ops {
	/* Write FIELD (a name or an encoding) of the current VMCS or VMCB as its hypervisor would; read-only
	 * fields too. */
	const char *(*write)(void *ctx, const char *field, uint64_t value);
	/* Set, clear or (ON < 0) flip a control in it, by name. *NOW: what it is then. */
	const char *(*control)(void *ctx, const char *name, int on, bool *now);
	/* Force or suppress exits for REASON (a name or a number), whatever the controls say. */
	const char *(*steer)(void *ctx, const char *reason, enum engine_steering how);
	/* Inject E at the next entry that injects nothing itself; NULL: not any more. */
	const char *(*inject)(void *ctx, const struct engine_injected *e);
	/* Let the guest exit after its next instruction, once. */
	const char *(*step)(void *ctx, bool on);
	void (*reset)(void *ctx); /* counters and log */
	/* The name of exit reason N; "": there is none. NULL: there are no more. */
	const char *(*reason_name)(void *ctx, uint32_t n);
	/* The name of failure N of an entry, if failures have names (NULL: they have numbers, or there are no
	 * more); why the last one failed, in one line. */
	const char *(*failure_name)(void *ctx, uint32_t n);
	void (*failure_text)(void *ctx, char *buf, size_t len);
	/* Take the last exit or failed entry, once: for the engine's event_set(). GPR-only (base/gpr.h). */
	bool (*take)(void *ctx, struct engine_hit *hit);
};

struct engine_virt {
	const char *name;   /* "VMX", "SVM" */
	const char *record; /* what describes a guest: "VMCS", "VMCB" */
	const char *info;   /* what an exit says first: "qualification", "EXITINFO1" */
	const struct engine_virt_ops *ops;
	const struct view *const *views; /* NULL-terminated; their owner is CTX */
	void *ctx;
	const struct view *const *exit_views; /* likewise; their owner is EXITS */
	void *exits;
};
#endif
