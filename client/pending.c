/* client/pending.c
 *
 * Both files: magic (8 bytes), SHA-256 of what follows up to the update (32), then
 *     pending:         phase u32, round u32, run (16), model (32), SHA-256 of the update (32), loss f64, floats of state
 *                      u64, bytes of update u64, state, update
 *     strategy-state:  run (16), floats u64, state
 * so that the update, which has to have a SHA-256 of its own, is hashed once. All numbers are in the machine's own byte order: a gateway's disk is read by the gateway that wrote it, and a foreign one fails the
 * length checks or the digest. */
#include "client/pending.h"

#include "common/crash.h"
#include "common/sizes.h"

#include <stdlib.h>
#include <string.h>

enum { MAGIC_SIZE = 8, SEAL_SIZE = MAGIC_SIZE + WM_DIGEST_SIZE };

/* The largest file that is read back: a model of 500 million parameters, and as much state. */
static const size_t FILE_MAX = (size_t)4 << 30;

static const char pending_magic[MAGIC_SIZE + 1] = "WMPEND02", state_magic[MAGIC_SIZE + 1] = "WMSTAT01";

typedef struct pending_head {
    uint32_t  phase, round;
    uint8_t   run[WM_RUN_ID_SIZE];
    wm_digest model, update;
    double    loss;
    uint64_t  n_state, n_update;
} pending_head;

typedef struct state_head {
    uint8_t  run[WM_RUN_ID_SIZE];
    uint64_t n_state;
} state_head;

struct wm_pending {
    const wm_files *files;
    char           *held_path, *state_path;
    uint8_t        *held; /* the whole file; in memory alone, the update; NULL if nothing is held */
    bool            in_memory;
    pending_head    head;
    uint8_t        *state; /* the whole file; NULL if there is none */
    state_head      state_head;
};

/* The seal of file[n]: over all but itself, and but its last `apart` bytes, which have a digest of their own in there. */
static wm_digest seal_of(const uint8_t *file, size_t n, size_t apart)
{
    return wm_sha256_of(file + SEAL_SIZE, n - SEAL_SIZE - apart);
}

/* Seals file[n], whose contents begin SEAL_SIZE bytes into it, and makes it durable. */
static wm_status write_sealed(wm_pending *self, const char *path, const char *magic, uint8_t *file, size_t n,
                              size_t apart, wm_error *err)
{
    wm_digest digest = seal_of(file, n, apart);

    memcpy(file, magic, MAGIC_SIZE);
    memcpy(file + MAGIC_SIZE, digest.bytes, WM_DIGEST_SIZE);
    return self->files->replace(self->files, path, file, n, 0600, err);
}

static bool seal_holds(const uint8_t *file, size_t n, size_t apart)
{
    wm_digest digest = seal_of(file, n, apart);

    return memcmp(digest.bytes, file + MAGIC_SIZE, WM_DIGEST_SIZE) == 0;
}

static wm_status damaged(const char *path, uint8_t *file, wm_error *err)
{
    free(file);
    return wm_fail(err, WM_E_DAMAGED, "%s is damaged", path);
}

/* A file of that magic, of SEAL_SIZE + `least` bytes at least, its seal not looked at. WM_E_MISSING; WM_E_DAMAGED: it is
 * another, or too short; *ret is then untouched. */
static wm_status read_sealed(wm_pending *self, const char *path, const char *magic, size_t least, uint8_t **ret,
                             size_t *n, wm_error *err)
{
    uint8_t  *file;
    size_t    size;
    wm_status st = self->files->read(self->files, path, FILE_MAX, &file, &size, err);

    if (st != WM_OK)
        return st;
    if (size < SEAL_SIZE + least || memcmp(file, magic, MAGIC_SIZE) != 0)
        return damaged(path, file, err);
    *ret = file;
    *n = size;
    return WM_OK;
}

static size_t state_offset(void)
{
    return SEAL_SIZE + sizeof(pending_head);
}

static const uint8_t *update_bytes(const wm_pending *self)
{
    return self->in_memory ? self->held : self->held + state_offset() + self->head.n_state * sizeof(float);
}

