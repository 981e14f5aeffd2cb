# SPDX-License-Identifier: GPL-3.0-or-later
# SVM: the VMCB, its instructions, VMRUN and #VMEXIT. GPR-only code (base/gpr.h): callouts will run it.
noinst_LIBRARIES += %D%/libsvm.a
%C%_libsvm_a_SOURCES = \
	%D%/bits.h \
	%D%/capability.c \
	%D%/capability.h \
	%D%/checks.c \
	%D%/checks.def \
	%D%/checks.h \
	%D%/clean.def \
	%D%/control.c \
	%D%/control.h \
	%D%/controls.def \
	%D%/event.c \
	%D%/event.h \
	%D%/executor.c \
	%D%/executor.h \
	%D%/executor_intercept.c \
	%D%/executor_nested.c \
	%D%/executor_state.c \
	%D%/exits.c \
	%D%/exits.def \
	%D%/exits.h \
	%D%/features.def \
	%D%/fields.def \
	%D%/insn.c \
	%D%/insn.h \
	%D%/insns.def \
	%D%/intercept.c \
	%D%/intercept.h \
	%D%/interrupt.c \
	%D%/interrupt.h \
	%D%/log.c \
	%D%/log.h \
	%D%/npt.c \
	%D%/npt.h \
	%D%/processor.c \
	%D%/processor.h \
	%D%/steer.h \
	%D%/transition.c \
	%D%/transition.h \
	%D%/vmcb.c \
	%D%/view.h \
	%D%/vmcb.h
%C%_libsvm_a_CFLAGS = $(AM_CFLAGS) $(GPR_CFLAGS)

# Views of it, and controls by hand: they use libc, and run while the vCPU is stopped.
noinst_LIBRARIES += %D%/libsvmview.a
%C%_libsvmview_a_SOURCES = \
	%D%/view/controls.c \
	%D%/view/decode.c \
	%D%/view/maps.c \
	%D%/view/operation.c \
	%D%/view/view_int.h \
	%D%/view/vmcb.c
