/* tests/client/test_conversation.c
 *
 * What a gateway says upon what it is told. The aggregator is a script: a word an answer; what the gateway said is
 * compared as a sentence. The store is real, in a temporary folder, and so is the desk, with a job of two parameters. The
 * clock is moved by the waits that the gateway is told to take, so that a hot loop shows as a sum. */
#include "tests/client/tiny_job.h"

#include "client/conversation.h"
#include "client/desk.h"
#include "common/text.h"
#include "common/wire/envelope.h"

#include <sched.h>

enum { TURNS_MAX = 400 };

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

/* ---- the aggregator ---- */

static Wm__Envelope *copy_of(const Wm__Envelope *envelope)
{
    uint8_t       bytes[4096];
    size_t        n = wm_envelope_size(envelope);
    Wm__Envelope *copy = NULL;
    wm_error      err;

    assert_true(n <= sizeof bytes);
    wm_envelope_pack(envelope, bytes);
    assert_ok(wm_envelope_unpack(bytes, n, sizeof bytes, &copy, &err), &err);
    return copy;
}

/* true: the next word of the script is `word`, perhaps with ":number", and is taken. */
static bool is_word(const char *token, const char *word, uint64_t *number)
{
    size_t n = strlen(word);

    if (strncmp(token, word, n) != 0 || (token[n] != '\0' && token[n] != ':'))
        return false;
    *number = token[n] == ':' ? strtoull(token + n + 1, NULL, 10) : 0;
    return true;
}

static void next_word(scene *s, char token[64])
{
    size_t n = strcspn(s->script, " ");

    assert_true(n < 64);
    memcpy(token, s->script, n);
    token[n] = '\0';
    s->script += n + (s->script[n] == ' ');
    if (n == 0)
        snprintf(token, 64, "nothing:1000");
}

static wm_status answer_work(scene *s, const char *token, Wm__Envelope **answer)
{
    static const struct {
        const char *word;
        wm_phase    phase;
    } tasks[] = { { "statistics", WM_PHASE_STATISTICS }, { "train", WM_PHASE_TRAIN },
                  { "evaluate", WM_PHASE_EVALUATE },     { "final", WM_PHASE_FINAL },
                  { "train-again", WM_PHASE_TRAIN },     { "odd-phase", WM_PHASE_CLOSED } };
    static const struct {
        const char    *word;
        Wm__Work__Fate fate;
    } fates[] = { { "wanted", WM__WORK__FATE__WANTED },
                  { "held-accepted", WM__WORK__FATE__ACCEPTED },
                  { "train-again", WM__WORK__FATE__ACCEPTED },
                  { "held-committed", WM__WORK__FATE__COMMITTED },
                  { "held-over", WM__WORK__FATE__OVER } };
    Wm__Envelope envelope = wm_envelope();
    Wm__Work     work = WM__WORK__INIT;
    Wm__Key      key = WM__KEY__INIT;
    wm_digest    model = wm_sha256_of(s->model, sizeof s->model), job = wm_sha256_of(s->job, strlen(s->job));
    uint64_t     number;

    envelope.body_case = WM__ENVELOPE__BODY_WORK;
    envelope.work = &work;
    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++)
        if (is_word(token, fates[i].word, &number))
            work.held = fates[i].fate;
    if (is_word(token, "nothing", &number) || is_word(token, "huge", &number))
        work.come_back_ms = token[0] == 'h' ? UINT64_MAX : number;
    if (is_word(token, "held", &number))
        s->manual.mono_ms += (int64_t)number; /* the question was held */
    work.abandon = is_word(token, "abandon", &number);
    work.renew = is_word(token, "renew", &number);
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        if (!is_word(token, tasks[i].word, &number))
            continue;
        work.kind = WM__WORK__KIND__TASK;
        work.key = &key;
        key.run = wm_bytes_field(s->run, sizeof s->run);
        key.phase = (uint32_t)tasks[i].phase;
        key.round = number > 0 ? (uint32_t)number : 1;
        work.passes = 1;
        work.left_ms = 60000;
        work.job = wm_bytes_field(job.bytes, WM_DIGEST_SIZE);
        work.job_bytes = strlen(s->job);
        if (tasks[i].phase != WM_PHASE_STATISTICS) {
            key.model = wm_bytes_field(model.bytes, WM_DIGEST_SIZE);
            work.model_bytes = s->announced > 0 ? s->announced : sizeof s->model;
        }
    }
    *answer = copy_of(&envelope);
    return WM_OK;
}

