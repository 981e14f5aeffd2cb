#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The conformance suite with every access that can be made so in a soft page (mm/window/soft.c).
exec "${TOP_BUILDDIR:-.}/tests/conform/conform" --soft
