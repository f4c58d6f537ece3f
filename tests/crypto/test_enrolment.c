/* tests/crypto/test_enrolment.c */
#include "tests/crypto/pki.h"

#include "common/crypto/enrolment.h"
#include "common/crypto/request.h"

#include <sys/stat.h>

static wm_token token_for(pki *office)
{
    wm_token token = { .addresses = { "office.example:7443" }, .n_addresses = 1, .name = "north" };
    wm_error err;

    memset(token.id, 1, sizeof token.id);
    memset(token.secret, 2, sizeof token.secret);
    assert_ok(wm_certificate_digest(office->root, &token.root, &err), &err);
    return token;
}

/* First contact as the TLS layer checks it: only the pin is known, and no time. */
static wm_status first_contact(const wm_token *token, const char *host, const wm_chain *shown, wm_error *err)
{
    wm_chain_rule rule = { .purpose = WM_PURPOSE_SERVER, .name = host, .ignore_dates = true };
    wm_status     st = wm_chain_find_root(shown, &token->root, &rule.root, err);

    return st == WM_OK ? wm_chain_check(shown, &rule, NULL, err) : st;
}

/* Before the secret is told: which servers are believed. */
static void the_secret_is_told_to_the_token_s_office_only(void **state)
{
    pki             office = pki_new(PKI_NOW), other = pki_new(PKI_NOW);
    wm_token        token = token_for(&office);
    wm_key         *key;
    wm_error        err;
    wm_certificate *server, *gateway, *foreign, *expired;

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    server = pki_issue(&office, key, WM_PURPOSE_SERVER, "office.example", PKI_NOW, WM_DAY_MS);
    expired = pki_issue(&office, key, WM_PURPOSE_SERVER, "office.example", PKI_NOW, 1000);
    gateway = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "office", PKI_NOW, WM_DAY_MS);
    foreign = pki_issue(&other, key, WM_PURPOSE_SERVER, "office.example", PKI_NOW, WM_DAY_MS);

    const struct {
        const char     *says;
        wm_certificate *chain[3];
        const char     *host;
        bool            trusted;
    } rows[] = {
        { "the office itself", { server, office.issuing, office.root }, "office.example", true },
        { "with a certificate that has expired: the gateway may have no clock",
          { expired, office.issuing, office.root },
          "office.example",
          true },
        { "without its root", { server, office.issuing, NULL }, "office.example", false },
        { "under another name", { server, office.issuing, office.root }, "evil.example", false },
        { "a gateway of the office", { gateway, office.issuing, office.root }, "office", false },
        { "another office of the same name", { foreign, other.issuing, other.root }, "office.example", false },
        { "another office that shows our root", { foreign, other.issuing, office.root }, "office.example", false },
        { "our root by itself", { office.root, NULL, NULL }, "office.example", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_chain *chain = pki_chain(rows[i].chain[0], rows[i].chain[1], rows[i].chain[2]);

        assert_case(rows[i].says, (first_contact(&token, rows[i].host, chain, &err) == WM_OK) == rows[i].trusted);
        wm_chain_free(chain);
    }
    wm_certificate_free(server);
    wm_certificate_free(expired);
    wm_certificate_free(gateway);
    wm_certificate_free(foreign);
    wm_key_free(key);
    pki_free(&office);
    pki_free(&other);
}

static Wm__Certificate answer_of(wm_certificate *certificate, wm_certificate *issuing, wm_certificate *root,
                                 int64_t server_time_ms)
{
    Wm__Certificate answer = WM__CERTIFICATE__INIT;
    wm_chain       *chain = pki_chain(certificate, issuing, NULL), *roots = pki_chain(root, NULL, NULL);
    wm_error        err;

    assert_ok(wm_chain_encode(chain, (char **)&answer.chain.data, &answer.chain.len, &err), &err);
    assert_ok(wm_chain_encode(roots, (char **)&answer.root.data, &answer.root.len, &err), &err);
    answer.server_time_ms = (uint64_t)server_time_ms;
    wm_chain_free(chain);
    wm_chain_free(roots);
    return answer;
}

