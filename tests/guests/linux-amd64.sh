#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's linux-image-amd64 boots to a shell by its 64-bit entry and runs programs; its page tables are isolated (PTI),
# as the processor is one of Intel's.
. "$(dirname "$0")/linuxlib.sh"
linux_test amd64 --cpu haswell,+lm --entry 64
