/* tests/e2e/test_office_dies.c
 *
 * kill -9 of whatever writes something down outside of a round: `init`, the aggregator and its issuing process while they
 * set up, give tokens, enrol, renew, queue, revoke and copy; and the gateway while it enrols and renews. What was asked
 * for is asked for again, and is done once: one office, one certificate for a token, one job. The first argument
 * chooses the part. */
#include "tests/e2e/office.h"
#include "tests/figures.h"

#include "common/crypto/identity.h"

#include <signal.h>

typedef struct story {
    office   o;
    uint64_t kills;
    double   seconds; /* the longest from a death to the next step */
} story;

static int setup(void **state)
{
    story *s = calloc(1, sizeof *s);

    *state = s;
    office_open(&s->o, &(office_wish){ .n_gateways = 2, .rounds = 1, .more = "certificates: {gateway: 60s}\n" });
    return 0;
}

static int teardown(void **state)
{
    story *s = *state;

    office_close(&s->o);
    free(s);
    return 0;
}

/* The next step was taken at last, so many ms after the death. */
static void progress(story *s, int64_t since_ms)
{
    double seconds = (double)(office_now_ms() - since_ms) / 1000;

    s->seconds = seconds > s->seconds ? seconds : s->seconds;
}

static void tell(const story *s, const char *fault)
{
    tell_fault(&(fault_figure){ .fault = fault, .tries = s->kills, .survived = s->kills, .seconds = s->seconds });
}

/* A command that dies at that point. */
static void dies(story *s, const char *crash, int code)
{
    unsetenv("WARDMOTE_CRASH");
    if (code != -1)
        office_fail(&s->o, "a command that should have died at %s exits with %d: %s", crash, code,
                    wm_text_chars(&s->o.complaint));
    s->kills++;
}

static json_t *json_of(story *s, const char *what)
{
    json_t *object = json_loads(wm_text_chars(&s->o.output), 0, NULL);

    if (object == NULL)
        office_fail(&s->o, "%s: that is no JSON: %s", what, wm_text_chars(&s->o.output));
    return object;
}

static void check_history(story *s)
{
    office_server_stop(&s->o);
    office_do(&s->o, NULL, WARDMOTE_SERVER, "verify", s->o.dir, NULL);
}

/* ---- init ---- */

static const char *const inits[] = {
    "office-key-before-save",
    "office-key-after-save", /* the root's */
    "office-certificate-before-save",
    "office-certificate-after-save", /* and the root's own */
    "office-key-before-save",
    "office-key-after-save", /* of the issuing CA */
    "office-certificate-before-save",
    "office-certificate-after-save",
    "issuer-server-before-commit",
    "issuer-server-after-commit",
    "office-server-before-save",
    "office-server-after-save",
    "store-schema-before",
    "store-schema-after",
    "issuer-names-before-commit",
    "issuer-names-after-commit",
};

static void an_office_that_dies_while_it_is_made_is_made_by_asking_again(void **state)
{
    story   *s = *state;
    office  *o = &s->o;
    char     digest[65] = "";
    int64_t  died_ms = 0;
    wm_error err;

    assert_ok(wm_folder_remove(o->dir, &err), &err);
    for (size_t i = 0; i < sizeof inits / sizeof *inits; i++) {
        setenv("WARDMOTE_CRASH", inits[i], 1);
        dies(s, inits[i], office_run(o, NULL, WARDMOTE_SERVER, "init", o->dir, "--name", "localhost", NULL));
        if (died_ms > 0)
            progress(s, died_ms);
        died_ms = office_now_ms();
    }
    for (int again = 0; again < 2; again++) { /* complete, and it stays the same office */
        const char *sha;

        office_do(o, NULL, WARDMOTE_SERVER, "init", o->dir, "--name", "localhost", NULL);
        sha = strstr(wm_text_chars(&o->output), "SHA-256 ");
        assert_non_null(sha);
        assert_true(again == 0 || strncmp(digest, sha + 8, 64) == 0);
        snprintf(digest, sizeof digest, "%.64s", sha + 8);
    }
    progress(s, died_ms);
    office_write_server_yaml(o, &(office_wish){ 0 });
    office_server_start(o, NULL);
    office_enrol(o, 0);
    check_history(s);
    tell(s, "kill -9 while an office is made, before and after each file and commit");
}

/* ---- enrolment ---- */

