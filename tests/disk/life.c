/* tests/disk/life.c */
#include "tests/disk/life.h"

#include "server/store/gateways.h"
#include "server/store/runs.h"
#include "server/store/verify.h"
#include "server/accumulator.h"
#include "tests/disk/images.h"
#include "tests/server/level.h"
#include "tests/unit.h"

enum {
    CLIENTS = 3,
    TURNS_MOST = 2000,
    TURNS_HEAL = 1000, /* 100 s: longer than the longest pause between two tries */
    RETRY_MS = 60 * 1000,
    COMPLAINTS_HEAL = 3,
    COMPLAINTS_MOST = 12,
};

static const char job_text[] = LEVEL_JOB("life", "2", "federated",
                                         "model: {layers: [flatten, {dense: 2}, relu, {dense: 1}], loss: mse}\n"
                                         "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 1}\n"
                                         "rounds: 4\n"
                                         "cohort: {select: all, quorum: 1, deadline: 60s}\n"
                                         "strategy: fedavg\n"
                                         "evaluate: {every: 2, metrics: [mae]}\n"
                                         "seed: 1\n");

#define check    images_assert
#define check_ok images_assert_ok

/* ---- promises ---- */

static wm_status note(life *l, wm_status st)
{
    wm_audit_head head;
    wm_error      err;

    if (st != WM_OK || l->d == NULL)
        return st;
    while (wm_store_audit_head(l->store, &head, &err) != WM_OK)
        ; /* a read that fails, too, fails once or until it is mended */
    check(head.lines < LIFE_LINES_MAX && head.lines >= l->lines);
    while (l->lines < head.lines)
        l->safe[++l->lines] = disk_moment(l->d);
    return st;
}

static wm_ledger *of_store(wm_ledger *self)
{
    return wm_store_ledger(((life *)self->state)->store);
}

static wm_status note_start(wm_ledger *self, const wm_run_record *run, const wm_standing *first, wm_error *err)
{
    return note(self->state, of_store(self)->start(of_store(self), run, first, err));
}

static wm_status note_open(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    return note(self->state, of_store(self)->open(of_store(self), run, standing, err));
}

static wm_status note_substitute(wm_ledger *self, const uint8_t *run, uint32_t round, const wm_substitution *drawn,
                                 size_t n, wm_error *err)
{
    return note(self->state, of_store(self)->substitute(of_store(self), run, round, drawn, n, err));
}

static wm_status note_scaled(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                             const wm_digest *sums, const wm_contribution *contributions, size_t n, wm_error *err)
{
    return note(self->state, of_store(self)->scaled(of_store(self), run, standing, sums, contributions, n, err));
}

static wm_status note_commit(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                             const wm_round_record *round, wm_error *err)
{
    return note(self->state, of_store(self)->commit(of_store(self), run, standing, round, err));
}

static wm_status note_evaluated(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                                const wm_round_record *round, wm_error *err)
{
    return note(self->state, of_store(self)->evaluated(of_store(self), run, standing, round, err));
}

static wm_status note_close(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                            const wm_final_record *final, wm_error *err)
{
    return note(self->state, of_store(self)->close(of_store(self), run, standing, final, err));
}

static wm_status pass_load(wm_ledger *self, const uint8_t *run, wm_standing *ret, wm_error *err)
{
    return of_store(self)->load(of_store(self), run, ret, err);
}

static wm_status pass_substitutes(wm_ledger *self, const uint8_t *run, uint32_t round, wm_substitution *ret,
                                  size_t room, size_t *n, wm_error *err)
{
    return of_store(self)->substitutes(of_store(self), run, round, ret, room, n, err);
}

static wm_status pass_rounds(wm_ledger *self, const uint8_t                                  *run,
                             void (*each)(void *context, const wm_round_record *round), void *context,
                             wm_error *err)
{
    return of_store(self)->rounds(of_store(self), run, each, context, err);
}

/* ---- opening ---- */

void life_init(life *l, uint64_t seed)
{
    *l = (life){ 0 };
    world_init(&l->w, job_text, CLIENTS, seed);
    l->w.patient = true;
    l->w.ledger = (wm_ledger){ .start = note_start,
                               .open = note_open,
                               .substitute = note_substitute,
                               .scaled = note_scaled,
                               .commit = note_commit,
                               .evaluated = note_evaluated,
                               .close = note_close,
                               .load = pass_load,
                               .substitutes = pass_substitutes,
                               .rounds = pass_rounds,
                               .state = l };
    l->own = l->w.blobs;
}

static void close_run(life *l)
{
    wm_run_free(l->w.run);
    l->w.run = NULL;
}

void life_close(life *l)
{
    close_run(l);
    wm_store_close(l->store);
    l->store = NULL;
    l->w.blobs = l->own;
}

