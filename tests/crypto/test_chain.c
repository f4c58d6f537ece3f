/* tests/crypto/test_chain.c */
#include "tests/crypto/pki.h"

#include <sys/wait.h>
#include <unistd.h>

/* Who is looked at, under which rule, and what comes of it. Certificates live for a week from PKI_NOW. */
static const struct {
    const char *says;
    enum { NORTH, SERVER, ISSUING, FOREIGN_NORTH, LONE_NORTH } who;
    wm_purpose  purpose;
    const char *name;
    int64_t     day; /* after PKI_NOW, when it is looked at */
    bool        ignore_dates;
    bool        holds;
    const char *word; /* of the sentence that refuses it */
} rows[] = {
    { "a gateway under its own name", NORTH, WM_PURPOSE_GATEWAY, "north", 0, false, true, NULL },
    { "a gateway under any name", NORTH, WM_PURPOSE_GATEWAY, NULL, 6, false, true, NULL },
    { "a gateway posing as another", NORTH, WM_PURPOSE_GATEWAY, "south", 0, false, false, "north" },
    { "a gateway under a prefix of its name", NORTH, WM_PURPOSE_GATEWAY, "nort", 0, false, false, "north" },
    { "a gateway posing as the server", NORTH, WM_PURPOSE_SERVER, "north", 0, false, false, "not a server" },
    { "the server", SERVER, WM_PURPOSE_SERVER, "office.example", 0, false, true, NULL },
    { "the server in capitals", SERVER, WM_PURPOSE_SERVER, "OFFICE.example", 0, false, true, NULL },
    { "the server under a name below its own", SERVER, WM_PURPOSE_SERVER, "x.office.example", 0, false, false,
      "office.example" },
    { "the server under an address that it has not", SERVER, WM_PURPOSE_SERVER, "127.0.0.1", 0, false, false,
      "127.0.0.1" },
    { "the server posing as a gateway", SERVER, WM_PURPOSE_GATEWAY, NULL, 0, false, false, "not a gateway" },
    { "an authority posing as a gateway", ISSUING, WM_PURPOSE_GATEWAY, NULL, 0, false, false, "not a gateway" },
    { "an authority posing as the server", ISSUING, WM_PURPOSE_SERVER, NULL, 0, false, false, "not a server" },
    { "a gateway of another office", FOREIGN_NORTH, WM_PURPOSE_GATEWAY, "north", 0, false, false,
      "lead to the root" },
    { "a gateway without the authority between", LONE_NORTH, WM_PURPOSE_GATEWAY, "north", 0, false, false,
      "lead to the root" },
    { "an expired gateway", NORTH, WM_PURPOSE_GATEWAY, "north", 8, false, false, "expired" },
    { "an expired gateway, dates left aside", NORTH, WM_PURPOSE_GATEWAY, "north", 8, true, true, NULL },
    { "a gateway before its time", NORTH, WM_PURPOSE_GATEWAY, "north", -1, false, false, "not valid before" },
    { "a gateway before its time, dates left aside", NORTH, WM_PURPOSE_GATEWAY, "north", -9000, true, true, NULL },
    { "a foreign gateway, dates left aside", FOREIGN_NORTH, WM_PURPOSE_GATEWAY, "north", 0, true, false,
      "lead to the root" },
};

