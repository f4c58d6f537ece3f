/* server/fleets/client_states.c
 *
 * A file: magic (8 bytes), SHA-256 of what follows (32), run (16), SHA-256 of the client's name (32), round u32, zero u32,
 * floats u64, `now`, `next`. Numbers are in the machine's own order: a simulation goes on where it began. The file's name
 * is made of the client's digest, since clients are named as the data names them. */
#include "server/fleets/client_states.h"

#include "client/work.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC_SIZE = 8, SEAL_SIZE = MAGIC_SIZE + WM_DIGEST_SIZE };

static const char magic[MAGIC_SIZE + 1] = "WMCLNT01";

typedef struct head {
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_digest client;
    uint32_t  round, zero;
    uint64_t  n;
} head;

static char *path_of(const wm_client_states *all, const wm_digest *client)
{
    char text[WM_DIGEST_TEXT];

    wm_digest_text(client, text);
    text[32] = '\0'; /* 128 bits tell clients apart */
    return wm_path_join(all->folder, text);
}

static size_t floats_at(void)
{
    return SEAL_SIZE + sizeof(head);
}

wm_status wm_client_state_init(const wm_client_states *all, wm_client_state *ret, wm_error *err)
{
    *ret = (wm_client_state){ 0 };
    if (all->n == 0)
        return WM_OK;
    ret->now = malloc(all->n * sizeof *ret->now);
    if (ret->now == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for what a client keeps, %zu numbers", all->n);
    wm_work_begin_state(all->job, all->model, ret->now);
    return WM_OK;
}

void wm_client_state_release(wm_client_state *state)
{
    free(state->now);
    free(state->next);
    *state = (wm_client_state){ 0 };
}

wm_status wm_client_state_copy(const wm_client_states *all, uint32_t round, wm_client_state *state, float **ret,
                               wm_error *err)
{
    *ret = NULL;
    if (all->n == 0)
        return WM_OK;
    if (state->next == NULL && (state->next = malloc(all->n * sizeof *state->next)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for what a client keeps, %zu numbers", all->n);
    memcpy(state->next, state->now, all->n * sizeof *state->next);
    state->round = round;
    *ret = state->next;
    return WM_OK;
}

void wm_client_state_settle(wm_client_state *state, bool committed)
{
    if (state->next == NULL)
        return;
    free(committed ? state->now : state->next);
    if (committed)
        state->now = state->next;
    state->next = NULL;
}

wm_status wm_client_state_keep(const wm_client_states *all, const char *name, const wm_client_state *state,
                               wm_error *err)
{
    head      h = { .client = wm_sha256_of(name, strlen(name)), .round = state->round, .n = all->n };
    size_t    bytes = all->n * sizeof(float), n = floats_at() + 2 * bytes;
    char     *path;
    uint8_t  *file;
    wm_digest seal;
    wm_status st;

    if (all->folder == NULL || all->n == 0)
        return WM_OK;
    path = path_of(all, &h.client);
    file = malloc(n);
    if (path == NULL || file == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to keep what a client keeps");
        goto out;
    }
    memcpy(h.run, all->run, sizeof h.run);
    memcpy(file, magic, MAGIC_SIZE);
    memcpy(file + SEAL_SIZE, &h, sizeof h);
    memcpy(file + floats_at(), state->now, bytes);
    memcpy(file + floats_at() + bytes, state->next, bytes);
    seal = wm_sha256_of(file + SEAL_SIZE, n - SEAL_SIZE);
    memcpy(file + MAGIC_SIZE, seal.bytes, WM_DIGEST_SIZE);
    st = wm_files_system()->replace(wm_files_system(), path, file, n, 0600, err);
out:
    free(path);
    free(file);
    return st;
}

/* Whether file[size] is this client's, of this run, and whole. */
static bool holds(const wm_client_states *all, const uint8_t *file, size_t size, const wm_digest *client)
{
    wm_digest seal;
    head      h;

    if (size != floats_at() + 2 * all->n * sizeof(float) || memcmp(file, magic, MAGIC_SIZE) != 0)
        return false;
    memcpy(&h, file + SEAL_SIZE, sizeof h);
    seal = wm_sha256_of(file + SEAL_SIZE, size - SEAL_SIZE);
    return memcmp(seal.bytes, file + MAGIC_SIZE, WM_DIGEST_SIZE) == 0 && wm_digest_equal(&h.client, client) &&
           memcmp(h.run, all->run, sizeof h.run) == 0 && h.n == all->n;
}

static wm_status take(const wm_client_states *all, const char *name, const uint8_t *file, uint32_t contained,
                      wm_client_state *state, wm_error *err)
{
    size_t    bytes = all->n * sizeof(float);
    float    *ignored;
    head      h;
    wm_status st;

    memcpy(&h, file + SEAL_SIZE, sizeof h);
    if (h.round < contained)
        return wm_fail(err, WM_E_DAMAGED,
                       "the personal layers of %s are those of round %" PRIu32 ", and round %" PRIu32
                       " has its update: simulate anew",
                       name, h.round, contained);
    memcpy(state->now, file + floats_at(), bytes);
    st = wm_client_state_copy(all, h.round, state, &ignored, err);
    if (st == WM_OK)
        memcpy(state->next, file + floats_at() + bytes, bytes);
    return st;
}

wm_status wm_client_state_recall(const wm_client_states *all, const char *name, uint32_t contained,
                                 wm_client_state *state, wm_error *err)
{
    wm_digest client = wm_sha256_of(name, strlen(name));
    char     *path;
    uint8_t  *file = NULL;
    size_t    size = 0;
    wm_status st;

    if (all->folder == NULL || all->n == 0)
        return WM_OK;
    path = path_of(all, &client);
    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the path of what a client keeps");
    st = wm_files_system()->read(wm_files_system(), path, floats_at() + 2 * all->n * sizeof(float), &file, &size,
                                 err);
    if (st == WM_E_MISSING && contained == 0)
        st = WM_OK;
    else if (st == WM_E_MISSING || st == WM_E_RANGE || (st == WM_OK && !holds(all, file, size, &client)))
        st = wm_fail(err, WM_E_DAMAGED, "%s, with the personal layers of %s, is %s: simulate anew", path, name,
                     st == WM_E_MISSING ? "gone" : "damaged");
    else if (st == WM_OK)
        st = take(all, name, file, contained, state, err);
    free(file);
    free(path);
    return st;
}
