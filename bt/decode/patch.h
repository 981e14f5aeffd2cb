/* SPDX-License-Identifier: GPL-3.0-or-later
 * Patches of guest code as the translator reads it. */
#ifndef BT_DECODE_PATCH_H
#define BT_DECODE_PATCH_H
#include "bt/state/vcpu.h"
#include "x86/engine_translator.h"

/* The number of the last patch of any of N bytes at LIN, of a fragment from PAGE (and PAGE2); 0: none. */
unsigned patch_at(const struct bt_vcpu *b, gva lin, unsigned n, ppn page, ppn page2);
/* Put into BYTES what the translator reads instead of the guest's N at LIN, all on PAGE. */
void patch_overlay(const struct bt_vcpu *b, gva lin, uint8_t *bytes, unsigned n, ppn page);
/* N bytes as the translator read them: from LIN on PAGE, or on PAGE and then PAGE2. */
void patch_source(const struct bt_vcpu *b, gva lin, uint8_t *bytes, unsigned n, ppn page, ppn page2);
extern const struct view view_patches;
extern const struct engine_patches bt_patches;
#endif
