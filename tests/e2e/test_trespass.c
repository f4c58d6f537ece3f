/* tests/e2e/test_trespass.c
 *
 * What a peer may not do once TLS holds: knock at the wrong port with the right message, spend a token that a thousand
 * others spend at the same moment, spend it twice, or try tokens until one fits. Over real sockets, against a real
 * aggregator and its issuing process. */
#include "tests/e2e/guest.h"

#include "tests/figures.h"

#include <pthread.h>
#include <unistd.h>

enum {
    THREADS = 20,
    KEYS_EACH = 50, /* a thousand keys for one token */
    FLOODERS = 8,
    WRONG_EACH = 1250, /* ten thousand wrong tokens */
    HONEST = 5,
    MEMORY_MIB = 16, /* by which neither process may grow under a flood */
};

static int setup(void **state)
{
    office *o = office_begin(state, &(office_wish){ .n_gateways = 1 });

    office_server_start(o, NULL);
    return 0;
}

/* ---- the right message at the wrong port ---- */

typedef struct mixing {
    Wm__CheckIn check_in;
    Wm__Ask     ask;
    Wm__Renew   renew;
    Wm__Enrol   enrol;
    Wm__Command command;
    Wm__Issue   issue;
} mixing;

static Wm__Envelope message_of(mixing *m, Wm__Envelope__BodyCase which)
{
    Wm__Envelope message = wm_envelope();

    wm__check_in__init(&m->check_in);
    wm__ask__init(&m->ask);
    wm__renew__init(&m->renew);
    wm__enrol__init(&m->enrol);
    wm__command__init(&m->command);
    wm__issue__init(&m->issue);
    m->check_in.program = (char *)(uintptr_t) "guest";
    message.body_case = which;
    switch (which) {
    case WM__ENVELOPE__BODY_CHECK_IN:
        message.check_in = &m->check_in;
        break;
    case WM__ENVELOPE__BODY_ASK:
        message.ask = &m->ask;
        break;
    case WM__ENVELOPE__BODY_RENEW:
        message.renew = &m->renew;
        break;
    case WM__ENVELOPE__BODY_ENROL:
        message.enrol = &m->enrol;
        break;
    case WM__ENVELOPE__BODY_COMMAND:
        m->command.verb = (char *)(uintptr_t) "status";
        message.command = &m->command;
        break;
    case WM__ENVELOPE__BODY_ISSUE:
        m->issue.verb = WM__ISSUE__VERB__LIST;
        message.issue = &m->issue;
        break;
    default:
        fail_msg("no such message here");
    }
    return message;
}

static const struct {
    const char            *says;
    int                    port;
    bool                   certified;
    Wm__Envelope__BodyCase message;
} knocks[] = {
    { "a check-in at the enrolment port", OFFICE_ENROLMENT, false, WM__ENVELOPE__BODY_CHECK_IN },
    { "a question for work at the enrolment port", OFFICE_ENROLMENT, false, WM__ENVELOPE__BODY_ASK },
    { "the same by a gateway that shows its certificate", OFFICE_ENROLMENT, true, WM__ENVELOPE__BODY_ASK },
    { "a renewal at the enrolment port", OFFICE_ENROLMENT, true, WM__ENVELOPE__BODY_RENEW },
    { "a command at the enrolment port", OFFICE_ENROLMENT, false, WM__ENVELOPE__BODY_COMMAND },
    { "a request to the issuer at the enrolment port", OFFICE_ENROLMENT, false, WM__ENVELOPE__BODY_ISSUE },
    { "an empty enrolment", OFFICE_ENROLMENT, false, WM__ENVELOPE__BODY_ENROL },
    { "an enrolment at the control port", OFFICE_CONTROL, true, WM__ENVELOPE__BODY_ENROL },
    { "a command at the control port", OFFICE_CONTROL, true, WM__ENVELOPE__BODY_COMMAND },
    { "a request to the issuer at the control port", OFFICE_CONTROL, true, WM__ENVELOPE__BODY_ISSUE },
    { "an empty renewal", OFFICE_CONTROL, true, WM__ENVELOPE__BODY_RENEW },
    { "a renewal at the bulk port", OFFICE_BULK, true, WM__ENVELOPE__BODY_RENEW },
    { "a check-in at the bulk port", OFFICE_BULK, true, WM__ENVELOPE__BODY_CHECK_IN },
    { "a question for work at the bulk port", OFFICE_BULK, true, WM__ENVELOPE__BODY_ASK },
    { "an enrolment at the bulk port", OFFICE_BULK, true, WM__ENVELOPE__BODY_ENROL },
    { "a command at the bulk port", OFFICE_BULK, true, WM__ENVELOPE__BODY_COMMAND },
};
enum { N_KNOCKS = sizeof knocks / sizeof *knocks };

