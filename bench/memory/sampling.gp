# SPDX-License-Identifier: GPL-3.0-or-later
# Estimate of the memory in use against the truth, as in the paper's figure 6.
set terminal svg size 720,420
set output out."/sampling.svg"
set xlabel "VM time, s"
set ylabel "MB"
set yrange [0:*]
set key top left
plot out."/sampling.tsv" using 1:2 with steps title "touched each second", "" using 1:6 with lines title "estimate", \
     "" using 1:4 with lines title "slow average", "" using 1:3 with points title "samples"
