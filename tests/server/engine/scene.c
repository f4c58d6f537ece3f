/* tests/server/engine/scene.c */
#include "tests/server/engine/scene.h"

#include "server/selection/selection.h"

#include <math.h>

static const char *const names[CLIENTS] = { "centre", "east", "north", "south", "west" };

void begin(scene *s)
{
    *s = (scene){
        .job = {
            .rounds = 2,
            .cohort = { .select = { .member = wm_selections.members[0] }, .over = 1, .quorum = 0.6,
                        .deadline_ms = DEADLINE, .attempts = 3, .minimum = 1 },
            .evaluate = { .every = 1, .select = { .member = wm_selections.members[0] } },
        },
        .durable = { .best_loss = NAN },
        .wall_ms = 1000000,
    };
}

void draw_two(scene *s)
{
    static const double share = 0.4;

    s->job.cohort.select = (wm_choice){ .member = wm_selections.members[1], .options = &share };
}

static void keep_substitutes(scene *s)
{
    const wm_substitution *who;
    size_t                 n;

    if (wm_engine_pending(s->engine) != WM_ACTION_SUBSTITUTE)
        return;
    who = wm_engine_substitutes(s->engine, &n);
    for (size_t i = 0; i < n; i++) {
        assert_true(s->n_drawn < CLIENTS);
        s->drawn[s->n_drawn++] = who[i];
    }
}

static wm_action_kind perform(scene *s, const wm_actions *actions)
{
    wm_action_kind told = WM_ACTION_NONE;

    for (size_t i = 0; i < actions->n; i++) {
        const wm_action *a = &actions->items[i];
        size_t           at = strlen(s->done);

        if (a->kind < WM_ACTION_OPEN) {
            told = a->kind;
            memcpy(s->text, a->text, sizeof s->text);
            continue;
        }
        assert_int_equal(i, actions->n - 1);
        assert_true(at + 1 < sizeof s->done);
        s->done[at] = "odscex"[a->kind - WM_ACTION_OPEN];
    }
    if (s->engine != NULL && wm_engine_pending(s->engine) != WM_ACTION_NONE && !s->stuck) {
        wm_event   event = { .kind = WM_EVENT_DONE, .standing = &s->durable };
        wm_actions more;

        keep_substitutes(s);
        s->durable = *wm_engine_next(s->engine);
        if (wm_engine_pending(s->engine) != WM_ACTION_SUBSTITUTE)
            s->durable.opened_wall_ms = s->wall_ms;
        wm_engine_handle(s->engine, &event, s->now_ms, &more);
        perform(s, &more);
    }
    return told;
}

void start(scene *s)
{
    wm_engine_settings settings = { .job = &s->job,
                                    .names = names,
                                    .n_population = CLIENTS,
                                    .seed = 7,
                                    .grace_ms = GRACE,
                                    .statistics = s->statistics,
                                    .patient = s->patient,
                                    .substitutes = s->drawn,
                                    .n_substitutes = s->durable.phase == WM_PHASE_TRAIN ? s->n_drawn : 0 };
    wm_actions         actions;

    assert_ok(wm_engine_new(&settings, &s->durable, s->now_ms, s->wall_ms, &actions, &s->engine, NULL), NULL);
    perform(s, &actions);
}

void pass(scene *s, int64_t ms)
{
    s->now_ms += ms;
    s->wall_ms += ms;
}

wm_action_kind tell(scene *s, wm_event event)
{
    wm_actions actions;

    wm_engine_handle(s->engine, &event, s->now_ms, &actions);
    return perform(s, &actions);
}

wm_action_kind tick(scene *s)
{
    return tell(s, (wm_event){ .kind = WM_EVENT_TICK });
}

wm_action_kind ask(scene *s, uint32_t client)
{
    return tell(s, (wm_event){ .kind = WM_EVENT_ASK, .client = client });
}

static wm_digest digest_of(uint32_t client, uint32_t round)
{
    return (wm_digest){ .bytes = { 1, (uint8_t)client, (uint8_t)round } };
}

wm_action_kind update(scene *s, uint32_t client, uint32_t round)
{
    return tell(s, (wm_event){ .kind = WM_EVENT_UPDATE,
                               .client = client,
                               .phase = round == 0 ? WM_PHASE_STATISTICS : WM_PHASE_TRAIN,
                               .round = round,
                               .digest = digest_of(client, round),
                               .weight = 10,
                               .loss = 1 });
}

wm_action_kind report(scene *s, uint32_t client, wm_phase phase, uint32_t round, double loss)
{
    return tell(s, (wm_event){ .kind = WM_EVENT_REPORT,
                               .client = client,
                               .phase = phase,
                               .round = round,
                               .weight = 10,
                               .loss = loss });
}

wm_action_kind decline(scene *s, uint32_t client, wm_phase phase, uint32_t round)
{
    return tell(
        s, (wm_event){
               .kind = WM_EVENT_DECLINE, .client = client, .phase = phase, .round = round, .reason = "no memory" });
}

wm_action_kind refuse(scene *s, uint32_t client)
{
    return tell(s, (wm_event){ .kind = WM_EVENT_REFUSE, .client = client, .reason = "delta[3] is not a number" });
}

wm_action_kind leave(scene *s, uint32_t client)
{
    return tell(s, (wm_event){ .kind = WM_EVENT_AWAY, .client = client });
}

void all_update(scene *s, uint32_t round)
{
    for (uint32_t k = 0; k < CLIENTS; k++)
        assert_int_equal(update(s, k, round), WM_ACTION_FOLD);
}

void all_report(scene *s, wm_phase phase, uint32_t round, double loss)
{
    for (uint32_t k = 0; k < CLIENTS; k++)
        assert_int_equal(report(s, k, phase, round, loss), WM_ACTION_FOLD);
}

void assert_at(const scene *s, wm_phase phase, uint32_t round, uint32_t attempt)
{
    const wm_standing *at = wm_engine_standing(s->engine);

    assert_int_equal(at->phase, phase);
    assert_int_equal(at->round, round);
    assert_int_equal(at->attempt, attempt);
}

size_t drawn(const scene *s)
{
    return wm_engine_cohort(s->engine)->drawn;
}

void assert_waits_for(const scene *s, const char *want)
{
    wm_text said = WM_TEXT_INIT;

    wm_cohort_waiting_for(wm_engine_cohort(s->engine), names, CLIENTS, &said);
    assert_string_equal(wm_text_chars(&said), want);
    wm_text_release(&said);
}
