/* server/report/summary.c */
#include "server/report/summary.h"

#include "common/clock.h"
#include "models/measures.h"
#include "server/report/csv.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static json_t *figure(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* An unsigned count; beyond 2^63 nothing here ever comes. */
static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *result_json(const wm_job *job, const wm_result *result)
{
    json_t     *object = json_object();
    wm_measures measures;

    wm_measures_of(job, NULL, &measures);
    json_object_set_new(object, "examples", count(result->examples));
    json_object_set_new(object, "loss", figure(result->loss));
    for (size_t m = 0; m < measures.n; m++)
        json_object_set_new(object, measures.items[m].name, figure(result->metrics[m]));
    return object;
}

static json_t *contenders_json(const wm_job *job, const wm_result results[WM_CONTENDERS])
{
    json_t *object = json_object();

    for (int c = 0; c < WM_CONTENDERS; c++)
        if (results[c].present)
            json_object_set_new(object, wm_contender_key((wm_contender)c), result_json(job, &results[c]));
    return object;
}

static json_t *clients_json(const wm_report *report)
{
    json_t *object = json_object();

    for (size_t k = 0; report->final->clients != NULL && k < report->record->n_population; k++)
        json_object_set_new(object, report->record->population[k],
                            contenders_json(report->job, &report->final->clients[k * WM_CONTENDERS]));
    return object;
}

static json_t *last_round_json(const wm_report *report)
{
    const wm_history       *history = report->history;
    const wm_history_round *last;
    json_t                 *object;

    if (history->n_rounds == 0)
        return json_null();
    last = &history->rounds[history->n_rounds - 1];
    object = json_object();
    json_object_set_new(object, "round", json_integer(last->round));
    json_object_set_new(object, "train_loss", figure(last->train_loss));
    json_object_set_new(object, "validation",
                        last->evaluated ? result_json(report->job, &last->evaluation) : json_null());
    return object;
}

static void add_totals(json_t *object, const wm_history *history)
{
    uint64_t up = 0, down = 0, refused = 0, late = 0;

    for (size_t i = 0; i < history->n_rounds; i++) {
        up += history->rounds[i].bytes_up;
        down += history->rounds[i].bytes_down;
        refused += history->rounds[i].refused;
        late += history->rounds[i].late;
    }
    json_object_set_new(object, "refused", count(refused));
    json_object_set_new(object, "late", count(late));
    json_object_set_new(object, "bytes_up", count(up));
    json_object_set_new(object, "bytes_down", count(down));
}

void wm_summary_json(const wm_report *report, wm_text *to)
{
    const wm_run_record *record = report->record;
    json_t              *object = json_object();
    char                 id[WM_RUN_TEXT], digest[WM_DIGEST_TEXT], time[WM_TIME_TEXT];
    char                *text;

    json_object_set_new(object, "job", json_string(record->job_name));
    json_object_set_new(object, "run", json_string(wm_run_id_text(record->id, id)));
    json_object_set_new(object, "program", json_string("wardmote " WM_VERSION));
    json_object_set_new(object, "outcome", json_string(wm_outcome_name(report->standing->outcome)));
    json_object_set_new(object, "why", json_string(report->standing->why));
    json_object_set_new(object, "rounds", count(report->history->n_rounds));
    json_object_set_new(object, "rounds_planned", json_integer(report->job->rounds));
    json_object_set_new(object, "clients", count(record->n_population));
    json_object_set_new(object, "seed", count(record->seed));
    json_object_set_new(object, "started", json_string(wm_time_text(record->started_wall_ms, time)));
    json_object_set_new(object, "wall_seconds",
                        json_real((double)(report->wall_ms - record->started_wall_ms) / 1000));
    json_object_set_new(object, "model_sha256", json_string(wm_digest_text(&report->standing->model, digest)));
    add_totals(object, report->history);
    json_object_set_new(object, "last_round", last_round_json(report));
    if (report->final != NULL) {
        json_object_set_new(object, "final", contenders_json(report->job, report->final->together));
        json_object_set_new(object, "final_per_client", clients_json(report));
    }
    text = json_dumps(object, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    if (text != NULL) {
        wm_text_add(to, text);
        wm_text_add(to, "\n");
    } else
        to->bad = true;
    free(text);
    json_decref(object);
}
