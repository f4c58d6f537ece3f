/* server/operator.c */
#include "server/operator.h"

#include "common/crypto/keys.h"
#include "server/admission.h"
#include "server/store/runs.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static wm_status no_memory(wm_error *err)
{
    return wm_fail(err, WM_E_NOMEM, "no memory for the answer");
}

/* JSON has no NaN: what is not known is null. */
static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *time_or_null(int64_t wall_ms)
{
    char text[WM_TIME_TEXT];

    return wall_ms != 0 ? json_string(wm_time_text(wall_ms, text)) : json_null();
}

/* What came from outside may not be UTF-8. */
static json_t *text_json(const char *text)
{
    json_t *value = json_string(text);

    return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *id_json(const uint8_t *id)
{
    char text[WM_RUN_TEXT];

    return json_string(wm_run_id_text(id, text));
}

/* Takes the object over. */
static wm_status write_json(json_t *object, wm_text *ret, wm_error *err)
{
    char *text = object != NULL ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;

    json_decref(object);
    if (text == NULL)
        return no_memory(err);
    wm_text_add(ret, text);
    free(text);
    return ret->bad ? no_memory(err) : WM_OK;
}

/* ---- jobs ---- */

static wm_status parse_id(const char *word, uint8_t id[WM_RUN_ID_SIZE], wm_error *err)
{
    if (wm_run_id_parse(word, id))
        return WM_OK;
    return wm_fail(err, WM_E_INVALID,
                   "\"%.40s\" is not a run's id, which has 32 hexadecimal digits: `job DIR list` names them", word);
}

/* What the job starts with has come before it. */
static wm_status check_start(const wm_operator *self, const wm_job *job, wm_error *err)
{
    const wm_job_start *start = &job->model.start;

    if (start->file == NULL)
        return WM_OK;
    if (!start->has_parameters || !wm_blobs_has(wm_store_blobs(self->store), &start->parameters))
        return wm_fail(
            err, WM_E_MISSING,
            "model.start: the model of %s is not in the office: start the job again, with the file beside it",
            start->file);
    return WM_OK;
}

static wm_status job_start(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    wm_admitted   admitted = { 0 };
    wm_queued_job job = { 0 };
    wm_faults     faults;
    char        **names = NULL, text[WM_RUN_TEXT];
    size_t        n_names = 0;
    wm_status     st;

    if (command->n_words != 1 || command->text.len == 0 || command->text.len > WM_JOB_TEXT_MAX)
        return wm_fail(err, WM_E_INVALID, "a job's file has 1 to %d bytes", (int)WM_JOB_TEXT_MAX);
    wm_faults_init(&faults, command->words[0]);
    st = wm_roster_names(self->roster, &names, &n_names, err);
    if (st == WM_OK)
        st = wm_admit(command->words[0], (const char *)command->text.data, command->text.len,
                      &(wm_admission_limits){ .n_clients = n_names, .update_bytes = self->update_bytes }, &faults,
                      &admitted, err);
    if (st == WM_OK)
        st = check_start(self, admitted.job, err);
    if (st == WM_OK)
        st = wm_secret_draw(job.id, sizeof job.id, err);
    if (st == WM_OK) {
        job.job_name = admitted.job->name;
        job.job_text = admitted.job->text;
        job.seed = admitted.job->seed;
        st = wm_store_queue_add(self->store, &job, err);
    }
    if (st == WM_OK) {
        if (self->stirred != NULL)
            self->stirred(self->context);
        st = write_json(json_pack("{s:s, s:s, s:i, s:I}", "id", wm_run_id_text(job.id, text), "job", job.job_name,
                                  "gateways", (int)n_names, "minimum", (json_int_t)admitted.job->cohort.minimum),
                        ret, err);
    } else if (faults.count > 0) {
        wm_faults_report(&faults, ret);
    }
    wm_names_free(names, n_names);
    wm_admitted_release(&admitted);
    wm_faults_release(&faults);
    return st;
}

static void list_run(void *context, const wm_run_entry *run)
{
    json_t *list = context;

    json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:s, s:i, s:i, s:I, s:o, s:o, s:o}", "id",
                                          id_json(run->id), "job", text_json(run->job_name), "outcome",
                                          wm_outcome_name(run->standing.outcome), "phase",
                                          wm_phase_name(run->standing.phase), "round", (int)run->standing.round,
                                          "rounds", (int)run->rounds, "gateways", (json_int_t)run->n_population,
                                          "started", time_or_null(run->started_ms), "ended",
                                          time_or_null(run->ended_ms), "why", text_json(run->standing.why)));
}