static void chains_hold_or_are_refused_with_a_word_that_says_why(void **state)
{
    pki             office = pki_new(PKI_NOW), foreign = pki_new(PKI_NOW);
    wm_key         *key;
    wm_error        err;
    wm_certificate *north, *server, *foreign_north;
    wm_chain       *chains[5];

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    north = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, 7 * WM_DAY_MS);
    server = pki_issue(&office, key, WM_PURPOSE_SERVER, "office.example", PKI_NOW, 7 * WM_DAY_MS);
    foreign_north = pki_issue(&foreign, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, 7 * WM_DAY_MS);
    chains[NORTH] = pki_chain(north, office.issuing, NULL);
    chains[SERVER] = pki_chain(server, office.issuing, office.root);
    chains[ISSUING] = pki_chain(office.issuing, office.root, NULL);
    chains[FOREIGN_NORTH] = pki_chain(foreign_north, foreign.issuing, foreign.root);
    chains[LONE_NORTH] = pki_chain(north, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_chain_rule rule = { office.root, rows[i].purpose, rows[i].name, PKI_NOW + rows[i].day * WM_DAY_MS,
                               rows[i].ignore_dates };
        wm_status     st = wm_chain_check(chains[rows[i].who], &rule, NULL, &err);

        if (rows[i].holds && st != WM_OK)
            print_error("%s\n", err.text);
        assert_case(rows[i].says, (st == WM_OK) == rows[i].holds);
        if (!rows[i].holds) {
            assert_case(rows[i].says, st == WM_E_UNTRUSTED);
            assert_case(rows[i].says, strstr(err.text, rows[i].word) != NULL);
        }
    }
    for (int i = 0; i < 5; i++)
        wm_chain_free(chains[i]);
    wm_certificate_free(north);
    wm_certificate_free(server);
    wm_certificate_free(foreign_north);
    wm_key_free(key);
    pki_free(&office);
    pki_free(&foreign);
}

/* A gateway that signs a certificate for somebody else, and one signed by the root's stranger in our issuer's
 * name. */
static void a_gateway_is_no_authority(void **state)
{
    pki             office = pki_new(PKI_NOW), evil;
    wm_key         *key;
    wm_error        err;
    wm_certificate *north, *forged;
    wm_chain       *chain;
    wm_chain_rule   rule = { office.root, WM_PURPOSE_GATEWAY, "south", PKI_NOW, false };

    (void)state;
    assert_ok(wm_key_new(&key, &err), &err);
    north = pki_issue(&office, key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, WM_DAY_MS);
    evil = (pki){ .authority = { key, north } };
    forged = pki_issue(&evil, key, WM_PURPOSE_GATEWAY, "south", PKI_NOW, WM_DAY_MS);
    assert_ok(wm_chain_of((wm_certificate *const[]){ forged, north, office.issuing }, 3, &chain, &err), &err);
    assert_int_equal(wm_chain_check(chain, &rule, NULL, &err), WM_E_UNTRUSTED);
    wm_chain_free(chain);
    wm_certificate_free(forged);

    evil = (pki){ .authority = { key, office.issuing } }; /* the right issuer's name, the wrong key */
    forged = pki_issue(&evil, key, WM_PURPOSE_GATEWAY, "south", PKI_NOW, WM_DAY_MS);
    chain = pki_chain(forged, office.issuing, NULL);
    assert_int_equal(wm_chain_check(chain, &rule, NULL, &err), WM_E_UNTRUSTED);
    wm_chain_free(chain);
    wm_certificate_free(forged);
    wm_certificate_free(north);
    wm_key_free(key);
    pki_free(&office);
}

static void a_server_answers_to_all_its_names_and_addresses(void **state)
{
    static const char *const names[] = { "office.example", "localhost", "127.0.0.1", "::1" };
    pki                      office = pki_new(PKI_NOW);
    wm_certificate_order     order = { office.issuing_key, WM_PURPOSE_SERVER, names, 4, PKI_NOW, WM_DAY_MS };
    wm_certificate          *server;
    wm_certificate_facts     facts;
    wm_error                 err;

    (void)state;
    assert_ok(wm_authority_issue(&office.authority, &order, &server, &err), &err);
    for (int i = 0; i < 4; i++)
        assert_true(wm_certificate_has_name(server, names[i]));
    assert_false(wm_certificate_has_name(server, "127.0.0.2"));
    assert_false(wm_certificate_has_name(server, "example"));
    assert_false(wm_certificate_has_name(server, "Wardmote aggregator"));
    assert_ok(wm_certificate_look(server, &facts, &err), &err);
    assert_true(facts.for_server && !facts.for_gateway && !facts.is_authority);
    assert_int_equal(facts.n_names, 4);
    assert_string_equal(facts.name, "office.example");
    order.names = (const char *const[]){ "*.example" };
    order.n_names = 1;
    assert_int_equal(wm_authority_issue(&office.authority, &order, &server, &err), WM_E_INVALID);
    order.n_names = 0;
    assert_int_equal(wm_authority_issue(&office.authority, &order, &server, &err), WM_E_INVALID);
    order.purpose = WM_PURPOSE_GATEWAY;
    order.names = (const char *const[]){ "North" };
    order.n_names = 1;
    assert_int_equal(wm_authority_issue(&office.authority, &order, &server, &err), WM_E_INVALID);
    wm_certificate_free(server);
    pki_free(&office);
}

