/* server/commands/asking.c
 *
 * How a command reaches the office: through the running server's socket, or by its own hand. */
#include "server/commands/commands.h"

#include "common/wire/exchange.h"
#include "server/issuer/issuer_process.h"
#include "server/operator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_BYTES_MAX = 64 << 20, /* `clients` of a large office */
    ANSWER_MS = 10 * 60 * 1000,  /* a backup takes its time */
    DIAL_MS = 20 * 1000,         /* of a server that is busy; a socket that nobody listens at refuses at once */
    ISSUER_MS = 15 * 1000,
};

wm_status wm_command_config(wm_cli_call *call, const char *folder, wm_server_config *ret, wm_arena **memory,
                            wm_error *err)
{
    wm_faults faults;
    wm_text   lines = WM_TEXT_INIT;
    wm_status st;

    wm_faults_init(&faults, "server.yaml");
    st = wm_server_config_read(wm_files_system(), folder, &faults, ret, memory, err);
    if (faults.count > 1) { /* the sentence has the only one */
        wm_faults_report(&faults, &lines);
        fputs(wm_text_chars(&lines), call->err);
    }
    wm_text_release(&lines);
    wm_faults_release(&faults);
    return st;
}

/* ---- through the socket ---- */

/* WM_E_MISSING: no server runs. WM_OK: it has answered, and *done is what; to wm_envelope_free. */
static wm_status ask_server(const char *folder, const Wm__Command *asked, Wm__Envelope **done, wm_error *err)
{
    char        *path = wm_path_join(folder, "control.sock"), url[4200];
    const char  *urls[] = { url };
    Wm__Envelope question = wm_envelope();
    wm_caller   *caller = NULL;
    uint64_t     come_back_ms;
    wm_status    st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to ask the server");
    if (!wm_files_system()->exists(wm_files_system(), path)) {
        free(path);
        return WM_E_MISSING;
    }
    snprintf(url, sizeof url, "ipc://%s", path);
    free(path);
    question.body_case = WM__ENVELOPE__BODY_COMMAND;
    question.command = (Wm__Command *)(uintptr_t)asked;
    st = wm_caller_new(
        &(wm_caller_settings){ .urls = urls, .n_urls = 1, .reply_max = ANSWER_BYTES_MAX, .dial_ms = DIAL_MS },
        &caller, err);
    if (st == WM_OK)
        st = wm_ask(caller, ANSWER_BYTES_MAX, &question, ANSWER_MS, done, &come_back_ms, err);
    wm_caller_free(caller);
    if (st == WM_E_IO) /* a socket that a killed server has left */
        return WM_E_MISSING;
    if (st == WM_OK && (*done)->body_case != WM__ENVELOPE__BODY_COMMAND_DONE) {
        wm_envelope_free(*done);
        st = wm_fail(err, WM_E_MALFORMED, "the server's answer is of another kind: is it of another version?");
    }
    return st;
}

/* ---- by our own hand ---- */

static wm_status ask_issuer(void *folder, const Wm__Issue *ask, Wm__Issued **ret, wm_error *err)
{
    return wm_issuer_ask_at(folder, ask, ISSUER_MS, ret, err);
}

static wm_status do_here(const char *folder, const Wm__Command *asked, wm_text *ret, wm_error *err)
{
    wm_operator self = { .office = folder,
                         .clock = wm_clock_system(),
                         .issuer = { ask_issuer, (void *)(uintptr_t)folder } };
    char       *path = wm_path_join(folder, "server.yaml");
    wm_status   st = WM_OK;

    if (path == NULL || !wm_files_system()->exists(wm_files_system(), path))
        st = wm_fail(err, WM_E_MISSING, "%s is no data office: make one with `wardmote-server init %s --name HOST`",
                     folder, folder);
    free(path);
    if (st == WM_OK)
        st = wm_store_open(wm_files_system(), folder, self.clock, &self.store, err);
    if (st == WM_OK)
        st = wm_roster_new(self.clock, &self.roster, err);
    if (st == WM_OK)
        st = wm_roster_load(self.roster, self.store, err);
    if (st == WM_OK) {
        st = wm_operator_do(&self, asked, ret);
        if (st != WM_OK)
            wm_fail(err, st, "%s", wm_text_chars(ret));
    }
    wm_roster_free(self.roster);
    wm_store_close(self.store);
    return st;
}

/* ---- both ---- */

/* A failure's text: the sentence; or more than one line, which then go out as they are. */
static void say_failure(const wm_cli_call *call, const char *text, wm_status st, wm_error *err)
{
    const char *end = strchr(text, '\n');

    if (end == NULL || end[1] == '\0') {
        wm_fail(err, st, "%.*s", end != NULL ? (int)(end - text) : (int)strlen(text), text);
        return;
    }
    fputs(text, call->err);
    wm_fail(err, st, "nothing was done, because of the faults above");
}

wm_status wm_command_ask(wm_cli_call *call, const char *folder, const wm_command *command, json_t **ret,
                         wm_error *err)
{
    Wm__Command   asked = WM__COMMAND__INIT;
    Wm__Envelope *done = NULL;
    wm_text       text = WM_TEXT_INIT;
    json_error_t  fault;
    wm_status     st;

    asked.verb = (char *)(uintptr_t)command->verb;
    asked.words = (char **)(uintptr_t)command->words;
    asked.n_words = command->n_words;
    asked.text = wm_bytes_field(command->text, command->n_text);
    st = ask_server(folder, &asked, &done, err);
    if (st == WM_OK) {
        st = (wm_status)done->command_done->code;
        wm_text_add(&text, done->command_done->text);
        wm_envelope_free(done);
        if (st != WM_OK)
            say_failure(call, wm_text_chars(&text), st, err);
    } else if (st == WM_E_MISSING) {
        st = do_here(folder, &asked, &text, err);
        if (st != WM_OK && text.size > 0)
            say_failure(call, wm_text_chars(&text), st, err);
    }
    if (st == WM_OK) {
        *ret = json_loads(wm_text_chars(&text), 0, &fault);
        if (*ret == NULL)
            st = wm_fail(err, WM_E_MALFORMED, "the server's answer does not read as JSON: %s", fault.text);
    }
    wm_text_release(&text);
    return st;
}

/* ---- answers ---- */

const char *wm_json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

long long wm_json_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

const char *wm_json_time(const json_t *object, const char *name, char text[20])
{
    const char *time = wm_json_text(object, name);

    if (strlen(time) < 16)
        snprintf(text, 20, "-");
    else
        snprintf(text, 20, "%.10s %.5s", time, time + 11);
    return text;
}

wm_status wm_command_print_json(const wm_cli_call *call, const json_t *answer, wm_error *err)
{
    if (json_dumpf(answer, call->out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0)
        return wm_fail(err, WM_E_IO, "the answer cannot be written");
    fputc('\n', call->out);
    return WM_OK;
}
