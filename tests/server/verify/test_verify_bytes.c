/* tests/server/verify/test_verify_bytes.c
 *
 * The file of the database, a byte at a time: the history checker names it, or the byte meant nothing. */
#include "tests/server/verify/history.h"

#include "server/store/inside.h"
#include "tests/figures.h"

#include <fcntl.h>
#include <unistd.h>

/* What the audit answers for, as one digest. */
static wm_digest protected_rows(const history *h)
{
    static const char *const parts[] = {
        "SELECT quote(line) || quote(wall_ms) || quote(run) || what || detail || quote(hash) FROM audit ORDER BY line",
        "SELECT quote(run) || round || ' ' || attempts || ' ' || selected || ' ' || accepted || ' ' || total_weight || "
        "quote(model_before) || quote(model_after) || quote(sums) || quote(server_state) || quote(train_loss) FROM rounds "
        "ORDER BY run, round",
        "SELECT quote(run) || round || ' ' || client || quote(digest) || quote(weight) FROM contributions WHERE verdict = 1 "
        "ORDER BY run, round, client",
        "SELECT quote(id) || job_name || job_text || quote(seed) || keep || quote(model) || quote(scaling) || quote(statistics) "
        "|| phase || outcome || why FROM runs",
        "SELECT quote(run) || round || ' ' || client || ' ' || place_of FROM substitutes ORDER BY run, round, client",
        "SELECT quote(run) || client || name FROM population ORDER BY run, client",
        "SELECT serial || name || not_after_ms || (revoked_ms <> 0) FROM certificates ORDER BY serial",
        "SELECT quote(run) || job_name || job_text || quote(seed) FROM queue ORDER BY run",
    };
    char     *path = history_path(h, "store.db");
    wm_db     db;
    wm_sha256 sha;
    wm_digest digest;
    wm_error  err;

    assert_ok(wm_db_open(path, &db, &err), &err);
    wm_sha256_init(&sha);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        wm_query q;

        wm_query_init(&q, &db, parts[i], &err);
        while (wm_query_row(&q)) {
            const char *text = wm_column_text(&q);

            wm_sha256_add(&sha, text, strlen(text) + 1);
        }
        assert_ok(wm_query_done(&q), &err);
    }
    wm_sha256_take(&sha, &digest);
    wm_db_close(&db);
    free(path);
    return digest;
}

/* The database's file, a byte at a time: it is named, or the byte meant nothing. */
static void a_flipped_byte_of_the_file_is_named_or_means_nothing(void **state)
{
    history    *h = *state;
    const char *wish = getenv("WM_FLIPS");
    size_t      tries = wish != NULL ? (size_t)atoi(wish) : 250, step = h->n_database / tries | 1;
    uint64_t    done = 0, named = 0;
    char       *path = history_path(h, "store.db");
    wm_digest   whole = protected_rows(h), is;
    int         fd;

    history_restore(h);
    for (size_t at = step / 2; at < h->n_database; at += step, done++) {
        uint8_t byte = (uint8_t)(h->database[at] ^ (1u << at % 8));

        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0 && pwrite(fd, &byte, 1, (off_t)at) == 1);
        close(fd);
        history_verify(h);
        if (h->result.violations > 0) {
            named++;
        } else {
            is = protected_rows(h);
            if (!wm_digest_equal(&is, &whole))
                fail_msg("byte %zu of store.db was changed and nobody said so", at);
        }
        history_restore(h);
    }
    print_message("# %llu of %llu flipped bytes are named, the others mean nothing\n", (unsigned long long)named,
                  (unsigned long long)done);
    assert_true(named > done / 10);
    tell_fault(&(fault_figure){
        .fault = "a byte of the store's file flipped", .tries = done, .survived = done, .seconds = -1 });
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_flipped_byte_of_the_file_is_named_or_means_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
