/* tests/e2e/test_bad_links.c
 *
 * One office, seven gateways, and each but one behind another bad link: packets lost, a long way, 64 kbit/s, each
 * direction cut for a while, a NAT that forgets a connection in the middle of an upload, another address in the middle of
 * one. All are needed, so a round is done when the worst link has got through; no round is stuck, and an upload that was
 * broken off sends again less than a range of it.
 *
 * With WM_LONG set the cuts last a minute. */
#include "tests/e2e/inside.h"
#include "tests/e2e/links.h"

#include "common/wire/envelope.h"
#include "tests/figures.h"

enum {
    CLEAN,
    LOSS,
    DELAY,
    SLOW,
    CUT_DOWN,
    CUT_UP,
    FORGOTTEN,
    MOVED,
    GATEWAYS,
    FORGET_AFTER = 24 << 10, /* bytes of an update of 46 KiB: the first range is there, the second is under way */
    CONNECTION_BYTES = 4096, /* what a handshake sends, the certificate above all */
};

static const char accepted[] = "update accepted phase=training round=1";

static const struct {
    const char *says;
    link_ills   ills;
} ills[GATEWAYS] = {
    [CLEAN] = { "a good link", { .rate = 0 } },
    [LOSS] = { "5 % of the packets lost", { .loss = 0.05, .delay_ms = 10 } },
    [DELAY] = { "500 ms each way", { .delay_ms = 500 } },
    [SLOW] = { "64 kbit/s", { .rate = 8000, .delay_ms = 20 } },
    [CUT_DOWN] = { "the way down cut for a while", { .rate = 100000, .delay_ms = 10 } },
    [CUT_UP] = { "the way up cut for a while", { .rate = 100000, .delay_ms = 10 } },
    [FORGOTTEN] = { "connections dead without a word in the middle of an upload",
                    { .rate = 20000, .delay_ms = 10 } },
    [MOVED] = { "another address in the middle of an upload", { .rate = 20000, .delay_ms = 10 } },
};

typedef struct scene {
    office      o;
    links      *links;
    const char *why_not; /* left out */
    bool        is_long;
} scene;

static int setup(void **state)
{
    scene *s = calloc(1, sizeof *s);

    *state = s;
    s->is_long = getenv("WM_LONG") != NULL;
    s->why_not = links_open(GATEWAYS, &s->links);
    if (s->why_not != NULL)
        return 0;
    office_open(&s->o, &(office_wish){ .n_gateways = GATEWAYS, .rounds = 1, .host = LINKS_OFFICE });
    links_set_bulk_port(s->links, s->o.ports[OFFICE_BULK]);
    office_server_start(&s->o, NULL);
    office_enrol_all(&s->o);
    for (size_t k = 0; k < GATEWAYS; k++) {
        links_enter(s->links, k);
        office_gateway_start(&s->o, k, NULL);
        links_leave(s->links);
    }
    return 0;
}

static int teardown(void **state)
{
    scene *s = *state;

    if (s->why_not == NULL) {
        office_close(&s->o);
        links_close(s->links);
    }
    free(s);
    return 0;
}

/* ---- what is seen ---- */

/* So many times the text is in that gateway's log. */
static size_t times_said(const office *o, size_t k, const char *text)
{
    char   path[4300], *log;
    size_t n = 0;

    office_gateway_log(o, k, path);
    log = office_read_text(path);
    for (const char *at = log; at != NULL && (at = strstr(at, text)) != NULL; at++)
        n++;
    free(log);
    return n;
}

/* When each gateway's update of training was accepted, in ms since the job was started; 0: not yet. */
typedef struct watch {
    scene  *s;
    int64_t since_ms;
    size_t  before[GATEWAYS];
    int64_t accepted_ms[GATEWAYS];
    bool    moved;
    int64_t hurt_ms[GATEWAYS]; /* when the ill struck; 0: it was there from the start */
    bool    mended;            /* the cuts are over */
} watch;

/* The ills that strike in the middle: a direction is cut, and mended; an address changes when the connections have died. */
static void strike(watch *w)
{
    int64_t now = office_now_ms(), lasts_ms = w->s->is_long ? 60 * 1000 : 5000;

    if (w->hurt_ms[CUT_UP] == 0) {
        w->hurt_ms[CUT_DOWN] = w->hurt_ms[CUT_UP] = now;
        links_cut(w->s->links, CUT_DOWN, false, true);
        links_cut(w->s->links, CUT_UP, true, false);
    }
    if (!w->mended && now - w->hurt_ms[CUT_UP] >= lasts_ms) {
        w->mended = true;
        links_cut(w->s->links, CUT_DOWN, false, false);
        links_cut(w->s->links, CUT_UP, false, false);
    }
    for (size_t k = FORGOTTEN; k <= MOVED; k++)
        if (w->hurt_ms[k] == 0 && links_has_forgotten(w->s->links, k))
            w->hurt_ms[k] = now;
    if (w->hurt_ms[MOVED] != 0 && !w->moved) {
        w->moved = true;
        links_move(w->s->links, MOVED);
    }
}

