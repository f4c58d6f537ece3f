/* client/owners.h
 *
 * From a source to clients: opens the readings once and divides them among owners, as the job's data.owner says. In
 * simulation there are many owners; on a gateway there is one, or one is picked by name. Names are made fit for
 * certificates, [a-z0-9-]{1,63}, and are the same in simulation, over TLS and after a restart, since training is
 * seeded by them. */
#ifndef WM_CLIENT_OWNERS_H
#define WM_CLIENT_OWNERS_H

#include "client/examples.h"

#include "common/log.h"

typedef struct wm_owners wm_owners;

typedef struct wm_owners_settings {
    const char      *folder;  /* where relative file patterns begin */
    const wm_choice *source;  /* which readings */
    const wm_choice *owner;   /* how they divide; member NULL: all of it is one owner, named `alone` */
    const char      *alone;   /* name of the only owner when nothing divides; NULL: "client" */
    const char      *only;    /* keep this owner and drop the others' readings at once; NULL: all */
    size_t           clients; /* > 0: overrides the number of clients of a dividing rule (--clients), or keeps the
                                 first so many owners in order of name */
    bool             predict; /* examples are all that can be predicted, in the test part */
    const wm_words
           *allowed; /* columns that may be used; NULL: all. A job that asks for another is refused by name */
    wm_log *log;     /* NULL for none */
} wm_owners_settings;

/* Reads. WM_E_MISSING: no file matches, a column is not there, no owner of that name; WM_E_MALFORMED: a file that is
 * not what it should be (file:line: what); WM_E_REFUSED: a column that may not be used. */
wm_status wm_owners_open(const wm_job *job, const wm_owners_settings *settings, wm_owners **ret, wm_error *err);
void      wm_owners_free(wm_owners *owners);

/* Only reads, and divides nothing: for checks. The layout must outlive *ret. Errors as above. */
struct wm_layout;
struct wm_readings;
wm_status wm_owners_read(const struct wm_layout *layout, const wm_owners_settings *settings,
                         struct wm_readings **ret, wm_error *err);

size_t      wm_owners_count(const wm_owners *owners);
const char *wm_owners_name(const wm_owners *owners, size_t i);        /* in order of name */
size_t      wm_owners_train_count(const wm_owners *owners, size_t i); /* examples; for scheduling, largest first */

/* The examples of owner i; belongs to `owners`, made on first use or at opening. */
wm_examples *wm_owners_examples(wm_owners *owners, size_t i);

/* All owners' examples as one client's, for the pooled baseline; belongs to `owners`. WM_E_NOMEM. */
wm_status wm_owners_pooled(wm_owners *owners, wm_examples **ret, wm_error *err);

extern const wm_family wm_sources, wm_owner_rules;

#endif
