/* tests/client/test_pending.c */
#include "tests/unit.h"

#include "client/pending.h"
#include "client/server_time.h"

#include <sys/stat.h>
#include <unistd.h>

typedef struct fixture {
    char        folder[4096];
    wm_pending *pending;
    wm_error    err;
} fixture;

static void open_store(fixture *f, const char *expect_note)
{
    wm_error note;

    f->pending = NULL;
    assert_ok(wm_pending_open(wm_files_system(), f->folder, &f->pending, &note, &f->err), &f->err);
    assert_case(note.text, (strstr(note.text, "damaged") != NULL) == (expect_note != NULL));
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    wm_test_folder(f->folder);
    open_store(f, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    wm_pending_free(f->pending);
    assert_ok(wm_folder_remove(f->folder, &f->err), &f->err);
    free(f);
    return 0;
}

static const wm_update_spec spec = {
    .n_parts = 1,
    .parts = { { .name = "delta", .kind = WM_PART_F32, .n = 3, .bound = 16, .weight = WM_WEIGHT_EXAMPLES } },
    .weight_cap = 100,
};

static wm_update one_update(fixture *f, uint32_t round)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = round, .run = { 7 } };
    wm_update     update;

    assert_ok(wm_update_new(&spec, &key, &update, &f->err), &f->err);
    ((float *)update.values[0])[1] = 0.5f;
    update.weight = 10;
    wm_update_seal(&update, &spec);
    return update;
}

static void keep_one(fixture *f, uint32_t round, const float *strategy, size_t n)
{
    wm_update update = one_update(f, round);

    assert_ok(wm_pending_keep(f->pending, WM_PHASE_TRAIN, &update, 0.25, strategy, n, &f->err), &f->err);
}

static void what_was_kept_is_there_after_a_restart(void **state)
{
    fixture *f = *state;
    wm_held  held, again;

    assert_false(wm_pending_held(f->pending, &held));
    keep_one(f, 3, NULL, 0);
    assert_true(wm_pending_held(f->pending, &held));
    wm_pending_free(f->pending);
    open_store(f, NULL);
    assert_true(wm_pending_held(f->pending, &again));
    assert_int_equal(again.round, 3);
    assert_int_equal(again.phase, WM_PHASE_TRAIN);
    assert_int_equal(again.run[0], 7);
    assert_true(again.loss == 0.25);
    assert_int_equal(again.n_bytes, WM_UPDATE_HEADER + 3 * sizeof(float));
    assert_true(wm_digest_equal(&again.digest, &(wm_digest[]){ wm_sha256_of(again.bytes, again.n_bytes) }[0]));
}

static bool is_on_disk(fixture *f)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/pending", f->folder);
    return access(path, F_OK) == 0;
}

/* The same to whoever asks, until there is a crash; and what was kept before is not there again after one. */
static void what_is_held_in_memory_alone_is_on_no_disk(void **state)
{
    fixture  *f = *state;
    wm_update update = one_update(f, 4);
    wm_held   kept, held;

    keep_one(f, 4, NULL, 0);
    assert_true(wm_pending_held(f->pending, &kept) && is_on_disk(f));
    assert_ok(wm_pending_hold(f->pending, WM_PHASE_TRAIN, &update, 0.25, &f->err), &f->err);
    assert_true(wm_pending_held(f->pending, &held));
    assert_false(is_on_disk(f));
    assert_int_equal(held.round, 4);
    assert_true(held.loss == 0.25 && held.run[0] == 7 && held.phase == WM_PHASE_TRAIN);
    assert_int_equal(held.n_bytes, WM_UPDATE_HEADER + 3 * sizeof(float));
    assert_true(wm_digest_equal(&held.digest, &(wm_digest[]){ wm_sha256_of(held.bytes, held.n_bytes) }[0]));

    keep_one(f, 5, NULL, 0);
    assert_true(wm_pending_held(f->pending, &held) && held.round == 5 && is_on_disk(f));
    assert_ok(wm_pending_let_go(f->pending, true, &f->err), &f->err);
    update = one_update(f, 6);
    assert_ok(wm_pending_hold(f->pending, WM_PHASE_TRAIN, &update, 0.25, &f->err), &f->err);
    assert_ok(wm_pending_let_go(f->pending, true, &f->err), &f->err);
    assert_false(wm_pending_held(f->pending, &held));

    update = one_update(f, 7);
    assert_ok(wm_pending_hold(f->pending, WM_PHASE_TRAIN, &update, 0.25, &f->err), &f->err);
    wm_pending_free(f->pending);
    open_store(f, NULL);
    assert_false(wm_pending_held(f->pending, &held));
}

