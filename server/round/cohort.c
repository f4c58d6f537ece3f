/* server/round/cohort.c */
#include "server/round/cohort.h"

#include "server/selection/selection.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

wm_status wm_cohort_init(wm_cohort *cohort, size_t n_population, wm_error *err)
{
    *cohort = (wm_cohort){ .n_population = n_population };
    cohort->seats = calloc(n_population, sizeof *cohort->seats);
    cohort->room = calloc(n_population, sizeof *cohort->room);
    if (cohort->seats == NULL || cohort->room == NULL) {
        wm_cohort_release(cohort);
        return wm_fail(err, WM_E_NOMEM, "no memory for a cohort of %zu clients", n_population);
    }
    wm_cohort_clear(cohort);
    return WM_OK;
}

void wm_cohort_release(wm_cohort *cohort)
{
    free(cohort->seats);
    free(cohort->room);
    *cohort = (wm_cohort){ 0 };
}

void wm_cohort_clear(wm_cohort *cohort)
{
    for (size_t k = 0; k < cohort->n_population; k++)
        cohort->seats[k] =
            (wm_seat){ .away = cohort->seats[k].away, .part = { .client = (uint32_t)k, .loss = NAN } };
    cohort->drawn = cohort->accepted = cohort->refused = cohort->declined = cohort->away = 0;
}

static void seat(wm_cohort *cohort, size_t k)
{
    wm_seat *seat = &cohort->seats[k];

    if (seat->drawn)
        return;
    seat->drawn = true;
    seat->part.verdict = WM_VERDICT_NONE; /* what came unasked before is forgotten */
    cohort->drawn++;
    cohort->away += seat->away;
}

void wm_cohort_draw_all(wm_cohort *cohort)
{
    for (size_t k = 0; k < cohort->n_population; k++)
        seat(cohort, k);
}

size_t wm_cohort_goal(const wm_choice *select, size_t n_population)
{
    return wm_selection_of(select)->goal(select->options, n_population);
}

void wm_cohort_draw(wm_cohort *cohort, const wm_choice *select, double over, uint64_t seed, const char *purpose,
                    uint32_t round, uint32_t attempt)
{
    size_t n = cohort->n_population, goal = wm_cohort_goal(select, n);
    double wanted = ceil((double)goal * over);
    size_t draw = wanted >= (double)n ? n : wanted <= (double)goal ? goal : (size_t)wanted;
    char   name[16];
    wm_rng rng;

    snprintf(name, sizeof name, "%u", attempt);
    wm_rng_init_keyed(&rng, seed, purpose, round, name);
    wm_selection_of(select)->draw(select->options, &rng, n, draw, cohort->room);
    for (size_t k = 0; k < draw; k++) {
        assert(cohort->room[k] < n);
        seat(cohort, cohort->room[k]);
    }
}

void wm_cohort_ask_again(wm_cohort *cohort)
{
    for (size_t k = 0; k < cohort->n_population; k++) {
        wm_seat *s = &cohort->seats[k];

        if (s->drawn && (s->part.verdict == WM_VERDICT_REFUSED || s->part.verdict == WM_VERDICT_DECLINED)) {
            s->part.verdict = WM_VERDICT_NONE;
            s->offered = false;
            cohort->away += s->away;
        }
    }
    cohort->refused = cohort->declined = 0;
}

/* ---- who is there ---- */

/* Without an answer: a place that somebody's coming and going changes. */
static bool is_open(const wm_seat *seat)
{
    return seat->drawn && seat->part.verdict == WM_VERDICT_NONE;
}

bool wm_cohort_leave(wm_cohort *cohort, uint32_t client)
{
    wm_seat *s = &cohort->seats[client];

    if (s->away)
        return false;
    s->away = true;
    cohort->away += is_open(s);
    return true;
}

bool wm_cohort_return(wm_cohort *cohort, uint32_t client)
{
    wm_seat *s = &cohort->seats[client];

    if (!s->away)
        return false;
    s->away = false;
    cohort->away -= is_open(s);
    return true;
}

/* The first of room[at...] who is there and not drawn; false: there is none. */
static bool next_substitute(const wm_cohort *cohort, size_t *at)
{
    while (*at < cohort->n_population &&
           (cohort->seats[cohort->room[*at]].drawn || cohort->seats[cohort->room[*at]].away))
        ++*at;
    return *at < cohort->n_population;
}

size_t wm_cohort_substitutes(const wm_cohort *cohort, uint64_t seed, uint32_t round, wm_substitution *ret)
{
    size_t n = cohort->n_population, at = 0, found = 0;
    wm_rng rng;

    if (cohort->away == 0 || cohort->drawn == n)
        return 0;
    wm_rng_init_keyed(&rng, seed, "substitutes", round, "");
    for (size_t k = 0; k < n; k++) /* an order of everybody: Fisher and Yates, from the inside out */
    {
        size_t with = (size_t)wm_rng_below(&rng, k + 1);

        cohort->room[k] = cohort->room[with];
        cohort->room[with] = (uint32_t)k;
    }
    for (size_t k = 0; k < n; k++) {
        const wm_seat *s = &cohort->seats[k];

        if (!is_open(s) || !s->away || s->replaced)
            continue;
        if (!next_substitute(cohort, &at))
            break;
        ret[found++] = (wm_substitution){ .client = cohort->room[at++], .place_of = (uint32_t)k };
    }
    return found;
}

void wm_cohort_substitute(wm_cohort *cohort, const wm_substitution *substitution)
{
    assert(substitution->client < cohort->n_population && substitution->place_of < cohort->n_population);
    cohort->seats[substitution->place_of].replaced = true;
    seat(cohort, substitution->client);
}

size_t wm_cohort_unanswered(const wm_cohort *cohort)
{
    assert(cohort->drawn >= cohort->accepted + cohort->refused + cohort->declined);
    return cohort->drawn - cohort->accepted - cohort->refused - cohort->declined;
}

size_t wm_cohort_outstanding(const wm_cohort *cohort)
{
    size_t unanswered = wm_cohort_unanswered(cohort);

    assert(unanswered >= cohort->away);
    return unanswered - cohort->away;
}

void wm_cohort_waiting_for(const wm_cohort *cohort, const char *const *names, size_t most, wm_text *ret)
{
    size_t said = 0, left = wm_cohort_unanswered(cohort);

    for (size_t k = 0; k < cohort->n_population && said < most; k++)
        if (is_open(&cohort->seats[k]))
            wm_text_printf(ret, "%s%s%s", said++ > 0 ? ", " : "", names[k], cohort->seats[k].away ? " (away)" : "");
    if (left > said)
        wm_text_printf(ret, "%s%zu more", said > 0 ? " and " : "", left - said);
}