static wm_status answer_receipt(scene *s, const char *token, Wm__Envelope **answer)
{
    static const struct {
        const char        *word;
        Wm__Receipt__State state;
    } states[] = { { "send", WM__RECEIPT__STATE__SEND },         { "later", WM__RECEIPT__STATE__LATER },
                   { "accepted", WM__RECEIPT__STATE__ACCEPTED }, { "committed", WM__RECEIPT__STATE__COMMITTED },
                   { "refused", WM__RECEIPT__STATE__REFUSED },   { "over", WM__RECEIPT__STATE__OVER } };
    Wm__Envelope envelope = wm_envelope();
    Wm__Receipt  receipt = WM__RECEIPT__INIT;
    Wm__Gap      gap = WM__GAP__INIT, *gaps[] = { &gap };
    uint64_t     number;
    bool         known = false;

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (is_word(token, states[i].word, &number)) {
            receipt.state = states[i].state;
            receipt.come_back_ms = number;
            known = true;
        }
    if (!known)
        fail_msg("the script says \"%s\" where a receipt is needed; said: %s", token, wm_text_chars(&s->said));
    receipt.reason = "for a test";
    if (receipt.state == WM__RECEIPT__STATE__SEND) {
        gap = (Wm__Gap){ .base = gap.base, .offset = s->n_update, .length = s->submitted - s->n_update };
        receipt.gaps = gaps;
        receipt.n_gaps = 1;
    }
    envelope.body_case = WM__ENVELOPE__BODY_RECEIPT;
    envelope.receipt = &receipt;
    *answer = copy_of(&envelope);
    return WM_OK;
}

static void say_key(scene *s, const char *what, const Wm__Key *key)
{
    wm_text_printf(&s->said, "%s(%s %u)", what, wm_phase_name((wm_phase)key->phase), key->round);
}

static wm_status control_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                             uint64_t *come_back_ms, wm_error *err)
{
    scene       *s = self->state;
    Wm__Envelope welcome = wm_envelope();
    Wm__Welcome  body = WM__WELCOME__INIT;
    char         token[64];
    uint64_t     number;

    (void)timeout_ms;
    *come_back_ms = 0;
    wm_text_add(&s->said, s->said.size > 0 ? " " : "");
    switch (question->body_case) {
    case WM__ENVELOPE__BODY_CHECK_IN:
        wm_text_add(&s->said, "check-in");
        break;
    case WM__ENVELOPE__BODY_ASK:
        wm_text_add(&s->said, question->ask->busy_with != NULL ? "ask-busy" : "ask");
        if (question->ask->held != NULL)
            say_key(s, "-held", question->ask->held);
        break;
    case WM__ENVELOPE__BODY_SUBMIT:
        say_key(s, "submit", question->submit->key);
        s->submitted = question->submit->size;
        break;
    case WM__ENVELOPE__BODY_REPORT:
        say_key(s, "report", question->report->key);
        break;
    case WM__ENVELOPE__BODY_DECLINE:
        wm_text_printf(&s->said, "decline(%s)", question->decline->reason);
        break;
    default:
        fail_msg("the gateway says something of kind %d", (int)question->body_case);
    }
    if (question->body_case == WM__ENVELOPE__BODY_CHECK_IN && strncmp(s->script, "cut", 3) != 0) {
        body.program = "a script";
        welcome.body_case = WM__ENVELOPE__BODY_WELCOME;
        welcome.welcome = &body;
        *answer = copy_of(&welcome);
        return WM_OK;
    }
    next_word(s, token);
    if (is_word(token, "cut", &number))
        return wm_fail(err, WM_E_IO, "the line was cut");
    if (is_word(token, "fault", &number)) {
        *come_back_ms = number;
        return wm_fail(err, WM_E_MALFORMED, "the server says: that makes no sense");
    }
    if (question->body_case == WM__ENVELOPE__BODY_ASK)
        return answer_work(s, token, answer);
    return answer_receipt(s, token, answer);
}

static wm_status answer_fetch(scene *s, const Wm__Fetch *fetch, Wm__Envelope **answer, wm_error *err)
{
    wm_digest    model = wm_sha256_of(s->model, sizeof s->model);
    bool         is_model = memcmp(fetch->digest.data, model.bytes, WM_DIGEST_SIZE) == 0;
    Wm__Envelope envelope = wm_envelope();
    Wm__Range    range;
    wm_status    st = wm_range_of(fetch, is_model ? (const uint8_t *)s->model : (const uint8_t *)s->job,
                               is_model ? sizeof s->model : strlen(s->job), &range, err);

    s->fetches++;
    envelope.body_case = WM__ENVELOPE__BODY_RANGE;
    envelope.range = &range;
    if (st == WM_OK)
        *answer = copy_of(&envelope);
    return st;
}

