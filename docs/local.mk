# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += %D%/layers.txt %D%/gdb.md %D%/examples/demo-batch.vit
EXTRA_DIST += %D%/testing.md
EXTRA_DIST += %D%/dashboard.md %D%/screens/machine-80x24.txt %D%/screens/machine-linux-200x50.txt \
	%D%/screens/translation-80x24.txt %D%/screens/translation-160x44.txt %D%/screens/traps-140x36.txt \
	%D%/screens/spaces-140x36.txt %D%/screens/devices-140x36.txt
EXTRA_DIST += %D%/performance.md
EXTRA_DIST += %D%/shell.md %D%/control.md %D%/examples/control.py
