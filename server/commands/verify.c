/* server/commands/verify.c
 *
 * The history of an office, checked; see server/store/verify.h for what that is. */
#include "server/commands/commands.h"

#include "common/progress.h"
#include "server/store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct telling {
    wm_cli_call *call;
    wm_words     heads;
    wm_progress  progress;
    json_t      *findings; /* NULL: they are printed as they come */
} telling;

static json_t *text_or_null(const char *text)
{
    json_t *value = text != NULL && *text != '\0' ? json_string(text) : NULL;

    return value != NULL ? value : json_null();
}

static json_t *finding_json(const wm_finding *finding)
{
    char run[WM_RUN_TEXT];

    return json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:o}", "violation", finding->violation, "area", finding->area,
                     "run", text_or_null(finding->has_run ? wm_run_id_text(finding->run, run) : NULL), "round",
                     finding->round > 0 ? json_integer(finding->round) : json_null(), "client",
                     text_or_null(finding->client), "line",
                     finding->line > 0 ? json_integer((json_int_t)finding->line) : json_null(), "text",
                     text_or_null(finding->text));
}

static void say_finding(void *context, const wm_finding *finding)
{
    telling *to = context;

    if (to->findings != NULL)
        json_array_append_new(to->findings, finding_json(finding));
    else
        wm_progress_say(&to->progress, "%s: %s", finding->violation ? "violation" : "note", finding->text);
}

static void say_progress(void *context, const char *what, uint64_t done, uint64_t all)
{
    telling *to = context;

    wm_progress_glance(&to->progress, "checking %s: %" PRIu64 " of %" PRIu64, what, done, all);
}

static wm_status print_json(telling *to, const wm_verify_result *result, wm_error *err)
{
    char    head[WM_DIGEST_TEXT];
    json_t *answer = json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "office", to->call->words[0],
        "holds", result->violations == 0, "violations", (json_int_t)result->violations, "notes",
        (json_int_t)result->notes, "audit_lines", (json_int_t)result->head.lines, "audit_head",
        wm_digest_text(&result->head.hash, head), "runs", (json_int_t)result->runs, "rounds",
        (json_int_t)result->rounds, "updates", (json_int_t)result->updates, "recomputed",
        (json_int_t)result->recomputed, "let_go", (json_int_t)result->let_go, "files", (json_int_t)result->files,
        "heads", (json_int_t)result->heads, "findings", to->findings);
    wm_status st = answer != NULL ? wm_command_print_json(to->call, answer, err)
                                  : wm_fail(err, WM_E_NOMEM, "no memory for the answer");

    json_decref(answer);
    return st;
}

static void print_summary(telling *to, const wm_verify_result *result)
{
    FILE *out = to->call->out;
    char  head[WM_DIGEST_TEXT];

    fprintf(out,
            "%" PRIu64 " audit lines, head %s\n%" PRIu64 " runs, %" PRIu64 " committed rounds, %" PRIu64
            " accepted updates, %" PRIu64 " files\n%" PRIu64 " rounds computed again, bit for bit",
            result->head.lines, wm_digest_text(&result->head.hash, head), result->runs, result->rounds,
            result->updates, result->files, result->recomputed);
    if (result->let_go > 0)
        fprintf(out, "; %" PRIu64 " not, because their files were let go as their jobs say", result->let_go);
    if (to->heads.count > 0)
        fprintf(out, "\n%" PRIu64 " heads that gateways were shown", result->heads);
    fprintf(out, "\n%s\n", result->violations == 0 ? "the history holds" : "the history does not hold");
}

static wm_status verify(telling *to, const char *folder, const char *office, wm_verify_result *ret, wm_error *err)
{
    return wm_verify(&(wm_verify_settings){ .files = wm_files_system(),
                                            .folder = folder,
                                            .office = office,
                                            .heads = to->heads.items,
                                            .n_heads = to->heads.count,
                                            .finding = say_finding,
                                            .progress = say_progress,
                                            .context = to },
                     ret, err);
}

/* A server has the office open: it hands out what it has at this moment, and goes on. */
static wm_status verify_running(telling *to, wm_verify_result *ret, wm_error *err)
{
    const char *office = to->call->words[0];
    json_t     *answer = NULL;
    char       *folder = NULL;
    wm_status   st = wm_command_ask(to->call, office, &(wm_command){ .verb = "snapshot" }, &answer, err);

    if (st == WM_OK && asprintf(&folder, "%s/verify/%s", office, wm_json_text(answer, "snapshot")) < 0) {
        folder = NULL;
        st = wm_fail(err, WM_E_NOMEM, "no memory for a path");
    }
    if (st == WM_OK)
        st = verify(to, folder, office, ret, err);
    if (folder != NULL)
        (void)wm_folder_remove(folder, NULL); /* or the store removes it when it is opened again */
    free(folder);
    json_decref(answer);
    return st;
}

wm_status wm_command_verify(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_verify_settings_of_command *set = settings;
    telling          to = { .call = call, .heads = set->heads, .findings = set->json ? json_array() : NULL };
    wm_verify_result result;
    wm_status        st;

    if (set->json && to.findings == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the answer");
    wm_progress_init(&to.progress, call->err);
    st = verify(&to, call->words[0], NULL, &result, err);
    if (st == WM_E_REFUSED)
        st = verify_running(&to, &result, err);
    wm_progress_end(&to.progress);
    if (st == WM_OK && set->json)
        st = print_json(&to, &result, err);
    else if (st == WM_OK)
        print_summary(&to, &result);
    json_decref(to.findings);
    if (st == WM_OK && result.violations > 0)
        st = wm_fail(err, WM_E_DAMAGED,
                     "%" PRIu64 " violations: stop the server, keep a copy of %s as it is, and go back to a backup",
                     result.violations, call->words[0]);
    return st;
}