void life_release(life *l)
{
    life_close(l);
    world_release(&l->w);
}

static wm_status open_store(life *l, const char *folder, wm_error *err)
{
    wm_status st = wm_store_open(wm_files_system(), folder, wm_clock_manual(&l->w.time), &l->store, err);

    if (st == WM_OK)
        l->w.blobs = wm_store_blobs(l->store);
    return st;
}

static wm_status open_run(life *l, wm_error *err)
{
    l->w.rounds_told = l->w.closed_told = l->w.last_round_told = 0;
    return world_open(&l->w, err);
}

wm_status life_open(life *l, const char *folder, wm_error *err)
{
    wm_status st = open_store(l, folder, err);

    if (st == WM_OK)
        st = open_run(l, err);
    if (st != WM_OK)
        life_close(l);
    return st;
}

static wm_standing standing_of(life *l)
{
    wm_run_progress progress;

    wm_run_progress_get(l->w.run, &progress);
    return progress.standing;
}

bool life_go_on(life *l, int turns)
{
    while (standing_of(l).phase != WM_PHASE_CLOSED) {
        if (turns-- == 0)
            return false;
        world_turn(&l->w);
    }
    return true;
}

/* ---- living ---- */

static void keep_hash(void *context, const wm_audit_line *line)
{
    life *l = context;

    check(line->line < LIFE_LINES_MAX);
    l->hash[line->line] = line->hash;
}

/* A step has failed. What it says is for a person; it is tried again, and where the disk goes on failing it is mended
 * after a while. */
static void complain(life *l, const wm_error *err)
{
    check(l->d != NULL && disk_has_failed(l->d));
    check(err->status != WM_OK && strlen(err->text) > 10);
    check(++l->complaints < COMPLAINTS_MOST);
    if (l->complaints % COMPLAINTS_HEAL == 0)
        disk_heal(l->d);
    l->w.time.mono_ms += RETRY_MS;
    l->w.time.wall_ms += RETRY_MS;
}

#define insist(call, err)       \
    do {                        \
        while ((call) != WM_OK) \
            complain(l, (err)); \
    } while (0)

static void before_the_run(life *l)
{
    wm_queued_job job = { .job_name = l->w.record.job_name, .job_text = l->w.record.job_text, .seed = l->w.seed };
    wm_error      err;

    memcpy(job.id, l->w.record.id, sizeof job.id);
    insist(note(l, wm_store_certificate(l->store, "ward-00", "0a1b", 1900000000000, &err)), &err);
    insist(note(l, wm_store_queue_add(l->store, &job, &err)), &err);
}

static void after_the_run(life *l)
{
    wm_sighting seen = { .name = "ward-00", .last_seen_ms = 5000, .rows = 420 };
    wm_error    err;

    insist(wm_store_sightings(l->store, &seen, 1, &err), &err);
    insist(note(l, wm_store_revoke(l->store, "ward-00", "stolen", &err)), &err);
}

/* The run tries by itself; its log is not looked at. */
static void turns_until(life *l, wm_phase phase, uint32_t round)
{
    wm_standing standing = standing_of(l);

    for (int turns = 0; standing.phase != phase && (round == 0 || standing.round < round); turns++) {
        check(turns < TURNS_MOST);
        if (turns == TURNS_HEAL && l->d != NULL)
            disk_heal(l->d);
        world_turn(&l->w);
        standing = standing_of(l);
    }
}

void life_live(life *l, const char *folder, disk *d)
{
    wm_error err;

    l->d = d;
    insist(open_store(l, folder, &err), &err);
    before_the_run(l);
    insist(open_run(l, &err), &err);
    turns_until(l, WM_PHASE_CLOSED, 2);
    life_close(l);
    insist(life_open(l, folder, &err), &err);
    turns_until(l, WM_PHASE_CLOSED, 0);
    after_the_run(l);
    l->end = standing_of(l).model;
    insist(wm_store_audit_each(l->store, keep_hash, l, &err), &err);
    life_close(l);
    l->d = NULL;
}

/* ---- looking ---- */

typedef struct look {
    life     *l;
    uint32_t  round;
    wm_digest model; /* after that round */
} look;

/* The parameters of a blob that is named; the caller's to free. */
static float *params_of(life *l, const wm_digest *name)
{
    uint8_t *bytes;
    size_t   n;
    wm_error err;

    check_ok(wm_blobs_get(l->w.blobs, name, (size_t)1 << 20, &bytes, &n, &err), &err);
    check(n == wm_model_n_params(l->w.model) * sizeof(float));
    return (float *)(void *)bytes;
}

