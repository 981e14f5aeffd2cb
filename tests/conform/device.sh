#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The conformance suite with its operands in device memory: every instruction uses
# the bounce buffer or a callout.
exec "${TOP_BUILDDIR:-.}/tests/conform/conform" --mmio