static bool all_are_in(office *o, void *context)
{
    watch *w = context;
    size_t in = 0;

    strike(w);
    for (size_t k = 0; k < GATEWAYS; k++) {
        if (w->accepted_ms[k] == 0 && times_said(o, k, accepted) > w->before[k])
            w->accepted_ms[k] = office_now_ms();
        in += w->accepted_ms[k] != 0;
    }
    return in == GATEWAYS;
}

/* Meanwhile the others are watched. */
static bool is_mended(office *o, void *context)
{
    watch *w = context;

    (void)all_are_in(o, w);
    return w->mended;
}

/* ---- the story ---- */

static double plain_run(scene *s, char sha[65])
{
    int64_t since;
    json_t *summary;

    office_write_job(&s->o, 1, "{select: all, quorum: 1, deadline: 10m}");
    office_change_job(&s->o, "scale: federated", "scale: client"); /* the training is what is measured */
    since = office_now_ms();
    office_job_start(&s->o);
    summary = office_wait_over(&s->o);
    snprintf(sha, 65, "%s", json_string_value(json_object_get(summary, "model_sha256")));
    json_decref(summary);
    return (double)(office_now_ms() - since) / 1000;
}

/* What went up for an update, beyond what a good link has to send for it. */
static int64_t sent_again(scene *s, const link_counts *before, size_t k)
{
    link_counts now = links_counts(s->links, k), good = links_counts(s->links, CLEAN);
    int64_t     sent = (int64_t)(now.bulk_up - before[k].bulk_up),
            needed = (int64_t)(good.bulk_up - before[CLEAN].bulk_up);
    int64_t connections = now.bulk_connections - before[k].bulk_connections;

    return sent - needed - connections * CONNECTION_BYTES;
}

static void tell(const scene *s, const watch *w, size_t k)
{
    int64_t from = w->hurt_ms[k] != 0 ? w->hurt_ms[k] : w->since_ms;

    (void)s;
    tell_fault(&(fault_figure){
        .fault = ills[k].says, .tries = 1, .survived = 1, .seconds = (double)(w->accepted_ms[k] - from) / 1000 });
}

static void every_link_gets_through_and_less_than_a_range_is_sent_again(void **state)
{
    scene      *s = *state;
    watch       w = { .s = s };
    link_counts before[GATEWAYS];
    char        plain_sha[65];
    double      plain, bad;

    if (s->why_not != NULL)
        leave_out(s->why_not);
    plain = plain_run(s, plain_sha);
    for (size_t k = 0; k < GATEWAYS; k++) {
        links_set(s->links, k, &ills[k].ills);
        before[k] = links_counts(s->links, k);
        w.before[k] = times_said(&s->o, k, accepted);
    }
    links_forget(s->links, FORGOTTEN, FORGET_AFTER);
    links_forget(s->links, MOVED, FORGET_AFTER);
    w.since_ms = office_now_ms();
    strike(&w);
    office_job_start(&s->o);
    office_wait(&s->o, is_mended, &w, "the cut to be over");
    office_wait(&s->o, all_are_in, &w, "every gateway to get its update through");
    bad = (double)(office_now_ms() - w.since_ms) / 1000;
    for (size_t k = LOSS; k < GATEWAYS; k++)
        tell(s, &w, k);
    for (size_t k = FORGOTTEN; k <= MOVED; k++) {
        int64_t again = sent_again(s, before, k);

        print_message("# %s: %lld bytes sent again\n", ills[k].says, (long long)again);
        assert_case(ills[k].says, w.hurt_ms[k] != 0 && again < WM_RANGE_BYTES_MIN);
    }
    for (size_t k = 0; k < GATEWAYS; k++) {
        link_counts now = links_counts(s->links, k);

        print_message("# %s: %.1f kB/s up and down, of %llu packets %llu lost\n", ills[k].says,
                      (double)(now.bulk_up + now.bulk_down - before[k].bulk_up - before[k].bulk_down) /
                          (double)(w.accepted_ms[k] - w.since_ms),
                      (unsigned long long)(now.packets - before[k].packets),
                      (unsigned long long)(now.lost - before[k].lost));
        links_set(s->links, k, &(link_ills){ 0 }); /* the evaluations need not take as long once more */
    }
    office_wait_done(&s->o, 0, plain_sha);
    print_message(
        "# a round takes %.1f s on the worst of them, %.2f s where all are good: %.0f and %.0f rounds/h\n", bad,
        plain, 3600 / bad, 3600 / plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_link_gets_through_and_less_than_a_range_is_sent_again, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