/* Each committed round from the one before: its model is what the stored sums make of it. */
static void look_at_round(void *context, const wm_round_record *round)
{
    look     *at = context;
    world    *w = &at->l->w;
    float    *params = params_of(at->l, &round->model_before);
    size_t    n_params = wm_model_n_params(w->model), n;
    uint8_t  *sums;
    wm_digest after;
    wm_error  err;

    check(round->round == at->round + 1 && round->accepted == CLIENTS);
    check(at->round == 0 || wm_digest_equal(&round->model_before, &at->model));
    check_ok(wm_blobs_get(w->blobs, &round->sums, (size_t)1 << 20, &sums, &n, &err), &err);
    check_ok(wm_sums_apply(&w->job, n_params, sums, n, params, NULL, NULL, &err), &err);
    after = wm_params_digest(params, n_params);
    check(wm_digest_equal(&after, &round->model_after));
    at->round = round->round;
    at->model = round->model_after;
    free(sums);
    free(params);
}

void life_look(life *l, uint64_t lines)
{
    wm_ledger    *ledger = wm_store_ledger(l->store);
    look          at = { .l = l };
    wm_audit_head head;
    wm_standing   standing;
    wm_error      err;
    wm_status     st;

    check_ok(wm_store_audit_verify(l->store, &head, &err), &err);
    check(head.lines >= lines);
    check(head.lines < LIFE_LINES_MAX && wm_digest_equal(&head.hash, &l->hash[head.lines]));
    check_ok(ledger->rounds(ledger, l->w.record.id, look_at_round, &at, &err), &err);
    st = ledger->load(ledger, l->w.record.id, &standing, &err);
    if (st == WM_E_MISSING)
        return;
    check_ok(st, &err);
    free(params_of(l, &standing.model));
    check(at.round == 0 || wm_digest_equal(&standing.model, &at.model));
    check(wm_digest_is_zero(&standing.scaling) || wm_blobs_has(l->w.blobs, &standing.scaling));
}

void life_check(life *l, const char *folder, size_t moment)
{
    uint64_t    promised = 0;
    wm_standing end;
    wm_error    err;

    while (promised < l->lines && l->safe[promised + 1] <= moment)
        promised++;
    check_ok(open_store(l, folder, &err), &err);
    life_look(l, promised);
    check_ok(open_run(l, &err), &err);
    check(life_go_on(l, TURNS_MOST));
    end = standing_of(l);
    check(wm_digest_equal(&end.model, &l->end));
    check_ok(wm_store_audit_verify(l->store, NULL, &err), &err);
    life_close(l);
}

/* ---- damage ---- */

static void keep_finding(void *context, const wm_finding *finding)
{
    char *said = context;

    if (finding->violation && said[0] == '\0')
        snprintf(said, WM_ERROR_TEXT, "%s", finding->text);
}

/* Whether verify finds the history sound; else its first sentence. */
static bool is_sound(life *l, char said[WM_ERROR_TEXT])
{
    wm_verify_settings settings = {
        .files = wm_files_system(), .folder = "", .finding = keep_finding, .context = said
    };
    wm_verify_result result = { .violations = 0 };
    wm_error         err;
    wm_status        st = wm_verify_store(l->store, &settings, &result, &err);

    if (st != WM_OK && said[0] == '\0')
        snprintf(said, WM_ERROR_TEXT, "%s", err.text);
    return st == WM_OK && result.violations == 0;
}

/* A sentence that a person can act on: it names the place, and says what to do. */
static life_fate said_so(life *l, const char *folder, const wm_error *err, char said[WM_ERROR_TEXT])
{
    snprintf(said, WM_ERROR_TEXT, "%s", err->text);
    life_close(l);
    if (err->status == WM_E_NOMEM || err->status == WM_OK ||
        (strstr(said, folder) == NULL && strstr(said, "blobs") == NULL) ||
        (strstr(said, "backup") == NULL && strstr(said, "install the newer one") == NULL))
        images_fail("no sentence for a person: %s: %s", wm_status_name(err->status), said);
    return LIFE_SAID_SO;
}

life_fate life_try(life *l, const char *folder, char said[WM_ERROR_TEXT])
{
    wm_standing end;
    bool        sound;
    wm_error    err;

    said[0] = '\0';
    if (open_store(l, folder, &err) != WM_OK)
        return said_so(l, folder, &err, said);
    if (open_run(l, &err) != WM_OK)
        return said_so(l, folder, &err, said);
    check(life_go_on(l, TURNS_MOST));
    end = standing_of(l);
    sound = is_sound(l, said);
    if (sound && !wm_digest_equal(&end.model, &l->end))
        images_fail("it came to another model, and nobody says why");
    life_close(l);
    return sound ? LIFE_WENT_ON : LIFE_NAMED;
}