static void only_our_own_certificate_is_kept(void **state)
{
    pki             office = pki_new(PKI_NOW), other = pki_new(PKI_NOW);
    wm_token        token = token_for(&office);
    wm_key         *key, *strange;
    wm_error        err;
    wm_certificate *mine, *strangers, *south, *server, *foreign;

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_key_new(&strange, &err), &err);
    mine = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, WM_DAY_MS);
    strangers = pki_issue(&office, strange, WM_PURPOSE_GATEWAY, "north", PKI_NOW, WM_DAY_MS);
    south = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "south", PKI_NOW, WM_DAY_MS);
    server = pki_issue(&office, key, WM_PURPOSE_SERVER, "north", PKI_NOW, WM_DAY_MS);
    foreign = pki_issue(&other, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, WM_DAY_MS);

    const struct {
        const char     *says;
        wm_certificate *certificate, *issuing, *root;
        int64_t         server_time_ms;
        bool            kept;
    } rows[] = {
        { "ours", mine, office.issuing, office.root, PKI_NOW, true },
        { "ours, from a server that says no time", mine, office.issuing, office.root, 0, true },
        { "for a stranger's key", strangers, office.issuing, office.root, PKI_NOW, false },
        { "under another name", south, office.issuing, office.root, PKI_NOW, false },
        { "a server's", server, office.issuing, office.root, PKI_NOW, false },
        { "of another office", foreign, other.issuing, other.root, PKI_NOW, false },
        { "of another office, under our root", foreign, other.issuing, office.root, PKI_NOW, false },
        { "ours, but expired by the server's own time", mine, office.issuing, office.root, PKI_NOW + 2 * WM_DAY_MS,
          false },
        { "ours, from a server in the year 300,000", mine, office.issuing, office.root, INT64_MAX, false },
        { "ours, without its authority", mine, NULL, office.root, PKI_NOW, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Wm__Certificate answer =
            answer_of(rows[i].certificate, rows[i].issuing, rows[i].root, rows[i].server_time_ms);
        wm_identity identity = { .key = NULL };
        wm_status   st = wm_identity_accept(&answer, key, "north", &token.root, &identity, &err);

        assert_case(rows[i].says, (st == WM_OK) == rows[i].kept);
        if (st == WM_OK) {
            assert_string_equal(identity.facts.name, "north");
            identity.key = NULL; /* it goes into the next row */
            wm_identity_release(&identity);
        }
        free(answer.chain.data);
        free(answer.root.data);
    }
    wm_certificate_free(mine);
    wm_certificate_free(strangers);
    wm_certificate_free(south);
    wm_certificate_free(server);
    wm_certificate_free(foreign);
    wm_key_free(key);
    wm_key_free(strange);
    pki_free(&office);
    pki_free(&other);
}

