/* tests/client/conversation/aggregator.c
 *
 * An aggregator that answers by a script, and writes down what it is asked. */
#include "tests/client/conversation/scene.h"

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

wm_status control_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
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

wm_status bulk_ask(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
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
