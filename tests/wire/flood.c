/* tests/wire/flood.c */
#include "tests/wire/flood.h"

#include "tests/descriptors.h"
#include "tests/wire/stranger.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TICK_MS = 10 };

typedef enum manner { SILENT, TRICKLING, ASKING } manner;

typedef struct member {
    stranger s; /* fd -1: to be dialled */
    manner   manner;
    int      number;
} member;

typedef struct crowd {
    const flood      *f;
    const town       *t;
    const flood_plan *plan;
    int               port, poll, n;
    SSL_CTX          *contexts[FLOOD_NAMES_MAX];
    member           *members; /* [n] */
} crowd;

static const uint8_t half_hello[] = { 0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3 };
static const uint8_t half_question[] = { 0, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 1, 'x' };

static int dial_from(const crowd *c, int address)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)address) };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)bind(fd, (struct sockaddr *)&at, sizeof at);
    at = (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons((uint16_t)c->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static void dial(crowd *c, member *m)
{
    struct epoll_event event = { .events = EPOLLRDHUP, .data.ptr = m };
    struct timeval     patience = { .tv_sec = 10 };
    bool               good = true;

    m->s = (stranger){ .fd = dial_from(c, m->number % c->plan->addresses) };
    if (m->s.fd < 0)
        return;
    if (m->manner == TRICKLING) {
        good = stranger_say(&m->s, half_hello, sizeof half_hello);
    } else if (m->manner == ASKING) {
        setsockopt(m->s.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        good = stranger_shake(&m->s, c->contexts[m->number / 4 % FLOOD_NAMES_MAX]) && stranger_greet(&m->s) &&
               stranger_say(&m->s, half_question, sizeof half_question);
    }
    if (good && epoll_ctl(c->poll, EPOLL_CTL_ADD, m->s.fd, &event) == 0)
        return;
    stranger_leave(&m->s, STRANGER_RESETS);
    m->s.fd = -1;
}

static void hear(crowd *c)
{
    struct epoll_event events[256];
    int                n = epoll_wait(c->poll, events, 256, TICK_MS);

    for (int i = 0; i < n; i++) {
        member *m = events[i].data.ptr;

        stranger_leave(&m->s, STRANGER_RESETS);
        m->s = (stranger){ .fd = -1 };
    }
}

static void flow(crowd *c)
{
    int next = 0, todo = c->n;

    for (int tick = 0; getppid() != 1; tick++) {
        int dials = (todo > 0 ? c->plan->dials : c->plan->again) * TICK_MS / 1000;

        for (int k = 0, left = dials; k < c->n && left > 0; k++, next = (next + 1) % c->n)
            if (c->members[next].s.fd < 0) {
                dial(c, &c->members[next]);
                left--;
                if (todo > 0 && --todo == 0)
                    (void)!write(c->f->from, "!", 1);
            }
        hear(c);
        for (int k = tick % 100; k < c->n; k += 100) /* a hundredth of them each tick: a byte a second each */
            if (c->members[k].manner != SILENT && c->members[k].s.fd >= 0)
                (void)stranger_say(&c->members[k].s, "x", 1);
    }
}

static void be_a_crowd(const flood *f, const town *t, const flood_plan *plan, int to)
{
    crowd c = { .f = f, .t = t, .plan = plan, .n = plan->silent + plan->trickling + plan->asking };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    (void)raise_descriptors();
    for (int i = 0; i < FLOOD_NAMES_MAX; i++)
        c.contexts[i] = stranger_context(&f->names[i], 0);
    c.members = calloc((size_t)c.n, sizeof *c.members);
    c.poll = epoll_create1(EPOLL_CLOEXEC);
    assert_true(c.members != NULL && c.poll >= 0);
    for (int k = 0; k < c.n; k++)
        c.members[k] = (member){ .s.fd = -1,
                                 .number = k,
                                 .manner = k < plan->asking                     ? ASKING
                                           : k < plan->asking + plan->trickling ? TRICKLING
                                                                                : SILENT };
    if (read(to, &c.port, sizeof c.port) == sizeof c.port)
        flow(&c);
}

void flood_prepare(flood *f, const town *t, const flood_plan *plan)
{
    int  to[2], from[2];
    char name[32];

    for (int i = 0; i < FLOOD_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "DNS:flood%d", i);
        f->names[i] =
            test_issue(t->authority, &(test_wish){ .names = name, .usage = "clientAuth", .serial = 1000 + i });
    }
    assert_true(pipe(to) == 0 && pipe(from) == 0);
    f->from = from[1];
    if ((f->pid = fork()) == 0) {
        be_a_crowd(f, t, plan, to[0]);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    f->to = to[1];
    f->from = from[0];
}

void flood_go(flood *f, const town *t)
{
    int  port = wm_listener_port(t->listener);
    char word;

    assert_true(write(f->to, &port, sizeof port) == sizeof port);
    assert_true(read(f->from, &word, 1) == 1);
}

void flood_end(flood *f)
{
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    close(f->to);
    close(f->from);
    for (int i = 0; i < FLOOD_NAMES_MAX; i++)
        test_identity_release(&f->names[i]);
}
