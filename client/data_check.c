/* client/data_check.c */
#include "client/data_check.h"

#include "client/readings.h"
#include "client/source.h"

#include <stdlib.h>

/* The layout of no job: every allowed column, as words, since nobody has said yet what they are. */
static wm_status layout_of_words(const wm_owners_settings *settings, const wm_job *no_job,
                                 const wm_job_column *word, wm_layout *ret, wm_error *err)
{
    const wm_source_ops *source = (const wm_source_ops *)settings->source->member;
    size_t               n = settings->allowed != NULL ? settings->allowed->count : 0;

    *ret = (wm_layout){ .job = no_job, .images = source != NULL && source->images };
    ret->used = calloc(n + 1, sizeof *ret->used);
    if (ret->used == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu columns", n);
    for (size_t i = 0; i < n && !ret->images; i++)
        ret->used[ret->n_used++] = (wm_used){ .name = settings->allowed->items[i], .spec = word, .read = true };
    return WM_OK;
}

/* typed: numbers were read as numbers, and ranges are known. */
static wm_status judge_columns(const wm_readings *readings, bool typed, wm_text *report, wm_error *err)
{
    wm_status st = WM_OK;

    for (size_t i = 0; i < readings->n_codes; i++) {
        const char *name = readings->layout->used[readings->used[i]].name;
        size_t      usable = readings->present[i] - (typed ? readings->outside[i] : 0);

        wm_text_printf(report, "column %s: %zu of %zu rows have a value", name, readings->present[i], readings->n);
        if (typed && readings->outside[i] > 0)
            wm_text_printf(report, ", %zu of them out of range or unknown", readings->outside[i]);
        wm_text_add(report, "\n");
        if (usable > 0 || st != WM_OK)
            continue;
        if (readings->present[i] > 0)
            st = wm_fail(err, WM_E_RANGE,
                         "column %s: all %zu values are out of the job's range or words: are its units the job's?",
                         name, readings->present[i]);
        else
            st = wm_fail(err, WM_E_RANGE, "column %s has no value in any of %zu rows%s%s", name, readings->n,
                         readings->first_fault[0] != '\0' ? ": " : ": is the sensor connected?",
                         readings->first_fault);
    }
    return st;
}

static wm_status judge(const wm_readings *readings, bool typed, wm_text *report, wm_error *err)
{
    size_t    faults = readings->without_time + readings->without_owner + readings->unreadable;
    wm_status st;

    wm_text_printf(report, "%zu file%s, %zu %s\n", readings->n_files, readings->n_files == 1 ? "" : "s",
                   readings->rows_seen, readings->layout->images ? "images" : "rows");
    if (readings->rows_seen == 0)
        return wm_fail(err, WM_E_MISSING, "there are no readings in the files: a header line and nothing below it");
    if (readings->n == 0 && !readings->layout->images)
        return wm_fail(err, WM_E_MALFORMED, "none of %zu rows can be used: %s", readings->rows_seen,
                       readings->first_fault);
    st = judge_columns(readings, typed, report, err);
    if (st == WM_OK && faults > 0)
        st = wm_fail(err, WM_E_MALFORMED,
                     "%s (%zu such in all): mend the file, or name the word in the source's list of missing ones",
                     readings->first_fault, faults);
    return st;
}

static wm_status judge_examples(const wm_job *job, const wm_owners_settings *settings, size_t examples_min,
                                wm_text *report, wm_error *err)
{
    wm_owners *owners;
    wm_status  st = wm_owners_open(job, settings, &owners, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < wm_owners_count(owners); i++) {
        wm_examples_summary sum;

        wm_examples_summarise(wm_owners_examples(owners, i), &sum);
        wm_text_printf(report,
                       "%s: %zu examples to train on, %zu to validate, %zu to test; %zu left out for gaps\n",
                       wm_owners_name(owners, i), sum.counts[WM_TRAIN], sum.counts[WM_VALIDATE],
                       sum.counts[WM_TEST], sum.dropped);
        if (st == WM_OK && sum.counts[WM_TRAIN] < examples_min)
            st =
                wm_fail(err, WM_E_REFUSED,
                        "%s has %zu examples to train on, at least %zu are needed: wait for more readings, or fill "
                        "their gaps",
                        wm_owners_name(owners, i), sum.counts[WM_TRAIN], examples_min);
    }
    wm_owners_free(owners);
    return st;
}

wm_status wm_check_readings(const wm_job *job, const wm_owners_settings *settings, size_t examples_min,
                            wm_text *report, wm_error *err)
{
    static const char *const any[] = { "" };
    const wm_job_column      word = { .kind = WM_COLUMN_CATEGORIES, .categories = { any, 1 } };
    const wm_job             no_job = { 0 };
    wm_layout               *layout = NULL, plain = { 0 };
    wm_readings             *readings = NULL;
    wm_status                st;

    if (job != NULL) {
        st = wm_layout_new(job, &layout, err);
        if (st == WM_OK)
            st = wm_layout_allow(layout, settings->allowed, err);
    } else {
        st = layout_of_words(settings, &no_job, &word, &plain, err);
    }
    if (st == WM_OK)
        st = wm_owners_read(job != NULL ? layout : &plain, settings, &readings, err);
    if (st == WM_OK)
        st = judge(readings, job != NULL, report, err);
    if (st == WM_OK && job != NULL)
        st = judge_examples(job, settings, examples_min, report, err);
    wm_readings_free(readings);
    wm_layout_free(layout);
    free(plain.used);
    return st;
}
