/* tests/disk/test_damage_store.c
 *
 * Each file of an aggregator's folder is damaged, in the middle of a run and after it. Whatever happens to it, one of three
 * things becomes of the office: it goes on to the same model, and its history holds; or it does not open, with a sentence
 * that says what is damaged and what to do; or it goes on, and `verify` names what is damaged. WM_CHANCES says how many
 * tries at random there are for a file, beyond each byte of its head. */
#include "tests/disk/damage.h"
#include "tests/disk/images.h"
#include "tests/disk/life.h"
#include "tests/figures.h"
#include "tests/unit.h"

#include "common/files.h"

#include <sys/stat.h>

typedef struct scene {
    life     l;
    disk    *d;
    size_t   chances;
    uint64_t fates[LIFE_FATES];
} scene;

static size_t chances(size_t usual)
{
    const char *text = getenv("WM_CHANCES");

    return text != NULL ? (size_t)strtoull(text, NULL, 10) : usual;
}

/* The file of a sound image, damaged in every way. */
static void damage_file(scene *s, size_t moment, const char *image, const char *name, size_t head, size_t n_chances)
{
    char    *path = wm_path_join(image, name), says[200], said[WM_ERROR_TEXT];
    uint8_t *bytes;
    damage   d = { .head = head, .chances = n_chances };
    wm_error err;

    assert_ok(wm_folder_remove(image, &err), &err);
    disk_image_whole(s->d, moment, image);
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 24, &bytes, &d.n, &err), &err);
    d.bytes = bytes;
    for (size_t way = 0; way < damage_ways(&d); way += getenv("WM_WHOLE") != NULL ? 1 : 4) {
        assert_ok(wm_folder_remove(image, &err), &err);
        disk_image_whole(s->d, moment, image);
        damage_do(&d, way, path, says, sizeof says);
        images_case("%s at moment %zu: %s", name, moment, says);
        s->fates[life_try(&s->l, image, said)]++;
        if (getenv("WM_TELL") != NULL)
            print_message("%s: %s: %s\n", name, says, said);
    }
    free(bytes);
    free(path);
}

static void damage_all(scene *s, size_t moment, const char *image)
{
    char   **names, *blobs = wm_path_join(image, "blobs"), *name;
    size_t   n;
    wm_error err;

    assert_ok(wm_folder_remove(image, &err), &err);
    disk_image_whole(s->d, moment, image);
    assert_ok(wm_folder_names(blobs, &names, &n, &err), &err);
    damage_file(s, moment, image, "store.db", 100, s->chances);
    name = wm_path_join(image, "store.db-wal");
    if (wm_files_system()->exists(wm_files_system(), name))
        damage_file(s, moment, image, "store.db-wal", 32 + 24, s->chances);
    free(name);
    for (size_t i = 0; i < n; i++) {
        name = wm_path_join("blobs", names[i]);
        damage_file(s, moment, image, name, 8, s->chances / 20);
        free(name);
    }
    wm_names_free(names, n);
    free(blobs);
}

static void whatever_is_damaged_nothing_goes_wrong_in_silence(void **state)
{
    char     folder[4096], place[4096], image[4200];
    scene    s = { .chances = chances(100) };
    uint64_t tries;
    wm_error err;

    (void)state;
    s.d = disk_watch(disk_folder(folder));
    life_init(&s.l, 7);
    life_live(&s.l, folder, s.d);
    disk_rest(s.d);
    snprintf(image, sizeof image, "%s/image", disk_folder(place));
    damage_all(&s, s.l.safe[s.l.lines / 3], image);
    damage_all(&s, s.l.safe[2 * s.l.lines / 3], image);
    damage_all(&s, disk_moment(s.d), image);
    tries = s.fates[LIFE_WENT_ON] + s.fates[LIFE_SAID_SO] + s.fates[LIFE_NAMED];
    print_message("# %llu went on to the same model, %llu said so when opened, %llu were named by verify\n",
                  (unsigned long long)s.fates[LIFE_WENT_ON], (unsigned long long)s.fates[LIFE_SAID_SO],
                  (unsigned long long)s.fates[LIFE_NAMED]);
    tell_fault(&(fault_figure){
        .fault = "a damaged file of the aggregator's store", .tries = tries, .survived = tries, .seconds = -1 });
    disk_free(s.d);
    life_release(&s.l);
    assert_ok(wm_folder_remove(folder, &err), &err);
    assert_ok(wm_folder_remove(place, &err), &err);
}

/* ---- what can be computed again ---- */

/* The files of a run in the middle of its rounds. */
typedef struct files {
    wm_standing at;
    wm_digest   models[8], sums[8]; /* models[0] is the first one */
    size_t      rounds;
} files;

static void keep_files(void *context, const wm_round_record *round)
{
    files *f = context;

    assert_true(round->round < 8);
    f->rounds = round->round;
    f->models[round->round - 1] = round->model_before;
    f->models[round->round] = round->model_after;
    f->sums[round->round] = round->sums;
}

static void spoil(const char *image, const wm_digest *name)
{
    char     text[WM_DIGEST_TEXT], path[4400];
    wm_error err;

    snprintf(path, sizeof path, "%s/blobs/%s", image, wm_digest_text(name, text));
    assert_ok(wm_files_system()->replace(wm_files_system(), path, "spoilt", 6, 0600, &err), &err);
}

enum { NEWEST = 1, ONE_BEFORE = 2, ALL_MODELS = 4, NEWEST_SUMS = 8, SCALING = 16 };

static const struct {
    const char *says;
    unsigned    spoilt;
    life_fate   want;
    const char *sentence;
} again[] = {
    { "the newest model follows from the one before and the sums", NEWEST, LIFE_WENT_ON, "" },
    { "and that one from its own", NEWEST | ONE_BEFORE, LIFE_NAMED, "put it back from a backup" },
    { "and the first one from the seed", ALL_MODELS, LIFE_NAMED, "put it back from a backup" },
    { "not without the sums", NEWEST | NEWEST_SUMS, LIFE_SAID_SO, "what it could be computed from is too" },
    { "damaged sums are named, and needed by nobody", NEWEST_SUMS, LIFE_NAMED, "the sums" },
    { "a scaling that is damaged is no loop for the gateways", SCALING, LIFE_SAID_SO, "the scaling" },
};

static void do_spoil(const files *f, unsigned spoilt, const char *image)
{
    if ((spoilt & NEWEST) != 0)
        spoil(image, &f->models[f->rounds]);
    if ((spoilt & ONE_BEFORE) != 0)
        spoil(image, &f->models[f->rounds - 1]);
    for (size_t i = 0; (spoilt & ALL_MODELS) != 0 && i <= f->rounds; i++)
        spoil(image, &f->models[i]);
    if ((spoilt & NEWEST_SUMS) != 0)
        spoil(image, &f->sums[f->rounds]);
    if ((spoilt & SCALING) != 0)
        spoil(image, &f->at.scaling);
}

static void a_damaged_model_is_computed_again_from_what_is_sound(void **state)
{
    char       folder[4096], place[4096], image[4200], said[WM_ERROR_TEXT];
    scene      s = { 0 };
    files      f = { .rounds = 0 };
    size_t     moment;
    wm_ledger *ledger;
    wm_error   err;

    (void)state;
    s.d = disk_watch(disk_folder(folder));
    life_init(&s.l, 7);
    life_live(&s.l, folder, s.d);
    disk_rest(s.d);
    snprintf(image, sizeof image, "%s/image", disk_folder(place));
    moment = s.l.safe[s.l.lines - 4]; /* the last round is open */
    disk_image_whole(s.d, moment, image);
    assert_ok(life_open(&s.l, image, &err), &err);
    ledger = wm_store_ledger(s.l.store);
    assert_ok(ledger->rounds(ledger, s.l.w.record.id, keep_files, &f, &err), &err);
    assert_ok(ledger->load(ledger, s.l.w.record.id, &f.at, &err), &err);
    life_close(&s.l);
    assert_true(f.rounds >= 3 && f.at.phase != WM_PHASE_CLOSED &&
                wm_digest_equal(&f.at.model, &f.models[f.rounds]));
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        assert_ok(wm_folder_remove(image, &err), &err);
        disk_image_whole(s.d, moment, image);
        do_spoil(&f, again[i].spoilt, image);
        images_case("%s", again[i].says);
        if (life_try(&s.l, image, said) != again[i].want || strstr(said, again[i].sentence) == NULL)
            images_fail("%s", said);
    }
    disk_free(s.d);
    life_release(&s.l);
    assert_ok(wm_folder_remove(folder, &err), &err);
    assert_ok(wm_folder_remove(place, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_model_is_computed_again_from_what_is_sound),
        cmocka_unit_test(whatever_is_damaged_nothing_goes_wrong_in_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
