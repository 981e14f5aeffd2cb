/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views that are declared in files of their own. */
#ifndef HV_VIEWS_INT_H
#define HV_VIEWS_INT_H
#include "base/view.h"

extern const struct view view_worlds, view_switches, view_hosted, view_net, view_virtio, view_balloon,
    view_balloon_stats, view_time, view_devices, view_counters, view_qtree, view_screen;
#endif
