/* tests/disk/test_failing_files.c
 *
 * Each operation on its disk fails once, one after the other, under a gateway's store and identity, the issuer's store, the
 * folder of a run, and the files in which updates are staged: what fails says so, the same call made again succeeds, and
 * what is there in the end is what an undisturbed disk has. WM_FAULT=n does the nth operation alone. */
#include "tests/disk/disk.h"
#include "tests/disk/images.h"
#include "tests/disk/life.h"
#include "tests/figures.h"
#include "tests/server/gateways.h"
#include "tests/unit.h"

#include "client/pending.h"
#include "server/report/run_folder.h"
#include "server/staging.h"

#include <errno.h>
#include <unistd.h>

enum { TRIES_MOST = 4, UPDATE = 4000 };

typedef struct scene {
    disk  *d;
    place *office; /* not on the disk that fails, but where it is the subject */
    life   l;      /* a run that is over, in a store that is open; nor is that */
} scene;

static void complain(const scene *s, const wm_error *err, int *tries)
{
    if (!disk_has_failed(s->d) || strlen(err->text) < 10 || err->status == WM_OK || err->status == WM_E_NOMEM ||
        ++*tries > TRIES_MOST)
        images_fail("%s: %s", wm_status_name(err->status), err->text);
}

#define insist(s, call, err)                   \
    do {                                       \
        for (int tries_ = 0; (call) != WM_OK;) \
            complain((s), (err), &tries_);     \
    } while (0)

/* ---- a gateway ---- */

static const wm_update_spec spec = {
    .n_parts = 1,
    .parts = { { .name = "delta", .kind = WM_PART_F32, .n = 400, .bound = 16, .weight = WM_WEIGHT_EXAMPLES } },
    .weight_cap = 100,
};

static void gateway_keeps(scene *s, const char *folder)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = 3, .run = { 7 } };
    float         strategy[2] = { 1, 2 }, *state;
    wm_pending   *pending;
    wm_update     update;
    wm_held       held;
    size_t        n;
    wm_error      note, err;

    insist(s, wm_pending_open(wm_files_system(), folder, &pending, &note, &err), &err);
    images_assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    update.weight = 10;
    wm_update_seal(&update, &spec);
    insist(s, wm_pending_keep(pending, WM_PHASE_TRAIN, &update, 0.25, strategy, 2, &err), &err);
    wm_pending_free(pending);
    insist(s, wm_pending_open(wm_files_system(), folder, &pending, &note, &err), &err);
    images_assert(note.text[0] == '\0' && wm_pending_held(pending, &held) && held.round == 3);
    insist(s, wm_pending_let_go(pending, true, &err), &err);
    wm_pending_free(pending);
    insist(s, wm_pending_open(wm_files_system(), folder, &pending, &note, &err), &err);
    images_assert(note.text[0] == '\0' && !wm_pending_held(pending, &held));
    images_assert_ok(wm_pending_state(pending, key.run, &state, &n, &err), &err);
    images_assert(n == 2 && state[1] == 2);
    free(state);
    wm_pending_free(pending);
}

static void gateway_joins(scene *s, const char *folder)
{
    wm_token    token = place_token(s->office, "north", 0);
    wm_identity identity, again;
    wm_key     *key, *same;
    wm_digest   one, other;
    wm_error    err;

    insist(s, wm_identity_next_key(NULL, wm_files_system(), folder, &key, &err), &err);
    insist(s, wm_identity_next_key(NULL, wm_files_system(), folder, &same, &err), &err);
    images_assert_ok(wm_key_digest(key, &one, &err), &err);
    images_assert_ok(wm_key_digest(same, &other, &err), &err);
    images_assert(wm_digest_equal(&one, &other)); /* the key that is certified is the key that is kept */
    wm_key_free(same);
    identity = place_accept(s->office, place_enrol(s->office, &token, key), key, "north");
    insist(s, wm_identity_save(&identity, wm_files_system(), folder, &err), &err);
    wm_identity_release(&identity);
    insist(s, wm_identity_load(wm_files_system(), folder, &again, &err), &err);
    wm_identity_release(&again);
}