static void serials_are_random_and_dates_stay_within_the_authority(void **state)
{
    pki                  office = pki_new(PKI_NOW);
    wm_certificate_facts authority, facts;
    wm_serial            seen[64], parsed;
    wm_error             err;
    char                 text[WM_SERIAL_TEXT];

    (void)state;
    assert_ok(wm_certificate_look(office.issuing, &authority, &err), &err);
    for (int i = 0; i < 64; i++) {
        wm_certificate *c =
            pki_issue(&office, office.issuing_key, WM_PURPOSE_GATEWAY, "north", PKI_NOW, 9999 * WM_DAY_MS);

        assert_ok(wm_certificate_look(c, &facts, &err), &err);
        assert_int_equal(facts.serial.size, 17);
        for (int k = 0; k < i; k++)
            assert_false(wm_serial_equal(&seen[k], &facts.serial));
        seen[i] = facts.serial;
        assert_true(wm_serial_parse(wm_serial_text(&facts.serial, text), &parsed));
        assert_true(wm_serial_equal(&parsed, &facts.serial));
        wm_certificate_free(c);
    }
    assert_true(facts.not_after_ms == authority.not_after_ms);
    assert_true(facts.not_before_ms == PKI_NOW - WM_BACKDATED_MS);
    assert_true(facts.not_after_ms > 2085000000000ll); /* 2036: ten years */
    pki_free(&office);
}

static void an_authority_out_of_its_time_issues_nothing(void **state)
{
    pki                  office = pki_new(PKI_NOW);
    wm_certificate_order order = {
        office.issuing_key, WM_PURPOSE_GATEWAY, (const char *const[]){ "north" }, 1, PKI_NOW + 11 * 365 * WM_DAY_MS,
        WM_DAY_MS
    };
    wm_certificate *c;
    wm_error        err;

    (void)state;
    assert_int_equal(wm_authority_issue(&office.authority, &order, &c, &err), WM_E_UNTRUSTED);
    order.wall_ms = PKI_NOW - WM_DAY_MS;
    assert_int_equal(wm_authority_issue(&office.authority, &order, &c, &err), WM_E_UNTRUSTED);
    pki_free(&office);
}

static void a_chain_text_is_read_within_limits(void **state)
{
    pki       office = pki_new(PKI_NOW);
    wm_chain *chain = pki_chain(office.issuing, office.root, NULL), *back;
    char     *pem, big[WM_CHAIN_BYTES + 1], five[WM_CHAIN_BYTES];
    size_t    n, n_root;
    wm_error  err;

    (void)state;
    assert_ok(wm_chain_encode(chain, &pem, &n, &err), &err);
    assert_ok(wm_chain_decode(pem, n, &back, &err), &err);
    assert_int_equal(wm_chain_size(back), 2);
    wm_chain_free(back);
    /* Five certificates are too many. */
    snprintf(five, sizeof five, "%s%s%s", pem, pem, pem);
    assert_int_equal(wm_chain_decode(five, strlen(five), &back, &err), WM_E_RANGE);
    memset(big, '\n', sizeof big);
    assert_int_equal(wm_chain_decode(big, sizeof big, &back, &err), WM_E_RANGE);
    assert_int_equal(wm_chain_decode(big, sizeof big - 1, &back, &err), WM_E_MALFORMED);
    assert_int_equal(wm_chain_decode("", 0, &back, &err), WM_E_MALFORMED);
    assert_int_equal(wm_chain_decode(NULL, 0, &back, &err), WM_E_MALFORMED);
    /* Cut inside the second: the first alone, or a complaint, and never more than was there. */
    n_root = (size_t)(strstr(pem + 1, "-----BEGIN") - pem);
    for (size_t cut = 0; cut < n - 1; cut++) {
        wm_status st = wm_chain_decode(pem, cut, &back, &err);

        if (st == WM_OK) {
            assert_true(wm_chain_size(back) == 1 && cut >= n_root - 1);
            wm_chain_free(back);
        } else
            assert_int_equal(st, WM_E_MALFORMED);
    }
    free(pem);
    wm_chain_free(chain);
    pki_free(&office);
}

