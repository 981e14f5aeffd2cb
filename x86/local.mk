# SPDX-License-Identifier: GPL-3.0-or-later
# Facts about the processor, its state, the engine interface.
noinst_LIBRARIES += %D%/libx86.a
%C%_libx86_a_SOURCES = \
	%D%/bytecode.def \
	%D%/bytecode.h \
	%D%/cpu.c \
	%D%/cpu.h \
	%D%/descriptor.c \
	%D%/descriptor.h \
	%D%/descriptors.def \
	%D%/disas.c \
	%D%/disas.h \
	%D%/engine.h \
	%D%/engine_translator.h \
	%D%/engine_virt.h \
	%D%/exceptions.c \
	%D%/exceptions.def \
	%D%/exceptions.h \
	%D%/features.c \
	%D%/features.def \
	%D%/features.h \
	%D%/model.c \
	%D%/model.h \
	%D%/msrs.def \
	%D%/msrs.h \
	%D%/paging.h \
	%D%/regflags.def \
	%D%/regs.c \
	%D%/regs.def \
	%D%/regs.h \
	%D%/state_text.c \
	%D%/state_text.h \
	%D%/tss.def \
	%D%/tss.h \
	%D%/xsave.h

# What GPR-only code (base/gpr.h) calls.
noinst_LIBRARIES += %D%/libx86gpr.a
%C%_libx86gpr_a_SOURCES = %D%/gpr_model.c %D%/gpr_regs.c %D%/gpr_xsave.c
%C%_libx86gpr_a_CFLAGS = $(AM_CFLAGS) $(GPR_CFLAGS)
%C%_libx86_a_LIBADD = $(%C%_libx86gpr_a_OBJECTS)
%C%_libx86_a_DEPENDENCIES = %D%/libx86gpr.a
