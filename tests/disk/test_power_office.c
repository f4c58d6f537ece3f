/* tests/disk/test_power_office.c
 *
 * A data office loses its power at every operation on its disk, from the first one of `init` on: while its authorities are
 * made, a token is given out and spent, and a gateway is revoked. */
#include "tests/disk/images.h"
#include "tests/server/gateways.h"
#include "tests/unit.h"

typedef enum step { INIT, TOKEN, SPENT, OTHER, REVOKED, STEPS } step;

typedef struct office_life {
    size_t    done[STEPS]; /* the moment when it was promised */
    place     p;
    wm_token  token, other;
    wm_key   *key, *other_key, *strange_key;
    wm_digest root;
    uint8_t  *chain;
    size_t    n_chain;
} office_life;

static void open_at(place *p, const char *folder)
{
    snprintf(p->folder, sizeof p->folder, "%s", folder);
    free(p->issuer_folder);
    p->issuer_folder = wm_path_join(p->folder, "issuer");
    place_open(p);
}

static void close_place(place *p)
{
    wm_issuer_free(p->issuer);
    p->issuer = NULL;
}

static void live(office_life *o, disk *d, const char *folder)
{
    Wm__Issued *issued;
    wm_error    err;

    images_assert_ok(place_init(&o->p, folder, &err), &err);
    o->root = o->p.office.root;
    o->done[INIT] = disk_moment(d);
    open_at(&o->p, folder);
    o->token = place_token(&o->p, "north", 0);
    o->done[TOKEN] = disk_moment(d);
    issued = place_enrol(&o->p, &o->token, o->key);
    images_assert(issued->code == WM_OK);
    o->done[SPENT] = disk_moment(d);
    o->n_chain = issued->chain.len;
    o->chain = malloc(o->n_chain);
    images_assert(o->chain != NULL);
    memcpy(o->chain, issued->chain.data, o->n_chain);
    wm_issued_free(issued);
    close_place(&o->p); /* and with it the log of the database */
    place_open(&o->p);
    o->other = place_token(&o->p, "south", 0);
    wm_issued_free(place_enrol(&o->p, &o->other, o->other_key));
    o->done[OTHER] = disk_moment(d);
    wm_issued_free(place_revoke(&o->p, "south"));
    o->done[REVOKED] = disk_moment(d);
    close_place(&o->p);
}

static void check_token(office_life *o, size_t moment)
{
    Wm__Issued *issued = place_enrol(&o->p, &o->token, o->key), *strange;

    if (o->done[TOKEN] > moment) { /* it was never given out, or it may be there */
        wm_issued_free(issued);
        return;
    }
    if (issued->code != WM_OK)
        images_fail("the token: %s", issued->text);
    if (o->done[SPENT] <= moment) /* what the gateway has in its hands already */
        images_assert(issued->chain.len == o->n_chain && memcmp(issued->chain.data, o->chain, o->n_chain) == 0);
    wm_issued_free(issued);
    strange = place_enrol(&o->p, &o->token, o->strange_key);
    images_assert(strange->code == WM_E_EXISTS);
    wm_issued_free(strange);
}

static void check_revoked(office_life *o, size_t moment)
{
    Wm__Issued *issued;

    if (o->done[OTHER] > moment)
        return;
    issued = place_enrol(&o->p, &o->other, o->other_key);
    images_assert(issued->code == (o->done[REVOKED] <= moment ? WM_E_REFUSED : WM_OK) ||
                  (o->done[REVOKED] > moment && issued->code == WM_E_REFUSED));
    wm_issued_free(issued);
}

/* init again is how an operator goes on after a cut in the middle of it; on a whole office it changes nothing. */
static void check(void *context, const char *image, size_t moment)
{
    office_life *o = context;
    wm_error     err;

    images_assert_ok(place_init(&o->p, image, &err), &err);
    if (o->done[INIT] <= moment)
        images_assert(wm_digest_equal(&o->p.office.root, &o->root) && !o->p.office.made);
    open_at(&o->p, image);
    check_token(o, moment);
    check_revoked(o, moment);
    close_place(&o->p);
}

static void no_power_cut_spends_a_token_twice_or_forgets_a_revocation(void **state)
{
    char        folder[4096];
    office_life o = { .key = new_key(), .other_key = new_key(), .strange_key = new_key() };
    disk       *d = disk_watch(disk_folder(folder));
    wm_error    err;

    (void)state;
    o.p.time = (wm_manual_clock){ .wall_ms = NOW, .mono_ms = 1000 };
    live(&o, d, folder);
    images_look(d, "power lost at any operation on the office's keys and tokens", 200, check, &o);
    disk_free(d);
    wm_key_free(o.key);
    wm_key_free(o.other_key);
    wm_key_free(o.strange_key);
    free(o.chain);
    free(o.p.issuer_folder);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_cut_spends_a_token_twice_or_forgets_a_revocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
