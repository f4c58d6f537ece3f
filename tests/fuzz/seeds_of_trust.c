/* tests/fuzz/seeds_of_trust.c: what proves who is who: tokens, requests, chains, identities, words to the issuer. */
#include "common/crypto/authority.h"
#include "common/crypto/base64url.h"
#include "common/crypto/enrolment.h"
#include "common/crypto/request.h"
#include "tests/fuzz/seed.h"

#include <openssl/x509.h>

static const int64_t now_ms = 1790000000000;

static struct {
    wm_key         *root_key, *issuing_key, *key;
    wm_certificate *root, *issuing, *north, *server;
} office;

static wm_certificate *issue(wm_purpose purpose, const char *const *names, size_t n)
{
    const wm_authority         authority = { office.issuing_key, office.issuing };
    const wm_certificate_order order = { office.key, purpose, names, n, now_ms, 7 * WM_DAY_MS };
    wm_certificate            *made = NULL;

    must(wm_authority_issue(&authority, &order, &made, NULL) == WM_OK);
    return made;
}

static void open_office(void)
{
    static const char *const north[] = { "north" }, *const server[] = { "office.example", "192.0.2.1", "::1" };
    wm_authority root;

    must(wm_key_new(&office.root_key, NULL) == WM_OK && wm_key_new(&office.issuing_key, NULL) == WM_OK &&
         wm_key_new(&office.key, NULL) == WM_OK);
    must(wm_authority_make_root(office.root_key, now_ms, &office.root, NULL) == WM_OK);
    root = (wm_authority){ office.root_key, office.root };
    must(wm_authority_make_issuing(&root, office.issuing_key, now_ms, &office.issuing, NULL) == WM_OK);
    office.north = issue(WM_PURPOSE_GATEWAY, north, 1);
    office.server = issue(WM_PURPOSE_SERVER, server, 3);
}

static void close_office(void)
{
    wm_certificate *const all[] = { office.root, office.issuing, office.north, office.server };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        wm_certificate_free(all[i]);
    wm_key_free(office.root_key);
    wm_key_free(office.issuing_key);
    wm_key_free(office.key);
}

/* ---- chains ---- */

static void chain(const char *name, unsigned flags, wm_certificate *a, wm_certificate *b, wm_certificate *c)
{
    wm_certificate *const all[] = { a, b, c };
    seed                  s = WM_TEXT_INIT;
    wm_chain             *made = NULL;
    char                 *pem;
    size_t                n;

    seed_number(&s, flags, 1);
    if ((flags & 1) != 0) {
        for (size_t i = 0; i < 3 && all[i] != NULL; i++) {
            uint8_t *der = NULL;
            int      n_der = i2d_X509(all[i], &der);

            must(n_der > 0);
            seed_number(&s, (uint64_t)n_der, 2);
            seed_bytes(&s, der, (size_t)n_der);
            OPENSSL_free(der);
        }
    } else {
        must(wm_chain_of(all, 3, &made, NULL) == WM_OK && wm_chain_encode(made, &pem, &n, NULL) == WM_OK);
        seed_bytes(&s, pem, n);
        free(pem);
        wm_chain_free(made);
    }
    seed_write("chain", name, &s);
}

