/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: views of page sharing (views_share.c). */
#ifndef MM_VIEWS_INT_H
#define MM_VIEWS_INT_H
#include "base/view.h"

extern const struct view view_share, view_sharing, view_cow;
#endif
