/* SPDX-License-Identifier: GPL-3.0-or-later
 * The user's control of fragments, as tables of the engine interface. */
#ifndef BT_CONTROL_H
#define BT_CONTROL_H
#include "x86/engine_translator.h"

extern const struct engine_fragments bt_fragments;
extern const struct engine_pins bt_pins;
extern const struct engine_counting bt_counting;
#endif
