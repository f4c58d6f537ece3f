/* client/owners_struct.h
 *
 * The owners' insides, and what opening passes along: for owners.c and owners_dealt.c. Nobody else includes this. */
#ifndef WM_CLIENT_OWNERS_STRUCT_H
#define WM_CLIENT_OWNERS_STRUCT_H

#include "client/examples_make.h"
#include "client/owners.h"
#include "client/rules/rule.h"

typedef struct wm_owner {
    char        *name;
    wm_examples *examples;
} wm_owner;

struct wm_owners {
    const wm_job *job;
    wm_layout    *layout;
    wm_grid     **grids;
    size_t        n_grids;
    wm_images     images;
    wm_owner     *owners; /* in order of name */
    size_t        n;
    wm_examples  *pooled;
};

/* What opening passes along. */
typedef struct wm_owners_opening {
    const wm_owners_settings *settings;
    wm_owners                *self;
    wm_readings              *readings;
    uint8_t                  *file_parts;
} wm_owners_opening;

/* Room for n owners and as many grids. */
wm_status wm_owners_reserve(wm_owners *self, size_t n, wm_error *err);

/* One owner's examples of these rows, or of all images; the rows' order is changed. */
wm_status wm_owners_lay_grid(wm_owners_opening *o, uint32_t *order, size_t n, const char *name, wm_examples **ret,
                             wm_error *err);
wm_status wm_owners_lay_images(wm_owners_opening *o, const char *name, wm_examples **ret, wm_error *err);

/* Owners that a rule deals the examples to, when all are laid as one client's. */
wm_status wm_owners_open_dealt(wm_owners_opening *o, const wm_owner_ops *rule, wm_error *err);

#endif
