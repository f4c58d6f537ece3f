/* tests/fuzz/fuzz_heads.c
 *
 * What gateways have written down of the audit's head, from a card that was worn or a power that was cut: as the gateway
 * reads its own file again, and as `verify --heads` reads it. Whatever is in it: the gateway keeps what reads, remembers
 * the last, and its file is then one that reads whole; verify takes each line for a head or names it. */
#include "client/audit_heads.h"
#include "server/store/verify_inside.h"

#include "tests/fuzz/memory_files.h"

enum { LINES = 3, FILE_MOST = 1 << 20, BYTES_MOST = 400000 /* a gateway reads no more than 512,000 */ };

/* ---- the gateway ---- */

static wm_audit_heads *open_heads(const memory_files *folder)
{
    wm_audit_heads *heads = NULL;

    must(wm_audit_heads_open(&folder->files, "folder", &heads, NULL) == WM_OK);
    return heads;
}

/* The file as it lies there; NULL: there is none. */
static uint8_t *file_of(const memory_files *folder, size_t *n)
{
    uint8_t *bytes = NULL;

    *n = 0;
    if (folder->files.exists(&folder->files, "audit-heads"))
        must(folder->files.read(&folder->files, "audit-heads", FILE_MOST, &bytes, n, NULL) == WM_OK);
    return bytes;
}

static void read_as_gateway(memory_files *folder)
{
    const wm_digest hash = { .bytes = { 1 } }, other = { .bytes = { 2 } };
    wm_audit_heads *heads = open_heads(folder);
    uint8_t        *first, *second;
    size_t          n_first, n_second;
    wm_error        err = { WM_OK, "" };
    wm_status       st;

    first = file_of(folder, &n_first);
    must(n_first == 0 || memchr(first, 0, n_first) == NULL);
    wm_audit_heads_free(heads);
    heads = open_heads(folder); /* what was sorted out once is left alone */
    second = file_of(folder, &n_second);
    must(n_first == n_second && (n_first == 0 || memcmp(first, second, n_first) == 0));
    free(first);
    free(second);

    st = wm_audit_heads_seen(heads, 1000, &hash, 1700000000000, &err);
    must(st == WM_OK || (st == WM_E_UNTRUSTED && err.text[0] != '\0'));
    wm_audit_heads_free(heads);
    heads = open_heads(folder); /* and what was seen last is remembered, whatever stood before it */
    must(wm_audit_heads_seen(heads, 1000, &hash, 1700000000000, NULL) == WM_OK);
    must(wm_audit_heads_seen(heads, 1000, &other, 1700000000000, NULL) == WM_E_UNTRUSTED);
    must(wm_audit_heads_seen(heads, 999, &hash, 1700000000000, NULL) == WM_E_UNTRUSTED);
    must(wm_audit_heads_seen(heads, 2000, &hash, 1700000000000, NULL) == WM_OK);
    wm_audit_heads_free(heads);
}

/* ---- the office ---- */

static void count(void *context, const wm_finding *finding)
{
    must(finding->violation && finding->text[0] != '\0' && strcmp(finding->area, "head") == 0);
    ++*(uint64_t *)context;
}

/* An audit of three lines, of whose table nothing else is read; made once, and only read. */
static wm_db three_lines(void)
{
    static wm_db db;

    if (db.handle != NULL)
        return db;
    db.path = strdup("store.db");
    must(db.path != NULL && sqlite3_open(":memory:", &db.handle) == SQLITE_OK);
    must(sqlite3_exec(db.handle,
                      "CREATE TABLE audit (line INTEGER PRIMARY KEY, hash BLOB NOT NULL);"
                      "INSERT INTO audit VALUES (1, zeroblob(32)), (2, x'01' || zeroblob(31)), (3, zeroblob(32))",
                      NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static void read_as_office(const memory_files *folder, const taker *file)
{
    const char        *path = "audit-heads";
    uint64_t           said = 0, lines = 1;
    wm_verify_settings settings = {
        .files = &folder->files, .heads = &path, .n_heads = 1, .finding = count, .context = &said
    };
    wm_verifier v = { .set = &settings, .db = three_lines(), .result = { .head = { .lines = LINES } } };
    wm_error    err = { WM_OK, "" };

    for (size_t i = 0; i < file->n; i++)
        lines += file->bytes[i] == '\n' || file->bytes[i] == 0;
    must(wm_verify_heads(&v, &err) == WM_OK);
    must(v.result.heads <= lines && v.result.violations <= lines);
    must(said <= v.result.violations);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const taker  file = { bytes, n };
    memory_files folder;

    if (n > BYTES_MOST)
        return 0;
    memory_files_init(&folder);
    memory_files_put(&folder, "audit-heads", &file);
    read_as_office(&folder, &file);
    read_as_gateway(&folder);
    memory_files_release(&folder);
    return 0;
}
