/* tests/disk/test_damage_files.c
 *
 * The files of a gateway, of an office's authority and of a model, damaged in every way of damage.h. What is only a copy,
 * or can be made again, is dropped or made again; what cannot be is named, in a sentence that has its place in it. WM_CHANCES
 * says how many tries at random there are for each, beyond each byte of its head. */
#include "tests/disk/damage.h"
#include "tests/disk/disk.h"
#include "tests/disk/images.h"
#include "tests/disk/life.h"
#include "tests/figures.h"
#include "tests/server/gateways.h"
#include "tests/unit.h"

#include "client/pending.h"
#include "client/server_time.h"
#include "models/safetensors.h"

#include <unistd.h>

typedef struct scene {
    place   *office;
    life     l;
    char     folder[4096]; /* a gateway's, and the model */
    wm_token token;
    wm_key  *key;
    uint8_t *db, *log; /* of the issuer, while it was open */
    size_t   n_db, n_log;
} scene;

/* ---- sound files ---- */

static const wm_update_spec spec = {
    .n_parts = 1,
    .parts = { { .name = "delta", .kind = WM_PART_F32, .n = 60, .bound = 16, .weight = WM_WEIGHT_EXAMPLES } },
    .weight_cap = 100,
};

static void keep_one(wm_pending *pending, uint32_t round)
{
    wm_update_key key = { .kind = WM_TASK_TRAIN, .round = round, .run = { 7 } };
    wm_update     update;
    wm_error      err;

    assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    update.weight = 10;
    wm_update_seal(&update, &spec);
    assert_ok(wm_pending_keep(pending, WM_PHASE_TRAIN, &update, 0.25, (const float[]){ 1, 2 }, 2, &err), &err);
}

static void make_gateway(scene *s)
{
    const wm_files *files = wm_files_system();
    wm_pending     *pending;
    wm_server_time *time;
    wm_identity     identity;
    wm_key         *next;
    wm_error        err;

    assert_ok(wm_pending_open(files, s->folder, &pending, NULL, &err), &err);
    keep_one(pending, 1);
    assert_ok(wm_pending_let_go(pending, true, &err), &err); /* leaves a state */
    keep_one(pending, 2);
    wm_pending_free(pending);
    assert_ok(wm_server_time_open(files, s->folder, wm_clock_manual(&s->office->time), &time, &err), &err);
    wm_server_time_heard(time, NOW);
    wm_server_time_free(time);
    identity = place_join(s->office, "west");
    assert_ok(wm_identity_save(&identity, files, s->folder, &err), &err);
    assert_ok(wm_identity_next_key(&identity, files, s->folder, &next, &err), &err);
    wm_key_free(next);
    wm_identity_release(&identity);
}

static uint8_t *sound(const char *folder, const char *name, size_t *n)
{
    char    *path = wm_path_join(folder, name);
    uint8_t *bytes;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 24, &bytes, n, &err), &err);
    free(path);
    return bytes;
}

static void make_model(scene *s)
{
    char    *path = wm_path_join(s->folder, "model.safetensors");
    float   *params = calloc(wm_model_n_params(s->l.w.model), sizeof *params);
    wm_error err;

    assert_non_null(params);
    assert_ok(wm_safetensors_write(wm_files_system(), path, s->l.w.model, params, NULL, &err), &err);
    free(params);
    free(path);
}

static int setup(void **state)
{
    scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    *state = s;
    s->office = place_new();
    s->key = new_key();
    s->token = place_token(s->office, "north", 0);
    wm_issued_free(place_enrol(s->office, &s->token, s->key));
    disk_folder(s->folder);
    life_init(&s->l, 7);
    make_gateway(s);
    make_model(s);
    s->db = sound(s->office->issuer_folder, "issuer.db", &s->n_db);
    s->log = sound(s->office->issuer_folder, "issuer.db-wal", &s->n_log);
    wm_issuer_free(s->office->issuer);
    s->office->issuer = NULL;
    return 0;
}

static int teardown(void **state)
{
    scene   *s = *state;
    wm_error err;

    wm_key_free(s->key);
    free(s->db);
    free(s->log);
    life_release(&s->l);
    place_free(s->office);
    assert_ok(wm_folder_remove(s->folder, &err), &err);
    free(s);
    return 0;
}

/* ---- opening them ---- */

/* Never fails: what does not hold is dropped with a word, and trained again. */
static wm_status open_pending(scene *s, wm_error *err)
{
    wm_pending *pending;
    wm_held     held;
    wm_error    note;
    wm_status   st = wm_pending_open(wm_files_system(), s->folder, &pending, &note, err);

    if (st == WM_OK) {
        images_assert(note.text[0] == '\0' || strstr(note.text, "is damaged") != NULL);
        images_assert(!wm_pending_held(pending, &held) || held.round == 2 || held.round == 3);
        keep_one(pending, 3);
        wm_pending_free(pending);
    }
    return st;
}

static wm_status open_identity(scene *s, wm_error *err)
{
    wm_identity identity;
    wm_status   st = wm_identity_load(wm_files_system(), s->folder, &identity, err);

    if (st == WM_OK) {
        images_assert(strcmp(identity.facts.name, "west") == 0);
        wm_identity_release(&identity);
    }
    return st;
}

static wm_status open_next_key(scene *s, wm_error *err)
{
    wm_key   *key;
    wm_status st = wm_identity_next_key(NULL, wm_files_system(), s->folder, &key, err);

    if (st == WM_OK)
        wm_key_free(key);
    return st;
}