static void the_right_message_at_the_wrong_port_is_refused(void **state)
{
    office     *o = *state;
    wm_identity north = guest_join(o, "north");
    SSL_CTX    *with = guest_context(&north), *without = guest_context(NULL);
    mixing      m;

    for (size_t i = 0; i < N_KNOCKS; i++) {
        Wm__Envelope message = message_of(&m, knocks[i].message), *answer;
        stranger     s;

        assert_case(knocks[i].says,
                    guest_visit(&s, o->ports[knocks[i].port], NULL, knocks[i].certified ? with : without));
        assert_case(knocks[i].says, guest_say(&s, &message));
        answer = guest_hear(&s);
        assert_case(knocks[i].says, answer != NULL && answer->body_case == WM__ENVELOPE__BODY_FAULT);
        assert_case(knocks[i].says, answer != NULL && answer->fault->text[0] != '\0');
        wm_envelope_free(answer);
        stranger_leave(&s, STRANGER_SAYS_BYE);
    }
    SSL_CTX_free(with);
    SSL_CTX_free(without);
    wm_identity_release(&north);
    tell_fault(&(fault_figure){ .fault = "the right message at the wrong port, each in another way",
                                .tries = N_KNOCKS,
                                .survived = N_KNOCKS,
                                .seconds = -1 });
}

/* ---- one token, a thousand keys ---- */

typedef struct crowd {
    office            *o;
    int                number;
    Wm__Enrol         *enrols[KEYS_EACH];
    pthread_barrier_t *start;
    pthread_t          thread;
    int                won, refused;
    int                winner; /* of the enrols */
    wm_digest          chain;  /* that was won */
} crowd;

static void *spend(void *context)
{
    crowd   *c = context;
    SSL_CTX *ctx = guest_context(NULL);
    char     source[32];
    stranger s;

    snprintf(source, sizeof source, "127.0.1.%d", c->number + 1);
    (void)pthread_barrier_wait(c->start);
    for (int i = 0; i < KEYS_EACH; i++) {
        Wm__Envelope question = wm_envelope(), *answer = NULL;

        question.body_case = WM__ENVELOPE__BODY_ENROL;
        question.enrol = c->enrols[i];
        if (!guest_visit(&s, c->o->ports[OFFICE_ENROLMENT], source, ctx))
            continue;
        if (guest_say(&s, &question))
            answer = guest_hear(&s);
        stranger_leave(&s, STRANGER_SAYS_BYE);
        if (answer != NULL && answer->body_case == WM__ENVELOPE__BODY_CERTIFICATE) {
            c->won++;
            c->winner = i;
            c->chain = wm_sha256_of(answer->certificate->chain.data, answer->certificate->chain.len);
        } else if (answer != NULL && answer->body_case == WM__ENVELOPE__BODY_FAULT) {
            c->refused++;
        }
        wm_envelope_free(answer);
    }
    SSL_CTX_free(ctx);
    return NULL;
}

/* The same bytes again, as somebody would send them who has recorded them. */
static Wm__Envelope *replay(office *o, const char *source, Wm__Enrol *enrol)
{
    SSL_CTX     *ctx = guest_context(NULL);
    Wm__Envelope question = wm_envelope(), *answer;
    stranger     s;

    question.body_case = WM__ENVELOPE__BODY_ENROL;
    question.enrol = enrol;
    assert_true(guest_visit(&s, o->ports[OFFICE_ENROLMENT], source, ctx) && guest_say(&s, &question));
    answer = guest_hear(&s);
    assert_non_null(answer);
    stranger_leave(&s, STRANGER_SAYS_BYE);
    SSL_CTX_free(ctx);
    return answer;
}

static void of_a_thousand_keys_for_one_token_one_wins_and_may_ask_again(void **state)
{
    static crowd      crowds[THREADS];
    office           *o = *state;
    wm_token          token = guest_token(o, "contested");
    pthread_barrier_t start;
    const crowd      *winner = NULL;
    int               won = 0, refused = 0;
    wm_error          err;

    pthread_barrier_init(&start, NULL, THREADS);
    for (int t = 0; t < THREADS; t++) {
        crowds[t] = (crowd){ .o = o, .number = t, .start = &start };
        for (int i = 0; i < KEYS_EACH; i++) {
            wm_key *key;

            assert_ok(wm_key_new(&key, &err), &err);
            assert_ok(wm_enrol_message(&token, key, &crowds[t].enrols[i], &err), &err);
            wm_key_free(key);
        }
    }
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&crowds[t].thread, NULL, spend, &crowds[t]), 0);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(crowds[t].thread, NULL);
        won += crowds[t].won;
        refused += crowds[t].refused;
        winner = crowds[t].won > 0 ? &crowds[t] : winner;
    }
    if (won != 1 || refused != THREADS * KEYS_EACH - 1)
        office_fail(o, "%d won, and %d were refused", won, refused);
    for (int i = 0; i < 10; i++) { /* the same key, or a recording of it: the same certificate, byte for byte */
        Wm__Envelope *again = replay(o, "127.0.9.9", winner->enrols[winner->winner]);
        wm_digest     chain;

        assert_int_equal(again->body_case, WM__ENVELOPE__BODY_CERTIFICATE);
        chain = wm_sha256_of(again->certificate->chain.data, again->certificate->chain.len);
        assert_true(wm_digest_equal(&chain, &winner->chain));
        wm_envelope_free(again);
    }
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < KEYS_EACH; i++)
            wm_enrol_message_free(crowds[t].enrols[i]);
    pthread_barrier_destroy(&start);
    tell_fault(&(fault_figure){ .fault = "one token spent by a thousand keys at once, and replayed",
                                .tries = THREADS * KEYS_EACH + 10,
                                .survived = THREADS * KEYS_EACH + 10,
                                .doubled = (uint64_t)(won - 1),
                                .seconds = -1 });
}

