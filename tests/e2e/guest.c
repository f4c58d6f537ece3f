/* tests/e2e/guest.c */
#include "tests/e2e/guest.h"

#include "common/wire/frame.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 << 10, ROUTE = 4, PATIENCE_S = 60 };

SSL_CTX *guest_context(const wm_identity *identity)
{
    test_identity half = { identity != NULL ? identity->chain : NULL, identity != NULL ? identity->key : NULL };
    SSL_CTX      *ctx = stranger_context(identity != NULL ? &half : NULL, 0);

    for (size_t i = 1; identity != NULL && i < wm_chain_size(identity->chain); i++)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, wm_chain_at(identity->chain, i)), 1);
    return ctx;
}

bool guest_visit(stranger *s, int port, const char *source, SSL_CTX *ctx)
{
    struct timeval     patience = { .tv_sec = PATIENCE_S };
    struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };

    *s = (stranger){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_true(s->fd >= 0);
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    if (source != NULL) {
        assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
        assert_int_equal(bind(s->fd, (struct sockaddr *)&from, sizeof from), 0);
    }
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) == 0 && stranger_shake(s, ctx) && stranger_greet(s))
        return true;
    stranger_leave(s, STRANGER_CLOSES);
    return false;
}

bool guest_say(stranger *s, const Wm__Envelope *question)
{
    size_t   head = wm_frame_head_size(WM_FRAME_TCP), n = wm_envelope_size(question);
    uint8_t *message = calloc(1, head + ROUTE + n);
    bool     said;

    assert_non_null(message);
    wm_frame_head_write(WM_FRAME_TCP, ROUTE + n, message);
    message[head] = 0x80;
    wm_envelope_pack(question, message + head + ROUTE);
    said = stranger_say(s, message, head + ROUTE + n);
    free(message);
    return said;
}

Wm__Envelope *guest_hear(stranger *s)
{
    uint8_t       head[WM_FRAME_HEAD_MAX], *message;
    uint64_t      n;
    Wm__Envelope *answer = NULL;
    wm_error      err;

    if (!stranger_hear(s, head, wm_frame_head_size(WM_FRAME_TCP)))
        return NULL;
    assert_true(wm_frame_head_read(WM_FRAME_TCP, head, &n) && n > ROUTE && n < MESSAGE_MAX);
    message = malloc(n);
    assert_non_null(message);
    if (stranger_hear(s, message, n))
        assert_ok(wm_envelope_unpack(message + ROUTE, n - ROUTE, MESSAGE_MAX, &answer, &err), &err);
    free(message);
    return answer;
}

wm_token guest_token(office *o, const char *name)
{
    wm_token token;
    wm_error err;

    office_do(o, NULL, WARDMOTE_SERVER, "token", o->dir, name, NULL);
    assert_ok(wm_token_decode(o->output.chars, o->output.size, &token, &err), &err);
    return token;
}

Wm__Envelope *guest_enrol(office *o, const char *source, const wm_token *token, wm_key *key)
{
    SSL_CTX     *ctx = guest_context(NULL);
    Wm__Envelope question = wm_envelope(), *answer = NULL;
    Wm__Enrol   *enrol;
    stranger     s;
    wm_error     err;

    assert_ok(wm_enrol_message(token, key, &enrol, &err), &err);
    question.body_case = WM__ENVELOPE__BODY_ENROL;
    question.enrol = enrol;
    if (guest_visit(&s, o->ports[OFFICE_ENROLMENT], source, ctx)) {
        if (guest_say(&s, &question))
            answer = guest_hear(&s);
        stranger_leave(&s, STRANGER_SAYS_BYE);
    }
    wm_enrol_message_free(enrol);
    SSL_CTX_free(ctx);
    return answer;
}

wm_identity guest_join(office *o, const char *name)
{
    wm_token      token = guest_token(o, name);
    Wm__Envelope *answer;
    wm_identity   identity;
    wm_key       *key;
    wm_error      err;

    assert_ok(wm_key_new(&key, &err), &err);
    answer = guest_enrol(o, NULL, &token, key);
    if (answer == NULL || answer->body_case != WM__ENVELOPE__BODY_CERTIFICATE)
        office_fail(o, "%s could not enrol", name);
    assert_ok(wm_identity_accept(answer->certificate, key, name, &token.root, &identity, &err), &err);
    wm_envelope_free(answer);
    return identity;
}
