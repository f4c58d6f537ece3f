/* server/report/run_folder.c */
#include "server/report/run_folder.h"

#include "models/measures.h"
#include "models/safetensors.h"
#include "server/report/csv.h"
#include "server/report/html.h"
#include "server/report/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCALING_MAX = 1 << 20 };

struct wm_run_folder {
    wm_run_folder_settings s;
    wm_history             history;
    size_t                 n_written;     /* rounds that rounds.csv has */
    int64_t                flushed_ms;    /* mono, of the other files */
    wm_digest              model;         /* in model.safetensors; zero if there is none yet */
    bool                   has_threshold; /* it has one of a detector */
};

static wm_status replace_file(const wm_run_folder *folder, const char *name, const wm_text *text, wm_error *err)
{
    char     *path = wm_path_join(folder->s.path, name);
    wm_status st;

    if (path == NULL || text->bad)
        st = wm_fail(err, WM_E_NOMEM, "no memory for %s in %s", name, folder->s.path);
    else
        st = folder->s.files->replace(folder->s.files, path, wm_text_chars(text), text->size, 0644, err);
    free(path);
    return st;
}

/* ---- rounds.csv ---- */

static wm_status write_rounds(wm_run_folder *folder, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_status st;

    wm_text_add(&text, wm_rounds_csv_header);
    for (size_t i = 0; i < folder->history.n_rounds; i++)
        wm_rounds_csv_row(&folder->history.rounds[i], &text);
    st = replace_file(folder, "rounds.csv", &text, err);
    if (st == WM_OK)
        folder->n_written = folder->history.n_rounds;
    wm_text_release(&text);
    return st;
}

/* The rounds that the file has not yet. If it fails the file may have half a row: then it is written whole next time. */
static wm_status append_rounds(wm_run_folder *folder, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    char     *path = wm_path_join(folder->s.path, "rounds.csv");
    wm_status st;

    for (size_t i = folder->n_written; i < folder->history.n_rounds; i++)
        wm_rounds_csv_row(&folder->history.rounds[i], &text);
    if (path == NULL || text.bad)
        st = wm_fail(err, WM_E_NOMEM, "no memory for rounds.csv in %s", folder->s.path);
    else
        st = folder->s.files->append(folder->s.files, path, wm_text_chars(&text), text.size, err);
    folder->n_written = st == WM_OK ? folder->history.n_rounds : SIZE_MAX;
    free(path);
    wm_text_release(&text);
    return st;
}

/* ---- model.safetensors ---- */

/* The scaling in hexadecimal; empty if there is none. */
static wm_status scaling_text(const wm_run_folder *folder, const wm_digest *name, wm_text *ret, wm_error *err)
{
    uint8_t  *bytes;
    size_t    n;
    wm_status st;

    if (wm_digest_is_zero(name))
        return WM_OK;
    st = wm_blobs_get(folder->s.blobs, name, SCALING_MAX, &bytes, &n, err);
    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        wm_text_printf(ret, "%02x", bytes[i]);
    free(bytes);
    return ret->bad ? wm_fail(err, WM_E_NOMEM, "no memory for the scaling") : WM_OK;
}

/* The checkpoint's bytes into data[size] of a file: of a large model there is no memory for two. */
static wm_status read_checkpoint(const wm_run_folder *folder, const wm_digest *name, uint8_t *data, size_t size,
                                 wm_error *err)
{
    char      text[WM_DIGEST_TEXT];
    wm_digest is;
    size_t    got;
    uint64_t  total;
    wm_status st = wm_blobs_get_range(folder->s.blobs, name, 0, data, size, &got, &total, err);

    if (st != WM_OK)
        return st;
    if (got != size || total != size)
        return wm_fail(err, WM_E_DAMAGED, "the checkpoint has %llu bytes, the model of the job %zu",
                       (unsigned long long)total, size);
    is = wm_sha256_of(data, size);
    return wm_digest_equal(&is, name)
               ? WM_OK
               : wm_fail(err, WM_E_DAMAGED, "the checkpoint %s is damaged: put it back from a backup",
                         wm_digest_text(name, text));
}

