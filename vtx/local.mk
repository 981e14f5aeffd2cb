# SPDX-License-Identifier: GPL-3.0-or-later
# VMX: the VMCS, its instructions, VM entries and exits. GPR-only code (base/gpr.h): callouts will run it.
noinst_LIBRARIES += %D%/libvtx.a
%C%_libvtx_a_SOURCES = \
	%D%/apic.c \
	%D%/apic.h \
	%D%/bits.h \
	%D%/capabilities.def \
	%D%/capability.c \
	%D%/capability.h \
	%D%/checks.c \
	%D%/checks.def \
	%D%/checks.h \
	%D%/control.c \
	%D%/control.h \
	%D%/controls.def \
	%D%/ept.c \
	%D%/ept.h \
	%D%/errors.def \
	%D%/event.c \
	%D%/event.h \
	%D%/executor.c \
	%D%/executor.h \
	%D%/executor_apic.c \
	%D%/executor_due.c \
	%D%/executor_ept.c \
	%D%/executor_intercept.c \
	%D%/executor_state.c \
	%D%/fields.def \
	%D%/insn.c \
	%D%/insn.h \
	%D%/insns.def \
	%D%/intercept.c \
	%D%/intercept.h \
	%D%/intercepts.def \
	%D%/log.c \
	%D%/log.h \
	%D%/msr_checks.def \
	%D%/msr_list.c \
	%D%/msr_list.h \
	%D%/msrs.def \
	%D%/processor.c \
	%D%/processor.h \
	%D%/reasons.def \
	%D%/steer.h \
	%D%/transition.c \
	%D%/transition.h \
	%D%/view.h \
	%D%/vmcs.c \
	%D%/vmcs.h
%C%_libvtx_a_CFLAGS = $(AM_CFLAGS) $(GPR_CFLAGS)

# Views of it, and controls by hand: they use libc, and run while the vCPU is stopped.
noinst_LIBRARIES += %D%/libvtxview.a
%C%_libvtxview_a_SOURCES = \
	%D%/view/controls.c \
	%D%/view/decode.c \
	%D%/view/exits.c \
	%D%/view/maps.c \
	%D%/view/view_int.h \
	%D%/view/vmcs.c
