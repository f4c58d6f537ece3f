/* server/issuer/office.c */
#include "server/issuer/office.h"

#include "common/crash.h"
#include "common/crypto/authority.h"
#include "common/crypto/request.h"
#include "server/issuer/issuer_process.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERVER_PEM_MAX = 2 * WM_CHAIN_BYTES };

/* The office's paths, all allocated. */
typedef struct paths {
    char *root_key, *root, *issuer, *issuing_key, *issuing, *issuer_root;
} paths;

static void paths_release(paths *p)
{
    free(p->root_key);
    free(p->root);
    free(p->issuer);
    free(p->issuing_key);
    free(p->issuing);
    free(p->issuer_root);
}

static bool paths_init(paths *p, const char *folder)
{
    *p = (paths){ .root_key = wm_path_join(folder, "root.key"),
                  .root = wm_path_join(folder, "root.pem"),
                  .issuer = wm_path_join(folder, "issuer"),
                  .issuing_key = wm_path_join(folder, "issuer/issuing.key"),
                  .issuing = wm_path_join(folder, "issuer/issuing.pem"),
                  .issuer_root = wm_path_join(folder, "issuer/root.pem") };
    return p->root_key != NULL && p->root != NULL && p->issuer != NULL && p->issuing_key != NULL &&
           p->issuing != NULL && p->issuer_root != NULL;
}

/* The key of that file, or a new one in it. */
static wm_status key_at(const wm_files *files, const char *path, wm_key **ret, wm_error *err)
{
    wm_key   *key;
    wm_status st;

    if (files->exists(files, path))
        return wm_key_load(files, path, ret, err);
    st = wm_key_new(&key, err);
    if (st != WM_OK)
        return st;
    wm_crash_point("office-key-before-save");
    st = wm_key_save(key, files, path, err);
    wm_crash_point("office-key-after-save");
    if (st == WM_OK)
        *ret = key;
    else
        wm_key_free(key);
    return st;
}

static wm_status save_certificate(const wm_files *files, const char *path, wm_certificate *certificate,
                                  wm_error *err)
{
    wm_chain *chain = NULL;
    char     *pem = NULL;
    size_t    n;
    wm_status st = wm_chain_of(&certificate, 1, &chain, err);

    if (st == WM_OK)
        st = wm_chain_encode(chain, &pem, &n, err);
    if (st == WM_OK) {
        wm_crash_point("office-certificate-before-save");
        st = files->replace(files, path, pem, n, 0644, err);
        wm_crash_point("office-certificate-after-save");
    }
    free(pem);
    wm_chain_free(chain);
    return st;
}

static wm_status load_certificate(const wm_files *files, const char *path, wm_certificate **ret, wm_error *err)
{
    wm_chain *chain;
    wm_status st = wm_chain_load(files, path, &chain, err);

    if (st != WM_OK)
        return st;
    *ret = wm_chain_take_last(chain);
    wm_chain_free(chain);
    return WM_OK;
}

/* *certificate <- DIR/root.pem, made if it is not there. */
static wm_status prepare_root(const wm_office_settings *set, const paths *p, wm_certificate **certificate,
                              bool *made, wm_error *err)
{
    wm_key   *key = NULL;
    wm_status st;

    if (set->files->exists(set->files, p->root))
        return load_certificate(set->files, p->root, certificate, err);
    *made = true;
    st = key_at(set->files, p->root_key, &key, err);
    if (st == WM_OK)
        st = wm_authority_make_root(key, wm_wall_ms(&set->clock), certificate, err);
    if (st == WM_OK)
        st = save_certificate(set->files, p->root, *certificate, err);
    wm_key_free(key);
    return st;
}

/* The office is its owner's: others may pass through it, as the issuer's user must, and neither list nor change it. */
static wm_status make_office(const wm_office_settings *set, wm_error *err)
{
    struct stat info;
    wm_status   st = set->files->make_folder(set->files, set->folder, 0711, err);

    if (st == WM_OK && stat(set->folder, &info) == 0 && (info.st_mode & 066) != 0 &&
        chmod(set->folder, info.st_mode & 0711) != 0)
        st = wm_fail(err, WM_E_IO, "cannot close %s to others: %s", set->folder, strerror(errno));
    return st;
}

