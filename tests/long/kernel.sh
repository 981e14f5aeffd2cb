#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit conformance suite at CPL 0, where accesses to user pages go by the user space; every case three times.
exec "${TOP_BUILDDIR:-.}/tests/long/conform64" --kernel --cases 4
