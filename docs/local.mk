# SPDX-License-Identifier: GPL-3.0-or-later
# vitrine.1 is generated and committed. tests/console/manual.sh fails when it is stale; update-docs generates it.
dist_man1_MANS += %D%/vitrine.1
update-docs: vitrine$(EXEEXT)
	./vitrine$(EXEEXT) --help-man >$(srcdir)/%D%/vitrine.1.new
	mv $(srcdir)/%D%/vitrine.1.new $(srcdir)/%D%/vitrine.1
.PHONY: update-docs

EXTRA_DIST += %D%/README.md %D%/tutorial.md %D%/layers.txt %D%/gdb.md %D%/examples/demo-batch.vit
EXTRA_DIST += %D%/testing.md %D%/architecture.md
EXTRA_DIST += %D%/examples/linux-session.vit %D%/examples/traps-that-vanish.vit %D%/examples/unseen-patch.vit %D%/examples/hang.c
EXTRA_DIST += %D%/dashboard.md %D%/screens/machine-80x24.txt %D%/screens/machine-linux-200x50.txt \
	%D%/screens/translation-80x24.txt %D%/screens/translation-160x44.txt %D%/screens/traps-80x24.txt %D%/screens/traps-linux-200x50.txt %D%/screens/actions-160x28.txt \
	%D%/screens/spaces-140x36.txt %D%/screens/devices-140x36.txt %D%/screens/memory-120x40.txt %D%/screens/sharing-120x40.txt \
	%D%/screens/vms-100x24.txt %D%/screens/capture
EXTRA_DIST += %D%/performance.md
EXTRA_DIST += %D%/shell.md %D%/control.md %D%/renames.md %D%/examples/control.py
