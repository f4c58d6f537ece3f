/* server/waiting.c */
#include "server/waiting.h"

#include <stdio.h>

enum {
    FIRST_MS = 5 * 1000,  /* a wait is worth a line from here on, */
    MOST_MS = 600 * 1000, /* then at twice the time each, up to this */
};

static size_t revoked_of(const wm_run_record *record, const wm_roster *roster)
{
    size_t n = 0;

    if (wm_roster_revoked_count(roster) == 0)
        return 0;
    for (size_t k = 0; k < record->n_population; k++)
        n += wm_roster_admit(roster, record->population[k], NULL) != WM_OK;
    return n;
}

void wm_waiting_note(const wm_run_progress *now, const wm_run_record *record, const wm_roster *roster,
                     char note[WM_WAITING_NOTE])
{
    size_t left = record->n_population - revoked_of(record, roster);

    note[0] = '\0';
    if (now->standing.phase != WM_PHASE_STATISTICS && now->standing.phase != WM_PHASE_TRAIN)
        return; /* an evaluation needs one answer, or none */
    if (left < now->need)
        snprintf(
            note, WM_WAITING_NOTE,
            "the quorum of %u can never be reached: of the %zu gateways of the run %zu are left, the others are "
            "revoked; stop it, and start the job anew",
            now->need, record->n_population, left);
    else if (now->accepted + now->unanswered < now->need)
        snprintf(note, WM_WAITING_NOTE,
                 "the quorum cannot be reached in this attempt: %u of %u are in, and the others have declined "
                 "or were refused; they are asked again when its time is over",
                 now->accepted, now->need);
    else if (now->accepted + now->outstanding < now->need)
        snprintf(
            note, WM_WAITING_NOTE,
            "the quorum cannot be reached without somebody who is away: %u of %u are in, and %u who are there have "
            "not answered yet",
            now->accepted, now->need, now->outstanding);
}

static void say_who(const wm_run_progress *now, wm_run *run, wm_log *log)
{
    wm_text names = WM_TEXT_INIT;
    char    since[WM_TIME_TEXT], open[WM_DURATION_TEXT], left[WM_DURATION_TEXT];

    wm_run_waiting_for(run, WM_WAITING_NAMES, &names);
    if (names.size > 0)
        wm_log_line(
            log, WM_LOG_WARNING, "round", "waiting for clients",
            WM_TEXT_FIELD("phase", wm_phase_name(now->standing.phase)), WM_INT_FIELD("round", now->standing.round),
            WM_TEXT_FIELD("for", wm_text_chars(&names)),
            WM_TEXT_FIELD("since", wm_time_text(now->standing.opened_wall_ms, since)),
            WM_TEXT_FIELD("waited", wm_duration_text(now->open_ms, open)),
            WM_TEXT_FIELD("left", now->left_ms == INT64_MAX ? "no deadline" : wm_duration_text(now->left_ms, left)),
            WM_INT_FIELD("accepted", now->accepted), WM_INT_FIELD("goal", now->goal),
            WM_INT_FIELD("needed", now->need));
    wm_text_release(&names);
}

void wm_waiting_say(wm_waiting *waiting, wm_run *run, const wm_run_record *record, const wm_roster *roster,
                    wm_log *log)
{
    wm_run_progress now;
    char            note[WM_WAITING_NOTE], left[WM_DURATION_TEXT];

    wm_run_progress_get(run, &now);
    if (waiting->phase != now.standing.phase || waiting->round != now.standing.round ||
        waiting->attempt != now.standing.attempt)
        *waiting = (wm_waiting){ .phase = now.standing.phase,
                                 .round = now.standing.round,
                                 .attempt = now.standing.attempt,
                                 .next_ms = FIRST_MS };
    if (now.standing.phase == WM_PHASE_NONE || now.standing.phase == WM_PHASE_CLOSED)
        return;
    wm_waiting_note(&now, record, roster, note);
    if (note[0] != '\0' && !waiting->noted) {
        waiting->noted = true;
        wm_log_line(
            log, WM_LOG_WARNING, "round", note, WM_TEXT_FIELD("phase", wm_phase_name(now.standing.phase)),
            WM_INT_FIELD("round", now.standing.round),
            WM_TEXT_FIELD("left", now.left_ms == INT64_MAX ? "no deadline" : wm_duration_text(now.left_ms, left)));
    }
    if (now.open_ms < waiting->next_ms)
        return;
    waiting->next_ms = now.open_ms + (now.open_ms < MOST_MS ? now.open_ms : MOST_MS);
    say_who(&now, run, log);
}
