# SPDX-License-Identifier: GPL-3.0-or-later
# The engine kvm, over the host's KVM without another engine.
if HAVE_CHECK
UNIT_TESTS += %D%/test_kvm
%C%_test_kvm_SOURCES = %D%/test_kvm.c
%C%_test_kvm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_kvm_LDADD = kvm/libkvm.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif
