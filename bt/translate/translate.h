/* SPDX-License-Identifier: GPL-3.0-or-later
 * One TU in, one CCF out. */
#ifndef BT_TRANSLATE_TRANSLATE_H
#define BT_TRANSLATE_TRANSLATE_H
#include "bt/emit/tx.h"

/* Allocate b->tx, and emit the code at TC offset 0. False: out of memory. */
bool translate_init(struct bt_vcpu *b);
void translate_fini(struct bt_vcpu *b);

/* Translate the TU at the present cs:eip. NULL: an exception is in cpu.exc, or (exit.code
 * XC_ERROR) our own failure. TX_TRANSIENT and TX_MMIO make a fragment of one instruction
 * that is run once and never found again. */
struct ccf *translate(struct bt_vcpu *b, enum tx_kind kind);
#endif
