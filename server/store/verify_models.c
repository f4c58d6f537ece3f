/* server/store/verify_models.c
 *
 * The files of blobs/: each against its name, and each round computed again from them. A damaged file is named once, where
 * files are checked; the round that needs it is then said not to have been computed again. */
#include "server/store/verify_inside.h"

#include "common/job/scaling.h"
#include "server/accumulator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 };

/* ---- a round, once more ---- */

/* Have its files been kept? */
static wm_status is_held(wm_verified_run *run, uint32_t round, bool *ret, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &run->verifier->db, "SELECT 1 FROM checkpoints WHERE run = ? AND round = ? LIMIT 1", err);
    wm_bind_blob(&q, run->record->id, WM_RUN_ID_SIZE);
    wm_bind_int(&q, round);
    *ret = wm_query_row(&q);
    return wm_query_done(&q);
}

/* The bytes of a blob. WM_E_MISSING, WM_E_DAMAGED, WM_E_RANGE: it is not what it should be; another: we cannot say. */
static wm_status get(wm_verified_run *run, const wm_digest *name, size_t limit, uint8_t **ret, size_t *n,
                     wm_error *err)
{
    if (run->verifier->blobs == NULL)
        return wm_fail(err, WM_E_MISSING, "%s is not there", run->verifier->blobs_folder);
    return wm_blobs_get(run->verifier->blobs, name, limit, ret, n, err);
}

static bool is_of_the_file(wm_status st)
{
    return st == WM_E_MISSING || st == WM_E_DAMAGED || st == WM_E_RANGE || st == WM_E_IO;
}

/* values[n] <- the blob of that name; its length is part of what it is. */
static wm_status get_floats(wm_verified_run *run, const wm_digest *name, size_t n, float **ret, wm_error *err)
{
    uint8_t  *bytes;
    size_t    size;
    wm_status st = get(run, name, n * sizeof(float), &bytes, &size, err);

    if (st == WM_OK && size != n * sizeof(float)) {
        free(bytes);
        return wm_fail(err, WM_E_DAMAGED, "%zu bytes where a model has %zu", size, n * sizeof(float));
    }
    if (st == WM_OK)
        *ret = (float *)(void *)bytes;
    return st;
}

/* What a round is computed from; each from malloc. */
typedef struct ingredients {
    float   *params, *state;
    uint8_t *sums;
    size_t   n_sums;
} ingredients;

static void release(ingredients *in)
{
    free(in->params);
    free(in->state);
    free(in->sums);
}

/* The state that a strategy begins with is zeros, and kept by no round. */
static wm_status get_state(wm_verified_run *run, uint32_t round, float **ret, wm_error *err)
{
    if (run->n_state == 0)
        return WM_OK;
    if (round > 1)
        return get_floats(run, &run->server_state, run->n_state, ret, err);
    *ret = calloc(run->n_state, sizeof **ret);
    return *ret != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for the server's state");
}

static wm_status gather(wm_verified_run *run, const wm_round_record *round, ingredients *ret, wm_error *err)
{
    size_t    sums_max;
    wm_status st;

    if (!wm_sums_size(&run->spec, &sums_max))
        return wm_fail(err, WM_E_RANGE, "the sums of %zu parameters do not fit into memory", run->n_params);
    st = get_floats(run, &round->model_before, run->n_params, &ret->params, err);
    if (st == WM_OK)
        st = get(run, &round->sums, sums_max, &ret->sums, &ret->n_sums, err);
    if (st == WM_OK)
        st = get_state(run, round->round, &ret->state, err);
    return st;
}

static bool same_bits(double a, double b)
{
    return a == b || (a != a && b != b);
}

