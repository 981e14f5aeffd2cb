# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests of the dashboard's pure parts.
if HAVE_CHECK
UNIT_TESTS += \
	%D%/test_baseline \
	%D%/test_canvas \
	%D%/test_columns \
	%D%/test_journal \
	%D%/test_layout \
	%D%/test_rates \
	%D%/test_remote_codec \
	%D%/test_vt
%C%_test_baseline_SOURCES = %D%/test_baseline.c
%C%_test_baseline_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_baseline_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_canvas_SOURCES = %D%/test_canvas.c
%C%_test_canvas_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_canvas_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_columns_SOURCES = %D%/test_columns.c
%C%_test_columns_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_columns_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_journal_SOURCES = %D%/test_journal.c
%C%_test_journal_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_journal_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_layout_SOURCES = %D%/test_layout.c
%C%_test_layout_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_layout_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_rates_SOURCES = %D%/test_rates.c
%C%_test_rates_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_rates_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_remote_codec_SOURCES = %D%/test_remote_codec.c
%C%_test_remote_codec_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_remote_codec_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_vt_SOURCES = %D%/test_vt.c
%C%_test_vt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_vt_LDADD = tui/libtui.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif
