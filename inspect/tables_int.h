/* SPDX-License-Identifier: GPL-3.0-or-later
 * The tables of inspect/: groups of commands, one in each file, with their record types and views. */
#ifndef INSPECT_TABLES_INT_H
#define INSPECT_TABLES_INT_H
#include "inspect/session_int.h"

extern const struct command_group cmd_run_group, cmd_point_group, cmd_examine_group, cmd_memory_group,
    cmd_system_group, cmd_translator_group, cmd_adapt_group, cmd_patch_group, cmd_input_group,
    cmd_session_group, cmd_event_group, cmd_display_group, cmd_stack_group, cmd_transfer_group,
    cmd_state_group, cmd_hosted_group, cmd_pages_group, cmd_policy_group, cmd_virt_group, cmd_linux_group,
    cmd_source_group, cmd_ports_group, cmd_screen_group;
/* Their record types, in the order of the manual (records.c). */
extern const struct record_doc stop_record, point_record, trace_record, display_record, data_record,
    string_record, pointer_record, insn_record, print_record, walk_record, page_record, info_record,
    register_record, ccf_record, ccf_code_record, patch_record, frame_record, profile_record, find_record,
    loaded_record, log_record, hash_record, swap_record, share_record, balloon_record, books_record,
    virt_record, help_record, help_one_record, fields_record, tasks_record, vmas_record, dmesg_record,
    modules_record, help_group_record, peer_record, hexdump_record, list_record, port_record, sum_record,
    screendump_record;
/* Their views. */
extern const struct view view_registers, view_idt, view_gdt, view_ldt, view_tss, view_mem, view_tlb,
    view_break, view_display, view_symbols, view_fpu, view_xmm, view_zmm, view_opmask, view_linux,
    view_linux_fields, view_tasks, view_vmas, view_dmesg, view_modules;
int cmd_help(struct inspect *s, const struct cmd_args *a, struct result *r); /* cmd/help.c */
/* What the log of a Linux guest says of its panic; "": nothing, or it is none. */
void linux_panic_text(struct inspect *s, char *buf, size_t len);
#endif
