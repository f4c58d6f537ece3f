/* server/store/verify.c */
#include "server/store/verify.h"

#include "server/store/schema.h"
#include "server/store/verify_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PIECE = 64 << 10, TELL_MOST = 1000 };

void wm_verify_say(wm_verifier *v, const wm_finding *where, const char *fmt, ...)
{
    uint64_t  *count = where->violation ? &v->result.violations : &v->result.notes;
    wm_finding finding = *where;
    wm_text    text = WM_TEXT_INIT;
    va_list    args;

    /* In an office that has been rewritten every line may be wrong: a thousand say it as well as a million. */
    if (++*count > TELL_MOST || v->set->finding == NULL)
        return;
    va_start(args, fmt);
    wm_text_vprintf(&text, fmt, args);
    va_end(args);
    finding.text = text.bad ? "something does not hold, and there is no memory to say what" : wm_text_chars(&text);
    v->set->finding(v->set->context, &finding);
    wm_text_release(&text);
}

void wm_verify_progress(wm_verifier *v, const char *what, uint64_t done, uint64_t all)
{
    if (v->set->progress != NULL)
        v->set->progress(v->set->context, what, done, all);
}

/* ---- the copy ---- */

/* A folder of our own for the copy of the database, and the paths in it. */
typedef struct scratch {
    char *folder, *db, *log;
} scratch;

static void scratch_release(scratch *s)
{
    if (s->folder != NULL)
        (void)wm_folder_remove(s->folder, NULL);
    free(s->folder);
    free(s->db);
    free(s->log);
}