/* DIR/issuer/issuing.pem, for which the root's key must still be there. */
static wm_status make_issuing(const wm_office_settings *set, const paths *p, wm_certificate *root, wm_error *err)
{
    wm_key         *root_key = NULL, *key = NULL;
    wm_certificate *certificate = NULL;
    wm_status       st = wm_key_load(set->files, p->root_key, &root_key, err);

    if (st == WM_E_MISSING)
        return wm_fail(err, st, "an issuing authority is to be made, which takes the root key: put it back as %s",
                       p->root_key);
    if (st == WM_OK)
        st = key_at(set->files, p->issuing_key, &key, err);
    if (st == WM_OK)
        st = wm_authority_make_issuing(&(wm_authority){ root_key, root }, key, wm_wall_ms(&set->clock),
                                       &certificate, err);
    if (st == WM_OK && !wm_certificate_signed_by(certificate, root))
        st = wm_fail(err, WM_E_DAMAGED, "%s is not the key of %s", p->root_key, p->root);
    if (st == WM_OK)
        st = save_certificate(set->files, p->issuing, certificate, err);
    wm_certificate_free(certificate);
    wm_key_free(key);
    wm_key_free(root_key);
    return st;
}

static wm_status prepare_authorities(const wm_office_settings *set, const paths *p, wm_office *office,
                                     wm_error *err)
{
    wm_certificate *root = NULL;
    wm_status       st = make_office(set, err);

    if (st == WM_OK)
        st = set->files->make_folder(set->files, p->issuer, 0700, err);
    if (st == WM_OK)
        st = prepare_root(set, p, &root, &office->made, err);
    if (st == WM_OK)
        st = wm_certificate_digest(root, &office->root, err);
    if (st == WM_OK && !set->files->exists(set->files, p->issuer_root))
        st = save_certificate(set->files, p->issuer_root, root, err);
    if (st == WM_OK && !set->files->exists(set->files, p->issuing)) {
        office->made = true;
        st = make_issuing(set, p, root, err);
    }
    wm_certificate_free(root);
    return st;
}

/* ---- the server's certificate ---- */

static wm_status ask_for_server(const wm_asker *issuer, wm_key *key, Wm__Issued **ret, wm_error *err)
{
    Wm__Issue   issue = WM__ISSUE__INIT;
    Wm__Issued *issued = NULL;
    wm_status   st = wm_request_make(key, &issue.request.data, &issue.request.len, err);

    if (st != WM_OK)
        return st;
    issue.verb = WM__ISSUE__VERB__SERVER;
    st = issuer->ask(issuer->context, &issue, &issued, err);
    free(issue.request.data);
    if (st == WM_OK)
        st = wm_issued_status(issued, err);
    if (st == WM_OK)
        *ret = issued;
    else
        wm_issued_free(issued);
    return st;
}

