/* server/tool/workspace.c */
#include "server/tool/workspace.h"

#include "client/workplace.h"
#include "common/files.h"
#include "common/grow.h"
#include "server/selection/selection.h"
#include "server/start.h"
#include "server/tool/places.h"

#include <stdlib.h>
#include <string.h>

/* What the command line changes in the job; keys and values are owned. */
typedef struct changes {
    wm_setting *items;
    size_t      n, room;
} changes;

static void changes_release(changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free((char *)(uintptr_t)c->items[i].key);
        free((char *)(uintptr_t)c->items[i].value);
    }
    free(c->items);
}

/* Takes the two over, which may be NULL for lack of memory. */
static wm_status change(changes *c, char *key, char *value, wm_error *err)
{
    wm_setting *items = wm_grow(c->items, c->n, &c->room, sizeof *items);

    if (items != NULL)
        c->items = items;
    if (key == NULL || value == NULL || items == NULL) {
        free(key);
        free(value);
        return wm_fail(err, WM_E_NOMEM, "no memory for the job's settings");
    }
    c->items[c->n++] = (wm_setting){ .key = key, .value = value };
    return WM_OK;
}

static wm_status change_number(changes *c, const char *key, int64_t value, wm_error *err)
{
    char *text = NULL;

    if (asprintf(&text, "%lld", (long long)value) < 0)
        text = NULL;
    return change(c, strdup(key), text, err);
}

/* --set as given, then --rounds and --seed. */
static wm_status collect(wm_cli_call *call, const wm_workspace_settings *set, changes *c, wm_error *err)
{
    wm_status st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < set->set.count; i++) {
        const char *word = set->set.items[i], *equals = strchr(word, '=');

        if (equals == NULL)
            return wm_cli_misused(call, err, "--set %s: say --set KEY=VALUE, such as training.rate=0.1", word);
        st = change(c, strndup(word, (size_t)(equals - word)), strdup(equals + 1), err);
    }
    if (st == WM_OK && set->rounds > 0)
        st = change_number(c, "rounds", set->rounds, err);
    if (st == WM_OK && set->seed >= 0)
        st = change_number(c, "seed", set->seed, err);
    return st;
}

static bool has_option(const wm_member *member, const char *name)
{
    for (size_t i = 0; member != NULL && i < member->n_options; i++)
        if (strcmp(member->options[i].name, name) == 0)
            return true;
    return false;
}

static wm_status parse(wm_cli_call *call, const wm_workspace_settings *set, const char *text, size_t n,
                       const changes *c, wm_workspace *space, wm_error *err)
{
    wm_job_families families = wm_client_families; /* a gateway's, and how cohorts are drawn */
    wm_faults       faults;
    wm_status       st;

    families.selections = &wm_selections;
    wm_faults_init(&faults, set->file);
    st = wm_job_parse(set->file, text, n, &families, c->items, c->n, &faults, &space->job, err);
    if (st == WM_OK)
        st = wm_model_new(space->job, &faults, &space->model, err);
    if (st == WM_OK && set->start)
        st = wm_start_of_job(set->file, space->job, space->model, &faults, &space->start, err);
    if (faults.count > 1)
        fputs(wm_text_chars(&faults.lines), call->err);
    wm_faults_release(&faults);
    return st;
}

/* Reads the job again, with the model that it starts with by its SHA-256. The file has been read. */
static wm_status say_start(wm_cli_call *call, const wm_workspace_settings *set, const char *text, size_t n,
                           changes *c, wm_workspace *space, wm_error *err)
{
    wm_workspace_settings read = *set;
    float                *params = space->start;
    wm_digest             is = wm_params_digest(params, wm_model_n_params(space->model));
    wm_setting            setting;
    wm_status             st = wm_start_setting(space->job, &is, &setting, err);

    if (st == WM_OK)
        st = change(c, strdup(setting.key), (char *)(uintptr_t)setting.value, err);
    read.start = false;
    space->start = NULL;
    wm_workspace_release(space);
    if (st == WM_OK)
        st = parse(call, &read, text, n, c, space, err);
    space->start = params;
    return st;
}

