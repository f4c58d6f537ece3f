/* tests/wire/town.c */
#include "tests/wire/town.h"

#include <dirent.h>
#include <time.h>
#include <unistd.h>

static bool allow(void *context, const wm_peer *peer, char *why, size_t n)
{
    town *t = context;
    long  serial = 0;

    for (size_t i = 0; i < peer->serial.size; i++)
        serial = serial << 8 | peer->serial.bytes[i];
    if (serial != atomic_load(&t->revoked))
        return true;
    snprintf(why, n, "its certificate is revoked");
    return false;
}

static void refused(void *context, const wm_refusal *refusal)
{
    town         *t = context;
    town_refusal *r;

    pthread_mutex_lock(&t->lock);
    if (t->n_refusals == TOWN_REFUSALS) /* the latest are kept */
        memmove(t->refusals, t->refusals + 1, --t->n_refusals * sizeof *r);
    r = &t->refusals[t->n_refusals++];
    snprintf(r->remote, sizeof r->remote, "%s", refusal->remote);
    snprintf(r->name, sizeof r->name, "%s", refusal->name);
    snprintf(r->why, sizeof r->why, "%s", refusal->why);
    r->verified = refusal->verified;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void left(void *context, const wm_peer *peer)
{
    town *t = context;

    (void)peer;
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->left, 1);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void gone(void *context)
{
    town *t = context;

    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->gone, 1);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void handle(void *context, wm_request *request)
{
    town          *t = context;
    size_t         n, answer = atomic_load(&t->answer_bytes);
    const uint8_t *bytes = wm_request_bytes(request, &n);
    uint8_t       *room;

    pthread_mutex_lock(&t->lock);
    if (atomic_load(&t->keep) && t->n_kept < TOWN_KEPT) {
        t->kept[t->n_kept++] = request;
        request = NULL;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (request == NULL)
        return;
    if (answer == 0) {
        wm_request_reply(request, bytes, n);
        return;
    }
    if ((room = wm_request_room(request, answer)) == NULL) {
        wm_request_drop(request);
        return;
    }
    memset(room, 7, answer);
    wm_request_send(request);
}

wm_listener_settings town_settings(void)
{
    return (wm_listener_settings){ .request_max = 64 << 10, .n_workers = 2 };
}

static void begin(town *t, const wm_listener_settings *settings, const char *url, bool tls)
{
    wm_listener_settings set = *settings;
    wm_error             err;

    set.url = url;
    set.tls = tls ? t->server_tls : NULL;
    set.handle = handle;
    set.gone = gone;
    set.left = left;
    set.refused = refused;
    set.context = t;
    assert_ok(wm_listener_start(&set, &t->listener, &err), &err);
}

void town_found(town *t)
{
    wm_tls_settings set;
    wm_error        err;

    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->authority = test_authority_new("city");
    t->server = test_issue(t->authority, &(test_wish){ .names = "DNS:localhost,IP:127.0.0.1",
                                                       .usage = "serverAuth",
                                                       .serial = 100,
                                                       .with_root = true });
    t->north = test_issue(t->authority, &(test_wish){ .names = "DNS:north", .usage = "clientAuth", .serial = 7 });
    set = (wm_tls_settings){ .side = WM_TLS_SERVER,
                             .chain = t->server.chain,
                             .key = t->server.key,
                             .root = test_authority_root(t->authority),
                             .clock = wm_clock_system(),
                             .allow = allow,
                             .context = t };
    assert_ok(wm_tls_new(&set, &t->server_tls, &err), &err);
    t->north_tls = town_client_tls(t, &t->north);
}

void town_open(town *t, const wm_listener_settings *settings)
{
    town_found(t);
    town_listen(t, settings);
}

void town_listen(town *t, const wm_listener_settings *settings)
{
    begin(t, settings, "tls+tcp://127.0.0.1:0", true);
    snprintf(t->url, sizeof t->url, "tls+tcp://127.0.0.1:%d", wm_listener_port(t->listener));
}

void town_open_local(town *t, const wm_listener_settings *settings)
{
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    snprintf(t->url, sizeof t->url, "ipc://%.200s/socket", wm_test_folder(t->folder));
    begin(t, settings, t->url, false);
}

void town_close(town *t)
{
    atomic_store(&t->keep, false);
    for (size_t i = 0; i < t->n_kept; i++)
        wm_request_drop(t->kept[i]);
    wm_listener_free(t->listener);
    wm_tls_free(t->server_tls);
    wm_tls_free(t->north_tls);
    test_identity_release(&t->server);
    test_identity_release(&t->north);
    test_authority_free(t->authority);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    if (t->folder[0] != '\0')
        assert_int_equal(rmdir(t->folder), 0); /* the socket is gone */
}

wm_tls *town_client_tls(const town *t, const test_identity *identity)
{
    wm_tls_settings set = { .side = WM_TLS_CLIENT,
                            .root = test_authority_root(t->authority),
                            .clock = wm_clock_system() };
    wm_tls         *tls = NULL;
    wm_error        err;

    if (identity != NULL) {
        set.chain = identity->chain;
        set.key = identity->key;
    }
    assert_ok(wm_tls_new(&set, &tls, &err), &err);
    return tls;
}

wm_caller *town_caller(const town *t, wm_tls *tls)
{
    const char        *url = t->url;
    wm_caller_settings set = { .urls = &url, .n_urls = 1, .tls = tls, .reply_max = 4 << 20 };
    wm_caller         *caller = NULL;
    wm_error           err;

    assert_ok(wm_caller_new(&set, &caller, &err), &err);
    return caller;
}

wm_status town_echo(wm_caller *caller, const void *bytes, size_t n, wm_error *err)
{
    uint8_t  *reply = NULL;
    size_t    n_reply = 0;
    wm_status st = wm_caller_call(caller, bytes, n, 10000, &reply, &n_reply, err);

    if (st != WM_OK)
        return st;
    assert_int_equal(n_reply, n);
    assert_true(n == 0 || memcmp(reply, bytes, n) == 0);
    free(reply);
    return WM_OK;
}

/* Lock held: until something changes, or the end of patience. */
static void wait_change(town *t, const char *what)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    if (pthread_cond_timedwait(&t->changed, &t->lock, &until) == 0)
        return;
    for (size_t i = 0; i < t->n_refusals; i++)
        print_error("refusal: %s %s: %s\n", t->refusals[i].name, t->refusals[i].remote, t->refusals[i].why);
    pthread_mutex_unlock(&t->lock);
    fail_msg("20 s without: %s", what);
}

void town_wait_kept(town *t, size_t n)
{
    pthread_mutex_lock(&t->lock);
    while (t->n_kept < n)
        wait_change(t, "a kept request");
    pthread_mutex_unlock(&t->lock);
}

void town_wait_left(town *t, int times)
{
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->left) < times)
        wait_change(t, "word of a peer that has no connection any more");
    pthread_mutex_unlock(&t->lock);
}