static void an_identity_comes_back_from_its_one_file(void **state)
{
    const wm_files *files = wm_files_system();
    pki             office = pki_new(PKI_NOW);
    wm_token        token = token_for(&office);
    wm_certificate *mine;
    Wm__Certificate answer;
    wm_identity     identity, back;
    wm_key         *key, *again, *fresh;
    wm_digest       a, b;
    char            folder[4096], *path, *next;
    struct stat     info;
    uint8_t        *bytes;
    size_t          n;
    wm_error        err;

    (void)state;
    wm_test_folder(folder);
    path = wm_path_join(folder, "identity.pem");
    next = wm_path_join(folder, "next.key");
    assert_int_equal(wm_identity_load(files, folder, &back, &err), WM_E_MISSING);
    /* The key is the same until its certificate is there, however often it is asked for. */
    assert_ok(wm_identity_next_key(NULL, files, folder, &key, &err), &err);
    assert_ok(wm_identity_next_key(NULL, files, folder, &again, &err), &err);
    assert_ok(wm_key_digest(key, &a, &err), &err);
    assert_ok(wm_key_digest(again, &b, &err), &err);
    assert_true(wm_digest_equal(&a, &b));
    wm_key_free(again);

    mine = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, WM_DAY_MS);
    answer = answer_of(mine, office.issuing, office.root, PKI_NOW);
    assert_ok(wm_identity_accept(&answer, key, "north", &token.root, &identity, &err), &err);
    assert_ok(wm_identity_save(&identity, files, folder, &err), &err);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_false(files->exists(files, next));
    assert_ok(wm_identity_load(files, folder, &back, &err), &err);
    assert_string_equal(back.facts.name, "north");
    assert_true(wm_digest_equal(&back.facts.key, &a));

    /* Killed between the two files of a save, the used key lies about as the next one; it is not taken. */
    assert_ok(wm_key_save(back.key, files, next, &err), &err);
    assert_ok(wm_identity_next_key(&back, files, folder, &fresh, &err), &err);
    assert_ok(wm_key_digest(fresh, &b, &err), &err);
    assert_false(wm_digest_equal(&a, &b));
    wm_key_free(fresh);
    /* Nor is a damaged one. */
    assert_ok(files->replace(files, next, "xyz", 3, 0600, &err), &err);
    assert_ok(wm_identity_next_key(&back, files, folder, &fresh, &err), &err);
    wm_key_free(fresh);

    /* Every cut of the file is noticed. */
    assert_ok(files->read(files, path, 1 << 16, &bytes, &n, &err), &err);
    for (size_t cut = 0; cut < n - 1; cut += 7) {
        wm_identity half;

        assert_ok(files->replace(files, path, bytes, cut, 0600, &err), &err);
        assert_int_equal(wm_identity_load(files, folder, &half, &err), WM_E_DAMAGED);
    }
    free(bytes);
    wm_identity_release(&identity);
    wm_identity_release(&back);
    free(answer.chain.data);
    free(answer.root.data);
    wm_certificate_free(mine);
    pki_free(&office);
    assert_ok(wm_folder_remove(folder, &err), &err);
    free(path);
    free(next);
}

static void messages_carry_what_they_should_and_no_more(void **state)
{
    pki             office = pki_new(PKI_NOW);
    wm_token        token = token_for(&office);
    wm_key         *key, *back;
    wm_certificate *mine;
    wm_identity     old = { .key = NULL };
    Wm__Enrol      *enrol, *late;
    Wm__Renew      *renew;
    wm_error        err;

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    assert_ok(wm_enrol_message(&token, key, &enrol, &err), &err);
    assert_int_equal(enrol->secret.len, 16);
    assert_memory_equal(enrol->secret.data, token.secret, 16);
    assert_string_equal(enrol->name, "north");
    assert_ok(wm_request_read(enrol->request.data, enrol->request.len, &back, &err), &err);
    wm_key_free(back);
    assert_int_equal(enrol->old_certificate.len, 0);
    assert_true(wm__enrol__get_packed_size(enrol) < 1024);

    mine = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, WM_DAY_MS);
    old.key = key;
    old.chain = pki_chain(mine, office.issuing, NULL);
    old.root = office.root;
    assert_ok(wm_identity_check(&old, &err), &err);
    assert_ok(wm_renew_message(&old, office.root_key, &renew, &err), &err);
    assert_ok(wm_key_verify(key, "wardmote renewal", renew->request.data, renew->request.len, renew->proof.data,
                            renew->proof.len, &err),
              &err);
    assert_ok(wm_enrol_late_message(&old, office.root_key, &late, &err), &err);
    assert_int_equal(late->secret.len, 0);
    assert_true(wm__enrol__get_packed_size(late) < 4096);
    assert_ok(wm_key_verify(key, "wardmote renewal", late->request.data, late->request.len, late->proof.data,
                            late->proof.len, &err),
              &err);
    wm_enrol_message_free(enrol);
    wm_enrol_message_free(late);
    wm_renew_message_free(renew);
    wm_chain_free(old.chain);
    wm_certificate_free(mine);
    wm_key_free(key);
    pki_free(&office);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secret_is_told_to_the_token_s_office_only),
        cmocka_unit_test(only_our_own_certificate_is_kept),
        cmocka_unit_test(an_identity_comes_back_from_its_one_file),
        cmocka_unit_test(messages_carry_what_they_should_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
