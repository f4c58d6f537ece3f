/* tests/server/report/test_report_page.c: the page that opens without a network. */
#include "tests/server/report/fixture.h"

#include "server/report/html.h"
#include "server/report/svg.h"

#include <ctype.h>
#include <math.h>

/* Fails unless every tag is closed in its order, every & begins an entity, and attributes are quoted: what XML asks. */
static void assert_well_formed(const char *html)
{
    char   open[64][24];
    size_t depth = 0;

    for (const char *c = html; *c != '\0'; c++) {
        size_t n;

        if (*c == '&') {
            n = strcspn(c, ";");
            assert_true(n > 1 && n < 8);
        }
        if (*c != '<' || strncmp(c, "<!DOCTYPE", 9) == 0)
            continue;
        if (c[1] == '/') {
            n = strcspn(c + 2, ">");
            assert_true(depth > 0);
            depth--;
            if (strlen(open[depth]) != n || strncmp(open[depth], c + 2, n) != 0)
                fail_msg("<%s> is closed by </%.*s>", open[depth], (int)n, c + 2);
            continue;
        }
        n = strcspn(c + 1, " />");
        assert_true(isalpha((unsigned char)c[1]) && n < 24 && depth < 64);
        memcpy(open[depth], c + 1, n);
        open[depth][n] = '\0';
        for (c += 1 + n; *c != '>'; c++) {
            assert_true(*c != '\0' && *c != '<');
            if (*c == '"')
                c += 1 + strcspn(c + 1, "\"");
        }
        if (c[-1] != '/')
            depth++;
    }
    assert_int_equal(depth, 0);
}

static void assert_stands_alone(const char *html)
{
    static const char *const never[] = { "http:", "https:",  "<script", "<link",  "<img",       "src=",
                                         "url(",  "@import", "href=",   "onload", "javascript:" };

    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_case(never[i], strstr(html, never[i]) == NULL);
}

static void the_page_is_well_formed_and_needs_nothing_else(void **state)
{
    static const char *const wanted[] = { "air-quality",
                                          "rmse (in units of PM2.5)",
                                          "loss (mse)",
                                          "wanshouxigong",
                                          "federated + 1 epoch",
                                          "not finite at index 17",
                                          "fewer than 100 training rows",
                                          "model SHA-256",
                                          "layers: [flatten",
                                          "<title>huairou, round" };
    fixture                 *f = *state;
    wm_run_folder           *folder;
    char                    *html;

    start(f);
    folder = open_folder(f, f->out);
    html = file_of(f->out, "report.html", NULL);
    assert_well_formed(html);
    assert_non_null(strstr(html, "No round is done yet"));
    free(html);
    do_rounds(f, folder, 1, 30);
    finish(f, folder, 30);
    html = file_of(f->out, "report.html", NULL);
    assert_well_formed(html);
    assert_stands_alone(html);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_case(wanted[i], strstr(html, wanted[i]) != NULL);
    assert_null(strstr(html, "nan"));
    assert_null(strstr(html, "inf\""));
    keep(f, "small");
    free(html);
    wm_run_folder_free(folder);
}

/* Without a validation part evaluations during the run are of the test part, and the page does not call it another. */
static void the_page_says_of_which_part_the_evaluations_are(void **state)
{
    static const struct {
        double      validate;
        const char *says, *other;
    } rows[] = {
        { 0.1, "</i>validation <b>", "</i>test part <b>" },
        { 0, "</i>test part <b>", "</i>validation <b>" },
    };
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_run_folder *folder;
        char          *html;

        f->job->data.split.validate = rows[i].validate;
        folder = open_folder(f, f->out);
        do_rounds(f, folder, 1 + 30 * (unsigned)i, 30 + 30 * (unsigned)i);
        html = file_of(f->out, "report.html", NULL);
        assert_non_null(strstr(html, rows[i].says));
        assert_null(strstr(html, rows[i].other));
        assert_non_null(strstr(html, "<p class=\"note\">in units of PM2.5</p>"));
        free(html);
        wm_run_folder_free(folder);
    }
}

