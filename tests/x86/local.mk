# SPDX-License-Identifier: GPL-3.0-or-later
# The tables of x86/, descriptors, disassembly.
if HAVE_CHECK
UNIT_TESTS += %D%/test_tables %D%/test_descriptor %D%/test_model
%C%_test_tables_SOURCES = %D%/test_tables.c
%C%_test_tables_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_tables_LDADD = x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_descriptor_SOURCES = %D%/test_descriptor.c
%C%_test_descriptor_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_descriptor_LDADD = x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_model_SOURCES = %D%/test_model.c
%C%_test_model_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_model_LDADD = x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif
