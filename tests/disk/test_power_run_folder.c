/* tests/disk/test_power_run_folder.c
 *
 * The folder that a run leaves loses its power at every operation. A file that is replaced is the old one or the new one,
 * whole; rounds.csv, which grows without being synced, may be anything; and opened again all of it is as it should be. */
#include "tests/disk/images.h"
#include "tests/disk/life.h"
#include "tests/unit.h"

#include "models/safetensors.h"
#include "server/report/run_folder.h"

#include <jansson.h>

typedef struct folder_life {
    life      l;
    char      store[4096];
    wm_ledger young; /* the store's, before any round */
} folder_life;

static wm_status no_rounds(wm_ledger *self, const uint8_t                                  *run,
                           void (*each)(void *context, const wm_round_record *round), void *context, wm_error *err)
{
    (void)self;
    (void)run;
    (void)each;
    (void)context;
    (void)err;
    return WM_OK;
}

static wm_status open_folder(folder_life *f, const char *path, wm_ledger *ledger, wm_run_folder **ret,
                             wm_error *err)
{
    world *w = &f->l.w;

    return wm_run_folder_open(&(wm_run_folder_settings){ .files = wm_files_system(),
                                                         .path = path,
                                                         .job = &w->job,
                                                         .model = w->model,
                                                         .record = &w->record,
                                                         .ledger = ledger,
                                                         .blobs = w->blobs,
                                                         .clock = wm_clock_manual(&w->time) },
                              ret, err);
}

/* The rounds as the store tells them: while it does so, nobody may ask it anything else. */
typedef struct rounds {
    wm_round_record items[8];
    wm_contribution parts[8][WORLD_CLIENTS_MAX];
    size_t          n;
} rounds;

static void copy_round(void *context, const wm_round_record *round)
{
    rounds *r = context;

    images_assert(r->n < 8 && round->n_contributions <= WORLD_CLIENTS_MAX);
    memcpy(r->parts[r->n], round->contributions, round->n_contributions * sizeof *round->contributions);
    r->items[r->n] = *round;
    r->items[r->n].contributions = r->parts[r->n];
    r->n++;
}

static void live(folder_life *f, const char *path)
{
    wm_ledger     *ledger = wm_store_ledger(f->l.store);
    wm_run_folder *folder;
    wm_standing    standing;
    rounds        *r = calloc(1, sizeof *r);
    wm_error       err;

    images_assert(r != NULL);
    f->young = *ledger;
    f->young.rounds = no_rounds;
    images_assert_ok(ledger->rounds(ledger, f->l.w.record.id, copy_round, r, &err), &err);
    images_assert_ok(ledger->load(ledger, f->l.w.record.id, &standing, &err), &err);
    images_assert_ok(open_folder(f, path, &f->young, &folder, &err), &err);
    for (size_t i = 0; i < r->n; i++) {
        f->l.w.time.mono_ms += 400; /* all is written anew with every third one */
        images_assert_ok(wm_run_folder_round(folder, &r->items[i], &err), &err);
    }
    images_assert_ok(wm_run_folder_close(folder, &standing, NULL, &err), &err);
    wm_run_folder_free(folder);
    free(r);
}

/* A file of the folder, to free(); NULL if it is not there. */
static char *file_of(const char *folder, const char *name)
{
    char     *path = wm_path_join(folder, name);
    uint8_t  *bytes = NULL;
    size_t    n;
    wm_error  err;
    wm_status st = wm_files_system()->read(wm_files_system(), path, 1 << 24, &bytes, &n, &err);

    if (st != WM_E_MISSING)
        images_assert_ok(st, &err);
    free(path);
    return (char *)bytes;
}

static void check_whole(const char *name, const char *text, const folder_life *f)
{
    if (strcmp(name, "job.yaml") == 0) {
        images_assert(strcmp(text, f->l.w.record.job_text) == 0);
    } else if (strcmp(name, "summary.json") == 0) {
        json_t *json = json_loads(text, 0, NULL);

        images_assert(json != NULL);
        json_decref(json);
    } else if (strcmp(name, "report.html") == 0) {
        images_assert(strstr(text, "</html>") != NULL);
    } else if (strcmp(name, "clients.csv") == 0) {
        images_assert(strlen(text) > 0 && text[strlen(text) - 1] == '\n');
    }
}

static void check_model(const folder_life *f, const char *image, bool must)
{
    const wm_model *model = f->l.w.model;
    char           *path = wm_path_join(image, "model.safetensors");
    float          *params = calloc(wm_model_n_params(model), sizeof *params);
    wm_error        err;
    wm_status       st;

    images_assert(path != NULL && params != NULL);
    st = wm_safetensors_read(wm_files_system(), path, model, params, &err);
    if (must || st != WM_E_MISSING)
        images_assert_ok(st, &err);
    free(params);
    free(path);
}

static void check(void *context, const char *image, size_t moment)
{
    static const char *const all[] = { "clients.csv", "job.yaml",   "model.safetensors",
                                       "report.html", "rounds.csv", "summary.json" };
    folder_life             *f = context;
    wm_run_folder           *folder;
    char                   **names, *text;
    size_t                   n;
    wm_error                 err;

    (void)moment;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        text = file_of(image, all[i]);
        if (text != NULL)
            check_whole(all[i], text, f);
        free(text);
    }
    check_model(f, image, false);
    images_assert_ok(open_folder(f, image, wm_store_ledger(f->l.store), &folder, &err), &err);
    wm_run_folder_free(folder);
    images_assert_ok(wm_folder_names(image, &names, &n, &err), &err);
    images_assert(n == sizeof all / sizeof *all);
    for (size_t i = 0; i < n; i++)
        images_assert(strcmp(names[i], all[i]) == 0);
    wm_names_free(names, n);
    check_model(f, image, true);
    text = file_of(image, "rounds.csv");
    images_assert(text != NULL && strstr(text, "\n4,") != NULL && strstr(text, "\n5,") == NULL);
    free(text);
}

static void no_power_cut_leaves_half_a_file_in_the_folder_of_a_run(void **state)
{
    char        folder[4096];
    folder_life f = { 0 };
    disk       *d;
    wm_error    err;

    (void)state;
    life_init(&f.l, 7);
    life_live(&f.l, disk_folder(f.store), NULL);
    assert_ok(life_open(&f.l, f.store, &err), &err);
    d = disk_watch(disk_folder(folder));
    live(&f, folder);
    images_look(d, "power lost at any operation on the folder of a run", 150, check, &f);
    disk_free(d);
    life_release(&f.l);
    assert_ok(wm_folder_remove(f.store, &err), &err);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_cut_leaves_half_a_file_in_the_folder_of_a_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
