# SPDX-License-Identifier: GPL-3.0-or-later
# Attacks and hosts that refuse, as a whole program meets them.
SHELL_TESTS += \
	%D%/hardening.sh \
	%D%/limits.sh \
	%D%/port.sh
%D%/few_maps.so: %D%/few_maps.c
	$(AM_V_GEN)$(MKDIR_P) %D% && $(CC) -O2 -Wall -Wextra -shared -fPIC -o $@ $(top_srcdir)/%D%/few_maps.c
check_DATA += %D%/few_maps.so
CLEANFILES += %D%/few_maps.so
EXTRA_DIST += %D%/few_maps.c