static void chains(void)
{
    seed s = WM_TEXT_INIT;

    chain("gateway", 0, office.north, office.issuing, office.root);
    chain("gateway_in_der", 1 | 8, office.north, office.issuing, office.root);
    chain("gateway_anew", 1 | 2 | 8, office.north, NULL, NULL);
    chain("server", 4 | 8, office.server, office.issuing, office.root);
    chain("server_anew", 1 | 2 | 4, office.server, NULL, NULL);
    chain("authority_anew", 1 | 2, office.issuing, NULL, NULL);
    chain("root_alone", 1, office.root, NULL, NULL);
    seed_write_text("chain", "name", 0, "north-7");
    seed_write_text("chain", "host", 0, "office.example");
    seed_write_text("chain", "address", 0, "2001:db8::1");
    seed_write_text("chain", "serial", 0, "00a1B2c3");
    seed_write_text("chain", "long_serial", 0, "0123456789012345678901234567890123456789012345");
    chain("order", 1, office.root, office.north, office.issuing);
    seed_write_text("chain", "no_certificate", 0, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    seed_write_text("chain", "cut", 0, "-----BEGIN CERTIFICATE-----\nMIIB");
    seed_bytes(&s, "\1\6\0\x30\x84\xff\xff\xff\xff", 9); /* a SEQUENCE of 4 GiB */
    seed_write("chain", "length_bomb", &s);
    seed_number(&s, 1, 1);
    seed_number(&s, 1000, 2);
    for (int i = 0; i < 500; i++) /* SEQUENCE in SEQUENCE, of indefinite length */
        seed_bytes(&s, "\x30\x80", 2);
    seed_write("chain", "deep", &s);
    seed_number(&s, 1, 1);
    for (int i = 0; i < 6; i++)
        seed_bytes(&s, "\2\0\x30\0", 4);
    seed_write("chain", "too_many", &s);
}

/* ---- requests ---- */

static void requests(void)
{
    seed     s = WM_TEXT_INIT;
    uint8_t *request;
    size_t   n;

    must(wm_request_make(office.key, &request, &n, NULL) == WM_OK);
    for (unsigned flag = 0; flag <= 2; flag += 2) {
        seed_number(&s, flag, 1);
        seed_bytes(&s, request, n);
        seed_write("request", flag == 0 ? "right" : "signed_anew", &s);
    }
    seed_number(&s, 0, 1);
    seed_bytes(&s, request, n);
    seed_text(&s, "behind");
    seed_write("request", "behind", &s);
    seed_number(&s, 0, 1);
    seed_bytes(&s, request, n - 20);
    seed_write("request", "cut", &s);
    seed_bytes(&s, "\1\x40\x55", 3);
    seed_write("request", "changed", &s);
    seed_bytes(&s, "\1\0", 2);
    seed_write("request", "unchanged", &s);
    seed_number(&s, 0, 1);
    for (int i = 0; i < 2100; i++)
        seed_number(&s, 0x30, 1);
    seed_write("request", "too_long", &s);
    seed_bytes(&s, "\0\x30\x84\xff\xff\xff\xff", 7);
    seed_write("request", "length_bomb", &s);
    free(request);
}

/* ---- tokens ---- */

static void tokens(void)
{
    wm_token token = { .addresses = { "office.example:7402", "[::1]:7402", "192.0.2.1:1", "x:65535" },
                       .n_addresses = 4,
                       .name = "north",
                       .id = { 1 },
                       .secret = { 2 } };
    char     text[WM_TOKEN_TEXT];
    uint8_t  inside[1200];
    size_t   n;
    seed     s = WM_TEXT_INIT;

    must(wm_token_encode(&token, text, NULL) == WM_OK);
    seed_text(&s, " "); /* an even first byte: as it stands */
    seed_text(&s, text);
    seed_text(&s, "\n");
    seed_write("token", "right", &s);
    seed_bytes(&s, text, strlen(text) - 5);
    seed_write("token", "cut", &s);
    must(wm_base64url_decode(text + 10, strlen(text) - 10, inside, sizeof inside, &n) && n > 8);
    seed_number(&s, 1, 1);
    seed_bytes(&s, inside, n - 8); /* its check is made by the target */
    seed_write("token", "inside", &s);
    inside[0] = 255;
    seed_number(&s, 1, 1);
    seed_bytes(&s, inside, n - 8);
    seed_write("token", "count_bomb", &s);
    seed_number(&s, 1, 1);
    seed_write("token", "nothing_inside", &s);
    seed_text(&s, "wardmote2.AAAA");
    seed_write("token", "other_version", &s);
    seed_text(&s, "wardmote1.A*==");
    seed_write("token", "no_base64", &s);
}

/* ---- identities ---- */

static void identity(const char *name, unsigned door, wm_key *key, wm_certificate *a, wm_certificate *b,
                     wm_certificate *c)
{
    seed      s = WM_TEXT_INIT;
    wm_chain *made = NULL;
    char     *pem;
    size_t    n;

    seed_number(&s, door, 1);
    if (key != NULL) {
        must(wm_key_encode(key, &pem, &n, NULL) == WM_OK);
        seed_bytes(&s, pem, n);
        wm_secret_free(pem, n);
    }
    if (a != NULL) {
        must(wm_chain_of((wm_certificate *const[]){ a, b, c }, 3, &made, NULL) == WM_OK &&
             wm_chain_encode(made, &pem, &n, NULL) == WM_OK);
        seed_bytes(&s, pem, n);
        free(pem);
        wm_chain_free(made);
    }
    seed_write("identity", name, &s);
}

static void identities(void)
{
    identity("right", 0, office.key, office.north, office.issuing, office.root);
    identity("of_another_key", 0, office.root_key, office.north, office.issuing, office.root);
    identity("without_a_root", 0, office.key, office.north, NULL, NULL);
    identity("without_a_key", 0, NULL, office.north, office.issuing, office.root);
    identity("of_a_server", 0, office.key, office.server, office.issuing, office.root);
    identity("next_key", 1, office.key, NULL, NULL, NULL);
    identity("answer", 2, office.key, office.north, office.issuing, office.root);
    identity("answer_of_another_name", 2, office.key, office.server, office.issuing, office.root);
    identity("answer_for_another_key", 2, office.issuing_key, office.north, office.issuing, office.root);
    seed_write_text("identity", "locked_key", 1,
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    seed_write_text(
        "identity", "other_kind_of_key", 1, /* Ed25519 */
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "-----END PRIVATE KEY-----\n");
}

/* ---- words to the issuer ---- */

enum { OPERATOR = 1, GOOD_TOKEN = 2, GOOD_REQUEST = 4, GOOD_CERTIFICATE = 8, GOOD_PROOF = 16, AFTER_ITS_END = 32 };

static void ask(const char *name, unsigned flags, Wm__Issue__Verb verb, bool enrols)
{
    char        *names[] = { (char *)(uintptr_t) "office.example:7402", (char *)(uintptr_t) "[::1]:7402" };
    Wm__Enrol    enrol = WM__ENROL__INIT;
    Wm__Issue    issue = WM__ISSUE__INIT;
    Wm__Envelope envelope = wm_envelope();
    seed         s = WM_TEXT_INIT;

    issue.verb = verb;
    issue.name = (char *)(uintptr_t) "north";
    issue.source = (char *)(uintptr_t) "192.0.2.7";
    issue.names = names;
    issue.n_names = verb == WM__ISSUE__VERB__TOKEN ? 2 : 0;
    issue.enrol = enrols ? &enrol : NULL;
    envelope.body_case = WM__ENVELOPE__BODY_ISSUE;
    envelope.issue = &issue;
    seed_number(&s, flags, 1);
    seed_envelope(&s, &envelope);
    seed_write("issue", name, &s);
}

static void issues(void)
{
    ask("token", OPERATOR, WM__ISSUE__VERB__TOKEN, false);
    ask("token_at_the_wrong_door", 0, WM__ISSUE__VERB__TOKEN, false);
    ask("enrol", GOOD_TOKEN | GOOD_REQUEST, WM__ISSUE__VERB__ENROL, true);
    ask("enrol_without_a_request", GOOD_TOKEN, WM__ISSUE__VERB__ENROL, true);
    ask("enrol_with_nothing", 0, WM__ISSUE__VERB__ENROL, true);
    ask("enrol_without_its_part", 0, WM__ISSUE__VERB__ENROL, false);
    ask("late", GOOD_REQUEST | GOOD_CERTIFICATE | GOOD_PROOF | AFTER_ITS_END, WM__ISSUE__VERB__ENROL, true);
    ask("late_without_proof", GOOD_REQUEST | GOOD_CERTIFICATE, WM__ISSUE__VERB__ENROL, true);
    ask("renew", GOOD_REQUEST | GOOD_CERTIFICATE | GOOD_PROOF, WM__ISSUE__VERB__RENEW, false);
    ask("renew_without_proof", GOOD_REQUEST | GOOD_CERTIFICATE, WM__ISSUE__VERB__RENEW, false);
    ask("server", GOOD_REQUEST, WM__ISSUE__VERB__SERVER, false);
    ask("revoke", 0, WM__ISSUE__VERB__REVOKE, false);
    ask("list", 0, WM__ISSUE__VERB__LIST, false);
    ask("no_verb", 0, (Wm__Issue__Verb)99, false);
    seed_write_text("issue", "no_envelope", 0, "\x08\x02");
    seed_write_text("issue", "no_issue", 0, "\x08\x01\x5a");
}

void seeds_of_trust(void)
{
    open_office();
    chains();
    requests();
    tokens();
    identities();
    issues();
    close_office();
}