static wm_status bulk_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                          uint64_t *come_back_ms, wm_error *err)
{
    scene *s = self->state;
    char   token[64];

    (void)timeout_ms;
    *come_back_ms = 0;
    if (s->cut_after > 0 && --s->cut_after == 0)
        return wm_fail(err, WM_E_IO, "the bulk line was cut");
    if (question->body_case == WM__ENVELOPE__BODY_FETCH)
        return answer_fetch(s, question->fetch, answer, err);
    assert_int_equal(question->body_case, WM__ENVELOPE__BODY_PUT);
    assert_true(question->put->offset == s->n_update);
    assert_true(question->put->bytes.len <= sizeof s->update - s->n_update);
    memcpy(s->update + s->n_update, question->put->bytes.data, question->put->bytes.len);
    s->n_update += question->put->bytes.len;
    s->puts++;
    next_word(s, token);
    return answer_receipt(s, token, answer);
}

/* ---- the gateway ---- */

static void renew(void *context)
{
    ((scene *)context)->renewals++;
}

static void open_gateway(scene *s)
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

static void close_gateway(scene *s)
{
    wm_conversation_free(s->conversation);
    wm_desk_free(s->desk);
    wm_server_time_free(s->time);
    wm_pending_free(s->pending);
}

static void restart_gateway(scene *s)
{
    close_gateway(s);
    open_gateway(s);
}

static int setup(void **state)
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

static int teardown(void **state)
{
    scene *s = *state;

    close_gateway(s);
    wm_text_release(&s->said);
    assert_ok(wm_folder_remove(s->folder, &s->err), &s->err);
    free(s->yard);
    free(s);
    return 0;
}

/* One turn, and the wait after it; a failure waits for half a second, as the daemon's back-off does at first. */
static void turn(scene *s)
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

/* Turns until the script is at its end. */
static void play(scene *s, const char *script)
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

static bool is_held(scene *s)
{
    wm_held held;

    return wm_pending_held(s->pending, &held);
}

/* ---- scripts ---- */

