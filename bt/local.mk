# SPDX-License-Identifier: GPL-3.0-or-later
# The binary translator.
noinst_LIBRARIES += %D%/libbt.a
%C%_libbt_a_SOURCES = \
	%D%/adapt/account.h \
	%D%/adapt/account_setup.c \
	%D%/adapt/adapt.def \
	%D%/adapt/adapt.h \
	%D%/adapt/cost.c \
	%D%/adapt/policy.c \
	%D%/adapt/policy.def \
	%D%/adapt/steer.c \
	%D%/bt.h \
	%D%/bt_int.h \
	%D%/cache/history.h \
	%D%/emit/emit.h \
	%D%/emit/encode.c \
	%D%/emit/encode.h \
	%D%/engine.c \
	%D%/fault/fault.c \
	%D%/guest_debug.c \
	%D%/lower/bits.c \
	%D%/lower/divide.c \
	%D%/lower/exit.c \
	%D%/lower/flow.c \
	%D%/lower/generic.c \
	%D%/lower/legacy.c \
	%D%/lower/lower.c \
	%D%/lower/lower.h \
	%D%/lower/memo.c \
	%D%/lower/memory.c \
	%D%/lower/precheck.c \
	%D%/lower/segment.c \
	%D%/lower/stack.c \
	%D%/lower/string.c \
	%D%/lower/system.c \
	%D%/lower/vector.c \
	%D%/probe/bytecode.def \
	%D%/probe/bytecode.h \
	%D%/probe/patch.c \
	%D%/probe/probe.c \
	%D%/probe/probe.h \
	%D%/runtime/callout.h \
	%D%/runtime/stubs.c \
	%D%/translate/decode.c \
	%D%/translate/translate.c \
	%D%/verify/branch.c \
	%D%/verify/fact.c \
	%D%/verify/fragment.c \
	%D%/verify/fragment.h \
	%D%/verify/insn.c \
	%D%/verify/operand.c \
	%D%/verify/sequence.c \
	%D%/verify/verify.c \
	%D%/verify/verify.h \
	%D%/verify/verify_int.h \
	%D%/view/history.c \
	%D%/view/tc.c \
	%D%/view/traps.c \
	%D%/view/view_adapt.c \
	%D%/view/views.c
%C%_libbt_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing

# What translated code calls runs with the guest's vector and x87 registers live: the
# compiler must not touch them (base/gpr.h), and instrumentation may call out only to
# end the program.
noinst_LIBRARIES += %D%/libbtgpr.a
%C%_libbtgpr_a_SOURCES = \
	%D%/cache/cache.c \
	%D%/cache/history.c \
	%D%/adapt/account.c \
	%D%/adapt/adapt.c \
	%D%/probe/run.c \
	%D%/runtime/callout.c \
	%D%/runtime/callout_device.c \
	%D%/runtime/callout_divide.c \
	%D%/runtime/callout_legacy.c \
	%D%/runtime/callout_precheck.c \
	%D%/runtime/callout_system.c \
	%D%/runtime/callout_vector.c \
	%D%/runtime/dispatch.c \
	%D%/runtime/callout_int.h
%C%_libbtgpr_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing -mgeneral-regs-only -fno-tree-loop-distribute-patterns
%C%_libbt_a_LIBADD = $(%C%_libbtgpr_a_OBJECTS)
%C%_libbt_a_DEPENDENCIES = %D%/libbtgpr.a
