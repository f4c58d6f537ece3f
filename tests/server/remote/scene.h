/* tests/server/remote/scene.h
 *
 * What gateways ask and what they are told: the remote fleet with a real run and a real store, and no socket. */
#ifndef WM_TESTS_SERVER_REMOTE_SCENE_H
#define WM_TESTS_SERVER_REMOTE_SCENE_H

#include "tests/unit.h"

#include "server/admission.h"
#include "server/fleets/remote.h"

enum { N = 3 };

extern const char job_text[];
extern char      *population[N];

typedef struct scene {
    wm_manual_clock clock;
    char            folder[4096];
    wm_store       *store;
    wm_roster      *roster;
    wm_remote      *remote;
    wm_run_record   record;
    wm_admitted     admitted;
    wm_run         *run;
    wm_update_spec  spec;
    unsigned        woken;
    int64_t         certificate_ms; /* for which the peer's is still good */

    /* the last exchange */
    wm_inquiry x;
    wm_peer    peer;
} scene;

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
int open_scene(void **state);
int close_scene(void **state);

/* ---- what gateways say: each answer lives until the next question; NULL: it is held ---- */

/* `last`: it may not be held any longer. */
Wm__Envelope *say(scene *s, const char *client, const Wm__Envelope *question, bool bulk, bool last);
Wm__Key       key_of(scene *s, uint32_t phase, uint32_t round, wm_digest *model);
Wm__Work     *ask(scene *s, const char *client, Wm__Key *busy, Wm__Key *held, uint64_t wait_ms, bool last);
wm_task       task_of(scene *s, const char *client);
Wm__Receipt  *receipt(Wm__Envelope *answer); /* which it must be */

/* An update for the task that is open for its client; the test releases it. */
typedef struct made {
    wm_update update;
    wm_digest digest;
    wm_task   task;
} made;

made          make_update(scene *s, const char *client, float value);
Wm__Receipt  *submit(scene *s, const char *client, made *m, uint64_t size, bool last);
Wm__Receipt  *put(scene *s, const char *client, made *m, uint64_t offset, size_t n);
Wm__Receipt  *hand_in(scene *s, const char *client, made *m); /* submitted, and put in one range */
Wm__Envelope *fetch(scene *s, const char *client, const wm_digest *digest, uint64_t offset, uint32_t length);
Wm__Receipt  *report(scene *s, const char *client, uint32_t phase, uint32_t round, size_t n_results,
                     uint32_t contender, size_t n_sums);
void          two_of_three_hand_in(scene *s); /* east and north */
wm_phase      phase_of(scene *s);

#endif
