/* tests/fuzz/fuzz_pending.c
 *
 * What a power cut, a worn SD card or a foreign hand left in a gateway's folder: `pending`, `strategy-state` and
 * `server-time`. The first byte says which seals are made right, since no fuzzer guesses a digest, the next two how many
 * bytes each of the first two files has. Whatever is there: it is held and whole, or gone and named. */
#include "client/pending.h"
#include "client/server_time.h"

#include "tests/fuzz/memory_files.h"

enum { SEAL = 8 + WM_DIGEST_SIZE, HELD_IS_RIGHT = 1, STATE_IS_RIGHT = 2 };

static void put(memory_files *folder, const char *name, const char *magic, const taker *bytes, bool is_right)
{
    uint8_t  *copy = take_copy(bytes);
    wm_digest digest;
    taker     whole = { copy, bytes->n };

    if (is_right && bytes->n >= SEAL) {
        digest = wm_sha256_of(copy + SEAL, bytes->n - SEAL);
        memcpy(copy, magic, 8);
        memcpy(copy + 8, digest.bytes, WM_DIGEST_SIZE);
    }
    if (bytes->n > 0)
        memory_files_put(folder, name, &whole);
    free(copy);
}

static void use_held(wm_pending *pending)
{
    uint8_t  run[WM_RUN_ID_SIZE] = { 0 };
    wm_held  held;
    uint8_t *copy;
    float   *state = NULL;
    size_t   n_state = 0;

    if (wm_pending_held(pending, &held)) {
        const taker update = { held.bytes, held.n_bytes };
        wm_digest   digest = wm_sha256_of(held.bytes, held.n_bytes);

        copy = take_copy(&update);
        must(wm_digest_equal(&digest, &held.digest));
        free(copy);
        memcpy(run, held.run, sizeof run);
    }
    must(wm_pending_state(pending, run, &state, &n_state, NULL) == WM_OK && (state == NULL) == (n_state == 0));
    free(state);
    must(wm_pending_let_go(pending, true, NULL) == WM_OK && !wm_pending_held(pending, &held));
    must(wm_pending_state(pending, run, &state, &n_state, NULL) == WM_OK);
    free(state);
}

static void read_time(const wm_files *files)
{
    wm_manual_clock clock = { 0 };
    wm_server_time *time;
    int64_t         now;

    must(wm_server_time_open(files, "folder", wm_clock_manual(&clock), &time, NULL) == WM_OK);
    now = wm_server_time_now(time);
    must(now >= 0 && now <= 253402300799999);
    clock.mono_ms += 1000;
    must(wm_server_time_now(time) == (now == 0 ? 0 : now + 1000));
    wm_server_time_heard(time, now + 5000);
    must(wm_server_time_now(time) >= now);
    wm_server_time_free(time);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker        from = { bytes, n };
    uint64_t     flags = take_number(&from, 1), n_held = take_number(&from, 1), n_state = take_number(&from, 1);
    taker        held = take_bytes(&from, n_held), state = take_bytes(&from, n_state);
    memory_files folder;
    wm_pending  *pending;
    wm_error     note = { WM_OK, "" }, err;

    memory_files_init(&folder);
    put(&folder, "pending", "WMPEND01", &held, (flags & HELD_IS_RIGHT) != 0);
    put(&folder, "strategy-state", "WMSTAT01", &state, (flags & STATE_IS_RIGHT) != 0);
    memory_files_put(&folder, "server-time", &from);
    must(wm_pending_open(&folder.files, "folder", &pending, &note, &err) == WM_OK);
    must(note.status == WM_OK ? note.text[0] == '\0' : note.text[0] != '\0');
    use_held(pending);
    wm_pending_free(pending);
    read_time(&folder.files);
    memory_files_release(&folder);
    return 0;
}
