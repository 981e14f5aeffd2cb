# SPDX-License-Identifier: GPL-3.0-or-later
# The binary translator.
noinst_LIBRARIES += %D%/libbt.a
%C%_libbt_a_SOURCES = \
	%D%/adapt/account.h \
	%D%/adapt/account_setup.c \
	%D%/adapt/adapt.h \
	%D%/adapt/policy.c \
	%D%/adapt/policy.h \
	%D%/adapt/steer.c \
	%D%/bt.h \
	%D%/cache/cache.h \
	%D%/cache/chain.h \
	%D%/cache/history.h \
	%D%/cache/jump.h \
	%D%/control.c \
	%D%/control.h \
	%D%/debug/breakpoint.c \
	%D%/debug/debug.h \
	%D%/debug/guest.c \
	%D%/decode/allow.c \
	%D%/decode/allow.def \
	%D%/decode/allow.h \
	%D%/decode/decode.c \
	%D%/decode/decode.h \
	%D%/decode/insn.h \
	%D%/decode/patch.c \
	%D%/decode/patch.h \
	%D%/emit/bmi.h \
	%D%/emit/bytes.h \
	%D%/emit/emit.h \
	%D%/emit/encode.c \
	%D%/emit/encode.h \
	%D%/emit/exit.c \
	%D%/emit/exit.h \
	%D%/emit/long.c %D%/emit/long_space.c \
	%D%/emit/long.h \
	%D%/emit/tx.h \
	%D%/engine.c \
	%D%/fault/cost.c \
	%D%/fault/fatal.c \
	%D%/fault/fault.c \
	%D%/fault/fault.h \
	%D%/fault/fault_int.h \
	%D%/fault/progress.c \
	%D%/fault/space.c \
	%D%/lower/bits.c \
	%D%/lower/divide.c \
	%D%/lower/family.h \
	%D%/lower/flow.c \
	%D%/lower/generic.c \
	%D%/lower/guest.c \
	%D%/lower/legacy.c \
	%D%/lower/long.c \
	%D%/lower/long.h \
	%D%/lower/long_facts.c \
	%D%/lower/long_memory.c \
	%D%/lower/long_precheck.c \
	%D%/lower/long_stack.c \
	%D%/lower/long_string.c \
	%D%/lower/long_system.c \
	%D%/lower/long_vector.c \
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
	%D%/probe/emit.h \
	%D%/probe/probe.c \
	%D%/runtime/callout.h \
	%D%/runtime/dispatch.h \
	%D%/runtime/event.h \
	%D%/runtime/hooks.h \
	%D%/runtime/stubs.c \
	%D%/runtime/stubs.h \
	%D%/runtime/timing.h \
	%D%/state/account.h \
	%D%/state/adapt.def \
	%D%/state/adapt.h \
	%D%/state/context.h \
	%D%/state/debug.h \
	%D%/state/drop.def \
	%D%/state/exit.h \
	%D%/state/fragment.h \
	%D%/state/guest.h \
	%D%/state/history.h \
	%D%/state/isa.h \
	%D%/state/memo.h \
	%D%/state/mode.h \
	%D%/state/patch.h \
	%D%/state/policy.def \
	%D%/state/policy.h \
	%D%/state/probe.h \
	%D%/state/refusal.h \
	%D%/state/site.h \
	%D%/state/space.h \
	%D%/state/stats.h \
	%D%/state/tc.h \
	%D%/state/vcpu.h \
	%D%/translate/move.c \
	%D%/translate/move.h \
	%D%/translate/translate.c \
	%D%/translate/translate.h \
	%D%/verify/branch.c \
	%D%/verify/fact.c \
	%D%/verify/fragment.c \
	%D%/verify/fragment.h \
	%D%/verify/insn.c \
	%D%/verify/long.c \
	%D%/verify/long_int.h \
	%D%/verify/long_operand.c \
	%D%/verify/long_track.c \
	%D%/verify/long_value.c \
	%D%/verify/operand.c \
	%D%/verify/sequence.c \
	%D%/verify/twin.c \
	%D%/verify/verify.c \
	%D%/verify/verify.h \
	%D%/verify/verify_int.h \
	%D%/view/history.c \
	%D%/view/tc.c \
	%D%/view/traps.c \
	%D%/view/view.h \
	%D%/view/view_adapt.c \
	%D%/view/views.c
%C%_libbt_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing $(NO_AUTO_INIT)

# What translated code calls runs with the guest's vector and x87 registers live: the
# compiler must not touch them (base/gpr.h), and instrumentation may call out only to
# end the program.
noinst_LIBRARIES += %D%/libbtgpr.a
%C%_libbtgpr_a_SOURCES = \
	%D%/adapt/account.c \
	%D%/adapt/adapt.c \
	%D%/adapt/low.c \
	%D%/adapt/page.c \
	%D%/cache/cache.c \
	%D%/cache/chain.c \
	%D%/cache/domain.c \
	%D%/cache/history.c \
	%D%/cache/jump.c \
	%D%/probe/run.c \
	%D%/runtime/callout.c \
	%D%/runtime/callout_device.c \
	%D%/runtime/callout_divide.c \
	%D%/runtime/callout_guest.c \
	%D%/runtime/callout_int.h \
	%D%/runtime/callout_legacy.c \
	%D%/runtime/callout_precheck.c \
	%D%/runtime/callout_soft.c \
	%D%/runtime/callout_system.c \
	%D%/runtime/callout_vector.c \
	%D%/runtime/callout_x87.c \
	%D%/runtime/dispatch.c \
	%D%/runtime/event.c \
	%D%/runtime/hooks.c \
	%D%/runtime/timing.c
%C%_libbtgpr_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing $(GPR_CFLAGS)
%C%_libbt_a_LIBADD = $(%C%_libbtgpr_a_OBJECTS)
%C%_libbt_a_DEPENDENCIES = %D%/libbtgpr.a
