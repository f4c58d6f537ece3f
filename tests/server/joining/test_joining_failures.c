/* tests/server/joining/test_joining_failures.c
 *
 * A gateway joins and renews through all that takes part (client/enrol.c, common/crypto/, server/enrolment.c, the issuer),
 * while each call of theirs that can fail fails, in turn (seam.h): memory, OpenSSL, the disk, the stores. Whatever failed is
 * said, nothing is half done, and asking again joins. */
#include "tests/server/joining/scene.h"

#include "tests/figures.h"

enum { CALLS_MOST = 1000 };

typedef struct deed {
    const char *says;
    void (*before)(gateway *g); /* NULL: nothing */
    wm_status (*deed)(gateway *g, wm_error *err);
} deed;

static const deed deeds[] = {
    { "each call that can fail fails once: a token is made", NULL, ask_token },
    { "each call that can fail fails once: a gateway enrols", with_token, enrol },
    { "each call that can fail fails once: a certificate is renewed", in_half_life, renew },
    { "each call that can fail fails once: an expired certificate is renewed", expired, renew_late },
    { "each call that can fail fails once: a spent token is asked with again", with_spent_token, enrol },
    { "each call that can fail fails once: a renewal is asked for again", renewed_unheard, renew },
};

/* That deed, with each call in turn as the one that fails. */
static void whatever_fails_is_said_and_asking_again_does_it(void **state)
{
    scene      *s = *state;
    const deed *d = s->row;
    unsigned    failures = 0;

    for (bool came = true; came; failures += came) {
        gateway   g;
        wm_error  err = { 0 };
        wm_status st;

        fresh(s, &g, failures);
        if (d->before != NULL)
            d->before(&g);
        seam_arm(failures + 1);
        st = d->deed(&g, &err);
        came = seam_disarm();
        assert_true(failures < CALLS_MOST);
        if (st != WM_OK && err.text[0] == '\0')
            fail_msg("%s: %s fails, and nothing is said", d->says, seam_failed());
        /* An identity that is kept is kept, also if what was to be tidied up behind it was not. */
        if (st != WM_OK && (st = d->deed(&g, &err)) != WM_OK && st != WM_E_EXISTS)
            fail_msg("%s: after a failure of %s it cannot be done again: %s", d->says, seam_failed(), err.text);
        wm_identity_release(&g.identity);
    }
    assert_true(failures > 5);
    tell_fault(&(fault_figure){ .fault = d->says, .tries = failures, .survived = failures, .seconds = -1 });
}

#define WITHOUT(i)                                                                       \
    {                                                                                    \
        deeds[i].says, whatever_fails_is_said_and_asking_again_does_it, setup, teardown, \
            (void *)(uintptr_t)&deeds[i]                                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITHOUT(0), WITHOUT(1), WITHOUT(2), WITHOUT(3), WITHOUT(4), WITHOUT(5),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