static void what_is_said_upon_what_is_heard(void **state)
{
    static const struct {
        const char *says, *script, *said;
        size_t      failures; /* the server was there, but for those that are `unreached` */
        bool        held;
        size_t      unreached;
    } rows[] = {
        { "a round from the offer to the commit", "train send accepted held-accepted held-committed nothing",
          "check-in ask submit(training 1) ask-held(training 1) ask-held(training 1) ask", 0, false },
        { "the update is kept until it is committed", "train send accepted", "check-in ask submit(training 1)", 0,
          true },
        { "a server that has no place is asked again", "train later:700 wanted send accepted",
          "check-in ask submit(training 1) ask-held(training 1) submit(training 1)", 0, true },
        { "an update that was committed at once is let go", "train send committed nothing",
          "check-in ask submit(training 1) ask", 0, false },
        { "a round that is over lets the update go", "train cut held-over nothing",
          "check-in ask submit(training 1) check-in ask-held(training 1) ask", 1, false },
        { "so does its receipt", "train over nothing", "check-in ask submit(training 1) ask", 0, false },
        { "a refused update is not sent again", "train send refused nothing", "check-in ask submit(training 1) ask",
          0, false },
        { "a cut line is begun anew by checking in, and the update is still there",
          "train cut wanted send accepted",
          "check-in ask submit(training 1) check-in ask-held(training 1) submit(training 1)", 1, true },
        { "no server at all", "cut cut nothing", "check-in check-in check-in ask", 2, false, 2 },
        { "an evaluation is reported", "evaluate:2 accepted nothing", "check-in ask report(evaluation 2) ask", 0,
          false },
        { "a cut report is sent again", "evaluate:2 cut accepted nothing",
          "check-in ask report(evaluation 2) check-in report(evaluation 2) ask", 1, false },
        { "a report that the server cannot read is not sent for ever", "evaluate:2 fault nothing",
          "check-in ask report(evaluation 2) check-in ask", 1, false },
        { "unless the server names a time", "evaluate:2 fault:900 accepted nothing",
          "check-in ask report(evaluation 2) check-in report(evaluation 2) ask", 1, false },
        { "statistics of too few rows are declined", "statistics over nothing",
          "check-in ask decline(10 rows of readings in training, data.rows_min asks for 100: statistics of fewer would "
          "say too much about single readings) ask",
          0, false },
        { "an offer of no known phase", "odd-phase nothing", "check-in ask check-in ask", 1, false },
        { "a held update of which nothing is said", "train cut nothing",
          "check-in ask submit(training 1) check-in ask-held(training 1)", 2, true },
        { "a task while an update is held is not taken", "train accepted train-again held-committed nothing",
          "check-in ask submit(training 1) ask-held(training 1) ask-held(training 1) ask", 0, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene *s = *state;

        if (i > 0) {
            teardown(state);
            setup(state);
            s = *state;
        }
        play(s, rows[i].script);
        if (strcmp(wm_text_chars(&s->said), rows[i].said) != 0)
            print_error("said: %s\nwant: %s\n(%s)\n", wm_text_chars(&s->said), rows[i].said, s->failure.text);
        assert_case(rows[i].says, strcmp(wm_text_chars(&s->said), rows[i].said) == 0);
        assert_case(rows[i].says, s->failures == rows[i].failures);
        assert_case(rows[i].says, s->failures - s->lost == rows[i].unreached);
        assert_case(rows[i].says, is_held(s) == rows[i].held);
    }
}

static void nothing_is_asked_in_a_hot_loop(void **state)
{
    static const struct {
        const char *says, *script;
        int64_t     least_ms, most_ms; /* of waiting, in all */
    } rows[] = {
        { "nothing to do, and come back at once", "nothing nothing nothing nothing nothing", 5000, 5000 },
        { "nothing to do, said after holding the question", "held:25000 held:25000 held:25000", 0, 0 },
        { "come back in a millisecond", "nothing:1 nothing:1 nothing:1", 150, 150 },
        { "come back in the year of the end of all integers", "huge", 600000, 600000 },
        { "accepted, said at once, again and again",
          "train send accepted held-accepted held-accepted held-accepted", 3000, 3000 },
        { "a task where an update is held, at once, again and again",
          "train accepted train-again train-again train-again", 3000, 3000 },
        { "no place, and come back at once", "train later wanted later wanted later", 3000, 3000 },
        { "wanted once more whenever it was accepted",
          "train send accepted wanted accepted wanted accepted wanted accepted", 3000, 3000 },
        { "the same evaluation again waits for one second, then two, then four",
          "evaluate accepted evaluate evaluate accepted evaluate evaluate accepted evaluate evaluate accepted",
          8000, 8000 },
        { "evaluations of one round after another do not wait",
          "evaluate:1 accepted evaluate:2 accepted evaluate:3 accepted nothing", 0, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene *s;

        teardown(state);
        setup(state);
        s = *state;
        play(s, rows[i].script);
        if (s->slept_ms < rows[i].least_ms || s->slept_ms > rows[i].most_ms)
            print_error("waited for %lld ms; said: %s\n", (long long)s->slept_ms, wm_text_chars(&s->said));
        assert_case(rows[i].says, s->slept_ms >= rows[i].least_ms && s->slept_ms <= rows[i].most_ms);
        assert_case(rows[i].says, s->failures == 0);
    }
}

/* ---- refusals by the gateway ---- */

static void a_task_is_declined_with_its_reason(void **state)
{
    static const char *const x[] = { "x" };
    scene                   *s = *state;

    s->policy.columns = (wm_words){ x, 1 };
    play(s, "train over nothing");
    assert_string_equal(
        wm_text_chars(&s->said),
        "check-in ask decline(the job uses the column y, which this gateway does not give to jobs: add it "
        "to the allowed columns if it may be used) ask");
    assert_false(is_held(s));

    s->policy.columns = (wm_words){ NULL, 0 };
    s->policy.examples_min = 1000;
    play(s, "train train over nothing");
    assert_non_null(strstr(wm_text_chars(&s->said),
                           "decline(9 training examples are fewer than client.yaml's data.examples_min of 1000)"));
    assert_true(s->slept_ms >= 1000); /* readings are not loaded in a circle */

    s->policy.examples_min = 1;
    s->policy.memory_max = 100;
    s->slept_ms = 0;
    play(s, "train:2 over nothing"); /* another task, soon: the same word at once, without a look */
    assert_non_null(strstr(wm_text_chars(&s->said), "decline(9 training examples"));
    assert_true(s->slept_ms < 1000);
    play(s, "held:4000 train:3 over nothing");
    assert_non_null(strstr(wm_text_chars(&s->said), "decline(training this model takes "));
    assert_non_null(strstr(wm_text_chars(&s->said), "client.yaml's limits.memory allows 100"));
}

static void a_model_beyond_the_limit_is_not_even_fetched(void **state)
{
    scene *s = *state;

    s->settings.memory_max = 1 << 20;
    restart_gateway(s);
    s->announced = (uint64_t)1 << 31;
    play(s, "train over nothing");
    assert_string_equal(
        wm_text_chars(&s->said),
        "check-in ask decline(a model of 2147483648 bytes is more than client.yaml's limits.memory of "
        "1048576) ask");
    assert_int_equal(s->fetches, 0);
}

static void a_job_that_does_not_hold_is_declined(void **state)
{
    scene *s = *state;

    s->job = "job: tiny\nno: job\n";
    play(s, "train over nothing");
    assert_non_null(strstr(wm_text_chars(&s->said), "decline(the server's job:"));
    assert_int_equal(s->failures, 0);
}

static void another_model_than_the_jobs_is_declined(void **state)
{
    static const char part[] = "length: 1";
    scene            *s = *state;
    wm_text           job = WM_TEXT_INIT;
    const char       *at = strstr(TINY_JOB, part);

    wm_text_add_bytes(&job, TINY_JOB, (size_t)(at - (const char *)TINY_JOB));
    wm_text_add(&job, "length: 2");
    wm_text_add(&job, at + strlen(part));
    s->job = wm_text_chars(&job);
    play(s, "train over nothing");
    assert_non_null(
        strstr(wm_text_chars(&s->said), "decline(the server's model has 2 parameters, the job's has 3)"));
    close_gateway(s);
    wm_text_release(&job);
    s->job = TINY_JOB;
    open_gateway(s);
}

/* ---- transfers ---- */

static void a_fetch_that_was_cut_goes_on(void **state)
{
    scene *s = *state;

    s->cut_after = 2; /* the job is here, the model is not */
    play(s, "train train send accepted");
    assert_int_equal(s->failures, 1);
    assert_string_equal(s->failure.text, "the bulk line was cut");
    assert_string_equal(wm_text_chars(&s->said), "check-in ask check-in ask submit(training 1)");
}

static void an_upload_that_was_cut_is_submitted_again(void **state)
{
    scene *s = *state;

    s->cut_after = 3; /* after the job and the model: the put */
    play(s, "train send wanted send accepted");
    assert_int_equal(s->failures, 1);
    assert_int_equal(s->puts, 1);
    assert_int_equal(s->n_update, s->submitted);
    assert_true(is_held(s));
}

/* A size that is not the blob's own is a fault of the server, which may mend it: the fetch that was begun by the wrong
 * size must not stand in the way, nor its bytes be taken for more than they are. */
static void a_size_that_changes_between_offers(void **state)
{
    scene *s = *state;

    s->announced = 4096;
    play(s, "train");
    assert_int_equal(s->failures, 1);
    assert_string_equal(s->failure.text, "4096 bytes from 0 on are not within a blob of 8");
    s->announced = 0;
    play(s, "train send accepted");
    assert_int_equal(s->failures, 0);

    /* The other way round: begun with the truth, cut, and offered with more. */
    play(s, "held-committed");
    s->model[0] = 1;
    s->cut_after = 1;
    play(s, "train:2");
    assert_int_equal(s->failures, 1);
    s->announced = 4096;
    play(s, "train:2 nothing");
    assert_int_equal(s->failures, 1);
    assert_false(is_held(s));
}

static void odd_sizes_are_refused_by_name(void **state)
{
    scene *s = *state;

    s->announced = 3;
    play(s, "train");
    assert_string_equal(s->failure.text, "the server's offer names no model, or one of an odd size");
    s->announced = (uint64_t)1 << 40;
    play(s, "train");
    assert_string_equal(s->failure.text, "a blob of 1099511627776 bytes, where 1 to 4294967296 are expected");
    s->announced = 0;
    s->cut_after = 0;
    play(s, "train send accepted");
    assert_int_equal(s->failures, 0);
}

/* ---- over a restart ---- */

static void a_finished_update_is_handed_in_after_a_restart_without_training(void **state)
{
    scene    *s = *state;
    wm_held   before, after;
    wm_digest digest;

    play(s, "train cut");
    assert_true(wm_pending_held(s->pending, &before));
    digest = before.digest;
    restart_gateway(s);
    assert_true(wm_pending_held(s->pending, &after));
    assert_true(wm_digest_equal(&digest, &after.digest));
    s->fetches = 0;
    s->policy.examples_min = 1000; /* it could not train if it wanted to */
    play(s, "wanted send accepted held-committed nothing");
    assert_string_equal(wm_text_chars(&s->said),
                        "check-in ask-held(training 1) submit(training 1) ask-held(training 1) ask");
    assert_int_equal(s->fetches, 0);
    digest = wm_sha256_of(s->update, s->n_update);
    restart_gateway(s);
    assert_false(is_held(s));
}

static void an_update_that_was_lost_is_trained_again_to_the_same_bits(void **state)
{
    scene    *s = *state;
    wm_held   held;
    wm_digest first;

    play(s, "train cut");
    assert_true(wm_pending_held(s->pending, &held));
    first = held.digest;
    play(s, "held-over");
    restart_gateway(s);
    play(s, "train cut");
    assert_true(wm_pending_held(s->pending, &held));
    assert_true(wm_digest_equal(&first, &held.digest));
}

/* ---- while it works ---- */

/* A job that trains until it is stopped. */
static void long_job(scene *s, wm_text *job)
{
    const char *at = strstr(TINY_JOB, "epochs: 1}");

    wm_text_add_bytes(job, TINY_JOB, (size_t)(at - (const char *)TINY_JOB));
    wm_text_add(job, "epochs: 10000}");
    wm_text_add(job, strchr(at, '\n'));
    s->job = wm_text_chars(job);
    s->settings.beat_ms = 0;
    restart_gateway(s);
}

static void work_that_is_not_wanted_any_more_ends_unsaid(void **state)
{
    scene  *s = *state;
    wm_text job = WM_TEXT_INIT;
    wm_task task;
    uint8_t run[WM_RUN_ID_SIZE];

    long_job(s, &job);
    play(s, "train:3 abandon");
    assert_string_equal(wm_text_chars(&s->said), "check-in ask ask-busy");
    for (s->script = ""; wm_desk_busy(s->desk, &task, run); sched_yield())
        turn(s);
    assert_null(strstr(wm_text_chars(&s->said), "decline"));
    assert_false(is_held(s));
    play(s, "nothing");
    assert_string_equal(wm_text_chars(&s->said), "ask");
    close_gateway(s);
    wm_text_release(&job);
    s->job = TINY_JOB;
    open_gateway(s);
}

static void a_gateway_that_stops_abandons_its_work(void **state)
{
    scene  *s = *state;
    wm_text job = WM_TEXT_INIT;

    long_job(s, &job);
    play(s, "train:3");
    restart_gateway(s); /* does not wait for ten thousand epochs */
    assert_false(is_held(s));
    wm_text_release(&job);
    s->job = TINY_JOB;
}

static void the_wish_for_a_renewal_is_passed_on(void **state)
{
    scene *s = *state;

    play(s, "nothing renew nothing");
    assert_int_equal(s->renewals, 1);
}

static void the_certified_time_is_kept(void **state)
{
    scene *s = *state;

    assert_int_equal(wm_server_time_now(s->time), 0);
    wm_server_time_heard(s->time, INT64_MAX); /* no server means that; the sum with what passes must not overflow */
    assert_int_equal(wm_server_time_now(s->time), 0);
    wm_server_time_heard(s->time, 1700000000000);
    restart_gateway(s);
    assert_true(wm_server_time_now(s->time) == 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_is_said_upon_what_is_heard),
        TEST(nothing_is_asked_in_a_hot_loop),
        TEST(a_task_is_declined_with_its_reason),
        TEST(a_model_beyond_the_limit_is_not_even_fetched),
        TEST(a_job_that_does_not_hold_is_declined),
        TEST(another_model_than_the_jobs_is_declined),
        TEST(a_fetch_that_was_cut_goes_on),
        TEST(an_upload_that_was_cut_is_submitted_again),
        TEST(a_size_that_changes_between_offers),
        TEST(odd_sizes_are_refused_by_name),
        TEST(a_finished_update_is_handed_in_after_a_restart_without_training),
        TEST(an_update_that_was_lost_is_trained_again_to_the_same_bits),
        TEST(work_that_is_not_wanted_any_more_ends_unsaid),
        TEST(a_gateway_that_stops_abandons_its_work),
        TEST(the_wish_for_a_renewal_is_passed_on),
        TEST(the_certified_time_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
