#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The conformance suite with every access looking first, in both outcomes: passing
# through the bounce buffer where it can, mapped and made directly where not.
exec "${TOP_BUILDDIR:-.}/tests/conform/conform" --precheck