static void list_queued(void *context, const wm_queued_job *job)
{
    json_t *list = context;

    json_array_append_new(list,
                          json_pack("{s:o, s:o, s:s, s:o}", "id", id_json(job->id), "job", text_json(job->job_name),
                                    "outcome", "waiting", "added", time_or_null(job->added_ms)));
}

static wm_status job_list(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    json_t   *runs = json_array(), *queue = json_array();
    wm_status st = wm_store_runs(self->store, list_run, runs, err);

    (void)command;
    if (st == WM_OK)
        st = wm_store_queue(self->store, list_queued, queue, err);
    if (st == WM_OK)
        return write_json(json_pack("{s:o, s:o}", "runs", runs, "queue", queue), ret, err);
    json_decref(runs);
    json_decref(queue);
    return st;
}

static wm_status job_stop(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    wm_ledger  *ledger = wm_store_ledger(self->store);
    uint8_t     id[WM_RUN_ID_SIZE];
    char        text[WM_RUN_TEXT];
    wm_standing standing;
    wm_status   st = parse_id(command->n_words == 1 ? command->words[0] : "", id, err);

    if (st != WM_OK)
        return st;
    if (self->jobs != NULL) {
        st = wm_jobs_stop(self->jobs, id, "stopped by the operator", err);
    } else {
        st = wm_store_queue_remove(self->store, id, err);
        if (st == WM_E_MISSING)
            st = ledger->load(ledger, id, &standing, err) == WM_OK
                     ? wm_fail(err, WM_E_REFUSED, "run %s was started: to stop it, the server must run",
                               wm_run_id_text(id, text))
                     : wm_fail(err, WM_E_MISSING, "there is no run %s: `job DIR list` names them",
                               wm_run_id_text(id, text));
    }
    return st != WM_OK ? st : write_json(json_pack("{s:s}", "stopped", wm_run_id_text(id, text)), ret, err);
}

/* ---- gateways ---- */

/* Why, and since when, a gateway is not there; null if it is, and where no server runs that could know. */
static json_t *away_json(const wm_operator *self, const wm_presence *who)
{
    wm_absence absence = wm_roster_absence(self->roster, who);

    if (self->jobs == NULL || absence == WM_ABSENCE_NONE || who->revoked_ms != 0)
        return json_null();
    return json_pack("{s:s, s:o}", "why", wm_absence_text(absence), "since",
                     time_or_null(who->left_ms != 0 ? who->left_ms : who->last_seen_ms));
}

static json_t *gateway_json(const wm_operator *self, const wm_presence *who)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:i, s:i, s:o, s:o, s:o, s:I}", "name", who->name,
                     "away", away_json(self, who), "enrolled", time_or_null(who->enrolled_ms), "last_seen",
                     time_or_null(who->last_seen_ms), "revoked", time_or_null(who->revoked_ms), "program",
                     text_json(who->program), "rows", (json_int_t)who->rows, "busy_with",
                     who->busy_phase != WM_PHASE_NONE ? json_string(wm_phase_name(who->busy_phase)) : json_null(),
                     "busy_round", (int)who->busy_round, "busy_done", (int)who->busy_done, "certificate_until",
                     time_or_null(who->not_after_ms), "refused", time_or_null(who->refused_ms), "refusal",
                     who->refused_ms != 0 ? text_json(who->refusal) : json_null(), "refusals",
                     (json_int_t)who->refusals);
}

