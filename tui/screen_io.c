/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 6: hosted I/O: switches between the two worlds, networks, drives, small devices. */
#include "tui/pane_table.h"

TABLE_PANE(worlds, "worlds", "World switches",
	   "VMM world to host world and back: by device and reason, cycles, rate", .view = "worlds",
	   .cols = "device reason switches out in host ms what", .drop = "what out in host",
	   .note = "out, in, host: mean cycles", .totals = "switches ms", .key = "device reason",
	   .count = "switches", .spark = true, .empty = "no switches yet");
TABLE_PANE(hosted, "hosted", "Hosted I/O", "the optimizations, and the switches that they have saved",
	   .view = "hosted-io", .cols = "name on saved ms what", .drop = "what ms", .totals = "saved ms",
	   .key = "name", .count = "saved");
TABLE_PANE(frames, "net", "Networks", "network devices: frames each way, queues, losses, rate", .view = "net",
	   .cols = "name up tx rx queue_out queue_in drop_out drop_in combined waited backend",
	   .drop = "waited combined backend queue_out queue_in drop_out drop_in up",
	   .totals = "tx rx drop_out drop_in combined waited", .key = "name", .count = "tx rx", .spark = true,
	   .empty = "no network (--net)");
TABLE_PANE(throughput, "throughput", "Throughput", "bytes that networks have carried, and how fast",
	   .view = "net", .cols = "name tx_bytes rx_bytes rate", .drop = "rate", .key = "name",
	   .count = "tx_bytes rx_bytes", .spark = true, .empty = "no network");
TABLE_PANE(drives, "drives", "Drives", "drives: requests, bytes, errors, rate", .view = "block",
	   .cols = "drive reads writes read_bytes write_bytes flushes errors delayed kind",
	   .drop = "kind delayed flushes errors read_bytes write_bytes",
	   .totals = "reads writes read_bytes write_bytes flushes errors delayed", .key = "drive",
	   .count = "reads writes", .spark = true, .empty = "no drives");
TABLE_PANE(small, "small", "Small devices", "what small devices have counted: mouse, virtio-rng, pvpanic...",
	   .view = "counters", .cols = "device counter value", .key = "device counter", .count = "value",
	   .sort = "-value", .spark = true);
TABLE_PANE(last, "switches", "Last world switches", "each of the last switches: when, why, cycles",
	   .view = "switches", .cols = "number us device reason out host in", .drop = "in out us",
	   .key = "number", .follow = true, .empty = "no switches yet");

static const struct pane_class *const panes[] = { &worlds, &hosted, &frames, &throughput,
						  &drives, &small,  &last,   NULL };

const struct screen_class screen_io = {
	.name = "io",
	.title = "I/O",
	.help = "world switches by reason, optimizations of hosted I/O, networks, drives, small devices",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(worlds:8,hosted:5,h(net,throughput:34):4,drives)" },
		     { 110, 30,
		       "v(h(worlds,hosted:44):11,h(net,throughput:44):6,h(v(drives,small:7),switches:60))" } },
};
