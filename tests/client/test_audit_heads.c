/* tests/client/test_audit_heads.c */
#include "tests/unit.h"

#include "client/audit_heads.h"

static const int64_t NOW = 1700000000000;

typedef struct scene {
    char            folder[4096];
    wm_audit_heads *heads;
} scene;

static void begin(scene *s)
{
    wm_error err;

    assert_ok(wm_audit_heads_open(wm_files_system(), s->folder, &s->heads, &err), &err);
}

static int set_up(void **state)
{
    scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    wm_test_folder(s->folder);
    begin(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene   *s = *state;
    wm_error err;

    wm_audit_heads_free(s->heads);
    assert_ok(wm_folder_remove(s->folder, &err), &err);
    free(s);
    return 0;
}

static wm_status see(scene *s, uint64_t lines, const char *what, wm_error *err)
{
    wm_digest hash = wm_sha256_of(what, strlen(what));

    return wm_audit_heads_seen(s->heads, lines, &hash, NOW, err);
}

static char *text_of(const scene *s)
{
    char    *path = wm_path_join(s->folder, "audit-heads");
    uint8_t *text;
    size_t   n;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 20, &text, &n, &err), &err);
    free(path);
    return (char *)text;
}

static size_t lines_of(const char *text)
{
    size_t n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

static void what_does_not_follow_is_said_once_and_written_down(void **state)
{
    static const struct {
        const char *says;
        uint64_t    lines;
        const char *what;
        wm_status   want;
        const char *sentence; /* NULL: none */
    } steps[] = {
        { "the first head is taken as it comes", 10, "a", WM_OK, NULL },
        { "the same again is no news", 10, "a", WM_OK, NULL },
        { "a longer audit", 14, "b", WM_OK, NULL },
        { "another hash at the same length", 14, "c", WM_E_UNTRUSTED, "has another line 14 than at 2023-11-14" },
        { "said once", 14, "c", WM_OK, NULL },
        { "a shorter audit", 12, "d", WM_E_UNTRUSTED, "has 12 lines, and had 14 at 2023-11-14" },
        { "it goes on from there", 13, "e", WM_OK, NULL },
        { "a server that shows none", 0, "", WM_OK, NULL },
    };
    scene   *s = *state;
    char    *text, digest[WM_DIGEST_TEXT], want[128];
    wm_error err;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        wm_audit_heads_free(s->heads); /* whether it was restarted meanwhile makes no difference */
        begin(s);
        assert_case(steps[i].says, see(s, steps[i].lines, steps[i].what, &err) == steps[i].want);
        if (steps[i].sentence != NULL)
            assert_case(steps[i].says, strstr(err.text, steps[i].sentence) != NULL);
    }
    text = text_of(s);
    assert_int_equal(lines_of(text), 5);
    snprintf(want, sizeof want, "\n!12 %s 2023-11-14T22:13:20Z\n",
             wm_digest_text(&(wm_digest[]){ wm_sha256_of("d", 1) }[0], digest));
    assert_non_null(strstr(text, want));
    free(text);
}

static void the_file_stays_small_and_keeps_the_newest(void **state)
{
    scene   *s = *state;
    char    *text, name[16];
    wm_error err;

    for (unsigned i = 1; i <= 3 * WM_AUDIT_HEADS_KEPT; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_ok(see(s, i, name, &err), &err);
    }
    text = text_of(s);
    assert_in_range(lines_of(text), WM_AUDIT_HEADS_KEPT / 2, WM_AUDIT_HEADS_KEPT + 1);
    free(text);
    wm_audit_heads_free(s->heads);
    begin(s);
    assert_int_equal(see(s, 3 * WM_AUDIT_HEADS_KEPT, "another", &err), WM_E_UNTRUSTED);
}

static void a_torn_line_is_left_out(void **state)
{
    scene   *s = *state;
    char    *path = wm_path_join(s->folder, "audit-heads"), *text;
    wm_error err;

    assert_ok(see(s, 5, "a", &err), &err);
    assert_ok(wm_files_system()->append(wm_files_system(), path, "nonsense\n7 12", 13, &err), &err);
    wm_audit_heads_free(s->heads);
    begin(s);
    text = text_of(s);
    assert_int_equal(lines_of(text), 1);
    free(text);
    assert_int_equal(see(s, 4, "b", &err), WM_E_UNTRUSTED);
    text = text_of(s);
    assert_int_equal(lines_of(text), 2);
    free(text);
    free(path);
}

static void what_was_written_behind_the_zeroes_of_a_power_cut_is_read(void **state)
{
    static const char zeroes[600];
    scene            *s = *state;
    char             *path = wm_path_join(s->folder, "audit-heads"), *text;
    wm_error          err;

    assert_ok(see(s, 5, "a", &err), &err);
    assert_ok(wm_files_system()->append(wm_files_system(), path, zeroes, sizeof zeroes, &err), &err);
    assert_ok(see(s, 9, "b", &err), &err);
    wm_audit_heads_free(s->heads);
    begin(s);
    text = text_of(s);
    assert_int_equal(lines_of(text), 2);
    free(text);
    assert_int_equal(see(s, 8, "c", &err), WM_E_UNTRUSTED);
    free(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_does_not_follow_is_said_once_and_written_down),
        CASE(the_file_stays_small_and_keeps_the_newest),
        CASE(a_torn_line_is_left_out),
        CASE(what_was_written_behind_the_zeroes_of_a_power_cut_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
