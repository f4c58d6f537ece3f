/* tests/fuzz/seeds_of_stores.c: what is kept between two lives: updates and their sums, a gateway's pending one, rows. */
#include "client/pending.h"
#include "server/accumulator.h"
#include "tests/fuzz/memory_files.h"
#include "tests/fuzz/seed.h"
#include "tests/fuzz/update_spec.h"

#include <math.h>

/* ---- what gateways were shown of the audit ---- */

#define HASH "0100000000000000000000000000000000000000000000000000000000000000"
#define AT   " 2026-11-22T14:03:05Z"

static void heads(void)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        { "three", "1 " HASH AT "\n2 " HASH AT "\n3 " HASH AT "\n" },
        { "doubted", "2 " HASH AT "\n!1 " HASH AT "\n" },
        { "far",
          "18446744073709551615 " HASH AT "\n9223372036854775808 " HASH AT "\n99999999999999999999999 " HASH AT },
        { "negative", "-1 " HASH AT "\n0 " HASH AT "\n" },
        { "short", "2 0100 " AT "\n2 " HASH "\n2\n" },
        { "long", "2 " HASH "00" AT "\n2 " HASH AT "and more than fits into a time\n2 " HASH AT " more\n" },
        { "torn", "1 " HASH AT "\n2 " HASH },
        { "empty_lines", "\n\n1 " HASH AT "\n\n!\n!!2 " HASH AT "\n" },
        { "percent", "%s%n " HASH " %s%n\n" },
    };
    seed s = WM_TEXT_INIT;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        seed_text(&s, files[i].text);
        seed_write("heads", files[i].name, &s);
    }
    seed_text(&s, "1 " HASH AT "\n"); /* what a power cut leaves: blocks that were never written */
    for (int i = 0; i < 40; i++)
        seed_number(&s, 0, 1);
    seed_text(&s, "3 " HASH AT "\n");
    seed_write("heads", "zeroes", &s);
    for (int i = 1; i <= 1100; i++) { /* more than are kept */
        char line[128];

        snprintf(line, sizeof line, "%d " HASH AT "\n", i);
        seed_text(&s, line);
    }
    seed_write("heads", "many", &s);
}

/* ---- updates and sums ---- */

static wm_update an_update(const wm_update_spec *spec, float value, uint64_t weight)
{
    wm_update_key key = a_key();
    wm_update     update;

    must(wm_update_new(spec, &key, &update, NULL) == WM_OK);
    for (size_t i = 0; i < spec->n_parts; i++)
        for (size_t v = 0; v < spec->parts[i].n; v++) {
            if (spec->parts[i].kind == WM_PART_F32)
                ((float *)update.values[i])[v] = value;
            else
                ((int64_t *)update.values[i])[v] = 7;
        }
    update.weight = weight;
    wm_update_seal(&update, spec);
    return update;
}

static void update(const char *name, unsigned flags, const wm_update_spec *spec, float value, uint64_t weight,
                   int extra)
{
    wm_update made = an_update(spec, value, weight);
    seed      s = WM_TEXT_INIT;

    seed_number(&s, flags, 1);
    seed_bytes(&s, made.bytes, made.n_bytes - (size_t)(extra < 0 ? -extra : 0));
    for (int i = 0; i < extra; i++)
        seed_number(&s, 0, 1);
    wm_update_release(&made);
    seed_write("update", name, &s);
}

/* at, byte: a byte of the blob that is another; at 0: none, since it is the magic's */
static void sums(const char *name, size_t at, unsigned byte)
{
    wm_job          job = a_job();
    wm_update_spec  spec;
    wm_update       made;
    wm_accumulator *acc;
    const uint8_t  *blob;
    size_t          n;
    seed            s = WM_TEXT_INIT;

    wm_strategy_spec(&job, PARAMS, &spec);
    made = an_update(&spec, 0.25f, 100);
    must(wm_accumulator_new(&spec, 4, &acc, NULL) == WM_OK);
    wm_accumulator_add(acc, &made);
    wm_accumulator_add(acc, &made);
    blob = wm_accumulator_bytes(acc, &n);
    seed_number(&s, IS_SUMS, 1);
    seed_bytes(&s, blob, n);
    if (at != 0)
        s.chars[1 + at] = (char)byte;
    wm_accumulator_free(acc);
    wm_update_release(&made);
    seed_write("update", name, &s);
}

static void updates(void)
{
    wm_job         job = a_job();
    wm_update_spec spec;

    wm_strategy_spec(&job, PARAMS, &spec);
    update("right", 0, &spec, 0.5f, 10, 0);
    update("right_by_target", KEY_IS_RIGHT, &spec, 0.5f, 10, 0);
    update("mixed", HAS_INTEGERS, &mixed, -1, 10, 0);
    update("nan", 0, &spec, NAN, 10, 0);
    update("infinite", 0, &spec, INFINITY, 10, 0);
    update("over_the_bound", 0, &spec, 1e9f, 10, 0);
    update("no_weight", 0, &spec, 0, 0, 0);
    update("weight_bomb", 0, &spec, 0, UINT64_MAX, 0);
    update("too_short", 0, &spec, 0, 1, -1);
    update("too_long", 0, &spec, 0, 1, 1);
    update("of_another_shape", 0, &mixed, 0, 1, 0);
    sums("sums", 0, 0);
    sums("sums_of_another_version", 8, 2);
    sums("sums_of_another_part", 12, 9);
    sums("sums_without_updates", 24, 0);
    sums("sums_of_another_kind", 32, 1);
    sums("sums_with_a_far_shift", 32 + 8, 63);
    sums("sums_with_a_negative_shift", 32 + 11, 0x80);
}

