# SPDX-License-Identifier: GPL-3.0-or-later
# The engine vtx: a virtual machine monitor over VMX. GPR-only code (base/gpr.h): exits run it.
noinst_LIBRARIES += %D%/libvmm.a
%C%_libvmm_a_SOURCES = \
	%D%/ept.c \
	%D%/exits.c \
	%D%/platform.c \
	%D%/setup.c \
	%D%/shadow.c \
	%D%/state.c \
	%D%/vmm.c \
	%D%/vmm.h \
	%D%/vmm_int.h
%C%_libvmm_a_CFLAGS = $(AM_CFLAGS) $(GPR_CFLAGS)