/* The next model, state and training loss, from the stored integers. */
static void compare(wm_verified_run *run, const wm_round_record *round, const ingredients *in,
                    const wm_sums_facts *facts)
{
    wm_verifier *v = run->verifier;
    wm_finding   where = wm_verify_in_run(run, "model", round->round, NULL);
    wm_digest    model = wm_params_digest(in->params, run->n_params), state = { 0 };
    char         is[WM_DIGEST_TEXT], want[WM_DIGEST_TEXT];
    uint64_t     before = v->result.violations;

    if (facts->updates != round->accepted || facts->weight != round->total_weight)
        wm_verify_say(v, &where,
                      "%s/%s: run %s, round %" PRIu32 ": the sums are of %" PRIu32 " updates of weight %" PRIu64
                      ", and the round counts %" PRIu32 " of weight %" PRIu64,
                      v->blobs_folder, wm_digest_text(&round->sums, is), run->id, round->round, facts->updates,
                      facts->weight, round->accepted, round->total_weight);
    if (!wm_digest_equal(&model, &round->model_after))
        wm_verify_say(v, &where,
                      "%s: run %s, round %" PRIu32
                      ": from the model before and the sums comes model %s, and the round has left model %s",
                      v->db.path, run->id, round->round, wm_digest_text(&model, is),
                      wm_digest_text(&round->model_after, want));
    if (run->n_state > 0)
        state = wm_params_digest(in->state, run->n_state);
    if (!wm_digest_equal(&state, &round->server_state))
        wm_verify_say(v, &where, "%s: run %s, round %" PRIu32 ": from the sums comes another server state",
                      v->db.path, run->id, round->round);
    if (facts->has_train_loss && !same_bits(facts->train_loss, round->train_loss))
        wm_verify_say(v, &where,
                      "%s: run %s, round %" PRIu32 " says a training loss of %.17g, and its sums give %.17g",
                      v->db.path, run->id, round->round, round->train_loss, facts->train_loss);
    v->result.recomputed += v->result.violations == before;
}

static void not_computed(wm_verified_run *run, uint32_t round, bool violation, const char *why)
{
    wm_finding where = wm_verify_in_run(run, "model", round, NULL);

    where.violation = violation;
    wm_verify_say(run->verifier, &where, "%s: run %s, round %" PRIu32 " was not computed again: %s",
                  run->verifier->db.path, run->id, round, why);
}

wm_status wm_verify_round(wm_verified_run *run, const wm_round_record *round, wm_error *err)
{
    ingredients   in = { 0 };
    wm_sums_facts facts;
    wm_error      why;
    bool          held;
    wm_status     st = is_held(run, round->round, &held, err);

    if (st != WM_OK)
        return st;
    if (!held && run->record->keep > 0 && (int64_t)round->round <= (int64_t)run->newest - run->record->keep) {
        run->verifier->result.let_go++;
        run->let_go = round->round;
        return WM_OK;
    }
    if (!held) {
        not_computed(run, round->round, true, "its files should be kept, and the store has let them go");
        return WM_OK;
    }
    st = gather(run, round, &in, &why);
    if (st == WM_OK) {
        st = wm_sums_apply(run->job.job, run->n_trained, in.sums, in.n_sums,
                           in.params + (run->n_params - run->n_trained), in.state, &facts, &why);
        if (st == WM_OK)
            compare(run, round, &in, &facts);
        else
            not_computed(run, round->round, true, why.text);
        st = WM_OK;
    } else if (is_of_the_file(st)) {
        not_computed(run, round->round, false, why.text);
        st = WM_OK;
    } else {
        st = wm_fail(err, st, "%s", why.text);
    }
    release(&in);
    return st;
}

/* ---- the scaling, once more ---- */

static void say_scaling(wm_verified_run *run, bool violation, const char *why)
{
    wm_finding where = wm_verify_in_run(run, "model", 0, NULL);

    where.violation = violation;
    wm_verify_say(run->verifier, &where, "%s: run %s: its scaling was not computed again: %s",
                  run->verifier->db.path, run->id, why);
}