/* ---- the office ---- */

static wm_status ask_for_token(place *p, wm_token *ret, wm_error *err)
{
    Wm__Issue   issue = WM__ISSUE__INIT;
    Wm__Issued *issued;
    char       *addresses[] = { "office.example:7402" };
    wm_status   st;

    issue.verb = WM__ISSUE__VERB__TOKEN;
    issue.name = "north";
    issue.names = addresses;
    issue.n_names = 1;
    issued = place_ask(p, WM_DOOR_OPERATOR, &issue);
    st = wm_issued_status(issued, err);
    if (st == WM_OK)
        st = wm_token_decode(issued->text, strlen(issued->text), ret, err);
    wm_issued_free(issued);
    return st;
}

static wm_status enrol(place *p, const wm_token *token, wm_key *key, wm_error *err)
{
    Wm__Issued *issued = place_enrol(p, token, key);
    wm_status   st = wm_issued_status(issued, err);

    wm_issued_free(issued);
    return st;
}

static void office_issues(scene *s, const char *folder)
{
    place              p = { .time = { .wall_ms = NOW, .mono_ms = 1000 } };
    wm_issuer_settings settings;
    wm_token           token;
    wm_key            *key = new_key(), *other = new_key();
    wm_error           err;

    insist(s, place_init(&p, folder, &err), &err);
    p.issuer_folder = wm_path_join(folder, "issuer");
    settings = place_settings(&p);
    insist(s, wm_issuer_open(&settings, &p.issuer, &err), &err);
    insist(s, ask_for_token(&p, &token, &err), &err);
    insist(s, enrol(&p, &token, key, &err), &err);
    images_assert(enrol(&p, &token, other, &err) == WM_E_EXISTS || disk_has_failed(s->d));
    wm_issuer_free(p.issuer);
    settings = place_settings(&p);
    insist(s, wm_issuer_open(&settings, &p.issuer, &err), &err);
    insist(s, enrol(&p, &token, key, &err), &err);
    images_assert(enrol(&p, &token, other, &err) != WM_OK);
    wm_issuer_free(p.issuer);
    free(p.issuer_folder);
    wm_key_free(key);
    wm_key_free(other);
}

/* ---- a run's folder ---- */

static void run_leaves_its_folder(scene *s, const char *folder)
{
    world                 *w = &s->l.w;
    wm_ledger             *ledger = wm_store_ledger(s->l.store);
    wm_run_folder_settings settings = { .files = wm_files_system(),
                                        .path = folder,
                                        .job = &w->job,
                                        .model = w->model,
                                        .record = &w->record,
                                        .ledger = ledger,
                                        .blobs = w->blobs,
                                        .clock = wm_clock_manual(&w->time) };
    wm_run_folder         *run;
    wm_standing            standing;
    char                 **names;
    size_t                 n;
    wm_error               err;

    images_assert_ok(ledger->load(ledger, w->record.id, &standing, &err), &err);
    insist(s, wm_run_folder_open(&settings, &run, &err), &err);
    insist(s, wm_run_folder_close(run, &standing, NULL, &err), &err);
    wm_run_folder_free(run);
    insist(s, wm_run_folder_open(&settings, &run, &err), &err); /* what an unlink left is swept */
    wm_run_folder_free(run);
    images_assert_ok(wm_folder_names(folder, &names, &n, &err), &err);
    images_assert(n == 6);
    wm_names_free(names, n);
}

/* ---- staging ---- */

/* As an upload goes: whatever fails, the gateway claims and sends again. */
static wm_status upload(wm_staging *staging, const wm_upload *what, const uint8_t *bytes, wm_error *err)
{
    bool             whole = false;
    wm_gap           gap;
    wm_staged_update taken;
    wm_status        st = wm_staging_claim(staging, what, err);

    while (st == WM_OK && wm_staging_gaps(staging, what->client, &what->digest, &gap, 1) > 0)
        st = wm_staging_put(staging, what->client, &what->digest, gap.offset, bytes + gap.offset,
                            gap.length < 1000 ? gap.length : 1000, &whole, err);
    if (st == WM_OK)
        st = wm_staging_take(staging, what->client, &what->digest, &taken, err);
    images_assert(st != WM_E_FULL); /* that is what a gateway waits for without a word */
    if (st == WM_OK) {
        images_assert(taken.n_bytes == UPDATE && memcmp(taken.bytes, bytes, UPDATE) == 0);
        wm_staging_done(staging, &taken);
    }
    return st;
}

