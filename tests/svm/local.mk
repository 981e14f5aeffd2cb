# SPDX-License-Identifier: GPL-3.0-or-later
# SVM, over a fake processor and memory: without any engine; views in a session on the fake machine.
if HAVE_CHECK
UNIT_TESTS += %D%/test_checks %D%/test_insn %D%/test_intercept %D%/test_npt %D%/test_transition %D%/test_view %D%/test_vmcb
svm_rig = %D%/rig.c %D%/rig.h
svm_libs = svm/libsvm.a cpu/libcpu.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_checks_SOURCES = %D%/test_checks.c %D%/breaks.def $(svm_rig)
%C%_test_checks_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_checks_LDADD = $(svm_libs)
%C%_test_insn_SOURCES = %D%/test_insn.c $(svm_rig)
%C%_test_insn_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_insn_LDADD = $(svm_libs)
%C%_test_intercept_SOURCES = %D%/test_intercept.c $(svm_rig)
%C%_test_intercept_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_intercept_LDADD = $(svm_libs)
%C%_test_npt_SOURCES = %D%/test_npt.c $(svm_rig)
%C%_test_npt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_npt_LDADD = $(svm_libs)
%C%_test_transition_SOURCES = %D%/test_transition.c $(svm_rig)
%C%_test_transition_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_transition_LDADD = $(svm_libs)
%C%_test_view_SOURCES = %D%/test_view.c $(svm_rig) $(gdbstub_fake)
%C%_test_view_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_view_LDADD = inspect/libinspect.a svm/libsvmview.a svm/libsvm.a cpu/libcpuview.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_vmcb_SOURCES = %D%/test_vmcb.c $(svm_rig)
%C%_test_vmcb_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_vmcb_LDADD = $(svm_libs)
endif