static wm_status scratch_make(scratch *s, wm_error *err)
{
    const char *base = getenv("TMPDIR");
    char       *folder = wm_path_join(base != NULL && *base != '\0' ? base : "/tmp", "wardmote-verify-XXXXXX");

    if (folder == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    if (mkdtemp(folder) == NULL) {
        wm_status st = wm_fail(err, WM_E_IO, "cannot make the folder %s for a copy of the database: %s", folder,
                               strerror(errno));

        free(folder);
        return st;
    }
    s->folder = folder;
    s->db = wm_path_join(folder, "store.db");
    s->log = wm_path_join(folder, "store.db-wal");
    return s->db != NULL && s->log != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for a path");
}

static wm_status failed(const char *deed, const char *path, wm_error *err)
{
    int       e = errno;
    wm_status st = e == ENOENT ? WM_E_MISSING : e == ENOSPC || e == EDQUOT || e == EFBIG ? WM_E_FULL : WM_E_IO;

    return wm_fail(err, st, "cannot %s %s: %s", deed, path, strerror(e));
}

static wm_status copy_file(const char *from, const char *to, wm_error *err)
{
    uint8_t   piece[PIECE];
    ssize_t   n = 0;
    int       in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    wm_status st = WM_OK;

    if (in < 0)
        return failed("open", from, err);
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        st = failed("make", to, err);
    while (st == WM_OK && (n = read(in, piece, sizeof piece)) > 0)
        for (ssize_t done = 0, more; st == WM_OK && done < n; done += more) {
            more = write(out, piece + done, (size_t)(n - done));
            if (more < 0)
                st = failed("write", to, err);
        }
    if (st == WM_OK && n < 0)
        st = failed("read", from, err);
    close(in);
    if (out >= 0)
        close(out);
    return st;
}

/* So that no server writes while we read; a backup has no such file, and is written by nobody. */
static wm_status take_lock(const char *folder, int *ret, wm_error *err)
{
    char     *path = wm_path_join(folder, "lock");
    wm_status st = WM_OK;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    if (*ret < 0 && errno != ENOENT)
        st = failed("open", path, err);
    else if (*ret >= 0 && flock(*ret, LOCK_SH | LOCK_NB) != 0)
        st = wm_fail(err, WM_E_REFUSED, "the store in %s is open in another process", folder);
    free(path);
    return st;
}

static wm_status copy_database(const char *folder, const scratch *s, wm_error *err)
{
    char     *db = wm_path_join(folder, "store.db"), *log = wm_path_join(folder, "store.db-wal");
    wm_status st = WM_OK;

    if (db == NULL || log == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    if (st == WM_OK)
        st = copy_file(db, s->db, err);
    if (st == WM_E_MISSING)
        wm_fail(err, st, "%s is neither an office nor a backup of one: it has no store.db", folder);
    else if (st == WM_OK && (st = copy_file(log, s->log, err)) == WM_E_MISSING)
        st = WM_OK; /* it was closed well */
    free(db);
    free(log);
    return st;
}

/* ---- the whole ---- */

/* What SQLite says of the copy, it says of the original. */
static void say_damaged(wm_verifier *v, const scratch *s, const char *shown, const wm_error *why)
{
    const wm_finding where = { .violation = true, .area = "file" };
    const char      *at = strstr(why->text, s->db);

    if (at != NULL)
        wm_verify_say(v, &where, "%.*s%s%s", (int)(at - why->text), why->text, shown, at + strlen(s->db));
    else
        wm_verify_say(v, &where, "%s: %s", shown, why->text);
}

static wm_status open_copy(wm_verifier *v, const scratch *s, const char *shown, wm_error *err)
{
    char     *path;
    wm_status st = wm_db_open(s->db, &v->db, err);

    if (st == WM_OK) /* nobody needs the copy after a power cut */
        st = wm_db_run(&v->db, "PRAGMA synchronous = OFF", err);
    if (st != WM_OK)
        return st;
    st = wm_schema_apply(&v->db, wm_schema_steps, wm_schema_n_steps, err);
    if (st != WM_OK)
        return st;
    path = strdup(shown);
    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    free(v->db.path);
    v->db.path = path;
    return WM_OK;
}

static wm_status check_all(wm_verifier *v, wm_error *err)
{
    static wm_status (*const parts[])(wm_verifier *, wm_error *) = { wm_verify_chain, wm_verify_rows,
                                                                     wm_verify_runs, wm_verify_files,
                                                                     wm_verify_heads };
    wm_status st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < sizeof parts / sizeof *parts; i++)
        st = parts[i](v, err);
    return st;
}

/* The database of `s`, shown as that of `office`, with the blobs in v->blobs_folder. A store that cannot be read because
 * it is damaged is a finding, and the last one. */
static wm_status check_copy(wm_verifier *v, const scratch *s, const char *office, wm_error *err)
{
    char     *shown = wm_path_join(office, "store.db");
    wm_error  why = { WM_OK, "" };
    wm_status st;

    if (shown == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    st = open_copy(v, s, shown, &why);
    if (st == WM_OK)
        st = check_all(v, &why);
    if (st == WM_E_DAMAGED)
        say_damaged(v, s, shown, &why);
    wm_db_close(&v->db);
    free(shown);
    return st == WM_OK || st == WM_E_DAMAGED ? WM_OK : wm_fail(err, st, "%s", why.text);
}

wm_status wm_verify(const wm_verify_settings *settings, wm_verify_result *ret, wm_error *err)
{
    const char *office = settings->office != NULL ? settings->office : settings->folder;
    wm_verifier v = { .set = settings, .office = office };
    char       *blobs = wm_path_join(settings->folder, "blobs");
    scratch     s = { 0 };
    int         lock_fd = -1;
    wm_status   st = take_lock(settings->folder, &lock_fd, err);

    v.blobs_folder = wm_path_join(office, "blobs");
    if (st == WM_OK && (blobs == NULL || v.blobs_folder == NULL))
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    if (st == WM_OK)
        st = scratch_make(&s, err);
    if (st == WM_OK)
        st = copy_database(settings->folder, &s, err);
    if (st == WM_OK && settings->files->exists(settings->files, blobs)) /* or it would be made */
        st = wm_blobs_new(settings->files, blobs, &v.blobs, err);
    if (st == WM_OK)
        st = check_copy(&v, &s, office, err);
    if (st == WM_OK)
        *ret = v.result;
    wm_blobs_free(v.blobs);
    scratch_release(&s);
    if (lock_fd >= 0)
        close(lock_fd);
    free(v.blobs_folder);
    free(blobs);
    return st;
}

wm_status wm_verify_store(wm_store *store, const wm_verify_settings *settings, wm_verify_result *ret, wm_error *err)
{
    const char *office = settings->office != NULL ? settings->office : store->folder;
    wm_verifier v = {
        .set = settings, .office = office, .blobs = store->blobs, .blobs_folder = wm_path_join(office, "blobs")
    };
    scratch   s = { 0 };
    wm_status st =
        v.blobs_folder != NULL ? scratch_make(&s, err) : wm_fail(err, WM_E_NOMEM, "no memory for a path");

    wm_store_pin(store, true);
    if (st == WM_OK) {
        wm_store_lock(store);
        st = wm_store_copy_pages(store, s.db, err);
        wm_store_unlock(store);
    }
    if (st == WM_OK)
        st = check_copy(&v, &s, office, err);
    wm_store_pin(store, false);
    if (st == WM_OK)
        *ret = v.result;
    scratch_release(&s);
    free(v.blobs_folder);
    return st;
}