/* ---- ten thousand wrong ones ---- */

typedef struct flooder {
    office   *o;
    int       number;
    wm_token  token; /* of the right form and root, with nothing right in it */
    pthread_t thread;
    int       refused, let_in;
} flooder;

static void *flood(void *context)
{
    flooder *f = context;
    SSL_CTX *ctx = guest_context(NULL);
    char     source[32];
    bool     here = false;
    stranger s;
    wm_key  *key = NULL;
    wm_error err;

    snprintf(source, sizeof source, "127.0.2.%d", f->number + 1);
    assert_ok(wm_key_new(&key, &err), &err);
    for (int i = 0; i < WRONG_EACH; i++) {
        Wm__Envelope question = wm_envelope(), *answer = NULL;
        Wm__Enrol   *enrol;

        assert_ok(wm_secret_draw(f->token.secret, sizeof f->token.secret, &err), &err);
        if (i % 2 == 0) /* a wrong secret for a token that is there, and a token that is not */
            assert_ok(wm_secret_draw(f->token.id, sizeof f->token.id, &err), &err);
        assert_ok(wm_enrol_message(&f->token, key, &enrol, &err), &err);
        question.body_case = WM__ENVELOPE__BODY_ENROL;
        question.enrol = enrol;
        here = here || guest_visit(&s, f->o->ports[OFFICE_ENROLMENT], source, ctx);
        if (here && guest_say(&s, &question))
            answer = guest_hear(&s);
        if (here && answer == NULL) {
            stranger_leave(&s, STRANGER_CLOSES);
            here = false;
        }
        f->refused += answer != NULL && answer->body_case == WM__ENVELOPE__BODY_FAULT;
        f->let_in += answer != NULL && answer->body_case != WM__ENVELOPE__BODY_FAULT;
        wm_envelope_free(answer);
        wm_enrol_message_free(enrol);
    }
    if (here)
        stranger_leave(&s, STRANGER_SAYS_BYE);
    wm_key_free(key);
    SSL_CTX_free(ctx);
    return NULL;
}

static long resident_kib(pid_t pid)
{
    char  path[64];
    long  pages = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void ten_thousand_wrong_tokens_keep_nobody_out(void **state)
{
    static flooder flooders[FLOODERS];
    office        *o = *state;
    wm_token       honest[HONEST];
    int64_t        longest = 0;
    long           before, after;
    int            refused = 0, let_in = 0;
    wm_error       err;

    for (int i = 0; i < HONEST; i++) {
        char name[32];

        snprintf(name, sizeof name, "honest-%d", i);
        honest[i] = guest_token(o, name);
    }
    before = resident_kib(o->server);
    for (int t = 0; t < FLOODERS; t++) {
        flooders[t] = (flooder){ .o = o, .number = t, .token = honest[0] };
        assert_int_equal(pthread_create(&flooders[t].thread, NULL, flood, &flooders[t]), 0);
    }
    for (int i = 0; i < HONEST; i++) {
        int64_t       from = office_now_ms(), took;
        Wm__Envelope *answer;
        wm_key       *key;

        assert_ok(wm_key_new(&key, &err), &err);
        answer = guest_enrol(o, "127.0.3.1", &honest[i], key);
        took = office_now_ms() - from;
        longest = took > longest ? took : longest;
        if (answer == NULL || answer->body_case != WM__ENVELOPE__BODY_CERTIFICATE)
            office_fail(o, "an honest gateway was kept out by a flood of wrong tokens");
        wm_envelope_free(answer);
        wm_key_free(key);
        usleep(100000); /* spread over the flood */
    }
    for (int t = 0; t < FLOODERS; t++) {
        pthread_join(flooders[t].thread, NULL);
        refused += flooders[t].refused;
        let_in += flooders[t].let_in;
    }
    after = resident_kib(o->server);
    assert_int_equal(let_in, 0);
    assert_true(refused > FLOODERS * WRONG_EACH * 9 / 10); /* the others were cut off */
    if (getenv("ASAN_OPTIONS") == NULL)                    /* which keeps what was freed */
        assert_true(after - before < MEMORY_MIB * 1024);
    tell_fault(&(fault_figure){ .fault = "ten thousand wrong tokens",
                                .tries = FLOODERS * WRONG_EACH,
                                .survived = FLOODERS * WRONG_EACH,
                                .seconds = (double)longest / 1000 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_message_at_the_wrong_port_is_refused),
        cmocka_unit_test(of_a_thousand_keys_for_one_token_one_wins_and_may_ask_again),
        cmocka_unit_test(ten_thousand_wrong_tokens_keep_nobody_out),
    };

    return cmocka_run_group_tests(tests, setup, office_end);
}
