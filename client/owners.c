/* client/owners.c
 *
 * Opening readings has three steps: the source fills the readings, the rule says whose they are, windows are laid for
 * each owner. Rules that deal work the other way round: see owners_dealt.c. */
#include "client/owners_struct.h"

#include "client/owner_names.h"
#include "client/source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void wm_owners_free(wm_owners *owners)
{
    if (owners == NULL)
        return;
    wm_examples_free(owners->pooled);
    for (size_t i = 0; i < owners->n; i++) {
        free(owners->owners[i].name);
        wm_examples_free(owners->owners[i].examples);
    }
    free(owners->owners);
    for (size_t i = 0; i < owners->n_grids; i++)
        wm_grid_free(owners->grids[i]);
    free(owners->grids);
    wm_images_release(&owners->images);
    wm_layout_free(owners->layout);
    free(owners);
}

wm_status wm_owners_reserve(wm_owners *self, size_t n, wm_error *err)
{
    self->owners = calloc(n + 1, sizeof *self->owners);
    self->grids = calloc(n + 1, sizeof(wm_grid *));
    return self->owners != NULL && self->grids != NULL ? WM_OK
                                                       : wm_fail(err, WM_E_NOMEM, "no memory for %zu owners", n);
}

/* ---- owners that are in the data ---- */

/* order: the rows of owner k are order[begin[k] .. begin[k + 1]), in the order of reading. */
static wm_status group_rows(const wm_readings *readings, uint32_t **order, size_t **begin, wm_error *err)
{
    uint32_t *rows = malloc((readings->n + 1) * sizeof *rows);
    size_t   *ends = calloc(readings->n_owners + 2, sizeof *ends);

    if (rows == NULL || ends == NULL) {
        free(rows);
        free(ends);
        return wm_fail(err, WM_E_NOMEM, "no memory to divide %zu rows", readings->n);
    }
    for (size_t i = 0; i < readings->n; i++)
        ends[readings->owners[i] + 2]++;
    for (size_t k = 2; k < readings->n_owners + 2; k++)
        ends[k] += ends[k - 1];
    for (size_t i = 0; i < readings->n; i++) /* ends[k + 1] moves from the begin of k to its end */
        rows[ends[readings->owners[i] + 1]++] = (uint32_t)i;
    *order = rows;
    *begin = ends;
    return WM_OK;
}

wm_status wm_owners_lay_grid(wm_owners_opening *o, uint32_t *order, size_t n, const char *name, wm_examples **ret,
                             wm_error *err)
{
    wm_owners *self = o->self;
    wm_grid   *grid;
    wm_laid    laid;
    wm_status  st = wm_grid_new(o->readings, order, n, &grid, err);

    if (st != WM_OK)
        return st;
    self->grids[self->n_grids++] = grid;
    st = wm_windows_lay(grid, o->file_parts, name, &laid, err);
    if (st != WM_OK)
        return st;
    st = wm_examples_of_grid(self->layout, grid, &laid, ret, err);
    wm_laid_release(&laid);
    return st;
}

wm_status wm_owners_lay_images(wm_owners_opening *o, const char *name, wm_examples **ret, wm_error *err)
{
    wm_owners *self = o->self;
    wm_laid    laid;
    wm_status  st;

    self->images = o->readings->images;
    o->readings->images = (wm_images){ 0 };
    st = wm_images_lay(self->layout, &self->images, o->file_parts, name, &laid, err);
    if (st != WM_OK)
        return st;
    st = wm_examples_of_images(self->layout, &self->images, &laid, ret, err);
    wm_laid_release(&laid);
    return st;
}

static int by_name(const void *a, const void *b, void *names)
{
    char *const *texts = names;

    return strcmp(texts[*(const uint32_t *)a], texts[*(const uint32_t *)b]);
}

