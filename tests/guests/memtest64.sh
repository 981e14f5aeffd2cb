#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The same of memtest86+ for 64-bit processors.
image=memtest64.bin machine="--cpu zen2"
. "$(dirname "$0")/memtest.sh"