static void updates_are_staged(scene *s, const char *folder)
{
    wm_staging_settings settings = { .places = 2,
                                     .memory = 100, /* less than an update: it goes into a file */
                                     .room = 1 << 20,
                                     .stall_ms = 1000,
                                     .turn_ms = 1000,
                                     .folder = folder,
                                     .clock = wm_clock_manual(&s->l.w.time) };
    uint8_t             bytes[UPDATE];
    wm_upload           what = { .client = "north", .size = UPDATE };
    wm_staging         *staging;
    wm_error            err;

    for (size_t i = 0; i < UPDATE; i++)
        bytes[i] = (uint8_t)(i * 7);
    what.digest = wm_sha256_of(bytes, UPDATE);
    images_assert_ok(wm_staging_new(&settings, &staging, &err), &err);
    insist(s, upload(staging, &what, bytes, &err), &err);
    wm_staging_free(staging);
}

/* ---- every operation ---- */

static const struct {
    const char *says;
    void (*act)(scene *s, const char *folder);
} subjects[] = {
    { "a gateway's update", gateway_keeps },     { "a gateway's identity", gateway_joins },
    { "the office's authority", office_issues }, { "the folder of a run", run_leaves_its_folder },
    { "an upload's file", updates_are_staged },
};

static const struct {
    const char *says;
    unsigned    deeds;
    int         error;
} faults[] = {
    { "an error at a change", DISK_CHANGES, EIO },
    { "an error at a read", DISK_READ | DISK_OPEN, EIO },
    { "a full disk", DISK_WRITE | DISK_CREATE, ENOSPC },
    { "no right to change", DISK_CREATE | DISK_RENAME | DISK_REMOVE, EACCES },
};

/* False if there is no nth operation of that kind. */
static bool one_fault(scene *s, size_t subject, size_t fault, size_t nth)
{
    char     folder[4096];
    bool     failed;
    wm_error err;

    images_case("%s, %s, WM_FAULT=%zu", subjects[subject].says, faults[fault].says, nth);
    s->d = disk_watch(disk_folder(folder));
    disk_fail(s->d, &(disk_fault){ .deeds = faults[fault].deeds, .nth = nth, .error = faults[fault].error });
    subjects[subject].act(s, folder);
    failed = disk_has_failed(s->d);
    disk_free(s->d);
    images_assert_ok(wm_folder_remove(folder, &err), &err);
    return failed;
}

static void whatever_operation_fails_the_next_try_succeeds(void **state)
{
    const char *only = getenv("WM_FAULT");
    size_t      stride = getenv("WM_WHOLE") != NULL ? 1 : 3;
    uint64_t    tries = 0;

    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        for (size_t f = 0; f < sizeof faults / sizeof *faults; f++)
            for (size_t nth = only != NULL ? strtoul(only, NULL, 10) : 1; one_fault(*state, i, f, nth);
                 nth += stride) {
                tries++;
                if (only != NULL)
                    break;
            }
    tell_fault(&(fault_figure){ .fault = "each operation on a small store's disk fails once",
                                .tries = tries,
                                .survived = tries,
                                .seconds = -1 });
}

static char store[4096];

static int setup(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    wm_error err;

    assert_non_null(s);
    *state = s;
    s->office = place_new();
    life_init(&s->l, 7);
    life_live(&s->l, disk_folder(store), NULL);
    assert_ok(life_open(&s->l, store, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    scene   *s = *state;
    wm_error err;

    life_release(&s->l);
    place_free(s->office);
    assert_ok(wm_folder_remove(store, &err), &err);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_operation_fails_the_next_try_succeeds, setup, teardown),
    };

    if (access("/dev/shm", W_OK) == 0) /* many small files, each of them synced */
        setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