/* From which loss on an example is an alarm, by the newest model; NaN if the job makes no detector, or before that model
 * was evaluated. */
static double threshold_of(const wm_run_folder *folder)
{
    const wm_history *history = &folder->history;
    wm_measures       measures;
    size_t            m;

    wm_measures_of(folder->s.job, NULL, &measures);
    m = wm_measures_threshold(&measures);
    return m < measures.n && history->n_rounds > 0 && history->rounds[history->n_rounds - 1].evaluated
               ? history->rounds[history->n_rounds - 1].evaluation.metrics[m]
               : (double)NAN;
}

static wm_status new_model_file(const wm_run_folder *folder, const wm_standing *standing, const char *path,
                                wm_safetensors_file *ret, wm_error *err)
{
    char      id[WM_RUN_TEXT], digest[WM_DIGEST_TEXT], round[16], threshold[32];
    wm_text   scaling = WM_TEXT_INIT;
    wm_status st = scaling_text(folder, &standing->scaling, &scaling, err);

    snprintf(round, sizeof round, "%" PRIu32,
             folder->history.n_rounds > 0 ? folder->history.rounds[folder->history.n_rounds - 1].round : 0);
    snprintf(threshold, sizeof threshold, "%.17g", threshold_of(folder));
    if (st == WM_OK) {
        bool              scaled = scaling.size > 0, detects = isfinite(threshold_of(folder));
        const wm_metadata metadata[] = { { "job", folder->s.record->job_text },
                                         { "run", wm_run_id_text(folder->s.record->id, id) },
                                         { "round", round },
                                         { "sha256", wm_digest_text(&standing->model, digest) },
                                         { scaled    ? "scaling"
                                           : detects ? "threshold"
                                                     : NULL,
                                           scaled ? wm_text_chars(&scaling) : threshold },
                                         { scaled && detects ? "threshold" : NULL, threshold },
                                         { NULL, NULL } };

        st = wm_safetensors_file_new(path, folder->s.model, metadata, ret, err);
    }
    wm_text_release(&scaling);
    return st;
}

/* A checkpoint that is gone already (a later commit, on another thread, pushed it out) is written by that one. */
static wm_status write_model(wm_run_folder *folder, const wm_standing *standing, wm_error *err)
{
    size_t              size = wm_model_n_params(folder->s.model) * sizeof(float);
    wm_safetensors_file file = { 0 };
    char               *path;
    wm_status           st;

    if (wm_digest_equal(&standing->model, &folder->model) &&
        folder->has_threshold == isfinite(threshold_of(folder)))
        return WM_OK;
    path = wm_path_join(folder->s.path, "model.safetensors");
    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for model.safetensors");
    st = new_model_file(folder, standing, path, &file, err);
    if (st == WM_OK) {
        st = read_checkpoint(folder, &standing->model, file.data, size, err);
        if (st == WM_E_MISSING && standing->outcome == WM_OUTCOME_NONE) {
            st = WM_OK;
            goto out;
        }
    }
    if (st == WM_OK)
        st = folder->s.files->replace(folder->s.files, path, file.bytes, file.n_bytes, 0644, err);
    if (st == WM_OK) {
        folder->model = standing->model;
        folder->has_threshold = isfinite(threshold_of(folder));
    }
out:
    free(file.bytes);
    free(path);
    return st;
}

/* ---- the other files ---- */

static wm_status write_page(const wm_run_folder *folder, const wm_report *report, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_status st = wm_report_html(report, &text, err);

    if (st == WM_OK)
        st = replace_file(folder, "report.html", &text, err);
    wm_text_release(&text);
    return st;
}

