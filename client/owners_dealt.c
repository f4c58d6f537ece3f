/* client/owners_dealt.c
 *
 * Owners that examples are dealt to: all readings are laid as one client's, and then the examples are dealt, so that dealt
 * clients share one grid (or one block of images) and hold lists of numbers. */
#include "client/owners_struct.h"

#include "client/owner_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wm_status lay_all(wm_owners_opening *o, wm_examples **ret, wm_error *err)
{
    uint32_t *order;
    wm_status st;

    if (o->self->layout->images)
        return wm_owners_lay_images(o, "all", ret, err);
    order = malloc((o->readings->n + 1) * sizeof *order);
    if (order == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to divide %zu rows", o->readings->n);
    for (size_t i = 0; i < o->readings->n; i++)
        order[i] = (uint32_t)i;
    st = wm_owners_lay_grid(o, order, o->readings->n, "all", ret, err);
    free(order);
    return st;
}

/* to[count] <- the client of each example of a part: training by the rule, the rest evenly, so that the clients' held
 * out results add up to the central figure. */
static wm_status deal_part(wm_owners_opening *o, const wm_owner_ops *rule, const wm_examples *all, wm_part part,
                           size_t clients, uint32_t *to, wm_error *err)
{
    static const char *const purposes[WM_PARTS] = { "deal", "deal-validate", "deal-test" };
    size_t                   n = wm_examples_count(all, part), n_classes = 0;
    int32_t                 *classes = NULL;
    wm_rng                   rng;
    wm_status                st;

    wm_rng_init_keyed(&rng, o->self->job->seed, purposes[part], 0, "");
    if (part != WM_TRAIN)
        return wm_deal_evenly(n, clients, &rng, to, err);
    if (n < clients)
        return wm_fail(err, WM_E_INVALID, "data.owner: %zu training examples cannot be dealt to %zu clients", n,
                       clients);
    if (rule->needs_classes) {
        n_classes = (size_t)o->self->job->data.targets[0].classes;
        if (n_classes == 0)
            return wm_fail(err, WM_E_INVALID,
                           "data.owner: %s divides by class, and the first target is none: use iid",
                           rule->member.name);
        classes = malloc((n + 1) * sizeof *classes);
        if (classes == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for %zu classes", n);
        wm_examples_classes(all, part, 0, classes);
    }
    st = rule->deal(o->settings->owner->options, classes, n_classes, n, clients, &rng, to, err);
    free(classes);
    return st;
}

/* laid[clients]: adds a part's lists. */
static wm_status hand_out(const wm_examples *all, wm_part part, const uint32_t *to, size_t clients, wm_laid *laid,
                          wm_error *err)
{
    const uint32_t *rows = wm_examples_rows(all, part);
    size_t          n = wm_examples_count(all, part);

    for (size_t i = 0; i < n; i++)
        laid[to[i]].counts[part]++;
    for (size_t k = 0; k < clients; k++) {
        laid[k].at[part] = malloc((laid[k].counts[part] + 1) * sizeof *laid[k].at[part]);
        if (laid[k].at[part] == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the examples of %zu clients", clients);
        laid[k].counts[part] = 0;
    }
    for (size_t i = 0; i < n; i++)
        laid[to[i]].at[part][laid[to[i]].counts[part]++] = rows[i];
    return WM_OK;
}

/* client-000, client-001, ...: as many digits as sort well. */
static void dealt_name(size_t k, size_t clients, char name[WM_OWNER_NAME_MAX + 1])
{
    int digits = snprintf(NULL, 0, "%zu", clients - 1);

    snprintf(name, WM_OWNER_NAME_MAX + 1, "client-%0*zu", digits > 3 ? digits : 3, k);
}

static wm_status add_dealt(wm_owners_opening *o, size_t clients, wm_laid *laid, wm_error *err)
{
    wm_owners *self = o->self;

    for (size_t k = 0; k < clients; k++) {
        wm_owner *to = &self->owners[self->n];
        char      name[WM_OWNER_NAME_MAX + 1];
        wm_status st;

        dealt_name(k, clients, name);
        if (o->settings->only != NULL && strcmp(o->settings->only, name) != 0)
            continue;
        to->name = strdup(name);
        if (to->name == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for an owner");
        self->n++;
        st = self->layout->images ? wm_examples_of_images(self->layout, &self->images, &laid[k], &to->examples, err)
                                  : wm_examples_of_grid(self->layout, self->grids[0], &laid[k], &to->examples, err);
        if (st != WM_OK)
            return st;
    }
    return WM_OK;
}

/* With one owner left, its images move to the front and the others' memory is given back. */
static wm_status keep_own_images(wm_images *images, wm_laid *laid, wm_error *err)
{
    size_t    n = 0, kept = 0;
    wm_images own = { .shape = images->shape, .size = images->size };

    for (int p = 0; p < WM_PARTS; p++)
        n += laid->counts[p];
    own.pixels = malloc(n * images->size + 1);
    own.labels = malloc(n + 1);
    own.files = malloc((n + 1) * sizeof *own.files);
    own.n = n;
    if (own.pixels == NULL || own.labels == NULL || own.files == NULL) {
        wm_images_release(&own);
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu images", n);
    }
    for (int p = 0; p < WM_PARTS; p++) {
        for (size_t i = 0; i < laid->counts[p]; i++, kept++) {
            uint32_t from = laid->at[p][i];

            memcpy(own.pixels + kept * own.size, images->pixels + from * own.size, own.size);
            own.labels[kept] = images->labels[from];
            own.files[kept] = images->files[from];
            laid->at[p][i] = (uint32_t)kept;
        }
    }
    wm_images_release(images);
    *images = own;
    return WM_OK;
}

wm_status wm_owners_open_dealt(wm_owners_opening *o, const wm_owner_ops *rule, wm_error *err)
{
    wm_owners *self = o->self;
    size_t     clients =
        o->settings->clients > 0 ? o->settings->clients : (size_t)rule->clients(o->settings->owner->options);
    wm_examples *all = NULL;
    wm_laid     *laid = NULL;
    uint32_t    *to = NULL;
    char         name[WM_OWNER_NAME_MAX + 1];
    wm_status    st;

    if (clients < 1 || clients > WM_DEALT_CLIENTS_MAX)
        return wm_fail(err, WM_E_INVALID, "examples can be dealt to 1 to %d clients, not %zu", WM_DEALT_CLIENTS_MAX,
                       clients);
    if (self->job->data.split.kind == WM_SPLIT_OWNERS)
        return wm_fail(err, WM_E_INVALID,
                       "data.split: owners that are dealt to cannot be held out: split by time or files");
    laid = calloc(clients, sizeof *laid);
    if (laid == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu clients", clients);
    if ((st = wm_owners_reserve(self, clients, err)) != WM_OK || (st = lay_all(o, &all, err)) != WM_OK)
        goto out;
    for (int p = 0; st == WM_OK && p < WM_PARTS; p++) {
        free(to);
        to = malloc((wm_examples_count(all, (wm_part)p) + 1) * sizeof *to);
        if (to == NULL)
            st = wm_fail(err, WM_E_NOMEM, "no memory to deal examples");
        else if ((st = deal_part(o, rule, all, (wm_part)p, clients, to, err)) == WM_OK)
            st = hand_out(all, (wm_part)p, to, clients, laid, err);
    }
    for (size_t k = 0; st == WM_OK && self->layout->images && o->settings->only != NULL && k < clients; k++) {
        dealt_name(k, clients, name);
        if (strcmp(name, o->settings->only) == 0)
            st = keep_own_images(&self->images, &laid[k], err);
    }
    if (st == WM_OK)
        st = add_dealt(o, clients, laid, err);
out:
    for (size_t k = 0; k < clients; k++)
        wm_laid_release(&laid[k]);
    free(laid);
    free(to);
    wm_examples_free(all);
    return st;
}
