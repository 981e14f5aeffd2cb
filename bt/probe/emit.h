/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the translator needs of probes. */
#ifndef BT_PROBE_EMIT_H
#define BT_PROBE_EMIT_H
#include "bt/emit/tx.h"
#include "x86/engine_translator.h"

/* Emit the probes of IN, before it. */
void probe_emit(struct tx *t, struct insn *in);
/* If the probes of the current instruction were emitted last, remove them: they are emitted again after a
 * poll, where the instruction may be left and executed again. */
bool probe_rewind(struct tx *t);
void probes_free(struct bt_vcpu *b);
extern const struct view view_probes;
extern const struct engine_probes bt_probes;
#endif
