/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes inside the translator. */
#ifndef BT_PROBE_EMIT_H
#define BT_PROBE_EMIT_H
#include "bt/emit/tx.h"

/* Emit the probes of IN, in front of it. */
void probe_emit(struct tx *t, struct insn *in);
/* Take back the probes of the present instruction if they were emitted last: they are emitted again behind a
 * poll, at which the instruction may be left and met a second time. */
bool probe_rewind(struct tx *t);
void probes_free(struct bt_vcpu *b);
extern const struct view view_probes;
#endif
