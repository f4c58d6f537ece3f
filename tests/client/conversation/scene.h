/* tests/client/conversation/scene.h
 *
 * What a gateway says upon what it is told. The aggregator is a script: a word an answer; what the gateway said is
 * compared as a sentence. The store is real, in a temporary folder, and so is the desk, with a job of two parameters. The
 * clock is moved by the waits that the gateway is told to take, so that a hot loop shows as a sum. */
#ifndef WM_TESTS_CLIENT_CONVERSATION_SCENE_H
#define WM_TESTS_CLIENT_CONVERSATION_SCENE_H

#include "tests/client/tiny_job.h"

#include "client/conversation.h"
#include "client/desk.h"
#include "common/text.h"
#include "common/wire/envelope.h"

typedef struct scene {
    char                     folder[4096], *yard; /* yard: the gateway's own folder */
    wm_data_policy           policy;
    wm_manual_clock          manual;
    wm_exchange              control, bulk;
    wm_pending              *pending;
    wm_server_time          *time;
    wm_desk                 *desk;
    wm_conversation         *conversation;
    wm_conversation_settings settings;
    /* The script, and what was said. */
    const char *script;
    wm_text     said;
    int64_t     slept_ms;
    size_t      failures, lost; /* of them, such after the server had answered */
    wm_error    failure;        /* the last one */
    unsigned    renewals;
    /* Blobs on the server. */
    const char *job;
    float       model[2];
    size_t      fetches, puts, cut_after; /* cut_after: the bulk exchange that fails, counted from 1; 0: none */
    uint64_t    announced;                /* bytes of the model; 0: the truth */
    uint8_t     update[512];
    size_t      n_update, submitted;
    uint8_t     run[WM_RUN_ID_SIZE];
    wm_error    err;
} scene;

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int setup(void **state);
int teardown(void **state);

/* The aggregator's two lines, which answer by the script. */
wm_status control_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                      uint64_t *come_back_ms, wm_error *err);
wm_status bulk_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                   uint64_t *come_back_ms, wm_error *err);

/* The gateway as a process: its folder stays. */
void open_gateway(scene *s);
void close_gateway(scene *s);
void restart_gateway(scene *s);

/* One turn, and the wait after it; a failure waits for half a second, as the daemon's back-off does at first. */
void turn(scene *s);

/* Turns until the script is at its end. */
void play(scene *s, const char *script);
bool is_held(scene *s); /* an update is kept */

#endif
