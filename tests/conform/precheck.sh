#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The conformance suite with every access prechecked: bypassed through the bounce buffer
# where possible, mapped and made directly otherwise.
exec "${TOP_BUILDDIR:-.}/tests/conform/conform" --precheck
