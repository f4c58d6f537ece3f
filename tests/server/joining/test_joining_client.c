/* tests/server/joining/test_joining_client.c: what a gateway decides that joins: whom it tells its secret, what it keeps of an
 * answer, and what it leaves alone. */
#include "tests/server/joining/scene.h"

#include "client/config.h"
#include "client/enrol.h"

static void a_secret_is_told_to_no_more_servers_than_need_be(void **state)
{
    static const struct {
        const char *says;
        wm_status   troubles[2], want;
        unsigned    tries;
    } rows[] = {
        { "the first address answers: the second is not asked", { WM_OK, WM_OK }, WM_OK, 1 },
        { "the first cannot be reached: the second is asked", { WM_E_IO, WM_OK }, WM_OK, 2 },
        { "the first says nothing: the second is asked", { WM_E_TIMEOUT, WM_OK }, WM_OK, 2 },
        { "the first hangs up: the second is asked", { WM_E_CLOSED, WM_OK }, WM_OK, 2 },
        { "the first refuses: the second is not asked", { WM_E_REFUSED, WM_OK }, WM_E_REFUSED, 1 },
        { "the first is not ours: the second is not asked", { WM_E_UNTRUSTED, WM_OK }, WM_E_UNTRUSTED, 1 },
        { "neither can be reached", { WM_E_IO, WM_E_IO }, WM_E_IO, 2 },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gateway  g;
        wm_error err;

        fresh(s, &g, (unsigned)i);
        with_token(&g);
        memcpy(s->troubles, rows[i].troubles, sizeof rows[i].troubles);
        assert_case(rows[i].says, enrol(&g, &err) == rows[i].want && s->tries == rows[i].tries);
    }
}

static void an_answer_that_is_no_certificate_is_not_kept(void **state)
{
    scene   *s = *state;
    gateway  g;
    wm_tls  *tls;
    wm_error err;

    s->nonsense = true;
    fresh(s, &g, 0);
    with_token(&g);
    assert_int_equal(enrol(&g, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "not a certificate"));
    s->nonsense = false;
    must(enrol, &g);
    load(&g);
    place_advance(s->p, 4 * WM_DAY_MS);
    s->nonsense = true;
    assert_int_equal(renew(&g, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "not a certificate"));
    s->nonsense = false;
    must(renew, &g);
    assert_ok(wm_identity_tls(&g.identity, &tls, &err), &err); /* and its new certificate serves */
    wm_tls_free(tls);
    wm_identity_release(&g.identity);
}

static void the_ports_that_the_server_names_are_in_client_yaml(void **state)
{
    static const char *const ports[] = { "control: 7400", "bulk: 7401", "control: 17400", "bulk: 17401" };
    scene                   *s = *state;
    gateway                  g;
    wm_error                 err;

    for (unsigned named = 0; named < 2; named++) {
        char     path[4400], *text;
        uint8_t *bytes;
        size_t   n;

        fresh(s, &g, named);
        with_token(&g);
        s->ports = named == 1;
        must(enrol, &g);
        snprintf(path, sizeof path, "%s/client.yaml", g.folder);
        assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 16, &bytes, &n, &err), &err);
        text = strndup((const char *)bytes, n);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(strstr(text, ports[i]) != NULL, i / 2 == named);
        assert_non_null(strstr(text, "office.example"));
        free(text);
        free(bytes);
    }
}

static void a_folder_is_enrolled_once_and_its_client_yaml_is_left_alone(void **state)
{
    scene   *s = *state;
    gateway  g;
    char     path[4400];
    uint8_t *bytes;
    size_t   n;
    wm_error err;

    fresh(s, &g, 0);
    with_token(&g);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), g.folder, 0700, &err), &err);
    snprintf(path, sizeof path, "%s/client.yaml", g.folder);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, "servers: [me]\n", 14, 0600, &err), &err);
    must(enrol, &g);
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1000, &bytes, &n, &err), &err);
    assert_memory_equal(bytes, "servers: [me]\n", 14);
    free(bytes);
    assert_int_equal(enrol(&g, &err), WM_E_EXISTS);
    assert_non_null(strstr(err.text, "enrolled already"));
    strcpy(g.token, "no token");
    assert_int_equal(enrol(&g, &err), WM_E_MALFORMED);
}

static void no_server_is_no_address(void **state)
{
    const wm_client_config none = { .enrolment_port = 7402 };
    char                 **urls;
    size_t                 n;
    wm_error               err;

    (void)state;
    assert_ok(wm_client_urls(&none, 7402, &urls, &n, &err), &err);
    assert_int_equal(n, 0);
    wm_names_free(urls, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_secret_is_told_to_no_more_servers_than_need_be, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_certificate_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ports_that_the_server_names_are_in_client_yaml, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_enrolled_once_and_its_client_yaml_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test(no_server_is_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
