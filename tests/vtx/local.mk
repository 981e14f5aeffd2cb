# SPDX-License-Identifier: GPL-3.0-or-later
# VMX, over a fake processor and memory: without any engine; views in a session on the fake machine.
if HAVE_CHECK
UNIT_TESTS += %D%/test_apic %D%/test_checks %D%/test_ept %D%/test_insn %D%/test_intercept %D%/test_log %D%/test_transition %D%/test_view %D%/test_vmcs
vtx_rig = %D%/rig.c %D%/rig.h
vtx_libs = vtx/libvtx.a cpu/libcpu.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_apic_SOURCES = %D%/test_apic.c $(vtx_rig)
%C%_test_apic_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_apic_LDADD = $(vtx_libs)
%C%_test_checks_SOURCES = %D%/test_checks.c %D%/breaks.def $(vtx_rig)
%C%_test_checks_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_checks_LDADD = $(vtx_libs)
%C%_test_ept_SOURCES = %D%/test_ept.c $(vtx_rig)
%C%_test_ept_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_ept_LDADD = $(vtx_libs)
%C%_test_insn_SOURCES = %D%/test_insn.c $(vtx_rig)
%C%_test_insn_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_insn_LDADD = $(vtx_libs)
%C%_test_intercept_SOURCES = %D%/test_intercept.c $(vtx_rig)
%C%_test_intercept_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_intercept_LDADD = $(vtx_libs)
%C%_test_log_SOURCES = %D%/test_log.c $(vtx_rig)
%C%_test_log_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_log_LDADD = $(vtx_libs)
%C%_test_transition_SOURCES = %D%/test_transition.c %D%/breaks.def $(vtx_rig)
%C%_test_transition_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_transition_LDADD = $(vtx_libs)
%C%_test_view_SOURCES = %D%/test_view.c $(vtx_rig) $(gdbstub_fake)
%C%_test_view_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_view_LDADD = inspect/libinspect.a vtx/libvtxview.a vtx/libvtx.a cpu/libcpuview.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_vmcs_SOURCES = %D%/test_vmcs.c $(vtx_rig)
%C%_test_vmcs_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_vmcs_LDADD = $(vtx_libs)
endif