static wm_status open_time(scene *s, wm_error *err)
{
    wm_server_time *time;
    wm_status st = wm_server_time_open(wm_files_system(), s->folder, wm_clock_manual(&s->office->time), &time, err);

    if (st == WM_OK) {
        images_assert(wm_server_time_now(time) >= 0);
        wm_server_time_free(time);
    }
    return st;
}

static wm_status open_model(scene *s, wm_error *err)
{
    char     *path = wm_path_join(s->folder, "model.safetensors");
    float    *params = calloc(wm_model_n_params(s->l.w.model), sizeof *params);
    wm_status st;

    images_assert(params != NULL);
    st = wm_safetensors_read(wm_files_system(), path, s->l.w.model, params, err);
    free(params);
    free(path);
    return st;
}

/* It opens, and answers about the token with a certificate or a refusal. */
static wm_status open_issuer(scene *s, wm_error *err)
{
    wm_issuer_settings settings = place_settings(s->office);
    wm_status          st = wm_issuer_open(&settings, &s->office->issuer, err);

    if (st != WM_OK)
        return st;
    wm_issued_free(place_enrol(s->office, &s->token, s->key));
    wm_issuer_free(s->office->issuer);
    s->office->issuer = NULL;
    return WM_OK;
}

static const struct {
    const char *file;
    bool        issuers; /* of the issuer's folder; else of the gateway's */
    bool        opens;   /* whatever happens to it */
    size_t      head;
    wm_status (*open)(scene *s, wm_error *err);
} kinds[] = {
    { "pending", false, true, 140, open_pending },        { "strategy-state", false, true, 80, open_pending },
    { "server-time", false, true, 20, open_time },        { "next.key", false, true, 300, open_next_key },
    { "identity.pem", false, false, 100, open_identity }, { "model.safetensors", false, false, 100, open_model },
    { "issuing.key", true, false, 300, open_issuer },     { "issuing.pem", true, false, 100, open_issuer },
    { "root.pem", true, false, 100, open_issuer },        { "issuer.db", true, false, 100, open_issuer },
    { "issuer.db-wal", true, false, 56, open_issuer },
};

/* The database as it was while it was open, so that its log counts. */
static void put_back(scene *s, const char *folder, const char *file, const uint8_t *bytes, size_t n, bool issuers)
{
    const struct {
        const char    *name;
        const uint8_t *bytes;
        size_t         n;
    } all[] = { { "issuer.db", s->db, s->n_db }, { "issuer.db-wal", s->log, s->n_log }, { file, bytes, n } };

    for (size_t i = issuers ? 0 : 2; i < sizeof all / sizeof *all; i++) {
        char    *path = wm_path_join(folder, all[i].name);
        wm_error err;

        assert_ok(wm_files_system()->replace(wm_files_system(), path, all[i].bytes, all[i].n, 0600, &err), &err);
        free(path);
    }
}

static uint64_t damage_kind(scene *s, size_t k, size_t chances)
{
    const char *folder = kinds[k].issuers ? s->office->issuer_folder : s->folder, *file = kinds[k].file;
    bool        kept = strncmp(file, "issuer.db", 9) == 0;
    char       *path = wm_path_join(folder, file), says[200];
    damage      d = { .head = kinds[k].head, .chances = chances };
    uint8_t    *bytes = kept ? NULL : sound(folder, file, &d.n);
    size_t      stride = getenv("WM_WHOLE") != NULL ? 1 : 4;
    uint64_t    tries = 0;
    wm_error    err;

    d.bytes = !kept ? bytes : file[9] == '\0' ? s->db : s->log;
    d.n = !kept ? d.n : file[9] == '\0' ? s->n_db : s->n_log;
    for (size_t way = 0; way < damage_ways(&d); way += stride, tries++) {
        put_back(s, folder, file, d.bytes, d.n, kinds[k].issuers);
        damage_do(&d, way, path, says, sizeof says);
        images_case("%s: %s", file, says);
        err = (wm_error){ WM_OK, "" };
        if (kinds[k].open(s, &err) == WM_OK)
            continue;
        /* A log that is damaged makes the database itself be named. */
        if (kinds[k].opens || err.status == WM_E_NOMEM || (!kept && strstr(err.text, file) == NULL) ||
            (kept && strstr(err.text, "issuer") == NULL) ||
            (strcmp(file, "model.safetensors") != 0 && err.status != WM_E_MISSING && err.status != WM_E_RANGE &&
             strstr(err.text, "backup") == NULL && strstr(err.text, "use that one") == NULL))
            images_fail("%s: %s", wm_status_name(err.status), err.text);
    }
    put_back(s, folder, file, d.bytes, d.n, kinds[k].issuers);
    images_case("%s: put back", file);
    images_assert_ok(kinds[k].open(s, &err), &err);
    put_back(s, folder, file, d.bytes, d.n, kinds[k].issuers);
    free(bytes);
    free(path);
    return tries;
}

static void a_damaged_file_is_made_again_or_named(void **state)
{
    const char *wish = getenv("WM_CHANCES");
    size_t      chances = wish != NULL ? (size_t)strtoull(wish, NULL, 10) : 50;
    uint64_t    tries = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        tries += damage_kind(*state, k, chances);
    tell_fault(&(fault_figure){ .fault = "a damaged file of a gateway, an authority or a model",
                                .tries = tries,
                                .survived = tries,
                                .seconds = -1 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_damaged_file_is_made_again_or_named, setup, teardown),
    };

    if (access("/dev/shm", W_OK) == 0) /* many small files, each of them synced */
        setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
