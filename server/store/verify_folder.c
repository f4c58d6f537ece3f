/* server/store/verify_folder.c
 *
 * The folder that a run has left for people, runs/ID: its model must be a model of that run. It is written a moment after
 * the store, and anew at every start of the server, so an older model of the same run is as good. */
#include "server/store/verify_inside.h"

#include "models/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bad_folder(wm_verified_run *run, const char *path, const char *fault)
{
    wm_finding where = wm_verify_in_run(run, "file", 0, NULL);

    wm_verify_say(run->verifier, &where,
                  "%s: run %s: %s; start the server, which writes it anew, or take the backup's", path, run->id,
                  fault);
}

/* Has the run ever had that model? */
static wm_status is_of_run(wm_verified_run *run, const wm_digest *model, bool *ret, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &run->verifier->db,
                  "SELECT 1 FROM rounds WHERE run = ?1 AND ?2 IN (model_before, model_after) "
                  "UNION SELECT 1 FROM runs WHERE id = ?1 AND model = ?2",
                  err);
    wm_bind_blob(&q, run->record->id, WM_RUN_ID_SIZE);
    wm_bind_digest(&q, model);
    *ret = wm_query_row(&q);
    return wm_query_done(&q);
}

static wm_status check_model(wm_verified_run *run, const char *path, float *params, wm_error *err)
{
    const wm_files *files = run->verifier->set->files;
    wm_error        why;
    wm_digest       model, said;
    char           *sha = NULL;
    bool            known = false;
    wm_status       st = wm_safetensors_read(files, path, run->job.model, params, &why);

    if (st == WM_OK)
        st = wm_safetensors_metadata(files, path, "sha256", &sha, &why);
    if (st == WM_E_NOMEM)
        return wm_fail(err, st, "%s", why.text);
    if (st != WM_OK) {
        bad_folder(run, path, why.text);
        return WM_OK;
    }
    model = wm_params_digest(params, run->n_params);
    if (!wm_digest_parse(sha, &said) || !wm_digest_equal(&said, &model))
        bad_folder(run, path, "its parameters are not those whose SHA-256 it names");
    else if ((st = is_of_run(run, &model, &known, err)) == WM_OK && !known &&
             run->standing.phase == WM_PHASE_CLOSED)
        bad_folder(run, path, "it is no model of that run");
    free(sha);
    return st;
}

wm_status wm_verify_folder(wm_verified_run *run, wm_error *err)
{
    const wm_files *files = run->verifier->set->files;
    float          *params;
    char           *path = NULL;
    wm_status       st = WM_OK;

    if (asprintf(&path, "%s/runs/%s/model.safetensors", run->verifier->office, run->id) < 0)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    if (!files->exists(files, path)) { /* a backup has none */
        free(path);
        return WM_OK;
    }
    params = malloc(run->n_params * sizeof *params);
    st = params != NULL ? check_model(run, path, params, err)
                        : wm_fail(err, WM_E_NOMEM, "no memory for a model of %zu parameters", run->n_params);
    free(params);
    free(path);
    return st;
}
