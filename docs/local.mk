# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += %D%/layers.txt %D%/examples/demo-batch.vit
EXTRA_DIST += %D%/testing.md
