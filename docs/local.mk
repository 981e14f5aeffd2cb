# SPDX-License-Identifier: GPL-3.0-or-later
# vitrine.1 is generated and committed. tests/console/manual.sh fails when it is stale; update-docs generates it.
dist_man1_MANS += %D%/vitrine.1
update-docs: vitrine$(EXEEXT)
	./vitrine$(EXEEXT) --help-man >$(srcdir)/%D%/vitrine.1.new
	mv $(srcdir)/%D%/vitrine.1.new $(srcdir)/%D%/vitrine.1
.PHONY: update-docs

# The book, with the folders that its links expect.
dist_doc_DATA = README.md
bookdir = $(docdir)/docs
dist_book_DATA = %D%/README.md %D%/tutorial.md %D%/shell.md %D%/dashboard.md %D%/gdb.md %D%/control.md %D%/testing.md \
	%D%/renames.md %D%/architecture.md %D%/performance.md %D%/layers.txt %D%/vitrine.1
examplesdir = $(bookdir)/examples
dist_examples_DATA = %D%/examples/demo-batch.vit %D%/examples/linux-session.vit %D%/examples/traps-that-vanish.vit \
	%D%/examples/unseen-patch.vit %D%/examples/hang.c %D%/examples/control.py
screensdir = $(bookdir)/screens
dist_screens_SCRIPTS = %D%/screens/capture
dist_screens_DATA = \
	%D%/screens/machine-80x24.txt %D%/screens/translation-80x24.txt %D%/screens/traps-80x24.txt %D%/screens/spaces-80x24.txt \
	%D%/screens/devices-80x24.txt %D%/screens/io-80x24.txt %D%/screens/memory-80x24.txt %D%/screens/sharing-80x24.txt \
	%D%/screens/vmx-80x24.txt %D%/screens/kernel-80x24.txt %D%/screens/machine-120x40.txt %D%/screens/translation-120x40.txt \
	%D%/screens/traps-120x40.txt %D%/screens/spaces-120x40.txt %D%/screens/devices-120x40.txt %D%/screens/io-120x40.txt \
	%D%/screens/memory-120x40.txt %D%/screens/sharing-120x40.txt %D%/screens/vmx-120x40.txt %D%/screens/kernel-120x40.txt \
	%D%/screens/machine-200x60.txt %D%/screens/translation-200x60.txt %D%/screens/traps-200x60.txt %D%/screens/spaces-200x60.txt \
	%D%/screens/devices-200x60.txt %D%/screens/io-200x60.txt %D%/screens/memory-200x60.txt %D%/screens/sharing-200x60.txt \
	%D%/screens/vmx-200x60.txt %D%/screens/kernel-200x60.txt %D%/screens/actions-120x40.txt %D%/screens/vms-100x24.txt %D%/screens/picture-120x40.txt \
	%D%/screens/host-memory-80x24.txt %D%/screens/host-memory-120x40.txt %D%/screens/host-memory-200x60.txt \
	%D%/screens/host-sharing-80x24.txt %D%/screens/host-sharing-120x40.txt %D%/screens/host-sharing-200x60.txt