static wm_status clients(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    wm_presence *who;
    size_t       n;
    json_t      *list;
    wm_status    st = wm_roster_list(self->roster, &who, &n, err);

    (void)command;
    if (st != WM_OK)
        return st;
    list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, gateway_json(self, &who[i]));
    free(who);
    return write_json(json_pack("{s:o}", "gateways", list), ret, err);
}

static wm_status revoke_at_issuer(const wm_asker *issuer, const char *name, wm_error *err)
{
    Wm__Issue   ask = WM__ISSUE__INIT;
    Wm__Issued *issued;
    wm_status   st;

    ask.verb = WM__ISSUE__VERB__REVOKE;
    ask.name = (char *)(uintptr_t)name;
    st = issuer->ask(issuer->context, &ask, &issued, err);
    if (st != WM_OK)
        return st;
    st = wm_issued_status(issued, err);
    wm_issued_free(issued);
    return st;
}

static wm_status revoke(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    const char *name = command->n_words == 1 ? command->words[0] : "";
    size_t      closed = 0;
    wm_error    issuer_err;
    wm_status   st = wm_gateway_name_check(name, err);

    /* Here first, where it takes effect at once; then at the issuer, so that it gets no other certificate. */
    if (st == WM_OK)
        st = wm_store_revoke(self->store, name, "revoked by the operator", err);
    if (st == WM_E_MISSING)
        return wm_fail(err, st, "no gateway \"%s\" is enrolled here: `clients DIR` names them", name);
    if (st != WM_OK)
        return st;
    wm_roster_revoked(self->roster, name);
    if (self->front != NULL)
        closed = wm_front_disconnect(self->front, name);
    if (self->remote != NULL)
        wm_remote_forget(self->remote, name);
    st = revoke_at_issuer(&self->issuer, name, &issuer_err);
    if (st != WM_OK)
        return wm_fail(err, st,
                       "\"%s\" is not served any more, but the issuer was not told (%.200s): revoke it again", name,
                       issuer_err.text);
    return write_json(json_pack("{s:s, s:I}", "revoked", name, "connections_closed", (json_int_t)closed), ret, err);
}

/* ---- state ---- */

static json_t *run_json(const wm_jobs_view *view)
{
    const wm_run_progress *now = &view->progress;

    return json_pack(
        "{s:o, s:o, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:s, s:s, s:s}",
        "id", id_json(view->id), "job", text_json(view->job_name), "phase", wm_phase_name(now->standing.phase),
        "round", (int)now->standing.round, "rounds", (int)now->rounds, "attempt", (int)now->standing.attempt,
        "cohort", (int)now->cohort, "goal", (int)now->goal, "needed", (int)now->need, "accepted",
        (int)now->accepted, "refused", (int)now->refused, "declined", (int)now->declined, "waiting_since",
        time_or_null(now->standing.opened_wall_ms), "left_ms",
        now->left_ms != INT64_MAX ? json_integer(now->left_ms) : json_null(), "waited_ms", (json_int_t)now->open_ms,
        "eta_ms", now->eta_ms >= 0 ? json_integer(now->eta_ms) : json_null(), "train_loss",
        real_or_null(now->train_loss), "eval_loss", real_or_null(now->eval_loss), "metric",
        real_or_null(now->metric), "metric_name", now->metric_name, "waiting_for", view->waiting_for, "note",
        view->note);
}

static json_t *counts_json(const wm_operator *self)
{
    wm_presence *who;
    size_t       n;
    int          enrolled = 0, present = 0, revoked = 0;

    if (wm_roster_list(self->roster, &who, &n, NULL) != WM_OK)
        return json_null();
    for (size_t i = 0; i < n; i++) {
        enrolled += who[i].revoked_ms == 0;
        revoked += who[i].revoked_ms != 0;
        present += who[i].revoked_ms == 0 && wm_roster_absence(self->roster, &who[i]) == WM_ABSENCE_NONE;
    }
    free(who);
    return json_pack("{s:i, s:i, s:i}", "enrolled", enrolled, "present", present, "revoked", revoked);
}

