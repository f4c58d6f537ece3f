/* server/round/cohort.h
 *
 * Who is asked to take part in a phase, and what each has answered. A cohort follows from seed, round, attempt and the
 * population recorded at the start: it need not be stored, and is the same after a restart. Only who is drawn for
 * somebody who has gone away follows from what happened: that is stored, before anybody is asked. */
#ifndef WM_SERVER_ROUND_COHORT_H
#define WM_SERVER_ROUND_COHORT_H

#include "common/job/job.h"
#include "common/text.h"
#include "server/records.h"

/* One client's place in the phase that is open. */
typedef struct wm_seat {
    bool            drawn;
    bool            away;     /* the client is known not to be there; stays from phase to phase */
    bool            replaced; /* while it was away, another was drawn in its place */
    bool            offered;
    int64_t         offered_ms; /* mono; when it was first given the task */
    wm_contribution part;
} wm_seat;

typedef struct wm_cohort {
    size_t    n_population;
    wm_seat  *seats;                              /* [n_population], in order of name */
    uint32_t *room;                               /* [n_population] for a draw */
    size_t    drawn, accepted, refused, declined; /* seats; refused and declined among the drawn */
    size_t    away;                               /* among the drawn who have not answered */
} wm_cohort;

/* WM_E_NOMEM. */
wm_status wm_cohort_init(wm_cohort *cohort, size_t n_population, wm_error *err);
void      wm_cohort_release(wm_cohort *cohort);

/* Everybody leaves. Who is away stays so. */
void wm_cohort_clear(wm_cohort *cohort);

/* Everybody is drawn. */
void wm_cohort_draw_all(wm_cohort *cohort);

/* How many answers `select` aims for. */
size_t wm_cohort_goal(const wm_choice *select, size_t n_population);

/* Adds the draw of one attempt to those who sit there already: ceil(goal * over) clients, at most the population. The
 * dice are (seed, purpose, round, attempt in decimal). */
void wm_cohort_draw(wm_cohort *cohort, const wm_choice *select, double over, uint64_t seed, const char *purpose,
                    uint32_t round, uint32_t attempt);

/* A new attempt: who was refused or declined is asked once more; what was accepted stays. */
void wm_cohort_ask_again(wm_cohort *cohort);

/* A client is away, or there again; false if that was so already. An answer comes from who is there. */
bool wm_cohort_leave(wm_cohort *cohort, uint32_t client);
bool wm_cohort_return(wm_cohort *cohort, uint32_t client);

/* ret[n_population] <- who should have the places of those who are away: others who are there, one each, as far as there
 * are such, the next in an order that follows from (seed, round). Returns how many; nobody is drawn yet. */
size_t wm_cohort_substitutes(const wm_cohort *cohort, uint64_t seed, uint32_t round, wm_substitution *ret);

/* Draws one of them. Whose place it is has its own still, if it comes back. */
void wm_cohort_substitute(wm_cohort *cohort, const wm_substitution *substitution);

/* Drawn, without an answer, and there. */
size_t wm_cohort_outstanding(const wm_cohort *cohort);

/* Drawn and without an answer, there or away. */
size_t wm_cohort_unanswered(const wm_cohort *cohort);

/* Their names, comma-separated, at most `most` and "and N more"; who is away is marked so. */
void wm_cohort_waiting_for(const wm_cohort *cohort, const char *const *names, size_t most, wm_text *ret);

#endif
