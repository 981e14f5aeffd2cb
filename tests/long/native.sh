#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit conformance suite without the engine: its cases and its oracle are sound, as each case ends the
# same way twice.
exec "${TOP_BUILDDIR:-.}/tests/long/conform64" --native