static wm_status flush(wm_run_folder *folder, const wm_standing *standing, const wm_final_record *final,
                       wm_error *err)
{
    wm_report report = { .job = folder->s.job,
                         .record = folder->s.record,
                         .history = &folder->history,
                         .standing = standing,
                         .final = final,
                         /* A run that is over may be written long after, when its server is back. */
                         .wall_ms = standing->phase == WM_PHASE_CLOSED ? standing->opened_wall_ms
                                                                       : wm_wall_ms(&folder->s.clock) };
    wm_text   text = WM_TEXT_INIT;
    wm_status st = WM_OK;

    if (folder->n_written == SIZE_MAX)
        st = write_rounds(folder, err);
    wm_clients_csv(report.job, report.record, report.history, final, &text);
    if (st == WM_OK)
        st = replace_file(folder, "clients.csv", &text, err);
    wm_text_release(&text);
    wm_summary_json(&report, &text);
    if (st == WM_OK)
        st = replace_file(folder, "summary.json", &text, err);
    wm_text_release(&text);
    if (st == WM_OK)
        st = write_page(folder, &report, err);
    if (st == WM_OK)
        st = write_model(folder, standing, err);
    if (st == WM_OK)
        folder->flushed_ms = wm_mono_ms(&folder->s.clock);
    return st;
}

static wm_status flush_as_it_stands(wm_run_folder *folder, wm_error *err)
{
    wm_standing standing;
    wm_status   st = folder->s.ledger->load(folder->s.ledger, folder->s.record->id, &standing, err);

    return st == WM_OK ? flush(folder, &standing, NULL, err) : st;
}

/* ---- opening ---- */

typedef struct replay {
    wm_run_folder *folder;
    wm_status      st;
    wm_error      *err;
} replay;

static void replay_round(void *context, const wm_round_record *round)
{
    replay *r = context;

    if (r->st == WM_OK)
        r->st = wm_history_add(&r->folder->history, round, NULL, r->err);
}

static wm_status write_job(const wm_run_folder *folder, wm_error *err)
{
    wm_text   text = WM_TEXT_INIT;
    wm_status st;

    wm_text_add(&text, folder->s.record->job_text);
    st = replace_file(folder, "job.yaml", &text, err);
    wm_text_release(&text);
    return st;
}

wm_status wm_run_folder_open(const wm_run_folder_settings *settings, wm_run_folder **ret, wm_error *err)
{
    wm_run_folder *folder = calloc(1, sizeof *folder);
    replay         replayed = { .folder = folder, .err = err };
    wm_status      st;

    if (folder == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the folder of a run");
    folder->s = *settings;
    st = wm_history_init(&folder->history, settings->record->n_population, err);
    if (st == WM_OK)
        st = settings->files->make_folder(settings->files, settings->path, 0755, err);
    if (st == WM_OK)
        st = wm_folder_sweep(settings->files, settings->path, err);
    if (st == WM_OK)
        st = settings->ledger->rounds(settings->ledger, settings->record->id, replay_round, &replayed, err);
    if (st == WM_OK)
        st = replayed.st;
    if (st == WM_OK)
        st = write_job(folder, err);
    if (st == WM_OK)
        st = write_rounds(folder, err);
    if (st == WM_OK)
        st = flush_as_it_stands(folder, err);
    if (st != WM_OK) {
        wm_run_folder_free(folder);
        return st;
    }
    *ret = folder;
    return WM_OK;
}

void wm_run_folder_free(wm_run_folder *folder)
{
    if (folder == NULL)
        return;
    wm_history_release(&folder->history);
    free(folder);
}

/* ---- the rounds ---- */

wm_status wm_run_folder_round(wm_run_folder *folder, const wm_round_record *round, wm_error *err)
{
    bool      again = false;
    wm_status st = wm_history_add(&folder->history, round, &again, err);

    if (st != WM_OK)
        return st;
    st = again || folder->n_written == SIZE_MAX ? write_rounds(folder, err) : append_rounds(folder, err);
    if (st == WM_OK && wm_mono_ms(&folder->s.clock) - folder->flushed_ms >= WM_FLUSH_MS)
        st = flush_as_it_stands(folder, err);
    return st;
}

wm_status wm_run_folder_close(wm_run_folder *folder, const wm_standing *standing, const wm_final_record *final,
                              wm_error *err)
{
    return flush(folder, standing, final, err);
}
