/* server/commands/init.c: init, token */
#include "server/commands/commands.h"

#include "common/crypto/certificate.h"
#include "common/crypto/token.h"
#include "server/issuer/issuer_process.h"
#include "server/issuer/office.h"
#include "server/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ISSUER_MS = 15 * 1000 };

/* This machine's own name, where none was given; localhost if that is not fit. */
static const char *own_name(char name[256])
{
    if (gethostname(name, 256) != 0)
        name[0] = '\0';
    name[255] = '\0';
    if (!wm_server_name_ok(name))
        strcpy(name, "localhost");
    return name;
}

/* server.yaml and an empty store, if they are not there. */
static wm_status make_rest(const char *folder, const char *const *names, size_t n_names, bool *config_made,
                           wm_error *err)
{
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(folder, "server.yaml");
    wm_store       *store;
    wm_status       st = WM_OK;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a path");
    *config_made = !files->exists(files, path);
    if (*config_made)
        st = wm_server_config_write(files, folder, names, n_names, err);
    free(path);
    if (st == WM_OK)
        st = wm_store_open(files, folder, wm_clock_system(), &store, err);
    if (st == WM_OK)
        wm_store_close(store);
    return st;
}

wm_status wm_command_init(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_init_settings *set = settings;
    const char             *folder = call->words[0];
    char                    host[256], root[WM_DIGEST_TEXT];
    const char             *one[] = { own_name(host) };
    const char *const      *names = set->names.count > 0 ? set->names.items : one;
    size_t                  n_names = set->names.count > 0 ? set->names.count : 1;
    bool                    config_made = false;
    wm_office               office;
    wm_log                 *log = NULL;
    wm_status               st = wm_cli_log(call, &log, err);

    if (st == WM_OK)
        st = wm_office_init(&(wm_office_settings){ .folder = folder,
                                                   .files = wm_files_system(),
                                                   .clock = wm_clock_system(),
                                                   .log = log,
                                                   .names = names,
                                                   .n_names = n_names },
                            &office, err);
    if (st == WM_OK)
        st = make_rest(folder, names, n_names, &config_made, err);
    wm_log_free(log);
    if (st != WM_OK)
        return st;
    fprintf(call->out, "%s %s\nroot certificate: %s/root.pem, SHA-256 %s\n",
            office.made ? "data office made in" : "data office is complete in", folder, folder,
            wm_digest_text(&office.root, root));
    if (office.root_key_here)
        fprintf(call->out,
                "move %s/root.key to a safe place away from this machine: it is needed once in ten years\n",
                folder);
    if (!config_made && set->names.count > 0)
        fprintf(call->out, "%s/server.yaml was there and is left alone: see that its `names` have the new ones\n",
                folder);
    fprintf(call->out,
            "next:\n"
            "    wardmote-server run %s\n"
            "    wardmote-server token %s GATEWAY\n",
            folder, folder);
    return WM_OK;
}

/* ---- token ---- */

wm_status wm_command_token(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_token_settings *set = settings;
    const char              *folder = call->words[0], *name = call->words[1];
    char                    *addresses[WM_TOKEN_ADDRESSES] = { NULL }, life[WM_DURATION_TEXT];
    Wm__Issue                ask = WM__ISSUE__INIT;
    Wm__Issued              *issued = NULL;
    wm_server_config         config;
    wm_arena                *memory = NULL;
    size_t                   n = 0;
    wm_status                st = wm_gateway_name_check(name, err);

    if (st != WM_OK)
        return wm_cli_misused(call, err, "%s", err->text);
    st = wm_command_config(call, folder, &config, &memory, err);
    if (st == WM_OK)
        st = wm_server_config_addresses(&config, addresses, WM_TOKEN_ADDRESSES, &n, err);
    if (st == WM_OK) {
        ask.verb = WM__ISSUE__VERB__TOKEN;
        ask.name = (char *)(uintptr_t)name;
        ask.ttl_ms = (uint64_t)set->ttl_ms;
        ask.names = addresses;
        ask.n_names = n;
        st = wm_issuer_ask_at(folder, &ask, ISSUER_MS, &issued, err);
    }
    if (st == WM_OK)
        st = wm_issued_status(issued, err);
    if (st == WM_OK) {
        fprintf(call->out, "%s\n", issued->text);
        fprintf(call->err,
                "a token for \"%s\", good once and for %s; on the gateway, put it in a file and\n"
                "    wardmote-client enroll DIR --token FILE\n",
                name, wm_duration_text(set->ttl_ms, life));
    }
    wm_issued_free(issued);
    for (size_t i = 0; i < n; i++)
        free(addresses[i]);
    wm_arena_free(memory);
    return st;
}
