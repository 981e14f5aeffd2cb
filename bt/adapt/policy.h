/* SPDX-License-Identifier: GPL-3.0-or-later
 * The way each sensitive instruction runs. */
#ifndef BT_ADAPT_POLICY_H
#define BT_ADAPT_POLICY_H
#include "bt/decode/insn.h"
#include "bt/state/vcpu.h"
#include "x86/engine_translator.h"

extern const char *const way_names[];

enum sens policy_kind(const struct insn *in); /* SENS_KINDS: not sensitive */
enum way policy_way(const struct bt_vcpu *b, const struct insn *in);
const char *policy_kind_name(unsigned kind);
extern const struct view view_policy;
extern const struct engine_policy bt_policy;
#endif