/* The sizes in a head that nobody has vouched for yet add up to the file's, and both digests hold. */
static bool held_holds(const uint8_t *file, size_t n, const pending_head *head)
{
    size_t    state, want;
    wm_digest update;

    if (!wm_size_mul(head->n_state, sizeof(float), &state) || !wm_size_add(state_offset(), state, &want) ||
        !wm_size_add(want, head->n_update, &want) || want != n || !seal_holds(file, n, head->n_update))
        return false;
    update = wm_sha256_of(file + n - head->n_update, head->n_update);
    return wm_digest_equal(&update, &head->update);
}

static wm_status read_held(wm_pending *self, wm_error *err)
{
    uint8_t     *file = NULL;
    size_t       n = 0;
    pending_head head;
    wm_status    st = read_sealed(self, self->held_path, pending_magic, sizeof head, &file, &n, err);

    if (st != WM_OK)
        return st;
    memcpy(&head, file + SEAL_SIZE, sizeof head);
    if (!held_holds(file, n, &head))
        return damaged(self->held_path, file, err);
    self->held = file;
    self->head = head;
    return WM_OK;
}

static wm_status read_state(wm_pending *self, wm_error *err)
{
    uint8_t   *file = NULL;
    size_t     n = 0, want;
    state_head head;
    wm_status  st = read_sealed(self, self->state_path, state_magic, sizeof head, &file, &n, err);

    if (st != WM_OK)
        return st;
    memcpy(&head, file + SEAL_SIZE, sizeof head);
    if (!seal_holds(file, n, 0) || !wm_size_mul(head.n_state, sizeof(float), &want) ||
        !wm_size_add(want, SEAL_SIZE + sizeof head, &want) || want != n)
        return damaged(self->state_path, file, err);
    self->state = file;
    self->state_head = head;
    return WM_OK;
}

wm_status wm_pending_open(const wm_files *files, const char *folder, wm_pending **ret, wm_error *note,
                          wm_error *err)
{
    wm_pending *self = calloc(1, sizeof *self);
    wm_error    damage = { WM_OK, "" };
    wm_status   st;

    if (self == NULL || (self->held_path = wm_path_join(folder, "pending")) == NULL ||
        (self->state_path = wm_path_join(folder, "strategy-state")) == NULL) {
        wm_pending_free(self);
        return wm_fail(err, WM_E_NOMEM, "no memory for the store of the pending update");
    }
    self->files = files;
    st = read_held(self, &damage);
    if (st == WM_OK || st == WM_E_MISSING || st == WM_E_DAMAGED) {
        if (st == WM_E_DAMAGED)
            files->remove(files, self->held_path, NULL);
        st = read_state(self, st == WM_E_DAMAGED ? NULL : &damage);
        if (st == WM_E_DAMAGED)
            files->remove(files, self->state_path, NULL);
    }
    if (st != WM_OK && st != WM_E_MISSING && st != WM_E_DAMAGED) {
        if (err != NULL)
            *err = damage;
        wm_pending_free(self);
        return st;
    }
    if (note != NULL)
        *note = damage.status == WM_E_DAMAGED ? damage : (wm_error){ WM_OK, "" };
    *ret = self;
    return WM_OK;
}

void wm_pending_free(wm_pending *pending)
{
    if (pending == NULL)
        return;
    free(pending->held_path);
    free(pending->state_path);
    free(pending->held);
    free(pending->state);
    free(pending);
}

bool wm_pending_held(const wm_pending *pending, wm_held *ret)
{
    if (pending->held == NULL)
        return false;
    *ret = (wm_held){
        .phase = (wm_phase)pending->head.phase,
        .round = pending->head.round,
        .model = pending->head.model,
        .digest = pending->head.update,
        .loss = pending->head.loss,
        .bytes = update_bytes(pending),
        .n_bytes = pending->head.n_update,
    };
    memcpy(ret->run, pending->head.run, sizeof ret->run);
    return true;
}

static pending_head head_of(wm_phase phase, const wm_update *update, double loss, size_t n_state)
{
    pending_head head = { .phase = (uint32_t)phase,
                          .round = update->key.round,
                          .model = update->key.model,
                          .update = wm_sha256_of(update->bytes, update->n_bytes),
                          .loss = loss,
                          .n_state = n_state,
                          .n_update = update->n_bytes };

    memcpy(head.run, update->key.run, sizeof head.run);
    return head;
}