void town_wait_gone(town *t, int times)
{
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->gone) < times)
        wait_change(t, "word of a peer that is gone");
    pthread_mutex_unlock(&t->lock);
}

wm_request *town_take(town *t)
{
    wm_request *request;

    pthread_mutex_lock(&t->lock);
    assert_true(t->n_kept > 0);
    request = t->kept[--t->n_kept];
    pthread_mutex_unlock(&t->lock);
    return request;
}

void town_wait_refusal(town *t, const char *part)
{
    bool found = false;

    pthread_mutex_lock(&t->lock);
    while (!found) {
        for (size_t i = 0; i < t->n_refusals; i++)
            found = found || strstr(t->refusals[i].why, part) != NULL;
        if (!found)
            wait_change(t, part);
    }
    pthread_mutex_unlock(&t->lock);
}

void town_wait_connections(town *t, size_t n)
{
    wm_listener_counts counts;

    for (int i = 0; i < 4000; i++) {
        wm_listener_counts_get(t->listener, &counts);
        if (counts.connections == n)
            return;
        usleep(5000);
    }
    fail_msg("%zu connections are open, not %zu", counts.connections, n);
}

int town_sockets(void)
{
    DIR           *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int            n = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        char    what[16] = "";
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, what, sizeof what - 1);

        n += size > 0 && strncmp(what, "socket:", 7) == 0;
    }
    closedir(folder);
    return n;
}

void town_wait_sockets(int most)
{
    int n = 0;

    for (int i = 0; i < 2000; i++) {
        if ((n = town_sockets()) <= most)
            return;
        usleep(5000);
    }
    fail_msg("%d sockets are open, and there were %d", n, most);
}