static void a_run_of_a_thousand_clients_still_fits_a_page(void **state)
{
    enum { N = 1000 };
    static char    names[N][16];
    static char   *population[N];
    fixture       *f = *state;
    wm_run_folder *folder;
    char          *html;
    size_t         n;

    for (size_t k = 0; k < N; k++) {
        snprintf(names[k], sizeof names[k], "mote-%04zu", k);
        population[k] = names[k];
    }
    f->record.population = population;
    f->record.n_population = N;
    start(f);
    folder = open_folder(f, f->out);
    do_rounds(f, folder, 1, 60);
    finish(f, folder, 60);
    html = file_of(f->out, "report.html", &n);
    assert_well_formed(html);
    assert_stands_alone(html);
    assert_true(n < 600000);
    assert_non_null(strstr(html, "The 24 clients, of 1000, for which the federated model is worst."));
    assert_non_null(strstr(html, "The first 100 of 1,000; clients.csv has them all."));
    keep(f, "large");
    free(html);
    html = file_of(f->out, "clients.csv", &n);
    assert_int_equal(count_char(html, '\n'), N + 1);
    free(html);
    wm_run_folder_free(folder);
}

static void what_came_from_outside_cannot_leave_its_place(void **state)
{
    static char     evil[] = "<b onmouseover='x()'>&\"\xff\xe2\x80\xae";
    static char    *population[] = { evil };
    fixture        *f = *state;
    wm_contribution c = { .client = 0, .verdict = WM_VERDICT_REFUSED };
    wm_round_record round = { .round = 1, .contributions = &c, .n_contributions = 1, .refused = 1, .selected = 1 };
    wm_run_record   record = { .job_name = "</title><script>alert(1)</script>",
                               .job_text = "job: x # </pre><script src=\"https://evil\">\n",
                               .population = population,
                               .n_population = 1 };
    wm_result       results[WM_CONTENDERS] = { { .present = true, .metrics = { 1, 2 } } };
    wm_final_record final = { .clients = results };
    wm_standing     standing = { .outcome = WM_OUTCOME_FAILED, .why = "<i>no</i> & \"never\"" };
    wm_history      history;
    wm_report       report = {
              .job = f->job, .record = &record, .history = &history, .standing = &standing, .final = &final
    };
    wm_text  html = WM_TEXT_INIT;
    wm_error err;

    snprintf(c.reason, sizeof c.reason, "]]></td></table><script>fetch('//x')</script>\x1b[2J");
    assert_ok(wm_history_init(&history, 1, &err), &err);
    assert_ok(wm_history_add(&history, &round, NULL, &err), &err);
    assert_ok(wm_report_html(&report, &html, &err), &err);
    assert_well_formed(wm_text_chars(&html));
    assert_null(strstr(wm_text_chars(&html), "<script"));
    assert_null(strstr(wm_text_chars(&html), "<b on"));
    assert_null(strstr(wm_text_chars(&html), "<i>no"));
    assert_null(strchr(wm_text_chars(&html), 0x1b));
    assert_null(strstr(wm_text_chars(&html), "\xe2\x80\xae"));
    assert_non_null(
        strstr(wm_text_chars(&html), "&lt;b onmouseover=&#39;x()&#39;&gt;&amp;&quot;\xef\xbf\xbd\xef\xbf\xbd"));
    wm_text_release(&html);
    wm_history_release(&history);
}

static void ticks_are_round_numbers_that_hold_everything(void **state)
{
    static const struct {
        const char *says;
        double      least, most, low, high, step;
        int         digits;
    } cases[] = {
        { "from nought", 0, 97, 0, 100, 20, 0 },
        { "fractions", 0.412, 0.938, 0.4, 1.0, 0.2, 1 },
        { "a narrow band", 58.02, 58.31, 58.0, 58.4, 0.1, 1 },
        { "small ones", 0, 0.00037, 0, 0.0004, 0.0001, 4 },
        { "below nought", -3, 12, -5, 15, 5, 0 },
        { "all the same", 5, 5, 5, 5.5, 0.1, 1 },
        { "nothing but noughts", 0, 0, 0, 1, 0.2, 1 },
        { "nothing at all", (double)INFINITY, -(double)INFINITY, 0, 1, 0.2, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_axis axis;

        wm_axis_init(&axis, cases[i].least, cases[i].most, 5);
        assert_case(cases[i].says, fabs(axis.step - cases[i].step) < 1e-9);
        assert_case(cases[i].says, fabs(axis.low - cases[i].low) < 1e-9);
        if (cases[i].least != cases[i].most)
            assert_case(cases[i].says, fabs(axis.high - cases[i].high) < 1e-9);
        assert_case(cases[i].says, axis.digits == cases[i].digits && axis.high > axis.low);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_page_is_well_formed_and_needs_nothing_else),
        CASE(the_page_says_of_which_part_the_evaluations_are),
        CASE(a_run_of_a_thousand_clients_still_fits_a_page),
        CASE(what_came_from_outside_cannot_leave_its_place),
        cmocka_unit_test(ticks_are_round_numbers_that_hold_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