/* Of the aggregator or its issuer, while it answers. */
static void server_dies_at(story *s, bool issuer)
{
    office *o = &s->o;

    s->kills++;
    if (issuer)
        office_server_kill(o); /* which has lived on, with an issuer that dies again and again */
    else
        office_server_crashes(o);
}

static char *new_token(story *s, size_t k)
{
    char *token;

    office_do(&s->o, NULL, WARDMOTE_SERVER, "token", s->o.dir, s->o.names[k], NULL);
    token = strdup(wm_text_chars(&s->o.output));
    assert_non_null(token);
    return token;
}

static int enrol(story *s, const char *token, size_t k)
{
    char folder[4300];

    office_gateway_folder(&s->o, k, folder);
    return office_run(&s->o, token, WARDMOTE_CLIENT, "enroll", folder, "--token", "-", NULL);
}

static const struct {
    const char *crash;
    enum { OF_CLIENT, OF_ISSUER, OF_SERVER } who;
    size_t gateway;
} enrolments[] = {
    { "next-key-before-save", OF_CLIENT, 0 },
    { "next-key-after-save", OF_CLIENT, 0 },
    { "issuer-spend-before-commit", OF_ISSUER, 0 },
    { "issuer-spend-after-commit", OF_ISSUER, 0 }, /* when it is back, the aggregator makes up for it */
    { "enrolment-issued", OF_SERVER, 0 },
    { "store-certificate-before", OF_SERVER, 1 },
    { "store-certificate-after", OF_SERVER, 1 }, /* while it makes up for it */
    { "file-written@1", OF_CLIENT, 0 },
    { "identity-before-save", OF_CLIENT, 0 },
    { "identity-after-save", OF_CLIENT, 0 },
};

static void a_token_is_spent_once_whoever_dies_when(void **state)
{
    static const char *const tokens[] = { "issuer-token-before-commit", "issuer-token-after-commit" };
    story                   *s = *state;
    office                  *o = &s->o;
    char                    *given[2], folder[4300];
    int64_t                  died_ms = office_now_ms();
    wm_identity              identity = { 0 };
    wm_error                 err;

    for (size_t i = 0; i < 2; i++) {
        office_server_start(o, tokens[i]);
        assert_int_not_equal(office_run(o, NULL, WARDMOTE_SERVER, "token", o->dir, o->names[0], NULL), 0);
        server_dies_at(s, true);
    }
    office_server_start(o, NULL);
    given[0] = new_token(s, 0);
    given[1] = new_token(s, 1);
    for (size_t i = 0; i < sizeof enrolments / sizeof *enrolments; i++) {
        const char *crash = enrolments[i].crash, *token = given[enrolments[i].gateway];
        size_t      k = enrolments[i].gateway;

        if (enrolments[i].who == OF_CLIENT) {
            setenv("WARDMOTE_CRASH", crash, 1);
            dies(s, crash, enrol(s, token, k));
        } else {
            if (o->server != 0)
                office_server_stop(o);
            office_server_start(o, crash); /* which may make up for what it has missed, and die of that */
            if (enrol(s, token, k) == 0)
                office_fail(o, "it enrols although the server has died at %s", crash);
            server_dies_at(s, enrolments[i].who == OF_ISSUER);
            if (enrolments[i + 1].who == OF_CLIENT)
                office_server_start(o, NULL);
        }
        progress(s, died_ms);
        died_ms = office_now_ms();
    }
    /* The identity is there since the last death; before it, each try has got the same certificate. */
    assert_int_not_equal(enrol(s, given[0], 0), 0);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "enrolled already"));
    office_gateway_folder(o, 0, folder);
    assert_ok(wm_identity_load(wm_files_system(), folder, &identity, &err), &err);
    assert_string_equal(identity.facts.name, o->names[0]);
    wm_identity_release(&identity);
    assert_int_equal(enrol(s, given[1], 1), 0);
    free(given[0]);
    free(given[1]);
    check_history(s); /* certificates are the issuer's, one for this gateway */
    tell(s, "kill -9 of office, issuer or gateway at each step of an enrolment");
}

/* ---- renewal ---- */

static bool is_present(office *o, void *context)
{
    json_t *status = office_status(o);
    bool    is = json_integer_value(json_object_get(json_object_get(status, "gateways"), "present")) > 0;

    (void)context;
    json_decref(status);
    return is;
}

static const struct {
    const char *crash;
    bool        of_client; /* else of the issuer */
} renewals[] = {
    { "next-key-before-save", true },        { "next-key-after-save", true },
    { "issuer-renew-before-commit", false }, { "issuer-renew-after-commit", false },
    { "identity-before-save", true },        { "identity-after-save", true },
};

