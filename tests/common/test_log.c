/* tests/common/test_log.c
 *
 * What the log tells an operator, and what it keeps from him. */
#include "tests/unit.h"

#include "common/log.h"
#include "common/log_repeats.h"

typedef struct book {
    wm_manual_clock time;
    wm_log         *log;
    FILE           *out;
    char           *text;
    size_t          size;
} book;

static void book_open(book *b)
{
    memset(b, 0, sizeof *b);
    b->out = open_memstream(&b->text, &b->size);
    assert_non_null(b->out);
    b->log = wm_log_new(b->out, WM_LOG_PLAIN, WM_LOG_INFO, wm_clock_manual(&b->time));
    assert_non_null(b->log);
}

static void book_close(book *b)
{
    wm_log_free(b->log);
    fclose(b->out);
    free(b->text);
}

static int lines_with(book *b, const char *part)
{
    int n = 0;

    fflush(b->out);
    for (const char *at = b->text; at != NULL && (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void refuse(book *b, const char *name, const char *why, int times)
{
    for (int i = 0; i < times; i++)
        wm_log_line(b->log, WM_LOG_WARNING, "tls", "connection refused", WM_TEXT_FIELD("name", name),
                    WM_TEXT_FIELD("from", "192.0.2.7:51034"), WM_TEXT_FIELD("why", why));
}

static void what_a_peer_sent_cannot_look_like_another_field_or_line(void **state)
{
    book b;

    (void)state;
    book_open(&b);
    refuse(&b, "a\nb", "x\" why=y", 1);
    assert_int_equal(lines_with(&b, "\n"), 1);
    assert_int_equal(lines_with(&b, "name=\"a\\x0ab\""), 1);
    assert_int_equal(lines_with(&b, "why=\"x\\\" why=y\""), 1);
    book_close(&b);
}

static void of_a_long_text_the_beginning_is_written_down(void **state)
{
    book b;
    char text[60001];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    book_open(&b);
    refuse(&b, text, "why", 1);
    assert_int_equal(lines_with(&b, "xxx... (60000 bytes)\""), 1);
    assert_true(b.size < 1200);
    book_close(&b);
}

static void a_flood_is_ten_lines_and_the_number_of_the_others(void **state)
{
    book b;

    (void)state;
    book_open(&b);
    refuse(&b, "north", "it is late", 1244);
    assert_int_equal(lines_with(&b, "\n"), 10);
    b.time.mono_ms += WM_REPEATS_MS - 1;
    wm_log_tick(b.log);
    assert_int_equal(lines_with(&b, "\n"), 10);
    b.time.mono_ms += 1;
    wm_log_tick(b.log);
    assert_int_equal(lines_with(&b, "\n"), 11);
    assert_int_equal(
        lines_with(&b, "connection refused, and more of these name=north why=\"it is late\" more=1234\n"), 1);
    wm_log_tick(b.log);
    refuse(&b, "north", "it is late", 3); /* another minute */
    assert_int_equal(lines_with(&b, "\n"), 14);
    book_close(&b);
}

static void the_number_is_told_by_the_next_line_and_at_the_end_as_well(void **state)
{
    book b;

    (void)state;
    book_open(&b);
    refuse(&b, "north", "it is late", 15);
    b.time.mono_ms += WM_REPEATS_MS;
    wm_log_line(b.log, WM_LOG_INFO, "server", "something else");
    assert_int_equal(lines_with(&b, "more=5\n"), 1);
    refuse(&b, "north", "it is late", 17);
    wm_log_free(b.log);
    b.log = NULL;
    assert_int_equal(lines_with(&b, "more=7\n"), 1);
    book_close(&b);
}

static void what_is_of_another_kind_is_told(void **state)
{
    static const struct {
        const char *says, *name, *why;
        int         lines; /* after ten of north's */
    } cases[] = {
        { "another peer", "south", "it announced 7 bytes", 1 },
        { "another reason", "north", "it is late", 1 },
        { "another number in the same reason", "north", "it announced 123456 bytes", 0 },
        { "a peer whose name differs by its number", "north2", "it announced 7 bytes", 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        book b;

        book_open(&b);
        refuse(&b, "north", "it announced 7 bytes", 10);
        refuse(&b, cases[i].name, cases[i].why, 1);
        assert_case(cases[i].says, lines_with(&b, "\n") == 10 + cases[i].lines);
        book_close(&b);
    }
}

static void lines_that_name_no_peer_are_never_held_back(void **state)
{
    book b;

    (void)state;
    book_open(&b);
    for (int i = 0; i < 100; i++)
        wm_log_line(b.log, WM_LOG_INFO, "round", "committed", WM_INT_FIELD("round", i));
    assert_int_equal(lines_with(&b, "\n"), 100);
    book_close(&b);
}

/* A gateway cannot choose its name, but a stranger's certificate may say anything. */
static void who_invents_names_fills_a_table_and_no_disk(void **state)
{
    book b;
    char name[32];
    int  told, before;

    (void)state;
    book_open(&b);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "stranger%d", i);
        refuse(&b, name, "it is nobody", 1);
    }
    told = lines_with(&b, "connection refused name=");
    assert_int_equal(told, WM_REPEATS_KINDS - 1 + WM_REPEATS_FIRST);
    b.time.mono_ms += WM_REPEATS_MS;
    wm_log_tick(b.log);
    snprintf(name, sizeof name, "more=%d\n", 100000 - told);
    assert_int_equal(lines_with(&b, name), 1);
    before = lines_with(&b, "\n");
    refuse(&b, "north", "it is nobody", 1); /* and there is room again */
    assert_int_equal(lines_with(&b, "\n"), before + 1);
    book_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_peer_sent_cannot_look_like_another_field_or_line),
        cmocka_unit_test(of_a_long_text_the_beginning_is_written_down),
        cmocka_unit_test(a_flood_is_ten_lines_and_the_number_of_the_others),
        cmocka_unit_test(the_number_is_told_by_the_next_line_and_at_the_end_as_well),
        cmocka_unit_test(what_is_of_another_kind_is_told),
        cmocka_unit_test(lines_that_name_no_peer_are_never_held_back),
        cmocka_unit_test(who_invents_names_fills_a_table_and_no_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
