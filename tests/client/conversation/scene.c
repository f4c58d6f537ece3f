/* tests/client/conversation/scene.c */
#include "tests/client/conversation/scene.h"

enum { TURNS_MAX = 400 };

static void renew(void *context)
{
    ((scene *)context)->renewals++;
}

void open_gateway(scene *s)
{
    const wm_files *files = wm_files_system();
    wm_error        note;

    assert_ok(wm_pending_open(files, s->yard, &s->pending, &note, &s->err), &s->err);
    assert_string_equal(note.text, "");
    assert_ok(wm_server_time_open(files, s->yard, wm_clock_manual(&s->manual), &s->time, &s->err), &s->err);
    assert_ok(wm_desk_new(&s->policy, "north", 0, wm_clock_system(), NULL, &s->desk, &s->err), &s->err);
    s->settings.lines =
        (wm_lines){ .control = &s->control, .bulk = &s->bulk, .clock = wm_clock_manual(&s->manual) };
    s->settings.desk = s->desk;
    s->settings.pending = s->pending;
    s->settings.time = s->time;
    s->settings.renew = renew;
    s->settings.context = s;
    assert_ok(wm_conversation_new(&s->settings, &s->conversation, &s->err), &s->err);
}

void close_gateway(scene *s)
{
    wm_conversation_free(s->conversation);
    wm_desk_free(s->desk);
    wm_server_time_free(s->time);
    wm_pending_free(s->pending);
}

void restart_gateway(scene *s)
{
    close_gateway(s);
    open_gateway(s);
}

int setup(void **state)
{
    scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    wm_test_folder(s->folder);
    s->yard = wm_path_join(s->folder, "gateway");
    assert_non_null(s->yard);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), s->yard, 0700, &s->err), &s->err);
    tiny_rows(s->folder, "north.csv", 21, 0, 4);
    s->policy = (wm_data_policy){ .folder = s->folder, .source = tiny_source(), .examples_min = 1 };
    s->control = (wm_exchange){ .ask = control_ask, .state = s, .limit = WM_CONTROL_BYTES_MAX };
    s->bulk = (wm_exchange){ .ask = bulk_ask, .state = s, .limit = WM_BULK_BYTES_MAX };
    s->manual = (wm_manual_clock){ .mono_ms = 1000000, .wall_ms = 1700000000000 };
    s->settings.beat_ms = 60000; /* a turn waits for the work that is on the desk */
    s->job = TINY_JOB;
    memset(s->run, 7, sizeof s->run);
    *state = s;
    open_gateway(s);
    return 0;
}

int teardown(void **state)
{
    scene *s = *state;

    close_gateway(s);
    wm_text_release(&s->said);
    assert_ok(wm_folder_remove(s->folder, &s->err), &s->err);
    free(s->yard);
    free(s);
    return 0;
}

void turn(scene *s)
{
    int64_t   wait_ms = 0;
    wm_error  err = { WM_OK, "" };
    wm_status st = wm_conversation_turn(s->conversation, 25000, &wait_ms, &err);

    if (st != WM_OK) {
        s->failures++;
        s->failure = err;
        s->lost += wm_conversation_reached(s->conversation);
        wait_ms = wait_ms > 500 ? wait_ms : 500;
    }
    s->manual.mono_ms += wait_ms;
    s->slept_ms += wait_ms;
}

void play(scene *s, const char *script)
{
    int turns = 0;

    wm_text_release(&s->said);
    s->script = script;
    s->slept_ms = 0;
    s->failures = s->lost = 0;
    while (*s->script != '\0') {
        turn(s);
        if (++turns == TURNS_MAX)
            fail_msg("after %d turns the script is still at \"%s\"; said so far: %s", turns, s->script,
                     wm_text_chars(&s->said));
    }
}

bool is_held(scene *s)
{
    wm_held held;

    return wm_pending_held(s->pending, &held);
}