static wm_status add_owner(wm_owners_opening *o, const char *name, uint32_t *rows, size_t n, wm_error *err)
{
    wm_owner *to = &o->self->owners[o->self->n];
    wm_status st;

    to->name = strdup(name);
    if (to->name == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an owner");
    o->self->n++;
    st = o->self->layout->images ? wm_owners_lay_images(o, name, &to->examples, err)
                                 : wm_owners_lay_grid(o, rows, n, name, &to->examples, err);
    if (st != WM_OK)
        wm_error_prefix(err, "owner %s", name);
    return st;
}

static wm_status open_found(wm_owners_opening *o, wm_error *err)
{
    const wm_readings *readings = o->readings;
    size_t             most = o->settings->clients > 0 ? o->settings->clients : SIZE_MAX, *begin = NULL;
    uint32_t          *rows = NULL, *names = malloc((readings->n_owners + 1) * sizeof *names);
    wm_status          st = wm_owners_reserve(o->self, readings->n_owners, err);

    if (st == WM_OK && names == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
    if (st == WM_OK)
        st = group_rows(readings, &rows, &begin, err);
    if (st != WM_OK)
        goto out;
    for (size_t k = 0; k < readings->n_owners; k++)
        names[k] = (uint32_t)k;
    qsort_r(names, readings->n_owners, sizeof *names, by_name, readings->owner_names);
    for (size_t i = 0; st == WM_OK && i < readings->n_owners && o->self->n < most; i++) {
        uint32_t k = names[i];
        size_t   n = begin[k + 1] - begin[k];

        /* An owner whose every row lacks a time is no client. */
        if (n > 0 || o->self->layout->images)
            st = add_owner(o, readings->owner_names[k], rows + begin[k], n, err);
    }
    if (st == WM_OK && o->settings->clients > o->self->n)
        wm_log_printf(o->settings->log, WM_LOG_WARNING, "readings",
                      "there are %zu owners in the readings, and not the %zu that were asked for", o->self->n,
                      o->settings->clients);
out:
    free(names);
    free(rows);
    free(begin);
    return st;
}

/* ---- opening ---- */

static void log_readings(const wm_owners_opening *o)
{
    const wm_readings *readings = o->readings;
    size_t faults = readings->without_time + readings->without_owner + readings->unreadable + readings->cut_short;

    if (faults > 0)
        wm_log_line(o->settings->log, WM_LOG_WARNING, "readings", "some could not be used",
                    WM_TEXT_FIELD("first", readings->first_fault),
                    WM_INT_FIELD("without_time", readings->without_time),
                    WM_INT_FIELD("without_owner", readings->without_owner),
                    WM_INT_FIELD("unreadable", readings->unreadable), WM_INT_FIELD("cut_off", readings->cut_short));
    wm_log_line(o->settings->log, WM_LOG_INFO, "readings", "read", WM_INT_FIELD("files", readings->n_files),
                WM_INT_FIELD("rows", readings->rows_seen), WM_INT_FIELD("owners", o->self->n));
}

/* An owner that the split names and that is not there is a typing error that would cost the whole test part. */
static wm_status check_split_owners(const wm_owners_opening *o, wm_error *err)
{
    const wm_job_split *split = &o->self->job->data.split;
    char                name[WM_OWNER_NAME_MAX + 1];

    if (split->kind != WM_SPLIT_OWNERS || o->settings->only != NULL || o->settings->clients > 0 ||
        o->settings->owner == NULL || o->settings->owner->member == NULL)
        return WM_OK;
    for (size_t i = 0; i < split->owners.count; i++) {
        size_t k = 0;

        if (wm_owner_name(split->owners.items[i], strlen(split->owners.items[i]), name))
            while (k < o->self->n && strcmp(o->self->owners[k].name, name) != 0)
                k++;
        else
            k = o->self->n;
        if (k == o->self->n)
            return wm_fail(err, WM_E_MISSING, "data.split.owners: there is no owner %s in the data",
                           split->owners.items[i]);
    }
    return WM_OK;
}

static wm_status check_found(const wm_owners_opening *o, wm_error *err)
{
    const wm_readings *readings = o->readings;

    if (o->self->n > 0)
        return check_split_owners(o, err);
    if (readings->rows_seen > 0 && readings->first_fault[0] != '\0')
        return wm_fail(err, WM_E_MALFORMED, "none of the %zu rows can be used: %s", readings->rows_seen,
                       readings->first_fault);
    if (o->settings->only != NULL)
        return wm_fail(err, WM_E_MISSING, "there are no readings of an owner named %s", o->settings->only);
    return wm_fail(err, WM_E_MISSING, "the files have a header and no readings");
}

wm_status wm_owners_read(const wm_layout *layout, const wm_owners_settings *settings, wm_readings **ret,
                         wm_error *err)
{
    const wm_source_ops *source = (const wm_source_ops *)settings->source->member;
    const wm_owner_ops  *rule = settings->owner != NULL ? (const wm_owner_ops *)settings->owner->member : NULL;
    wm_ownership         ownership = { .alone = settings->alone };
    wm_readings         *readings;
    wm_status            st;

    if (source == NULL)
        return wm_fail(err, WM_E_INVALID, "data.source is not given: say where the readings come from");
    if (source->images != layout->images)
        return wm_fail(err, WM_E_INVALID, "data.source: %s has %s", source->member.name,
                       source->images ? "images, so the job's inputs must be pixels"
                                      : "rows of readings and no images, which the job's inputs ask for");
    if (rule == NULL || rule->find != NULL)
        ownership.only = settings->only; /* else it is dealt first, and then kept */
    if (rule != NULL && rule->find != NULL)
        rule->find(settings->owner->options, &ownership);
    if (layout->images && (ownership.column != NULL || ownership.by_file || ownership.by_month))
        return wm_fail(err, WM_E_INVALID, "data.owner: images name no owner: use iid, shards, dirichlet or none");
    st = wm_readings_new(layout, &ownership, &readings, err);
    if (st != WM_OK)
        return st;
    st = source->read(settings->source->options, settings->folder, readings, err);
    if (st == WM_OK)
        *ret = readings;
    else
        wm_readings_free(readings);
    return st;
}

wm_status wm_owners_open(const wm_job *job, const wm_owners_settings *settings, wm_owners **ret, wm_error *err)
{
    const wm_owner_ops *rule = settings->owner != NULL ? (const wm_owner_ops *)settings->owner->member : NULL;
    wm_owners_opening   o = { .settings = settings };
    wm_status           st;

    o.self = calloc(1, sizeof *o.self);
    if (o.self == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for owners");
    o.self->job = job;
    if ((st = wm_layout_new(job, &o.self->layout, err)) != WM_OK)
        goto out;
    if (settings->predict)
        wm_layout_predict(o.self->layout);
    if ((st = wm_layout_allow(o.self->layout, settings->allowed, err)) != WM_OK ||
        (st = wm_owners_read(o.self->layout, settings, &o.readings, err)) != WM_OK ||
        (st = wm_file_parts(job, o.readings->file_names, o.readings->n_files, &o.file_parts, err)) != WM_OK)
        goto out;
    if (o.readings->n > 0 || o.readings->images.n > 0)
        st = rule != NULL && rule->deal != NULL ? wm_owners_open_dealt(&o, rule, err) : open_found(&o, err);
    if (st == WM_OK)
        st = check_found(&o, err);
    if (st == WM_OK)
        log_readings(&o);
out:
    wm_readings_free(o.readings);
    free(o.file_parts);
    if (st == WM_OK)
        *ret = o.self;
    else
        wm_owners_free(o.self);
    return st;
}

/* ---- use ---- */

size_t wm_owners_count(const wm_owners *owners)
{
    return owners->n;
}

const char *wm_owners_name(const wm_owners *owners, size_t i)
{
    assert(i < owners->n);
    return owners->owners[i].name;
}

size_t wm_owners_train_count(const wm_owners *owners, size_t i)
{
    assert(i < owners->n);
    return wm_examples_count(owners->owners[i].examples, WM_TRAIN);
}

wm_examples *wm_owners_examples(wm_owners *owners, size_t i)
{
    assert(i < owners->n);
    return owners->owners[i].examples;
}

wm_status wm_owners_pooled(wm_owners *owners, wm_examples **ret, wm_error *err)
{
    wm_examples **members;
    wm_status     st = WM_OK;

    if (owners->pooled == NULL) {
        members = calloc(owners->n + 1, sizeof(wm_examples *));
        if (members == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for pooled examples");
        for (size_t i = 0; i < owners->n; i++)
            members[i] = owners->owners[i].examples;
        st = wm_examples_of_members(owners->layout, members, owners->n, &owners->pooled, err);
        free(members);
    }
    if (st == WM_OK)
        *ret = owners->pooled;
    return st;
}
