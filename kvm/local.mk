# SPDX-License-Identifier: GPL-3.0-or-later
# The engine kvm: the guest on the host's KVM. Not GPR-only: KVM keeps the guest's vector registers.
noinst_LIBRARIES += %D%/libkvm.a
%C%_libkvm_a_SOURCES = \
	%D%/engine.c \
	%D%/exits.c \
	%D%/exits.def \
	%D%/kvm.h \
	%D%/kvm_int.h \
	%D%/points.c \
	%D%/reasons.def \
	%D%/setup.c \
	%D%/state.c \
	%D%/view.c
%C%_libkvm_a_CFLAGS = $(AM_CFLAGS)
