/* client/examples_make.h
 *
 * How examples come to be: for owners.c, which knows whose they are. */
#ifndef WM_CLIENT_EXAMPLES_MAKE_H
#define WM_CLIENT_EXAMPLES_MAKE_H

#include "client/windows.h"

/* Of a grid's rows or of images, which are borrowed, as is the layout; `laid` is taken over on success and empty
 * then. WM_E_NOMEM. */
wm_status wm_examples_of_grid(const wm_layout *layout, const wm_grid *grid, wm_laid *laid, wm_examples **ret,
                              wm_error *err);
wm_status wm_examples_of_images(const wm_layout *layout, const wm_images *images, wm_laid *laid, wm_examples **ret,
                                wm_error *err);

/* All of the members' examples, one member's after the other's; the members are borrowed, nothing is copied. */
wm_status wm_examples_of_members(const wm_layout *layout, wm_examples *const *members, size_t n, wm_examples **ret,
                                 wm_error *err);

/* classes[count of part] <- the class of target t; the target is a class. For rules that divide by label. */
void wm_examples_classes(const wm_examples *examples, wm_part part, size_t t, int32_t *classes);

/* The rows (images) that are the part's examples. */
const uint32_t *wm_examples_rows(const wm_examples *examples, wm_part part);

#endif
