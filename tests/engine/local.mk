# SPDX-License-Identifier: GPL-3.0-or-later
# The product over an engine that executes nothing, and without libbt.
check_PROGRAMS += %D%/vitrine-null
%C%_vitrine_null_SOURCES = main.c engines.h %D%/null_engine.c
%C%_vitrine_null_LDADD = tui/libtui.a gdbstub/libgdbstub.a console/libconsole.a host/libhost.a inspect/libinspect.a hv/libhv.a svm/libsvmview.a svm/libsvm.a vtx/libvtxview.a vtx/libvtx.a cpu/libcpuview.a cpu/libcpu.a mm/libmm.a \
	x86/libx86.a base/libbase.a guests/libguests.a $(EXT_LIBS)
SHELL_TESTS += %D%/null_shell.sh %D%/null_faces.sh
EXTRA_DIST += %D%/null_shell.sh %D%/null_faces.sh