/* ---- what a gateway keeps ---- */

static void pending(const char *name, unsigned flags, const memory_files *from, size_t cut, const char *time)
{
    int  held = memory_find(from, "pending"), state = memory_find(from, "strategy-state");
    seed s = WM_TEXT_INIT;

    seed_number(&s, flags, 1);
    seed_number(&s, held >= 0 ? from->items[held].n - cut : 0, 1);
    seed_number(&s, state >= 0 ? from->items[state].n - cut : 0, 1);
    if (held >= 0)
        seed_bytes(&s, from->items[held].bytes, from->items[held].n - cut);
    if (state >= 0)
        seed_bytes(&s, from->items[state].bytes, from->items[state].n - cut);
    seed_text(&s, time);
    seed_write("pending", name, &s);
}

static void keep(wm_pending *store)
{
    const float   state[] = { 1, 2, 3 };
    wm_update_key key = a_key();
    wm_update     update = { .key = key, .n_bytes = 40 };

    must((update.bytes = calloc(1, update.n_bytes)) != NULL);
    must(wm_pending_keep(store, WM_PHASE_TRAIN, &update, 0.5, state, 3, NULL) == WM_OK);
}

static void pendings(void)
{
    memory_files folder;
    wm_pending  *store;

    memory_files_init(&folder);
    pending("nothing", 0, &folder, 0, "");
    must(wm_pending_open(&folder.files, "folder", &store, NULL, NULL) == WM_OK);
    keep(store);
    pending("held", 0, &folder, 0, "1790000000000\n");
    pending("held_changed", 0, &folder, 1, "179000000000000000000\n");
    pending("held_short", 3, &folder, 1, "-5\n");
    must(wm_pending_let_go(store, true, NULL) == WM_OK);
    pending("state", 0, &folder, 0, "1790000000000 x\n");
    keep(store);
    pending("both", 3, &folder, 0, "253402300799999");
    pending("both_short", 3, &folder, 8, "\xff\xff");
    for (int i = 0; i < MEMORY_FILES; i++) /* the counts of floats and bytes are those that a file cannot have */
        if (folder.items[i].n > 120)
            memset(folder.items[i].bytes + 104, 0xff, 16);
    pending("length_bomb", 3, &folder, 0, "9223372036854775807");
    wm_pending_free(store);
    memory_files_release(&folder);
}

/* ---- rows ---- */

enum { NUL, WHOLE, REAL, TEXT, BLOB, ZEROES, EVERY_ROW = 18 };

static void change(seed *s, unsigned column, unsigned what, const void *bytes, size_t n)
{
    seed_number(s, column, 1);
    seed_number(s, what, 1);
    seed_number(s, n, 1);
    seed_bytes(s, bytes, n);
}

/* Every column in turn with something of each type: what SQLite lets in is read. */
static void rows(void)
{
    static const uint8_t far[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
                         minus[8] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    char name[32];
    seed s = WM_TEXT_INIT;

    seed_number(&s, 0, 1);
    seed_write("store", "unchanged", &s);
    for (unsigned column = 0; column < 77; column++) {
        seed_number(&s, 0, 1);
        change(&s, column, (column & 1) != 0 ? WHOLE : EVERY_ROW + WHOLE, far, sizeof far);
        change(&s, column, REAL, minus, sizeof minus);
        change(&s, column, EVERY_ROW + TEXT, "%s\n\x80", 5);
        change(&s, column, BLOB, "12345", 5);
        snprintf(name, sizeof name, "column_%02u", column);
        seed_write("store", name, &s);
    }
    seed_number(&s, 0, 1);
    change(&s, 40, EVERY_ROW + WHOLE, far, sizeof far); /* results.client */
    seed_write("store", "results_of_nobody", &s);
    seed_number(&s, 0, 1);
    change(&s, 13, ZEROES, "\x20\0", 2); /* runs.model: 32 zeroes */
    change(&s, 0, BLOB, "run number two.", 16);
    seed_write("store", "another_id", &s);
    seed_bytes(&s, "\1\0\0\4WMSX", 8); /* not a database */
    seed_write("store", "no_database", &s);
    seed_number(&s, 1, 1);
    for (unsigned at = 4096; at < 16 * 4096; at += 4096) {
        seed_number(&s, at, 2);
        seed_bytes(&s, "\3\xff\xff\xff", 4);
    }
    seed_write("store", "pages_changed", &s);
    seed_bytes(&s, "\1\x3c\0\4\0\0\0\x63", 8); /* user_version */
    seed_write("store", "newer", &s);
}

void seeds_of_stores(void)
{
    heads();
    updates();
    pendings();
    rows();
}