/* How often the server has said that its issuer was gone. */
static size_t times_said(const office *o)
{
    static const char sentence[] = "the issuer cannot be asked";
    uint8_t          *bytes = NULL;
    size_t            n = 0, times = 0;

    if (wm_files_system()->read(wm_files_system(), o->server_log, 1 << 20, &bytes, &n, NULL) != WM_OK)
        return 0;
    for (const uint8_t *at = bytes; (at = memmem(at, n - (size_t)(at - bytes), sentence, strlen(sentence))) != NULL;
         at++)
        times++;
    free(bytes);
    return times;
}

typedef struct failures {
    size_t before;
} failures;

static bool has_said(office *o, void *context)
{
    return times_said(o) > ((const failures *)context)->before;
}

/* Whoever dies, the gateway runs on or again, and has a certificate that lives longer than its first one. */
static void a_certificate_is_renewed_once_whoever_dies_when(void **state)
{
    story      *s = *state;
    office     *o = &s->o;
    char        folder[4300];
    wm_identity first = { 0 }, last = { 0 };
    wm_error    err;

    office_server_start(o, NULL);
    office_enrol(o, 0);
    office_gateway_folder(o, 0, folder);
    assert_ok(wm_identity_load(wm_files_system(), folder, &first, &err), &err);
    for (size_t i = 0; i < sizeof renewals / sizeof *renewals; i++) {
        failures said = { .before = times_said(o) };

        if (renewals[i].of_client) {
            if (o->server == 0)
                office_server_start(o, NULL);
            office_gateway_start(o, 0, renewals[i].crash); /* it is due half a minute after it was issued */
            office_gateway_crashes(o, 0);
        } else {
            if (o->server != 0)
                office_server_stop(o);
            office_server_start(o, renewals[i].crash);
            office_gateway_start(o, 0, NULL);
            office_wait(o, has_said, &said, "the issuer to die while it renews");
            office_server_kill(o); /* which has lived on */
            office_gateway_stop(o, 0);
        }
        s->kills++;
    }
    office_gateway_start(o, 0, NULL);
    office_wait(o, is_present, NULL, "the gateway to be there with its new certificate");
    assert_ok(wm_identity_load(wm_files_system(), folder, &last, &err), &err);
    assert_true(last.facts.not_after_ms > first.facts.not_after_ms);
    assert_string_equal(last.facts.name, first.facts.name);
    wm_identity_release(&first);
    wm_identity_release(&last);
    office_gateway_stop(o, 0);
    check_history(s);
    s->seconds = -1; /* it is said at the end of a poll that a renewal is due: nobody waits for one */
    tell(s, "kill -9 of issuer or gateway at each step of a renewal");
}

/* ---- the operator ---- */

/* Runs and waiting jobs of that id; NULL: of any. */
static size_t jobs(story *s, const char *id)
{
    static const char *const lists[] = { "runs", "queue" };
    json_t                  *all, *job;
    size_t                   i, n = 0;

    office_do(&s->o, NULL, WARDMOTE_SERVER, "job", s->o.dir, "list", "--json", NULL);
    all = json_of(s, "job list");
    for (size_t l = 0; l < 2; l++)
        json_array_foreach(json_object_get(all, lists[l]), i, job) n +=
            id == NULL || strcmp(json_string_value(json_object_get(job, "id")), id) == 0;
    json_decref(all);
    return n;
}

/* What an operator asks for while the server dies of it; when it is back, it was done or it was not. */
static void operator_asks(story *s, const char *crash, const char *verb, const char *one, const char *two)
{
    int64_t died_ms;

    office_server_start(&s->o, crash);
    assert_int_not_equal(office_run(&s->o, NULL, WARDMOTE_SERVER, verb, s->o.dir, one, two, NULL), 0);
    if (strncmp(crash, "issuer-", 7) == 0) {
        s->kills++;
        office_server_kill(&s->o);
    } else {
        s->kills++;
        office_server_crashes(&s->o);
    }
    died_ms = office_now_ms();
    office_server_start(&s->o, NULL);
    progress(s, died_ms);
    office_server_stop(&s->o);
}