static void write_chain(const char *path, wm_certificate *certificate)
{
    wm_chain       *chain = pki_chain(certificate, NULL, NULL);
    const wm_files *files = wm_files_system();
    char           *pem;
    size_t          n;
    wm_error        err;

    assert_ok(wm_chain_encode(chain, &pem, &n, &err), &err);
    assert_ok(files->replace(files, path, pem, n, 0644, &err), &err);
    free(pem);
    wm_chain_free(chain);
}

/* Another implementation of the path, so that our strictness is not only our own. */
static void openssl_verify_agrees(void **state)
{
    char            folder[4096], command[8192], *root, *issuing, *leaf;
    pki             office;
    wm_certificate *north;
    wm_error        err;
    wm_clock        clock = wm_clock_system();

    (void)state;
    if (system("openssl version >/dev/null 2>&1") != 0)
        leave_out("the openssl program is not here");
    wm_test_folder(folder);
    root = wm_path_join(folder, "root.pem");
    issuing = wm_path_join(folder, "issuing.pem");
    leaf = wm_path_join(folder, "north.pem");
    office = pki_new(wm_wall_ms(&clock));
    north = pki_issue(&office, office.root_key, WM_PURPOSE_GATEWAY, "north", wm_wall_ms(&clock), WM_DAY_MS);
    write_chain(root, office.root);
    write_chain(issuing, office.issuing);
    write_chain(leaf, north);
    snprintf(command, sizeof command,
             "openssl verify -x509_strict -auth_level 2 -purpose sslclient -CAfile %s -untrusted %s %s "
             ">/dev/null 2>&1",
             root, issuing, leaf);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command,
             "openssl verify -x509_strict -purpose sslserver -CAfile %s -untrusted %s %s >/dev/null 2>&1", root,
             issuing, leaf);
    assert_int_not_equal(system(command), 0);
    assert_ok(wm_folder_remove(folder, &err), &err);
    wm_certificate_free(north);
    pki_free(&office);
    free(root);
    free(issuing);
    free(leaf);
}

static const struct {
    const char *name;
    bool        ok;
} names[] = {
    { "north", true },
    { "n", true },
    { "0", true },
    { "river-2", true },
    { "", false },
    { "North", false },
    { "n_1", false },
    { "a.b", false },
    { "a b", false },
    { "a/b", false },
    { "../x", false },
    { "*", false },
    { "n\xc3\xb6", false },
    { "north\n", false },
    { "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", true },
    { "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", false },
};

static void gateways_have_names_that_fit_a_label(void **state)
{
    wm_error err;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_case(names[i].name, wm_gateway_name_ok(names[i].name) == names[i].ok);
        assert_case(names[i].name, (wm_gateway_name_check(names[i].name, &err) == WM_OK) == names[i].ok);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_hold_or_are_refused_with_a_word_that_says_why),
        cmocka_unit_test(a_gateway_is_no_authority),
        cmocka_unit_test(a_server_answers_to_all_its_names_and_addresses),
        cmocka_unit_test(serials_are_random_and_dates_stay_within_the_authority),
        cmocka_unit_test(an_authority_out_of_its_time_issues_nothing),
        cmocka_unit_test(a_chain_text_is_read_within_limits),
        cmocka_unit_test(openssl_verify_agrees),
        cmocka_unit_test(gateways_have_names_that_fit_a_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