static void what_was_let_go_is_gone_for_good(void **state)
{
    fixture *f = *state;
    wm_held  held;

    keep_one(f, 3, NULL, 0);
    assert_ok(wm_pending_let_go(f->pending, true, &f->err), &f->err);
    assert_false(wm_pending_held(f->pending, &held));
    wm_pending_free(f->pending);
    open_store(f, NULL);
    assert_false(wm_pending_held(f->pending, &held));
}

static void the_strategy_s_state_is_taken_over_only_with_a_committed_update(void **state)
{
    static const float first[2] = { 1, 2 }, second[2] = { 3, 4 };
    static const struct {
        const char *says;
        bool        committed;
        float       want;
    } cases[] = {
        { "an update that came too late changes nothing", false, 1 },
        { "a committed one does", true, 3 },
    };
    fixture *f = *state;

    keep_one(f, 1, first, 2);
    assert_ok(wm_pending_let_go(f->pending, true, &f->err), &f->err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t run[WM_RUN_ID_SIZE] = { 7 }, other[WM_RUN_ID_SIZE] = { 8 };
        float  *strategy;
        size_t  n;

        keep_one(f, 2, second, 2);
        assert_ok(wm_pending_let_go(f->pending, cases[i].committed, &f->err), &f->err);
        wm_pending_free(f->pending);
        open_store(f, NULL);
        assert_ok(wm_pending_state(f->pending, run, &strategy, &n, &f->err), &f->err);
        assert_case(cases[i].says, n == 2 && strategy[0] == cases[i].want);
        free(strategy);
        assert_ok(wm_pending_state(f->pending, other, &strategy, &n, &f->err), &f->err);
        assert_case("another run starts afresh", n == 0 && strategy == NULL);
    }
}

/* Every byte of the file flipped, every length cut: dropped with a word, never believed, never a crash. */
static void a_damaged_file_is_dropped_by_name(void **state)
{
    fixture        *f = *state;
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(f->folder, "pending");
    uint8_t        *bytes;
    size_t          n;

    keep_one(f, 3, (const float[]){ 1, 2 }, 2);
    assert_ok(files->read(files, path, 10000, &bytes, &n, &f->err), &f->err);
    for (size_t i = 0; i < 2 * n; i++) {
        wm_held held;

        bytes[i % n] ^= 0x10;
        assert_ok(files->replace(files, path, bytes, i < n ? n : i - n, 0600, &f->err), &f->err);
        bytes[i % n] ^= 0x10;
        wm_pending_free(f->pending);
        open_store(f, "damaged");
        assert_false(wm_pending_held(f->pending, &held));
        assert_false(files->exists(files, path));
    }
    free(bytes);
    free(path);
}

static void server_time_never_goes_back_and_spares_the_disk(void **state)
{
    fixture        *f = *state;
    wm_manual_clock manual = { .mono_ms = 1000, .wall_ms = 5 };
    wm_server_time *time;
    char           *path = wm_path_join(f->folder, "server-time");
    struct stat     before, after;
    const int64_t   t0 = 1700000000000;

    assert_ok(wm_server_time_open(wm_files_system(), f->folder, wm_clock_manual(&manual), &time, &f->err), &f->err);
    assert_int_equal(wm_server_time_now(time), 0); /* dates are not judged before a server was heard */
    wm_server_time_heard(time, t0);
    manual.mono_ms += 250;
    manual.wall_ms -= 1000000; /* the gateway's own clock jumps; nobody looks */
    assert_int_equal(wm_server_time_now(time), t0 + 250);
    wm_server_time_heard(time, t0 - 99999);
    assert_int_equal(wm_server_time_now(time), t0 + 250);
    assert_int_equal(stat(path, &before), 0);
    wm_server_time_heard(time, t0 + 60000);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* a minute later: not written again */
    manual.mono_ms += 3600 * 1000;
    wm_server_time_heard(time, t0 + 60001);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    wm_server_time_free(time);
    assert_ok(wm_server_time_open(wm_files_system(), f->folder, wm_clock_manual(&manual), &time, &f->err), &f->err);
    assert_int_equal(wm_server_time_now(time), t0 + 60000 + 3600 * 1000);
    wm_server_time_free(time);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_kept_is_there_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_in_memory_alone_is_on_no_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_let_go_is_gone_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(the_strategy_s_state_is_taken_over_only_with_a_committed_update, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_dropped_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(server_time_never_goes_back_and_spares_the_disk, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