static bool is_revoked(story *s, const char *name)
{
    json_t *list, *gateway;
    size_t  i;
    bool    revoked = false;

    office_do(&s->o, NULL, WARDMOTE_SERVER, "clients", s->o.dir, "--json", NULL);
    list = json_of(s, "clients");
    json_array_foreach(json_object_get(list, "gateways"), i, gateway)
    {
        const char *is = json_string_value(json_object_get(gateway, "name"));

        revoked =
            revoked || (is != NULL && strcmp(is, name) == 0 && json_is_string(json_object_get(gateway, "revoked")));
    }
    json_decref(list);
    return revoked;
}

static void what_the_operator_asks_for_is_done_once_or_not_at_all(void **state)
{
    story  *s = *state;
    office *o = &s->o;
    char    first[4400], second[4400], path[4500], *waiting;

    office_server_start(o, NULL);
    office_enrol_all(o);
    office_server_stop(o);

    /* A job that is begun and waits for its gateways, and one behind it. */
    operator_asks(s, "store-queue-before", "job", "start", o->job);
    assert_int_equal(jobs(s, NULL), 0);
    operator_asks(s, "store-queue-after", "job", "start", o->job);
    assert_int_equal(jobs(s, NULL), 1);
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "start", o->job, NULL);
    waiting = strndup(wm_text_chars(&o->output), 32);
    operator_asks(s, "store-unqueue-before", "job", "stop", waiting);
    assert_int_equal(jobs(s, waiting), 1);
    operator_asks(s, "store-unqueue-after", "job", "stop", waiting);
    assert_int_equal(jobs(s, waiting), 0);
    free(waiting);

    /* A copy is whole, or it has another name and is made anew. */
    snprintf(first, sizeof first, "%s/copy", o->folder);
    snprintf(second, sizeof second, "%s/copy2", o->folder);
    operator_asks(s, "store-backup-before", "backup", first, NULL);
    snprintf(path, sizeof path, "%s/store.db", first);
    assert_false(wm_files_system()->exists(wm_files_system(), path));
    operator_asks(s, "store-backup-after", "backup", first, NULL);
    office_do(o, NULL, WARDMOTE_SERVER, "verify", first, NULL);
    office_do(o, NULL, WARDMOTE_SERVER, "backup", o->dir, second, NULL);

    /* Who is revoked stays it; a revocation that was cut off is asked for again. */
    operator_asks(s, "issuer-revoke-before-commit", "revoke", o->names[0], NULL);
    operator_asks(s, "issuer-revoke-after-commit", "revoke", o->names[0], NULL);
    operator_asks(s, "store-revoke-before", "revoke", o->names[0], NULL);
    operator_asks(s, "store-revoke-after", "revoke", o->names[0], NULL);
    assert_true(is_revoked(s, o->names[0]) && !is_revoked(s, o->names[1]));

    /* What was seen of gateways is written at the end, and is no loss. */
    office_server_start(o, "store-sightings-before");
    office_gateway_start(o, 1, NULL);
    office_wait(o, is_present, NULL, "the gateway to be there");
    office_signal(o, o->server, SIGTERM);
    office_server_crashes(o);
    s->kills++;
    office_server_start(o, "store-sightings-after");
    office_wait(o, is_present, NULL, "the gateway to be there again");
    office_signal(o, o->server, SIGTERM);
    office_server_crashes(o);
    s->kills++;
    office_server_start(o, NULL);
    check_history(s);
    tell(s, "kill -9 of the aggregator while it does what its operator asks");
}

int main(int argc, char **argv)
{
    const char             *part = argc > 1 ? argv[1] : "setting_up";
    const struct CMUnitTest setting_up[] = { cmocka_unit_test_setup_teardown(
        an_office_that_dies_while_it_is_made_is_made_by_asking_again, setup, teardown) };
    const struct CMUnitTest enrolling[] = { cmocka_unit_test_setup_teardown(a_token_is_spent_once_whoever_dies_when,
                                                                            setup, teardown) };
    const struct CMUnitTest operating[] = { cmocka_unit_test_setup_teardown(
        what_the_operator_asks_for_is_done_once_or_not_at_all, setup, teardown) };

    const struct CMUnitTest renewing[] = { cmocka_unit_test_setup_teardown(
        a_certificate_is_renewed_once_whoever_dies_when, setup, teardown) };

    if (strcmp(part, "renewing") == 0)
        return cmocka_run_group_tests(renewing, NULL, NULL);
    if (strcmp(part, "setting_up") == 0)
        return cmocka_run_group_tests(setting_up, NULL, NULL);
    if (strcmp(part, "enrolling") == 0)
        return cmocka_run_group_tests(enrolling, NULL, NULL);
    return cmocka_run_group_tests(operating, NULL, NULL);
}
