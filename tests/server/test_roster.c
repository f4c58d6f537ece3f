/* Who belongs to the office, and what was heard of whom. */
#include "tests/unit.h"

#include "common/files.h"
#include "server/roster.h"

enum { SILENCE_MS = 30000, GONE_MS = 5000 };

typedef struct scene {
    wm_manual_clock clock;
    char            folder[4096];
    wm_store       *store;
    wm_roster      *roster;
} scene;

static int open_scene(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    wm_error err;

    assert_non_null(s);
    s->clock.wall_ms = 1700000000000;
    wm_test_folder(s->folder);
    assert_ok(wm_store_open(wm_files_system(), s->folder, wm_clock_manual(&s->clock), &s->store, &err), &err);
    assert_ok(wm_store_certificate(s->store, "south", "0a", s->clock.wall_ms + 1000, &err), &err);
    assert_ok(wm_store_certificate(s->store, "north", "0b", s->clock.wall_ms + 1000, &err), &err);
    assert_ok(wm_store_certificate(s->store, "east", "0c", s->clock.wall_ms + 1000, &err), &err);
    assert_ok(wm_store_revoke(s->store, "east", "stolen", &err), &err);
    assert_ok(wm_roster_new(wm_clock_manual(&s->clock), &s->roster, &err), &err);
    wm_roster_set_patience(s->roster, &(wm_patience){ .silence_ms = SILENCE_MS, .gone_ms = GONE_MS });
    assert_ok(wm_roster_load(s->roster, s->store, &err), &err);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    scene *s = *state;

    wm_roster_free(s->roster);
    wm_store_close(s->store);
    assert_int_equal(wm_folder_remove(s->folder, NULL), WM_OK);
    free(s);
    return 0;
}

static void only_those_who_belong_here_are_admitted(void **state)
{
    static const struct {
        const char *says, *name, *sentence;
        wm_status   want;
    } cases[] = {
        { "an enrolled gateway", "north", NULL, WM_OK },
        { "a revoked one", "east", "revoked", WM_E_REFUSED },
        { "one of another office", "west", "not enrolled here", WM_E_REFUSED },
        { "no name at all", "", "not enrolled here", WM_E_REFUSED },
        { "the beginning of a name", "nort", "not enrolled here", WM_E_REFUSED },
    };
    scene *s = *state;

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        wm_error err = { 0 };

        assert_case(cases[c].says, wm_roster_admit(s->roster, cases[c].name, &err) == cases[c].want);
        assert_case(cases[c].says, cases[c].sentence == NULL || strstr(err.text, cases[c].sentence) != NULL);
    }
    wm_roster_revoked(s->roster, "north");
    assert_int_equal(wm_roster_admit(s->roster, "north", NULL), WM_E_REFUSED);
}

static void the_population_is_sorted_and_without_the_revoked(void **state)
{
    scene   *s = *state;
    char   **names;
    size_t   n;
    wm_error err;

    assert_ok(wm_roster_enrolled(s->roster, "a-new-one", "0d", 5, &err), &err);
    assert_ok(wm_roster_enrolled(s->roster, "north", "0e", 6, &err), &err); /* a renewal */
    assert_ok(wm_roster_names(s->roster, &names, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "a-new-one");
    assert_string_equal(names[1], "north");
    assert_string_equal(names[2], "south");
    wm_names_free(names, n);
    assert_int_equal(wm_roster_enrolled(s->roster,
                                        "a-name-of-sixty-four-characters-is-longer-than-a-certificate-has", "0f", 5,
                                        &err),
                     WM_E_INVALID);
}

static void what_was_heard_reaches_the_store_by_the_batch(void **state)
{
    scene      *s = *state;
    wm_presence north;
    wm_roster  *again;
    wm_error    err;

    wm_roster_seen(s->roster, "north");
    wm_roster_checked_in(s->roster, "north", "wardmote-client 0.1.0 with a name that is much longer than its room",
                         42);
    wm_roster_refused(s->roster, "north", "not finite");
    wm_roster_seen(s->roster, "a stranger");
    assert_ok(wm_roster_flush(s->roster, s->store, &err), &err);

    assert_ok(wm_roster_new(wm_clock_manual(&s->clock), &again, &err), &err);
    assert_ok(wm_roster_load(again, s->store, &err), &err);
    assert_true(wm_roster_find(again, "north", &north));
    assert_int_equal(north.last_seen_ms, s->clock.wall_ms);
    assert_int_equal(north.rows, 42);
    assert_string_equal(north.refusal, "not finite");
    assert_false(wm_roster_find(again, "a stranger", &north));
    wm_roster_free(again);
}

static wm_absence absence_of(const scene *s, const char *name)
{
    wm_presence who;

    assert_true(wm_roster_find(s->roster, name, &who));
    return wm_roster_absence(s->roster, &who);
}

static void who_is_not_there_is_told_once_and_told_apart(void **state)
{
    char   names[4][WM_ROSTER_NAME];
    scene *s = *state;

    assert_int_equal(absence_of(s, "south"), WM_ABSENCE_UNHEARD);
    wm_roster_seen(s->roster, "north");
    wm_roster_seen(s->roster, "south");
    assert_int_equal(absence_of(s, "south"), WM_ABSENCE_NONE);
    wm_roster_left(s->roster, "north", false);
    wm_roster_left(s->roster, "a stranger", false);
    assert_int_equal(absence_of(s, "north"), WM_ABSENCE_GONE); /* at once, for people */
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 4), 0);
    s->clock.mono_ms += GONE_MS;
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 4), 1);
    assert_string_equal(names[0], "north");
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 4), 0);
    wm_roster_seen(s->roster, "north");
    assert_int_equal(absence_of(s, "north"), WM_ABSENCE_NONE);
    wm_roster_left(s->roster, "north", true); /* its word comes first, then its connection ends */
    wm_roster_left(s->roster, "north", false);
    assert_int_equal(absence_of(s, "north"), WM_ABSENCE_SIGNED_OFF);
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 4), 1);
    s->clock.mono_ms += SILENCE_MS;
    assert_int_equal(absence_of(s, "south"), WM_ABSENCE_SILENT);
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 4), 2); /* and east, that was never heard */
    wm_roster_tell_anew(s->roster);
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 2), 2);
    assert_int_equal(wm_roster_newly_absent(s->roster, names, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_those_who_belong_here_are_admitted, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(the_population_is_sorted_and_without_the_revoked, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(who_is_not_there_is_told_once_and_told_apart, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(what_was_heard_reaches_the_store_by_the_batch, open_scene, close_scene),
    };

    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
