/* client/check.c */
#include "client/check.h"

#include "client/config.h"
#include "client/data_check.h"
#include "client/enrol.h"
#include "client/server_time.h"
#include "common/wire/envelope.h"
#include "common/wire/exchange.h"

#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 10 * 1000,
    HELD_COLUMN = 18, /* where what holds is written: behind "ok" and its name */
};

typedef struct checkup {
    const wm_files  *files;
    const char      *folder;
    wm_clock         clock;
    FILE            *out;
    wm_identity      identity;
    wm_client_config config;
    wm_arena        *memory;
    wm_server_time  *time;
} checkup;

__attribute__((format(printf, 3, 4))) static void holds(checkup *self, const char *what, const char *fmt, ...)
{
    va_list args;

    fprintf(self->out, "ok  %-*s  ", HELD_COLUMN - 6, what);
    va_start(args, fmt);
    vfprintf(self->out, fmt, args);
    va_end(args);
    fputc('\n', self->out);
}

/* The first line is what holds, the others stand below it. */
static void holds_lines(checkup *self, const char *what, const char *lines)
{
    const char *line = lines;

    for (size_t n; *line != '\0'; line += n + (line[n] == '\n')) {
        n = strcspn(line, "\n");
        if (line == lines)
            holds(self, what, "%.*s", (int)n, line);
        else
            fprintf(self->out, "%*s%.*s\n", HELD_COLUMN, "", (int)n, line);
    }
}

static wm_status check_certificate(checkup *self, wm_error *err)
{
    const wm_certificate_facts *facts = &self->identity.facts;
    char                        until[WM_TIME_TEXT], left[WM_DURATION_TEXT];
    int64_t                     now;
    wm_status                   st = wm_identity_load(self->files, self->folder, &self->identity, err);

    if (st != WM_OK)
        return st;
    st = wm_server_time_open(self->files, self->folder, self->clock, &self->time, err);
    if (st != WM_OK)
        return st;
    now = wm_server_time_now(self->time);
    wm_time_text(facts->not_after_ms, until);
    if (now > facts->not_after_ms)
        holds(self, "certificate", "\"%s\", expired on %s; `run` renews it within 30 days of that", facts->name,
              until);
    else if (now > 0)
        holds(self, "certificate", "\"%s\", until %s (%s left)", facts->name, until,
              wm_duration_text(facts->not_after_ms - now, left));
    else
        holds(self, "certificate", "\"%s\", until %s", facts->name, until);
    return WM_OK;
}

static wm_status check_config(checkup *self, wm_faults *faults, wm_error *err)
{
    wm_status st = wm_client_config_read(self->files, self->folder, faults, &self->config, &self->memory, err);

    if (st != WM_OK)
        return st;
    holds(self, "client.yaml", "%zu server%s, source %s", self->config.servers.count,
          self->config.servers.count == 1 ? "" : "s", self->config.data.source.member->name);
    return WM_OK;
}

static wm_status check_readings(checkup *self, wm_error *err)
{
    const wm_data_policy *policy = &self->config.data;
    const char           *name = self->identity.facts.name;
    wm_owners_settings    settings = {
           .folder = policy->folder,
           .source = &policy->source,
           .owner = &policy->owner,
           .alone = name,
           .only = policy->owner.member == NULL ? NULL
                   : policy->keep != NULL       ? policy->keep
                                                : name,
           .allowed = policy->columns.count > 0 ? &policy->columns : NULL,
    };
    wm_text   summary = WM_TEXT_INIT;
    wm_status st = wm_check_readings(NULL, &settings, (size_t)policy->examples_min, &summary, err);

    if (st == WM_OK)
        holds_lines(self, "readings", wm_text_chars(&summary));
    wm_text_release(&summary);
    return st;
}

/* One server, by one port: that it answers, that it is the office's, that it takes us for a gateway. */
static wm_status check_server(checkup *self, const char *url, wm_tls *tls, wm_error *err)
{
    wm_caller_settings settings = { .urls = &url, .n_urls = 1, .tls = tls, .reply_max = WM_CONTROL_BYTES_MAX };
    Wm__Envelope       question = wm_envelope(), *answer;
    Wm__CheckIn        check_in = WM__CHECK_IN__INIT;
    wm_caller         *caller;
    uint64_t           come_back_ms;
    wm_status          st = wm_caller_new(&settings, &caller, err);

    if (st != WM_OK)
        return st;
    check_in.program = (char *)(uintptr_t) "wardmote-client " WM_VERSION;
    question.body_case = WM__ENVELOPE__BODY_CHECK_IN;
    question.check_in = &check_in;
    st = wm_ask(caller, WM_CONTROL_BYTES_MAX, &question, ANSWER_MS, &answer, &come_back_ms, err);
    wm_caller_free(caller);
    if (st != WM_OK) {
        wm_error_prefix(err, "%s", url);
        return st;
    }
    if (answer->body_case == WM__ENVELOPE__BODY_WELCOME)
        holds(self, "server", "%s, %s", url, answer->welcome->program);
    wm_envelope_free(answer);
    return WM_OK;
}

/* Every server is tried: the one that is down today is the one that is needed tomorrow. */
static wm_status check_servers(checkup *self, wm_error *err)
{
    int64_t   now = wm_server_time_now(self->time);
    char    **urls;
    size_t    n;
    wm_tls   *tls;
    wm_status st = wm_client_urls(&self->config, self->config.control_port, &urls, &n, err);

    if (st != WM_OK)
        return st;
    st = wm_identity_tls(&self->identity, &tls, err);
    if (st == WM_OK) {
        if (now > 0)
            wm_tls_set_now(tls, now);
        for (size_t i = 0; st == WM_OK && i < n; i++)
            st = check_server(self, urls[i], tls, err);
        wm_tls_free(tls);
    }
    wm_names_free(urls, n);
    return st;
}

wm_status wm_check(const wm_files *files, const char *folder, wm_clock clock, FILE *out, wm_faults *faults,
                   wm_error *err)
{
    checkup   self = { .files = files, .folder = folder, .clock = clock, .out = out };
    wm_status st;

    if ((st = check_certificate(&self, err)) == WM_OK && (st = check_config(&self, faults, err)) == WM_OK &&
        (st = check_readings(&self, err)) == WM_OK)
        st = check_servers(&self, err);
    wm_server_time_free(self.time);
    wm_arena_free(self.memory);
    wm_identity_release(&self.identity);
    return st;
}
