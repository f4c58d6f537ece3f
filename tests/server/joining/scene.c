/* tests/server/joining/scene.c */
#include "tests/server/joining/scene.h"

#include "client/config.h"
#include "client/enrol.h"

static wm_status issue(void *context, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err)
{
    scene *s = context;

    if (s->issuer_gone)
        return wm_fail(err, WM_E_CLOSED, "the issuer is gone");
    if (s->instead != NULL) {
        *ret = s->instead;
        s->instead = NULL;
        return WM_OK;
    }
    return wm_issuer_handle(s->p->issuer, WM_DOOR_AGGREGATOR, ask, ret, err);
}

/* What the wire does to an answer: bytes, and a fault becomes a status. */
static wm_status carry(const Wm__Envelope *from, Wm__Envelope **ret, wm_error *err)
{
    size_t        n = wm_envelope_size(from);
    uint8_t      *bytes = malloc(n + 1);
    Wm__Envelope *envelope = NULL;
    wm_status     st;

    if (bytes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory on the wire");
    wm_envelope_pack(from, bytes);
    st = wm_envelope_unpack(bytes, n, WM_CONTROL_BYTES_MAX, &envelope, err);
    free(bytes);
    if (st != WM_OK)
        return st;
    if (envelope->body_case == WM__ENVELOPE__BODY_FAULT) {
        st = wm_fault_status(envelope->fault, err);
        wm_envelope_free(envelope);
        return st;
    }
    *ret = envelope;
    return WM_OK;
}

static wm_status line(void *context, const Wm__Envelope *question, Wm__Envelope **answer, wm_error *err)
{
    scene       *s = context;
    unsigned     try = s->tries++;
    Wm__Envelope other = wm_envelope();
    Wm__Welcome  welcome = WM__WELCOME__INIT;
    wm_inquiry   x;
    wm_status    st;

    if (try < 4 && s->troubles[try] != WM_OK)
        return wm_fail(err, s->troubles[try], "trouble on the line");
    wm_inquiry_init(&x, &s->peer, question, 0, false);
    if (question->body_case == WM__ENVELOPE__BODY_RENEW)
        wm_enrolment_renew(&s->enrolment, "192.0.2.7:51034", &x);
    else
        wm_enrolment_enrol(&s->enrolment, "192.0.2.7:51034", &x);
    if (s->ports && x.answer.body_case == WM__ENVELOPE__BODY_CERTIFICATE) {
        x.body.certificate.control_port = 17400;
        x.body.certificate.bulk_port = 17401;
    }
    if (s->nonsense) {
        other.body_case = WM__ENVELOPE__BODY_WELCOME;
        other.welcome = &welcome;
    }
    st = s->answer_lost ? wm_fail(err, WM_E_REFUSED, "the answer is lost")
                        : carry(s->nonsense ? &other : &x.answer, answer, err);
    s->answer_lost = false;
    wm_inquiry_release(&x);
    return st;
}

int setup(void **state)
{
    scene   *s = calloc(1, sizeof *s);
    char    *path;
    wm_error err;

    s->row = *state;
    s->p = place_new();
    path = wm_path_join(s->p->folder, "store");
    assert_ok(wm_store_open(wm_files_system(), path, wm_clock_manual(&s->p->time), &s->store, &err), &err);
    free(path);
    assert_ok(wm_roster_new(wm_clock_manual(&s->p->time), &s->roster, &err), &err);
    s->enrolment = (wm_enrolment){
        .issue = issue, .context = s, .store = s->store, .roster = s->roster, .clock = wm_clock_manual(&s->p->time)
    };
    snprintf(s->clients, sizeof s->clients, "%s/clients", s->p->folder);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), s->clients, 0700, &err), &err);
    seam_connect(line, s);
    *state = s;
    return 0;
}

int teardown(void **state)
{
    scene *s = *state;

    seam_disarm();
    wm_roster_free(s->roster);
    wm_store_close(s->store);
    place_free(s->p);
    free(s);
    return 0;
}

void fresh(scene *s, gateway *g, unsigned n)
{
    memset(g, 0, sizeof *g);
    g->s = s;
    s->tries = 0;
    snprintf(g->name, sizeof g->name, "gateway-%u", n);
    snprintf(g->folder, sizeof g->folder, "%s/%s", s->clients, g->name);
}

wm_status ask_token(gateway *g, wm_error *err)
{
    char       *addresses[] = { "office.example:7402", "[::1]:7402" };
    Wm__Issue   ask = WM__ISSUE__INIT;
    Wm__Issued *issued;
    wm_status   st;

    ask.verb = WM__ISSUE__VERB__TOKEN;
    ask.name = g->name;
    ask.names = addresses;
    ask.n_names = 2;
    st = wm_issuer_handle(g->s->p->issuer, WM_DOOR_OPERATOR, &ask, &issued, err);
    if (st != WM_OK)
        return st;
    st = wm_issued_status(issued, err);
    if (st == WM_OK)
        snprintf(g->token, sizeof g->token, "%s", issued->text);
    wm_issued_free(issued);
    return st;
}

wm_status enrol(gateway *g, wm_error *err)
{
    char name[WM_NAME_TEXT];

    return wm_enrol(wm_files_system(), g->folder, g->token, strlen(g->token), name, err);
}

wm_status renew(gateway *g, wm_error *err)
{
    uint64_t come_back_ms;

    return wm_renew(wm_files_system(), g->folder, NULL, &g->identity, &come_back_ms, err);
}

wm_status renew_late(gateway *g, wm_error *err)
{
    const char            *hosts[] = { "office.example", "::1", "[::2]" };
    const wm_client_config config = { .servers = { .items = hosts, .count = 3 }, .enrolment_port = 7402 };

    return wm_renew_late(wm_files_system(), g->folder, &config, &g->identity, err);
}

void must(wm_status (*what)(gateway *, wm_error *), gateway *g)
{
    wm_error err;

    assert_ok(what(g, &err), &err);
}

void load(gateway *g)
{
    wm_error err;

    assert_ok(wm_identity_load(wm_files_system(), g->folder, &g->identity, &err), &err);
    memset(&g->s->peer, 0, sizeof g->s->peer);
    strcpy(g->s->peer.name, g->identity.facts.name);
    g->s->peer.serial = g->identity.facts.serial;
}

void fails_to(wm_status (*what)(gateway *, wm_error *), gateway *g)
{
    wm_error err;

    g->s->answer_lost = true;
    assert_int_not_equal(what(g, &err), WM_OK);
}

void with_token(gateway *g)
{
    must(ask_token, g);
}

void in_half_life(gateway *g)
{
    must(ask_token, g);
    must(enrol, g);
    load(g);
    place_advance(g->s->p, 4 * WM_DAY_MS);
}

void expired(gateway *g)
{
    must(ask_token, g);
    must(enrol, g);
    load(g);
    place_advance(g->s->p, 9 * WM_DAY_MS);
}

void with_spent_token(gateway *g)
{
    must(ask_token, g);
    fails_to(enrol, g);
}

void renewed_unheard(gateway *g)
{
    in_half_life(g);
    fails_to(renew, g);
}