/* Are the sums of those who were accepted? */
static void check_who_is_in(wm_verified_run *run, const wm_round_record *round, const wm_sums_facts *facts)
{
    wm_finding where = wm_verify_in_run(run, "model", 0, NULL);
    uint64_t   weight = 0;
    uint32_t   accepted = 0;

    for (size_t i = 0; i < round->n_contributions; i++)
        if (round->contributions[i].verdict == WM_VERDICT_ACCEPTED) {
            accepted++;
            weight += round->contributions[i].weight;
        }
    if (facts->updates != accepted || facts->weight != weight)
        wm_verify_say(run->verifier, &where,
                      "%s: run %s: the sums of its statistics are of %" PRIu32 " clients of weight %" PRIu64
                      ", and %" PRIu32 " of weight %" PRIu64 " were accepted",
                      run->verifier->db.path, run->id, facts->updates, facts->weight, accepted, weight);
}

static wm_status compare_scaling(wm_verified_run *run, const int64_t *const *sums, wm_error *err)
{
    wm_finding where = wm_verify_in_run(run, "model", 0, NULL);
    wm_scaling scaling = { 0 };
    uint8_t   *bytes = NULL;
    size_t     n;
    wm_digest  digest;
    char       is[WM_DIGEST_TEXT], want[WM_DIGEST_TEXT];
    wm_status  st = wm_scaling_from_statistics(run->job.job, sums, &scaling, err);

    if (st == WM_OK)
        st = wm_scaling_encode(&scaling, &bytes, &n, err);
    if (st == WM_OK) {
        digest = wm_sha256_of(bytes, n);
        if (!wm_digest_equal(&digest, &run->standing.scaling))
            wm_verify_say(run->verifier, &where,
                          "%s: run %s: from the sums of its statistics comes scaling %s, and it has scaling %s",
                          run->verifier->db.path, run->id, wm_digest_text(&digest, is),
                          wm_digest_text(&run->standing.scaling, want));
    }
    free(bytes);
    wm_scaling_release(&scaling);
    return st;
}

wm_status wm_verify_scaling(wm_verified_run *run, const wm_round_record *round, wm_error *err)
{
    const int64_t *sums[WM_PARTS_MAX];
    wm_update_spec spec;
    wm_sums_facts  facts;
    uint8_t       *bytes = NULL;
    size_t         n, size;
    wm_error       why;
    wm_status      st;

    if (wm_digest_is_zero(&round->sums)) {
        say_scaling(run, false, "it was made before the sums of statistics were kept");
        return WM_OK;
    }
    wm_statistics_spec(run->job.job, &spec);
    if (!wm_sums_size(&spec, &size))
        return wm_fail(err, WM_E_RANGE, "the sums of statistics do not fit into memory");
    st = get(run, &round->sums, size, &bytes, &n, &why);
    if (is_of_the_file(st)) {
        say_scaling(run, false, why.text);
        return WM_OK;
    }
    if (st == WM_OK)
        st = wm_sums_open(&spec, bytes, n, sums, &facts, &why);
    if (st == WM_OK) {
        check_who_is_in(run, round, &facts);
        st = compare_scaling(run, sums, &why);
    }
    free(bytes);
    if (st == WM_E_DAMAGED || st == WM_E_RANGE) {
        say_scaling(run, true, why.text);
        return WM_OK;
    }
    return st == WM_OK ? WM_OK : wm_fail(err, st, "%s", why.text);
}

/* ---- files ---- */

/* The digest of a file of any size. */
static wm_status digest_of(wm_verifier *v, const wm_digest *name, uint8_t *piece, wm_digest *ret, wm_error *err)
{
    uint64_t  at = 0, total = 0;
    size_t    got = 0;
    wm_sha256 sha;
    wm_status st;

    wm_sha256_init(&sha);
    do {
        st = wm_blobs_get_range(v->blobs, name, at, piece, PIECE, &got, &total, err);
        if (st != WM_OK)
            return st;
        wm_sha256_add(&sha, piece, got);
        at += got;
    } while (got == PIECE);
    wm_sha256_take(&sha, ret);
    return WM_OK;
}