static void count_queued(void *context, const wm_queued_job *job)
{
    (void)job;
    ++*(int *)context;
}

static void last_run(void *context, const wm_run_entry *run)
{
    json_t **last = context;
    json_t  *list = json_array();

    list_run(list, run);
    json_decref(*last);
    *last = json_incref(json_array_get(list, 0));
    json_decref(list);
}

static wm_status status(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    json_t      *last = json_null();
    wm_jobs_view view = { 0 };
    int          queued = 0;
    wm_status    st = wm_store_queue(self->store, count_queued, &queued, err);

    (void)command;
    if (st == WM_OK)
        st = wm_store_runs(self->store, last_run, &last, err);
    if (st != WM_OK) {
        json_decref(last);
        return st;
    }
    if (self->jobs != NULL)
        wm_jobs_view_get(self->jobs, &view);
    return write_json(json_pack("{s:b, s:o, s:o, s:o, s:i, s:o, s:o}", "server_runs", self->jobs != NULL, "since",
                                time_or_null(self->started_ms), "run", view.running ? run_json(&view) : json_null(),
                                "last_run", last, "queued", queued, "gateways", counts_json(self), "trouble",
                                text_json(view.trouble)),
                      ret, err);
}

static wm_status backup(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    static const char *const besides[] = { "server.yaml", "root.pem" };
    const wm_files          *files = wm_files_system();
    const char              *to = command->n_words == 1 ? command->words[0] : "";
    wm_status                st;

    if (to[0] != '/')
        return wm_fail(err, WM_E_INVALID, "a backup needs the whole path of a folder that is not there yet");
    st = wm_store_backup(self->store, to, err);
    for (size_t i = 0; st == WM_OK && i < sizeof besides / sizeof *besides; i++) {
        char    *from_path = wm_path_join(self->office, besides[i]), *to_path = wm_path_join(to, besides[i]);
        uint8_t *bytes = NULL;
        size_t   n;

        st = from_path == NULL || to_path == NULL ? no_memory(err)
                                                  : files->read(files, from_path, 1 << 20, &bytes, &n, err);
        if (st == WM_OK)
            st = files->replace(files, to_path, bytes, n, 0600, err);
        free(bytes);
        free(from_path);
        free(to_path);
    }
    return st != WM_OK ? st : write_json(json_pack("{s:o}", "backup", text_json(to)), ret, err);
}

/* For `verify`, which is to look at a store that goes on. */
static wm_status snapshot(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err)
{
    char     *folder;
    wm_status st = wm_store_snapshot(self->store, &folder, err);

    (void)command;
    if (st != WM_OK)
        return st;
    st = write_json(json_pack("{s:o}", "snapshot", text_json(strrchr(folder, '/') + 1)), ret, err);
    free(folder);
    return st;
}

static const struct {
    const char *verb;
    wm_status (*deed)(const wm_operator *self, const Wm__Command *command, wm_text *ret, wm_error *err);
} deeds[] = {
    { "backup", backup },     { "clients", clients }, { "job list", job_list }, { "job start", job_start },
    { "job stop", job_stop }, { "revoke", revoke },   { "snapshot", snapshot }, { "status", status },
};

wm_status wm_operator_do(const wm_operator *self, const Wm__Command *command, wm_text *ret)
{
    wm_error  err = { 0 };
    wm_status st = WM_E_INVALID;
    size_t    i = 0;

    while (i < sizeof deeds / sizeof *deeds && strcmp(deeds[i].verb, command->verb) != 0)
        i++;
    if (i < sizeof deeds / sizeof *deeds)
        st = deeds[i].deed(self, command, ret, &err);
    else
        wm_fail(&err, st, "the server does not know the command \"%.40s\": is it of another version?",
                command->verb);
    if (st != WM_OK && ret->size == 0)
        wm_text_add(ret, err.text);
    return st;
}
