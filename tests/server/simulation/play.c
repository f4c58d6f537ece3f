/* tests/server/simulation/play.c */
#include "tests/server/simulation/play.h"

#include "tests/unit.h"

const char *const play_points[] = {
    "start-before",      "start-after",      "open-before",      "open-after",      "scaled-before", "scaled-after",
    "substitute-before", "substitute-after", "fold-before",      "fold-after",      "commit-sums",   "commit-blobs",
    "commit-before",     "commit-after",     "evaluated-before", "evaluated-after", "close-before",  "close-after",
};
const size_t play_n_points = sizeof play_points / sizeof *play_points;

bool play_chance(play *p, unsigned percent)
{
    return wm_rng_below(&p->rng, 100) < percent;
}

uint64_t play_between(play *p, uint64_t least, uint64_t most)
{
    return least + wm_rng_below(&p->rng, most - least + 1);
}

static void count_death(play *p)
{
    size_t i = 0;

    while (i < play_n_points && strcmp(play_points[i], p->w.died_at) != 0)
        i++;
    if (i == play_n_points)
        fail_msg("a crash point that play_points[] does not have: %s", p->w.died_at);
    p->tally->server_deaths[i]++;
}

/* The disk may be full or fail when it is opened, and its clock may have lost its battery. */
void play_revive(play *p)
{
    world   *w = &p->w;
    wm_error err;

    world_kill(w);
    p->owed = 0; /* what was only in its memory is asked for again */
    w->unreadable = p->wild && play_chance(p, 5);
    w->time.mono_ms = (int64_t)play_between(p, 0, 100000); /* another boot, another monotonic clock */
    for (;;) {
        wm_status st = world_open(w, &err);

        if (st == WM_OK)
            break;
        if (w->died)
            count_death(p);
        else if (st != WM_E_FULL && st != WM_E_IO)
            fail_msg("seed %llu: cannot be opened again: %s", (unsigned long long)world_seed_in_work, err.text);
        w->full = w->unreadable = false;
        w->die_in = p->wild && play_chance(p, 30) ? (int)play_between(p, 1, 4) : 0;
        w->run = NULL;
    }
    w->unreadable = false;
}

bool play_died(play *p)
{
    if (!p->w.died)
        return false;
    count_death(p);
    p->w.time.wall_ms += (int64_t)play_between(p, 0, 200000);
    p->w.die_in = 0;
    play_revive(p);
    return true;
}

void play_pass(play *p, int64_t ms)
{
    p->now_ms += ms;
    p->w.time.mono_ms += ms;
    p->w.time.wall_ms += ms;
    wm_run_tick(p->w.run);
    play_died(p);
}

bool play_is_contained(const play *p, size_t k, uint32_t round)
{
    const wm_round_record *record;

    if (round < 1 || round > p->w.n_rounds)
        return false;
    record = &p->w.rounds[round - 1];
    for (size_t i = 0; i < record->n_contributions; i++)
        if (record->contributions[i].client == k && record->contributions[i].verdict == WM_VERDICT_ACCEPTED)
            return true;
    return false;
}
