/* tests/server/engine/scene.h
 *
 * The round engine by itself: events and times in, actions out. A scene plays the driver: it says DONE to every durable
 * action, and keeps the letters of what was asked for:
 *     o open  d substitute  s scale  c commit  e evaluated  x close */
#ifndef WM_TESTS_SERVER_ENGINE_SCENE_H
#define WM_TESTS_SERVER_ENGINE_SCENE_H

#include "tests/unit.h"

#include "server/round/engine.h"

enum { CLIENTS = 5, DEADLINE = 60000, GRACE = 30000 };

typedef struct scene {
    wm_job          job;
    wm_engine      *engine;
    bool            statistics, patient, stuck; /* stuck: the disk is full, DONE is not said */
    int64_t         now_ms, wall_ms;
    wm_standing     durable;
    wm_substitution drawn[CLIENTS]; /* in the places of others, in the one round of a scene where that happens */
    size_t          n_drawn;
    char            done[200];
    char            text[WM_REASON_TEXT]; /* of the last refusal */
} scene;

/* Two rounds of a job for which all five are drawn and three are enough. Between the two calls a test changes the job. */
void begin(scene *s);
void draw_two(scene *s); /* of the five, by the seed */

/* Opens the engine, anew after a restart: at s->now_ms, from what is durable. The test frees it. */
void start(scene *s);

void pass(scene *s, int64_t ms); /* time, by both clocks; nothing is told of it */

/* ---- events; each returns what the engine told of it, and WM_ACTION_NONE if nothing ---- */

wm_action_kind tell(scene *s, wm_event event);
wm_action_kind tick(scene *s);
wm_action_kind ask(scene *s, uint32_t client);
wm_action_kind update(scene *s, uint32_t client, uint32_t round); /* round 0: statistics */
wm_action_kind report(scene *s, uint32_t client, wm_phase phase, uint32_t round, double loss);
wm_action_kind decline(scene *s, uint32_t client, wm_phase phase, uint32_t round);
wm_action_kind refuse(scene *s, uint32_t client); /* what nobody can tell the round of */
wm_action_kind leave(scene *s, uint32_t client);
void           all_update(scene *s, uint32_t round);
void           all_report(scene *s, wm_phase phase, uint32_t round, double loss);

/* ---- looking ---- */

void   assert_at(const scene *s, wm_phase phase, uint32_t round, uint32_t attempt);
void   assert_waits_for(const scene *s, const char *want);
size_t drawn(const scene *s); /* how many are */

#endif