/* Chain and root, one after the other, unless the file says that already. */
static wm_status save_server(const wm_files *files, const char *path, const Wm__Issued *issued, bool *changed,
                             wm_error *err)
{
    size_t    n = issued->chain.len + issued->root.len, n_old = 0;
    uint8_t  *pem = malloc(n > 0 ? n : 1), *old = NULL;
    wm_status st;

    if (pem == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a certificate");
    memcpy(pem, issued->chain.data, issued->chain.len);
    memcpy(pem + issued->chain.len, issued->root.data, issued->root.len);
    st = files->read(files, path, SERVER_PEM_MAX, &old, &n_old, err);
    if (st == WM_OK && n_old == n && memcmp(old, pem, n) == 0)
        goto out;
    wm_crash_point("office-server-before-save");
    st = files->replace(files, path, pem, n, 0644, err);
    wm_crash_point("office-server-after-save");
    if (st == WM_OK)
        *changed = true;
out:
    free(old);
    free(pem);
    return st;
}

wm_status wm_office_renew_server(const char *folder, const wm_files *files, const wm_asker *issuer, bool *changed,
                                 wm_error *err)
{
    char       *key_path = wm_path_join(folder, "server.key"), *path = wm_path_join(folder, "server.pem");
    wm_key     *key = NULL;
    Wm__Issued *issued = NULL;
    wm_status   st;

    *changed = false;
    if (key_path == NULL || path == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    else
        st = key_at(files, key_path, &key, err);
    if (st == WM_OK)
        st = ask_for_server(issuer, key, &issued, err);
    if (st == WM_OK)
        st = save_server(files, path, issued, changed, err);
    wm_issued_free(issued);
    wm_key_free(key);
    free(key_path);
    free(path);
    return st;
}

static wm_status ask_here(void *context, const Wm__Issue *issue, Wm__Issued **ret, wm_error *err)
{
    return wm_issuer_handle(context, WM_DOOR_OPERATOR, issue, ret, err);
}

static wm_status prepare_server(const wm_office_settings *set, const paths *p, wm_office *office, wm_error *err)
{
    static const char *const local[] = { "localhost", "127.0.0.1", "::1" };
    wm_issuer_settings       settings = {
              .folder = p->issuer, .files = set->files, .clock = set->clock, .log = set->log
    };
    wm_issuer *issuer = NULL;
    bool       changed = false;
    wm_status  st = wm_issuer_open(&settings, &issuer, err);

    if (st == WM_OK)
        st = wm_issuer_allow_names(issuer, set->names, set->n_names, err);
    if (st == WM_OK)
        st = wm_issuer_allow_names(issuer, local, sizeof local / sizeof *local, err);
    if (st == WM_OK)
        st = wm_office_renew_server(set->folder, set->files, &(wm_asker){ ask_here, issuer }, &changed, err);
    wm_issuer_free(issuer);
    office->made = office->made || changed;
    return st;
}

/* ---- whose it is ---- */

/* The issuer's folder, and what is in it, to the issuer's user; the rest stays root's. */
static wm_status give_to_issuer(const wm_office_settings *set, const char *folder, wm_error *err)
{
    const char          *name = set->user != NULL ? set->user : WM_ISSUER_USER;
    const struct passwd *user = geteuid() == 0 ? getpwnam(name) : NULL;
    char               **names = NULL;
    size_t               n = 0;
    wm_status            st;

    if (user == NULL)
        return WM_OK;
    st = wm_folder_names(folder, &names, &n, err);
    for (size_t i = 0; st == WM_OK && i < n; i++) {
        char *path = wm_path_join(folder, names[i]);

        if (path == NULL)
            st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
        else if (lchown(path, user->pw_uid, user->pw_gid) != 0)
            st = wm_fail(err, WM_E_IO, "cannot give %s to the user %s: %s", path, name, strerror(errno));
        free(path);
    }
    wm_names_free(names, n);
    if (st == WM_OK && lchown(folder, user->pw_uid, user->pw_gid) != 0)
        st = wm_fail(err, WM_E_IO, "cannot give %s to the user %s: %s", folder, name, strerror(errno));
    return st;
}

wm_status wm_office_init(const wm_office_settings *settings, wm_office *ret, wm_error *err)
{
    wm_office office = { .made = false };
    paths     p;
    wm_status st = WM_OK;

    for (size_t i = 0; i < settings->n_names; i++)
        if (!wm_server_name_ok(settings->names[i]))
            return wm_fail(err, WM_E_INVALID, "\"%.80s\" is not a server's name: give a host name or an address",
                           settings->names[i]);
    if (!paths_init(&p, settings->folder))
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    if (st == WM_OK)
        st = prepare_authorities(settings, &p, &office, err);
    if (st == WM_OK)
        st = prepare_server(settings, &p, &office, err);
    if (st == WM_OK)
        st = give_to_issuer(settings, p.issuer, err);
    if (st == WM_OK) {
        office.root_key_here = settings->files->exists(settings->files, p.root_key);
        *ret = office;
    }
    paths_release(&p);
    return st;
}