/* In place of what was held. */
static void take(wm_pending *self, uint8_t *held, bool in_memory, const pending_head *head)
{
    free(self->held);
    self->held = held;
    self->in_memory = in_memory;
    self->head = *head;
}

wm_status wm_pending_keep(wm_pending *pending, wm_phase phase, wm_update *update, double loss, const float *state,
                          size_t n_state, wm_error *err)
{
    pending_head head = head_of(phase, update, loss, n_state);
    size_t       n, state_bytes;
    uint8_t     *file = NULL;
    wm_status    st;

    if (wm_size_mul(n_state, sizeof(float), &state_bytes) && wm_size_add(state_offset(), state_bytes, &n) &&
        wm_size_add(n, update->n_bytes, &n))
        file = malloc(n);
    if (file == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to keep an update of %zu bytes", update->n_bytes);
    memset(file, 0, state_offset());
    memcpy(file + SEAL_SIZE, &head, sizeof head);
    if (n_state > 0)
        memcpy(file + state_offset(), state, state_bytes);
    memcpy(file + state_offset() + state_bytes, update->bytes, update->n_bytes);
    wm_crash_point("client-keep-before");
    st = write_sealed(pending, pending->held_path, pending_magic, file, n, update->n_bytes, err);
    if (st != WM_OK) {
        free(file);
        return st;
    }
    wm_crash_point("client-keep-after");
    take(pending, file, false, &head);
    wm_update_release(update);
    return WM_OK;
}

wm_status wm_pending_hold(wm_pending *pending, wm_phase phase, wm_update *update, double loss, wm_error *err)
{
    pending_head head = head_of(phase, update, loss, 0);

    if (pending->held != NULL && !pending->in_memory) { /* else that one would be there again after a crash */
        wm_status st = pending->files->remove(pending->files, pending->held_path, err);

        if (st != WM_OK)
            return st;
    }
    take(pending, update->bytes, true, &head);
    update->bytes = NULL;
    wm_update_release(update);
    return WM_OK;
}

/* The state that goes with a committed update becomes what the strategy keeps. */
static wm_status keep_state(wm_pending *self, wm_error *err)
{
    state_head head = { .n_state = self->head.n_state };
    size_t     bytes = self->head.n_state * sizeof(float), n = SEAL_SIZE + sizeof head + bytes;
    uint8_t   *file = malloc(n);
    wm_status  st;

    if (file == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the strategy's state");
    memcpy(head.run, self->head.run, sizeof head.run);
    memcpy(file + SEAL_SIZE, &head, sizeof head);
    memcpy(file + SEAL_SIZE + sizeof head, self->held + state_offset(), bytes);
    st = write_sealed(self, self->state_path, state_magic, file, n, 0, err);
    if (st != WM_OK) {
        free(file);
        return st;
    }
    free(self->state);
    self->state = file;
    self->state_head = head;
    return WM_OK;
}

wm_status wm_pending_let_go(wm_pending *pending, bool committed, wm_error *err)
{
    wm_status st = WM_OK;

    if (pending->held == NULL)
        return WM_OK;
    if (committed && pending->head.n_state > 0)
        st = keep_state(pending, err);
    wm_crash_point("client-let-go-before");
    if (st == WM_OK && !pending->in_memory)
        st = pending->files->remove(pending->files, pending->held_path, err);
    if (st != WM_OK)
        return st;
    wm_crash_point("client-let-go-after");
    free(pending->held);
    pending->held = NULL;
    return WM_OK;
}

wm_status wm_pending_state(const wm_pending *pending, const uint8_t run[WM_RUN_ID_SIZE], float **ret, size_t *n,
                           wm_error *err)
{
    size_t count = pending->state != NULL ? pending->state_head.n_state : 0;
    float *copy;

    if (count == 0 || memcmp(pending->state_head.run, run, WM_RUN_ID_SIZE) != 0) {
        *ret = NULL;
        *n = 0;
        return WM_OK;
    }
    copy = malloc(count * sizeof *copy);
    if (copy == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the strategy's state");
    memcpy(copy, pending->state + SEAL_SIZE + sizeof(state_head), count * sizeof *copy);
    *ret = copy;
    *n = count;
    return WM_OK;
}
