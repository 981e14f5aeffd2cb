#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# DIV and IDIV at sites promoted for divide errors, which divide by callout.
exec "${TOP_BUILDDIR:-.}/tests/conform/conform" --divide --only div --cases 60
