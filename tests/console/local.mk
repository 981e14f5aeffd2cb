# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests of the console's pure parts.
if HAVE_CHECK
UNIT_TESTS += \
	%D%/test_options \
	%D%/test_outbox
%C%_test_options_SOURCES = %D%/test_options.c
%C%_test_options_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_options_LDADD = console/libconsole.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_outbox_SOURCES = %D%/test_outbox.c
%C%_test_outbox_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_outbox_LDADD = console/libconsole.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif
