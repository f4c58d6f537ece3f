/* Updates on their way in: places, ranges, what is kept of a transfer that was cut, and what is refused. */
#include "tests/unit.h"

#include "common/files.h"
#include "server/staging.h"

enum { SIZE = 1000, LARGE = 5000 };

typedef struct scene {
    wm_manual_clock clock;
    wm_staging     *staging;
    char            folder[4096];
    uint8_t         bytes[LARGE];
    int             freed;
} scene;

static void freed(void *context)
{
    ((scene *)context)->freed++;
}

static int open_scene(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    wm_error err;

    assert_non_null(s);
    s->clock.mono_ms = 1;
    wm_test_folder(s->folder);
    for (size_t i = 0; i < LARGE; i++)
        s->bytes[i] = (uint8_t)(i * 7 + i / 256);
    assert_ok(wm_staging_new(&(wm_staging_settings){ .places = 2,
                                                     .memory = 4 * SIZE,
                                                     .room = 3 * LARGE,
                                                     .stall_ms = 100,
                                                     .turn_ms = 1000,
                                                     .folder = s->folder,
                                                     .clock = wm_clock_manual(&s->clock),
                                                     .freed = freed,
                                                     .context = s },
                             &s->staging, &err),
              &err);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    scene *s = *state;

    wm_staging_free(s->staging);
    assert_int_equal(wm_folder_remove(s->folder, NULL), WM_OK);
    free(s);
    return 0;
}

static wm_status claim(scene *s, const char *client, size_t size)
{
    wm_upload upload = { .client = client, .digest = wm_sha256_of(s->bytes, size), .size = size, .loss = 0.5 };

    return wm_staging_claim(s->staging, &upload, NULL);
}

static wm_status put(scene *s, const char *client, size_t size, uint64_t offset, size_t n, bool *whole)
{
    wm_digest digest = wm_sha256_of(s->bytes, size);

    *whole = false;
    return wm_staging_put(s->staging, client, &digest, offset, s->bytes + (offset < LARGE ? offset : 0), n, whole,
                          NULL);
}

static void check_take(scene *s, const char *client, size_t size)
{
    wm_digest        digest = wm_sha256_of(s->bytes, size);
    wm_staged_update update;
    wm_error         err;

    assert_ok(wm_staging_take(s->staging, client, &digest, &update, &err), &err);
    assert_int_equal(update.n_bytes, size);
    assert_memory_equal(update.bytes, s->bytes, size);
    assert_true(update.loss == 0.5);
    wm_staging_done(s->staging, &update);
}

static void ranges_may_come_in_any_order_and_twice(void **state)
{
    static const struct {
        const char *says;
        size_t      size; /* SIZE lies in memory, LARGE in a file */
        struct {
            uint64_t offset;
            size_t   n;
        } puts[5];
    } cases[] = {
        { "in one piece", SIZE, { { 0, SIZE } } },
        { "in order", SIZE, { { 0, 400 }, { 400, 600 } } },
        { "from the end", SIZE, { { 900, 100 }, { 400, 500 }, { 0, 400 } } },
        { "overlapping", SIZE, { { 0, 600 }, { 300, 600 }, { 500, 500 } } },
        { "repeated", SIZE, { { 0, 600 }, { 0, 600 }, { 600, 400 } } },
        { "through a file, from the middle", LARGE, { { 2000, 2000 }, { 0, 2000 }, { 4000, 1000 } } },
    };
    scene *s = *state;

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bool whole = false;

        assert_case(cases[c].says, claim(s, "north", cases[c].size) == WM_OK);
        for (size_t i = 0; i < 5 && cases[c].puts[i].n > 0; i++) {
            assert_case(cases[c].says, !whole);
            assert_case(cases[c].says, put(s, "north", cases[c].size, cases[c].puts[i].offset, cases[c].puts[i].n,
                                           &whole) == WM_OK);
        }
        assert_case(cases[c].says, whole);
        check_take(s, "north", cases[c].size);
    }
}

/* A file costs as much as the network does, so it is for those who would wait for a slow one. */
static void an_update_waits_for_memory_as_long_as_those_in_it_are_quick(void **state)
{
    scene            *s = *state;
    wm_staging_counts counts;
    bool              whole;

    assert_ok(
        wm_staging_claim(s->staging, &(wm_upload){ .client = "a", .digest = { { 1 } }, .size = 2 * SIZE }, NULL),
        NULL);
    assert_int_equal(claim(s, "b", LARGE / 2), WM_E_FULL);
    wm_staging_tick(s->staging);
    assert_int_equal(s->freed, 0);
    s->clock.mono_ms += 99; /* not stalled, and not quick either some time later */
    for (int i = 0; i < 10; i++, s->clock.mono_ms += 99)
        assert_ok(wm_staging_claim(s->staging, &(wm_upload){ .client = "a", .digest = { { 1 } }, .size = 2 * SIZE },
                                   NULL),
                  NULL);
    wm_staging_tick(s->staging);
    assert_int_equal(s->freed, 1); /* who waits may come again */
    assert_int_equal(claim(s, "b", LARGE / 2), WM_OK);
    assert_int_equal(put(s, "b", LARGE / 2, 0, LARGE / 2, &whole), WM_OK);
    check_take(s, "b", LARGE / 2);
    wm_staging_drop(s->staging, "a");
    wm_staging_counts_get(s->staging, &counts);
    assert_int_equal(counts.bytes, 0);
}

static void what_is_outside_the_update_is_refused(void **state)
{
    static const struct {
        const char *says;
        uint64_t    offset;
        size_t      n;
        wm_status   want;
    } cases[] = {
        { "one byte too many", 1, SIZE, WM_E_RANGE },
        { "behind the end", SIZE, 1, WM_E_RANGE },
        { "an offset that wraps around", UINT64_MAX, 2, WM_E_RANGE },
        { "nothing", 0, 0, WM_E_RANGE },
        { "all of it", 0, SIZE, WM_OK },
    };
    scene *s = *state;
    bool   whole;

    assert_int_equal(claim(s, "north", SIZE), WM_OK);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_case(cases[c].says, put(s, "north", SIZE, cases[c].offset, cases[c].n, &whole) == cases[c].want);
}

static void other_bytes_than_announced_are_refused(void **state)
{
    static const size_t sizes[] = { SIZE, LARGE }; /* in memory, in a file */
    scene              *s = *state;
    wm_staged_update    update;
    wm_staging_counts   counts;
    bool                whole;

    for (size_t c = 0; c < 2; c++) {
        wm_upload upload = { .client = "north", .digest = wm_sha256_of("another", 7), .size = sizes[c] };

        assert_int_equal(wm_staging_claim(s->staging, &upload, NULL), WM_OK);
        assert_int_equal(wm_staging_put(s->staging, "north", &upload.digest, 0, s->bytes, sizes[c], &whole, NULL),
                         WM_OK);
        assert_true(whole);
        assert_int_equal(wm_staging_take(s->staging, "north", &upload.digest, &update, NULL), WM_E_UNTRUSTED);
        assert_int_equal(wm_staging_take(s->staging, "north", &upload.digest, &update, NULL), WM_E_MISSING);
        wm_staging_counts_get(s->staging, &counts);
        assert_int_equal(counts.places, 0);
        assert_int_equal(counts.bytes, 0);
    }
}

/* What was hashed must be what is folded. */
static void bytes_that_come_again_otherwise_change_nothing(void **state)
{
    static const size_t sizes[] = { SIZE, LARGE };
    scene              *s = *state;
    uint8_t             other[LARGE] = { 0 };
    bool                whole;

    for (size_t c = 0; c < 2; c++) {
        wm_digest digest = wm_sha256_of(s->bytes, sizes[c]);

        assert_int_equal(claim(s, "north", sizes[c]), WM_OK);
        assert_int_equal(put(s, "north", sizes[c], 0, 600, &whole), WM_OK);
        assert_int_equal(wm_staging_put(s->staging, "north", &digest, 0, other, 500, &whole, NULL), WM_OK);
        assert_int_equal(put(s, "north", sizes[c], 600, sizes[c] - 600, &whole), WM_OK);
        assert_true(whole);
        check_take(s, "north", sizes[c]);
    }
}

static void what_is_taken_keeps_its_place_until_it_is_done_with(void **state)
{
    scene            *s = *state;
    wm_digest         digest = wm_sha256_of(s->bytes, SIZE);
    wm_staged_update  update;
    wm_staging_counts counts;
    bool              whole;

    assert_int_equal(claim(s, "a", SIZE), WM_OK);
    assert_int_equal(claim(s, "b", SIZE), WM_OK);
    assert_int_equal(put(s, "a", SIZE, 0, SIZE, &whole), WM_OK);
    assert_int_equal(wm_staging_take(s->staging, "a", &digest, &update, NULL), WM_OK);
    assert_int_equal(claim(s, "c", SIZE), WM_E_FULL);
    wm_staging_drop(s->staging, "a"); /* revoked meanwhile */
    assert_memory_equal(update.bytes, s->bytes, SIZE);
    wm_staging_done(s->staging, &update);
    assert_int_equal(claim(s, "c", SIZE), WM_OK);
    wm_staging_counts_get(s->staging, &counts);
    assert_int_equal(counts.places, 2);
    assert_int_equal(counts.bytes, 2 * SIZE);
}

static void a_place_is_given_to_so_many_at_a_time(void **state)
{
    scene *s = *state;
    bool   whole;

    assert_int_equal(claim(s, "a", SIZE), WM_OK);
    assert_int_equal(claim(s, "b", SIZE), WM_OK);
    assert_int_equal(claim(s, "c", SIZE), WM_E_FULL);
    assert_int_equal(claim(s, "a", SIZE), WM_OK); /* it has one */
    assert_int_equal(put(s, "c", SIZE, 0, SIZE, &whole), WM_E_MISSING);
    assert_int_equal(put(s, "a", SIZE, 0, SIZE, &whole), WM_OK);
    assert_int_equal(s->freed, 0);
    check_take(s, "a", SIZE);
    assert_int_equal(s->freed, 1);
    assert_int_equal(claim(s, "c", SIZE), WM_OK);
}

static void who_stalls_loses_the_place_and_keeps_what_was_sent(void **state)
{
    scene    *s = *state;
    wm_digest digest = wm_sha256_of(s->bytes, SIZE);
    wm_gap    gaps[4];
    bool      whole;

    assert_int_equal(claim(s, "a", SIZE), WM_OK);
    assert_int_equal(put(s, "a", SIZE, 0, 600, &whole), WM_OK);
    s->clock.mono_ms += 99;
    wm_staging_tick(s->staging);
    assert_int_equal(s->freed, 0);
    s->clock.mono_ms += 1;
    wm_staging_tick(s->staging);
    assert_int_equal(s->freed, 1);
    assert_int_equal(put(s, "a", SIZE, 600, 400, &whole), WM_E_MISSING);
    assert_int_equal(claim(s, "a", SIZE), WM_OK);
    assert_int_equal(wm_staging_gaps(s->staging, "a", &digest, gaps, 4), 1);
    assert_int_equal(gaps[0].offset, 600);
    assert_int_equal(gaps[0].length, 400);
    assert_int_equal(put(s, "a", SIZE, 600, 400, &whole), WM_OK);
    assert_true(whole);
    check_take(s, "a", SIZE);
}

static void who_is_slow_gives_way_when_others_wait(void **state)
{
    scene *s = *state;
    bool   whole;

    assert_int_equal(claim(s, "slow", SIZE), WM_OK);
    assert_int_equal(claim(s, "b", SIZE), WM_OK);
    for (int i = 0; i < 20; i++) {
        s->clock.mono_ms += 50; /* never stalled, but 1000 ms in all */
        assert_int_equal(put(s, "slow", SIZE, (uint64_t)i * 10, 10, &whole), WM_OK);
        assert_int_equal(put(s, "b", SIZE, (uint64_t)i * 10, 10, &whole), WM_OK);
    }
    wm_staging_tick(s->staging);
    assert_int_equal(put(s, "slow", SIZE, 200, 10, &whole), WM_OK); /* nobody waits */
    assert_int_equal(claim(s, "c", SIZE), WM_OK);
    assert_int_equal(claim(s, "d", SIZE), WM_OK);
    assert_int_equal(claim(s, "e", SIZE), WM_E_FULL);
    assert_int_equal(put(s, "slow", SIZE, 300, 10, &whole), WM_E_MISSING);
}

static void broken_off_uploads_are_kept_while_there_is_room(void **state)
{
    scene                   *s = *state;
    wm_staging_counts        counts;
    bool                     whole;
    static const char *const names[] = { "a", "b", "c", "d", "e" };

    for (size_t i = 0; i < 5; i++) { /* each of LARGE; the room is three of them */
        assert_int_equal(claim(s, names[i], LARGE), WM_OK);
        assert_int_equal(put(s, names[i], LARGE, 0, 10, &whole), WM_OK);
        s->clock.mono_ms += 100;
        wm_staging_tick(s->staging);
    }
    wm_staging_counts_get(s->staging, &counts);
    assert_int_equal(counts.places, 0);
    assert_int_equal(counts.kept, 3);
    assert_int_equal(counts.bytes, 3 * LARGE);
}

static bool keep_north(void *context, const char *client, const wm_update_key *key)
{
    (void)context, (void)key;
    return strcmp(client, "north") == 0;
}

static void a_client_has_one_upload_and_it_can_be_dropped(void **state)
{
    scene            *s = *state;
    wm_staging_counts counts;
    wm_update_key     key;
    wm_digest         small = wm_sha256_of(s->bytes, SIZE), large = wm_sha256_of(s->bytes, LARGE);

    assert_int_equal(claim(s, "north", SIZE), WM_OK);
    assert_int_equal(claim(s, "north", LARGE), WM_OK);
    assert_false(wm_staging_key(s->staging, "north", &small, &key));
    assert_true(wm_staging_key(s->staging, "north", &large, &key));
    assert_int_equal(claim(s, "south", SIZE), WM_OK);
    wm_staging_sweep(s->staging, keep_north, NULL);
    wm_staging_counts_get(s->staging, &counts);
    assert_int_equal(counts.places, 1);
    assert_int_equal(counts.bytes, LARGE);
    wm_staging_drop(s->staging, "north");
    wm_staging_counts_get(s->staging, &counts);
    assert_int_equal(counts.places + counts.kept, 0);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(s->freed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranges_may_come_in_any_order_and_twice, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(an_update_waits_for_memory_as_long_as_those_in_it_are_quick, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(what_is_outside_the_update_is_refused, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(other_bytes_than_announced_are_refused, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(bytes_that_come_again_otherwise_change_nothing, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(what_is_taken_keeps_its_place_until_it_is_done_with, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(a_place_is_given_to_so_many_at_a_time, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(who_stalls_loses_the_place_and_keeps_what_was_sent, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(who_is_slow_gives_way_when_others_wait, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(broken_off_uploads_are_kept_while_there_is_room, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_client_has_one_upload_and_it_can_be_dropped, open_scene, close_scene),
    };

    return cmocka_run_group_tests_name("staging", tests, NULL, NULL);
}
