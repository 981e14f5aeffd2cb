# SPDX-License-Identifier: GPL-3.0-or-later
# The binary translator.
noinst_LIBRARIES += %D%/libbt.a
%C%_libbt_a_SOURCES = \
	%D%/account.c \
	%D%/account.h \
	%D%/adapt.c \
	%D%/adapt.def \
	%D%/adapt.h \
	%D%/bt.h \
	%D%/bt_int.h \
	%D%/callout.h \
	%D%/cost.c \
	%D%/decode.c \
	%D%/emit.h \
	%D%/encode.c \
	%D%/encode.h \
	%D%/engine.c \
	%D%/fault.c \
	%D%/glue.c \
	%D%/history.c \
	%D%/history.h \
	%D%/lower.c \
	%D%/lower.h \
	%D%/lower_bits.c \
	%D%/lower_divide.c \
	%D%/lower_exit.c \
	%D%/lower_flow.c \
	%D%/lower_kept.c \
	%D%/lower_legacy.c \
	%D%/lower_mem.c \
	%D%/lower_plain.c \
	%D%/lower_seg.c \
	%D%/lower_stack.c \
	%D%/lower_string.c \
	%D%/lower_system.c \
	%D%/lower_touch.c \
	%D%/lower_vector.c \
	%D%/own_break.c \
	%D%/patch.c \
	%D%/policy.c \
	%D%/policy.def \
	%D%/probe.c \
	%D%/probe.h \
	%D%/program.h \
	%D%/sys.h \
	%D%/sys_int.h \
	%D%/translate.c \
	%D%/verify.c \
	%D%/verify.h \
	%D%/verify_branch.c \
	%D%/verify_fact.c \
	%D%/verify_glue.c \
	%D%/verify_glue.h \
	%D%/verify_insn.c \
	%D%/verify_int.h \
	%D%/verify_memory.c \
	%D%/verify_sequence.c \
	%D%/view_adapt.c \
	%D%/view_tc.c \
	%D%/view_traps.c \
	%D%/views.c
%C%_libbt_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing

# Light callouts run with the guest's vector and x87 registers live: the compiler
# must not touch them, and instrumentation may call out only to end the program.
noinst_LIBRARIES += %D%/libbtlight.a
%C%_libbtlight_a_SOURCES = \
	%D%/cache.c \
	%D%/callout_int.h \
	%D%/light_account.c \
	%D%/light_adapt.c \
	%D%/light_callout.c \
	%D%/light_device.c \
	%D%/light_dispatch.c \
	%D%/light_divide.c \
	%D%/light_history.c \
	%D%/light_legacy.c \
	%D%/light_probe.c \
	%D%/light_system.c \
	%D%/light_touch.c \
	%D%/sys_cr.c \
	%D%/sys_far.c \
	%D%/sys_int.c \
	%D%/sys_msr.c \
	%D%/sys_seg.c \
	%D%/sys_task.c \
	%D%/vector_callout.c
%C%_libbtlight_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing -mgeneral-regs-only -fno-tree-loop-distribute-patterns
%C%_libbt_a_LIBADD = $(%C%_libbtlight_a_OBJECTS)
%C%_libbt_a_DEPENDENCIES = %D%/libbtlight.a
