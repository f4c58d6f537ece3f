/* tests/disk/test_power_gateway.c
 *
 * A gateway loses its power at every operation on its disk: while it keeps updates and lets them go, and while it joins an
 * office and renews its certificate. */
#include "tests/disk/images.h"
#include "tests/server/gateways.h"
#include "tests/unit.h"

#include "client/pending.h"

enum { ROUNDS = 6, RENEWALS = 3, STATE = 3 };

/* ---- the update that is kept ---- */

/* What the store has been asked for: after step 2r-1 it holds round r, after step 2r it has let go of it. */
typedef struct keeping {
    size_t done[2 * ROUNDS + 1]; /* [step]: the moment when it was done */
} keeping;

static const wm_update_spec spec = {
    .n_parts = 1,
    .parts = { { .name = "delta", .kind = WM_PART_F32, .n = 400, .bound = 16, .weight = WM_WEIGHT_EXAMPLES } },
    .weight_cap = 100,
};

static void keep_round(wm_pending *pending, uint32_t round)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = round, .run = { 7 } };
    float         strategy[STATE] = { (float)round, 1, 2 };
    wm_update     update;
    wm_error      err;

    images_assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    ((float *)update.values[0])[1] = (float)round / 64;
    update.weight = 10;
    wm_update_seal(&update, &spec);
    images_assert_ok(wm_pending_keep(pending, WM_PHASE_TRAIN, &update, 0.25, strategy, STATE, &err), &err);
}

static void keep_rounds(keeping *k, disk *d, const char *folder)
{
    wm_pending *pending;
    wm_error    note, err;

    images_assert_ok(wm_pending_open(wm_files_system(), folder, &pending, &note, &err), &err);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        keep_round(pending, round);
        k->done[2 * round - 1] = disk_moment(d);
        images_assert_ok(wm_pending_let_go(pending, true, &err), &err);
        k->done[2 * round] = disk_moment(d);
    }
    wm_pending_free(pending);
}

/* A removal is not synced: what was let go of may be back, and is then asked about and let go of again. */
static void check_kept(void *context, const char *image, size_t moment)
{
    const keeping *k = context;
    const uint8_t  run[WM_RUN_ID_SIZE] = { 7 };
    size_t         step = 0, n = 0;
    uint32_t       least, holds = 0;
    float         *strategy;
    wm_pending    *pending;
    wm_held        held;
    wm_error       note, err;

    while (step < 2 * ROUNDS && k->done[step + 1] <= moment)
        step++;
    images_assert_ok(wm_pending_open(wm_files_system(), image, &pending, &note, &err), &err);
    if (note.text[0] != '\0')
        images_fail("%s", note.text);
    if (wm_pending_held(pending, &held)) {
        holds = held.round;
        images_assert(held.n_bytes > 400 * sizeof(float) && held.loss == 0.25);
    }
    images_assert_ok(wm_pending_state(pending, run, &strategy, &n, &err), &err);
    least = (uint32_t)step / 2; /* rounds that were let go of as committed: so many states were taken over */
    images_assert(n == 0 ? least == 0 : strategy[0] >= (float)least && strategy[0] <= (float)(least + 1));
    if (step % 2 == 1) /* the round is held, or is just being let go of */
        images_assert(holds == (step + 1) / 2 || (holds == 0 && n > 0 && strategy[0] == (float)(step + 1) / 2));
    else /* nothing is, or the last one again, or the next one already */
        images_assert(holds == 0 || holds == step / 2 || holds == step / 2 + 1);
    keep_round(pending, ROUNDS + 1);
    free(strategy);
    wm_pending_free(pending);
}

static void no_power_cut_takes_a_finished_update_from_a_gateway(void **state)
{
    char     folder[4096];
    keeping  k = { { 0 } };
    disk    *d = disk_watch(disk_folder(folder));
    wm_error err;

    (void)state;
    keep_rounds(&k, d, folder);
    images_look(d, "power lost at any operation on a gateway's finished update", 500, check_kept, &k);
    disk_free(d);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

/* ---- key and certificate ---- */

typedef struct joining {
    place    *office;
    size_t    asked[RENEWALS], saved[RENEWALS]; /* moments: the key was made, the identity was saved */
    wm_digest key[RENEWALS];
} joining;

static void join_and_renew(joining *j, disk *d, const char *folder)
{
    const wm_files *files = wm_files_system();
    wm_token        token = place_token(j->office, "north", 0);
    wm_identity     now = { 0 };
    wm_key         *key;
    wm_error        err;

    for (int i = 0; i < RENEWALS; i++) {
        Wm__Issued *issued;
        wm_identity next;

        images_assert_ok(wm_identity_next_key(i > 0 ? &now : NULL, files, folder, &key, &err), &err);
        j->asked[i] = disk_moment(d);
        images_assert_ok(wm_key_digest(key, &j->key[i], &err), &err);
        place_advance(j->office, 4 * WM_DAY_MS);
        if (i == 0)
            place_advance(j->office, -4 * WM_DAY_MS);
        issued = i == 0 ? place_enrol(j->office, &token, key) : place_renew(j->office, &now, key);
        next = place_accept(j->office, issued, key, "north");
        images_assert_ok(wm_identity_save(&next, files, folder, &err), &err);
        j->saved[i] = disk_moment(d);
        wm_identity_release(&now);
        now = next;
    }
    wm_identity_release(&now);
}

/* The identity is the last that was saved, or the next; and a key that may have been certified is there. */
static void check_identity(void *context, const char *image, size_t moment)
{
    const joining  *j = context;
    const wm_files *files = wm_files_system();
    wm_identity     now = { 0 };
    wm_key         *key;
    wm_digest       digest;
    int             saved = 0, is = 0;
    wm_error        err;
    wm_status       st = wm_identity_load(files, image, &now, &err);

    while (saved < RENEWALS && j->saved[saved] <= moment)
        saved++;
    if (st == WM_OK)
        while (is < RENEWALS && !wm_digest_equal(&now.facts.key, &j->key[is++]))
            ;
    else if (st != WM_E_MISSING)
        images_fail("%s", err.text);
    images_assert(is == saved || is == saved + 1);
    images_assert_ok(wm_identity_next_key(st == WM_OK ? &now : NULL, files, image, &key, &err), &err);
    images_assert_ok(wm_key_digest(key, &digest, &err), &err);
    if (is < RENEWALS && j->asked[is] <= moment)
        images_assert(wm_digest_equal(&digest, &j->key[is]));
    wm_key_free(key);
    wm_identity_release(&now);
}

static void no_power_cut_takes_a_key_that_may_have_a_certificate(void **state)
{
    char     folder[4096];
    joining  j = { .office = place_new() };
    disk    *d = disk_watch(disk_folder(folder));
    wm_error err;

    (void)state;
    join_and_renew(&j, d, folder);
    images_look(d, "power lost at any operation on a gateway's key and certificate", 200, check_identity, &j);
    disk_free(d);
    place_free(j.office);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_cut_takes_a_finished_update_from_a_gateway),
        cmocka_unit_test(no_power_cut_takes_a_key_that_may_have_a_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