wm_status wm_workspace_open_job(wm_cli_call *call, const wm_workspace_settings *settings, wm_workspace *ret,
                                wm_error *err)
{
    const wm_files *files = wm_files_system();
    wm_workspace    space = { 0 };
    changes         c = { 0 };
    uint8_t        *text = NULL;
    size_t          n = 0;
    char           *key = NULL;
    wm_status       st = WM_OK;

    if (settings->text == NULL)
        st = files->read(files, settings->file, WM_JOB_TEXT_MAX, &text, &n, err);
    else if ((text = malloc((n = settings->n_text) + 1)) == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the job");
    else
        memcpy(text, settings->text, n);
    if (st == WM_OK && (st = collect(call, settings, &c, err)) == WM_OK)
        st = parse(call, settings, (const char *)text, n, &c, &space, err);
    /* A rule that divides the data into so many clients is told in the job itself, so that the job as run says it. */
    if (st == WM_OK && settings->clients > 0 && has_option(space.job->data.owner.member, "clients")) {
        if (asprintf(&key, "data.owner.%s.clients", space.job->data.owner.member->name) < 0)
            key = NULL;
        wm_workspace_release(&space);
        st = key != NULL ? change_number(&c, key, settings->clients, err)
                         : wm_fail(err, WM_E_NOMEM, "no memory for the job's settings");
        if (st == WM_OK)
            st = parse(call, settings, (const char *)text, n, &c, &space, err);
        free(key);
    }
    if (st == WM_OK && space.start != NULL)
        st = say_start(call, settings, (const char *)text, n, &c, &space, err);
    space.changed = c.n > 0;
    changes_release(&c);
    free(text);
    if (st != WM_OK) {
        wm_workspace_release(&space);
        return st;
    }
    *ret = space;
    return WM_OK;
}

char *wm_workspace_folder(const wm_workspace_settings *settings)
{
    return settings->data != NULL ? strdup(settings->data) : wm_path_folder(settings->file);
}

wm_status wm_workspace_read(const wm_workspace_settings *settings, bool predict, wm_log *log, wm_workspace *space,
                            wm_error *err)
{
    char     *folder = wm_workspace_folder(settings);
    wm_status st;

    if (folder == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the data");
    else if (space->job->data.source.member == NULL)
        st = wm_fail(err, WM_E_INVALID,
                     "%s: data.source does not say what to read; a simulation needs it, such as {csv: \"*.csv\"}",
                     settings->file);
    else
        st = wm_owners_open(space->job,
                            &(wm_owners_settings){ .folder = folder,
                                                   .source = &space->job->data.source,
                                                   .owner = &space->job->data.owner,
                                                   .clients = (size_t)settings->clients,
                                                   .predict = predict,
                                                   .log = log },
                            &space->owners, err);
    free(folder);
    /* With what the command line changes in it the job is not the file any more, line by line. */
    if (st == WM_OK || st == WM_E_NOMEM || space->changed || settings->text != NULL)
        return st;
    wm_places_add(settings->file, space->job->text, space->job->n_text, err);
    return st;
}

wm_status wm_workspace_open(wm_cli_call *call, const wm_workspace_settings *settings, wm_log *log,
                            wm_workspace *ret, wm_error *err)
{
    wm_workspace space;
    wm_status    st = wm_workspace_open_job(call, settings, &space, err);

    if (st != WM_OK)
        return st;
    st = wm_workspace_read(settings, false, log, &space, err);
    if (st != WM_OK) {
        wm_workspace_release(&space);
        return st;
    }
    *ret = space;
    return WM_OK;
}

void wm_workspace_release(wm_workspace *workspace)
{
    free(workspace->start);
    wm_owners_free(workspace->owners);
    wm_model_free(workspace->model);
    wm_job_free(workspace->job);
    *workspace = (wm_workspace){ 0 };
}
