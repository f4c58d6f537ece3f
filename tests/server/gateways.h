/* tests/server/gateways.h
 *
 * An office with its issuer in a temporary folder under a manual clock, and what gateways say to it. */
#ifndef WM_TESTS_GATEWAYS_H
#define WM_TESTS_GATEWAYS_H

#include "tests/unit.h"

#include "common/crypto/authority.h"
#include "common/crypto/enrolment.h"
#include "common/crypto/request.h"
#include "server/issuer/office.h"

#define NOW    (1790000000 * 1000ll) /* 2026-09-21 */
#define MINUTE (60 * 1000ll)

typedef struct place {
    char            folder[4096];
    char           *issuer_folder;
    wm_manual_clock time;
    wm_office       office;
    wm_issuer      *issuer;
} place;

static inline wm_issuer_settings place_settings(place *p)
{
    return (wm_issuer_settings){ .folder = p->issuer_folder,
                                 .files = wm_files_system(),
                                 .clock = wm_clock_manual(&p->time) };
}

static inline void place_open(place *p)
{
    wm_issuer_settings settings = place_settings(p);
    wm_error           err;

    assert_ok(wm_issuer_open(&settings, &p->issuer, &err), &err);
}

static inline wm_status place_init(place *p, const char *folder, wm_error *err)
{
    static const char *const names[] = { "office.example" };
    wm_office_settings       office = { .folder = folder,
                                        .files = wm_files_system(),
                                        .clock = wm_clock_manual(&p->time),
                                        .names = names,
                                        .n_names = 1 };

    return wm_office_init(&office, &p->office, err);
}

static inline place *place_new(void)
{
    place   *p = calloc(1, sizeof *p);
    wm_error err;

    p->time.wall_ms = NOW;
    p->time.mono_ms = 1000;
    assert_ok(place_init(p, wm_test_folder(p->folder), &err), &err);
    p->issuer_folder = wm_path_join(p->folder, "issuer");
    place_open(p);
    return p;
}

static inline void place_free(place *p)
{
    wm_error err;

    wm_issuer_free(p->issuer);
    assert_ok(wm_folder_remove(p->folder, &err), &err);
    free(p->issuer_folder);
    free(p);
}

static inline void place_advance(place *p, int64_t ms)
{
    p->time.wall_ms += ms;
    p->time.mono_ms += ms;
}

static inline Wm__Issued *place_ask(place *p, wm_door door, const Wm__Issue *issue)
{
    Wm__Issued *issued;
    wm_error    err;

    assert_ok(wm_issuer_handle(p->issuer, door, issue, &issued, &err), &err);
    return issued;
}

/* A token as the installer reads it. */
static inline wm_token place_token(place *p, const char *name, uint64_t ttl_ms)
{
    char       *addresses[] = { "office.example:7443", "[::1]:7443" };
    Wm__Issue   issue = WM__ISSUE__INIT;
    Wm__Issued *issued;
    wm_token    token;
    wm_error    err;

    issue.verb = WM__ISSUE__VERB__TOKEN;
    issue.name = (char *)(uintptr_t)name;
    issue.ttl_ms = ttl_ms;
    issue.names = addresses;
    issue.n_names = 2;
    issued = place_ask(p, WM_DOOR_OPERATOR, &issue);
    assert_ok(wm_issued_status(issued, &err), &err);
    assert_ok(wm_token_decode(issued->text, strlen(issued->text), &token, &err), &err);
    wm_issued_free(issued);
    return token;
}

static inline Wm__Issued *place_enrol_message(place *p, Wm__Enrol *enrol, const char *source)
{
    Wm__Issue issue = WM__ISSUE__INIT;

    issue.verb = WM__ISSUE__VERB__ENROL;
    issue.enrol = enrol;
    issue.source = (char *)(uintptr_t)source;
    return place_ask(p, WM_DOOR_AGGREGATOR, &issue);
}

static inline Wm__Issued *place_enrol(place *p, const wm_token *token, wm_key *key)
{
    Wm__Enrol  *enrol;
    Wm__Issued *issued;
    wm_error    err;

    assert_ok(wm_enrol_message(token, key, &enrol, &err), &err);
    issued = place_enrol_message(p, enrol, "192.0.2.1");
    wm_enrol_message_free(enrol);
    return issued;
}

static inline Wm__Issued *place_renew(place *p, const wm_identity *old, wm_key *next)
{
    Wm__Renew  *renew;
    Wm__Issue   issue = WM__ISSUE__INIT;
    Wm__Issued *issued;
    wm_error    err;

    assert_ok(wm_renew_message(old, next, &renew, &err), &err);
    issue.verb = WM__ISSUE__VERB__RENEW;
    issue.name = (char *)(uintptr_t)old->facts.name;
    issue.serial = (ProtobufCBinaryData){ old->facts.serial.size, (uint8_t *)(uintptr_t)old->facts.serial.bytes };
    issue.request = renew->request;
    issue.proof = renew->proof;
    issued = place_ask(p, WM_DOOR_AGGREGATOR, &issue);
    wm_renew_message_free(renew);
    return issued;
}

static inline Wm__Issued *place_renew_late(place *p, const wm_identity *old, wm_key *next)
{
    Wm__Enrol  *enrol;
    Wm__Issued *issued;
    wm_error    err;

    assert_ok(wm_enrol_late_message(old, next, &enrol, &err), &err);
    issued = place_enrol_message(p, enrol, "192.0.2.1");
    wm_enrol_message_free(enrol);
    return issued;
}

static inline Wm__Issued *place_revoke(place *p, const char *name)
{
    Wm__Issue issue = WM__ISSUE__INIT;

    issue.verb = WM__ISSUE__VERB__REVOKE;
    issue.name = (char *)(uintptr_t)name;
    return place_ask(p, WM_DOOR_AGGREGATOR, &issue);
}

/* The identity that an answer makes; takes the key. Frees the answer. */
static inline wm_identity place_accept(place *p, Wm__Issued *issued, wm_key *key, const char *name)
{
    Wm__Certificate answer = WM__CERTIFICATE__INIT;
    wm_identity     identity;
    wm_error        err;

    assert_ok(wm_issued_status(issued, &err), &err);
    answer.chain = issued->chain;
    answer.root = issued->root;
    answer.server_time_ms = (uint64_t)p->time.wall_ms;
    assert_ok(wm_identity_accept(&answer, key, name, &p->office.root, &identity, &err), &err);
    wm_issued_free(issued);
    return identity;
}

static inline wm_key *new_key(void)
{
    wm_key  *key;
    wm_error err;

    assert_ok(wm_key_new(&key, &err), &err);
    return key;
}

/* A gateway that has joined. */
static inline wm_identity place_join(place *p, const char *name)
{
    wm_token token = place_token(p, name, 0);
    wm_key  *key = new_key();

    return place_accept(p, place_enrol(p, &token, key), key, name);
}

/* The answer is this refusal, with a word in our log's sentence; frees it. */
static inline void assert_refused_(Wm__Issued *issued, wm_status status, const char *word, const char *file,
                                   int line)
{
    if (issued->code != (uint32_t)status || strstr(issued->text, word) == NULL || issued->chain.len > 0) {
        print_error("%s:%d: %s: %s\n", file, line, wm_status_name((wm_status)issued->code), issued->text);
        _fail(file, line);
    }
    wm_issued_free(issued);
}
#define assert_refused(issued, status, word) assert_refused_((issued), (status), (word), __FILE__, __LINE__)

#endif
