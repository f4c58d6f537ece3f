/* tests/wire/test_misuse_clients.c
 *
 * TLS used as it must not be by whoever dials the aggregator. Each row of the tables (misuse.h) is one way. It must end in the
 * connection refused, one line for the log that names why, the refusal counted, and everybody else served as before: a gateway
 * that was connected all the while, and one that comes anew. What is done with messages, once TLS holds, is elsewhere
 * (tests/e2e/test_trespass.c), and so is revocation (tests/e2e/test_revocation.c, test_revoked_download.c). */
#include "tests/wire/misuse.h"

#include "tests/figures.h"

#include <signal.h>
#include <unistd.h>

enum { HELLO_MS = 1500, IDLE_MS = 1500, PAUSE_US = 55000 };

static const misuse *const kinds[] = {
    &misuse_of_handshakes,
    &misuse_of_certificates,
    &misuse_of_keys,
    &misuse_of_connections,
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static bool one_of(const char *text, const char *options)
{
    for (const char *at = options; *at != '\0';) {
        size_t n = strcspn(at, "|");
        char   option[100];

        snprintf(option, sizeof option, "%.*s", (int)n, at);
        if (strstr(text, option) != NULL)
            return true;
        at += n + (at[n] == '|');
    }
    return false;
}

static uint64_t count_refused(town *t)
{
    wm_listener_counts counts;

    wm_listener_counts_get(t->listener, &counts);
    return counts.refused;
}

/* The row's one line for the log, and its count. */
static void expect_refusal(scene *x, uint64_t before)
{
    const row    *r = x->row;
    town         *t = x->t;
    town_refusal *said = &t->refusals[0];

    town_wait_refusal(t, "");
    pthread_mutex_lock(&t->lock);
    if (!one_of(said->why, r->why) || strcmp(said->name, r->name != NULL ? r->name : "") != 0)
        print_error("%s: it was said of \"%s\": %s\n", r->says, said->name, said->why);
    assert_case(r->says, one_of(said->why, r->why));
    assert_case(r->says, strcmp(said->name, r->name != NULL ? r->name : "") == 0);
    assert_case(r->says,
                said->verified == r->verified && (strncmp(said->remote, "127.0.0.1:", 10) == 0 || r->gone));
    assert_case(r->says, t->n_refusals == 1);
    t->n_refusals = 0;
    pthread_mutex_unlock(&t->lock);
    assert_case(r->says, count_refused(t) == before + 1);
}

/* The row, with the bystander connected all the while, and a newcomer after it. */
static void try_one(scene *x, const row *r, wm_caller *bystander)
{
    uint64_t   before = count_refused(x->t);
    wm_caller *newcomer;
    wm_error   err;

    x->row = r;
    r->intrude(x);
    expect_refusal(x, before);
    assert_case(r->says, town_echo(bystander, "hello", 5, &err) == WM_OK);
    newcomer = town_caller(x->t, x->t->north_tls);
    assert_case(r->says, town_echo(newcomer, "hello", 5, &err) == WM_OK);
    wm_caller_free(newcomer);
    usleep(PAUSE_US); /* at most 20 refusals a second are told: not to be the limit of this table */
}

static void whoever_dials_wrongly_is_refused_named_and_counted(void **state)
{
    wm_listener_settings set = town_settings();
    wm_caller           *bystander;
    town                 t;
    scene                x = { .t = &t };
    size_t               n = 0;
    wm_error             err;

    (void)state;
    set.hello_ms = HELLO_MS;
    set.message_ms = IDLE_MS;
    town_open(&t, &set);
    x.namesake = test_authority_new("city");
    x.foreign = test_authority_new("another city");
    bystander = town_caller(&t, t.north_tls);
    assert_ok(town_echo(bystander, "hello", 5, &err), &err);
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = 0; i < kinds[k]->n; i++, n++)
            try_one(&x, &kinds[k]->rows[i], bystander);
    wm_caller_free(bystander);
    test_authority_free(x.namesake);
    test_authority_free(x.foreign);
    town_close(&t);
    tell_fault(&(fault_figure){
        .fault = "TLS misused by a client, each in another way", .tries = n, .survived = n, .seconds = -1 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_dials_wrongly_is_refused_named_and_counted),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
