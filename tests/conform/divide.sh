#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# DIV and IDIV of a site that is promoted for divide errors: by callout.
exec "${TOP_BUILDDIR:-.}/tests/conform/conform" --divide --only div --cases 60