/* Who names it: for the sentence. */
static wm_status named_by(wm_verifier *v, const wm_digest *name, wm_finding *where, char *what, size_t room,
                          wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &v->db,
                  "SELECT run, round, CASE WHEN sums = ?1 THEN 'sums' WHEN model_after = ?1 THEN 'model after it' "
                  "WHEN model_before = ?1 THEN 'model before it' ELSE 'server state' END FROM rounds "
                  "WHERE ?1 IN (sums, model_after, model_before, server_state) "
                  "UNION ALL SELECT id, round, CASE WHEN scaling = ?1 THEN 'scaling' WHEN statistics = ?1 THEN "
                  "'sums of the statistics' ELSE 'model' END FROM runs "
                  "WHERE ?1 IN (model, server_state, scaling, statistics) LIMIT 1",
                  err);
    wm_bind_digest(&q, name);
    if (wm_query_row(&q)) {
        where->has_run = true;
        wm_column_blob(&q, where->run, sizeof where->run);
        where->round = wm_column_u32(&q);
        wm_column_copy(&q, what, room);
    }
    return wm_query_done(&q);
}

static wm_status say_bad_file(wm_verifier *v, const wm_digest *name, const char *fault, wm_error *err)
{
    wm_finding where = { .violation = true, .area = "file" };
    char       what[32] = "file", text[WM_DIGEST_TEXT], run[WM_RUN_TEXT];
    wm_status  st = named_by(v, name, &where, what, sizeof what, err);

    if (st == WM_OK)
        wm_verify_say(v, &where, "%s/%s: run %s, round %" PRIu32 ": the %s %s; put it back from a backup",
                      v->blobs_folder, wm_digest_text(name, text), wm_run_id_text(where.run, run), where.round,
                      what, fault);
    return st;
}

static wm_status check_file(wm_verifier *v, const wm_digest *name, uint8_t *piece, wm_error *err)
{
    wm_digest is;
    wm_error  why;
    char      fault[WM_ERROR_TEXT + 32] = "";
    wm_status st = v->blobs != NULL ? digest_of(v, name, piece, &is, &why) : WM_E_MISSING;

    v->result.files++;
    if (st == WM_E_NOMEM)
        return wm_fail(err, st, "%s", why.text);
    if (st == WM_E_MISSING)
        snprintf(fault, sizeof fault, "is missing");
    else if (st != WM_OK)
        snprintf(fault, sizeof fault, "cannot be read (%s)", why.text);
    else if (!wm_digest_equal(&is, name))
        snprintf(fault, sizeof fault, "is damaged: its bytes are not those that its name promises");
    return fault[0] != '\0' ? say_bad_file(v, name, fault, err) : WM_OK;
}

wm_status wm_verify_files(wm_verifier *v, wm_error *err)
{
    static const char named[] = "SELECT digest FROM checkpoints UNION SELECT model FROM runs "
                                "UNION SELECT server_state FROM runs UNION SELECT scaling FROM runs "
                                "UNION SELECT statistics FROM runs";
    uint8_t          *piece = malloc(PIECE);
    int64_t           all = 0;
    wm_query          q;
    wm_digest         name;
    wm_status         st;

    if (piece == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to read files");
    st = wm_db_number(&v->db, "SELECT count(DISTINCT digest) FROM checkpoints", &all, err);
    if (st != WM_OK)
        goto out;
    wm_query_init(&q, &v->db, named, err);
    while (wm_query_row(&q)) {
        name = wm_column_digest(&q);
        if (q.st == WM_OK && !wm_digest_is_zero(&name)) {
            q.st = check_file(v, &name, piece, err);
            wm_verify_progress(v, "files", v->result.files, (uint64_t)all);
        }
    }
    st = wm_query_done(&q);
out:
    free(piece);
    return st;
}
