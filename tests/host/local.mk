# SPDX-License-Identifier: GPL-3.0-or-later
# What a host and its VMs say to each other.
if HAVE_CHECK
UNIT_TESTS += %D%/test_protocol
%C%_test_protocol_SOURCES = %D%/test_protocol.c
%C%_test_protocol_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_protocol_LDADD = host/libhost.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif
