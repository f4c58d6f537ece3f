/* client/audit_heads.c */
#include "client/audit_heads.h"

#include "common/clock.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 128, FILE_MOST = 4 * WM_AUDIT_HEADS_KEPT * LINE_MOST };

struct wm_audit_heads {
    const wm_files *files;
    char           *path;
    size_t          kept;  /* lines of the file */
    uint64_t        lines; /* of the audit, as it was seen last; 0: never */
    wm_digest       hash;
    char            when[WM_TIME_TEXT];
};

/* One line of the file; false if it is none. */
static bool read_line(const char *line, uint64_t *lines, wm_digest *hash, char when[WM_TIME_TEXT])
{
    char digest[WM_DIGEST_TEXT], rest;

    return sscanf(line, "%" SCNu64 " %64s %23s %c", lines, digest, when, &rest) == 3 && *lines > 0 &&
           wm_digest_parse(digest, hash);
}

/* What reads of the text, without the oldest where there are too many. */
static void sort_out(wm_audit_heads *self, char *text, wm_text *good, bool *all)
{
    size_t lines = 0, skip = 0;
    char  *rest = text, *line;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    if (lines > WM_AUDIT_HEADS_KEPT)
        skip = lines - WM_AUDIT_HEADS_KEPT / 2;
    *all = skip == 0 && (*text == '\0' || text[strlen(text) - 1] == '\n');
    for (size_t i = 0; (line = strsep(&rest, "\n")) != NULL && rest != NULL; i++) {
        if (i < skip)
            continue;
        if (!read_line(*line == '!' ? line + 1 : line, &self->lines, &self->hash, self->when)) {
            *all = false;
            continue;
        }
        wm_text_printf(good, "%s\n", line);
        self->kept++;
    }
}

static wm_status load(wm_audit_heads *self, wm_error *err)
{
    uint8_t  *text;
    size_t    n;
    wm_text   good = WM_TEXT_INIT;
    bool      all;
    wm_status st = self->files->read(self->files, self->path, FILE_MOST, &text, &n, err);

    self->kept = 0;
    if (st != WM_OK)
        return st == WM_E_MISSING ? WM_OK : st;
    for (size_t i = 0; i < n; i++) /* a power cut leaves zeroes, and what was written after it stands behind them */
        if (text[i] == '\0')
            text[i] = '\n';
    sort_out(self, (char *)text, &good, &all);
    if (good.bad)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the heads of the audit");
    else if (!all)
        st = self->files->replace(self->files, self->path, wm_text_chars(&good), good.size, 0600, err);
    wm_text_release(&good);
    free(text);
    return st;
}

wm_status wm_audit_heads_open(const wm_files *files, const char *folder, wm_audit_heads **ret, wm_error *err)
{
    wm_audit_heads *self = calloc(1, sizeof *self);
    wm_status       st;

    if (self == NULL || (self->path = wm_path_join(folder, "audit-heads")) == NULL) {
        free(self);
        return wm_fail(err, WM_E_NOMEM, "no memory for the heads of the audit");
    }
    self->files = files;
    st = load(self, err);
    if (st != WM_OK) {
        wm_audit_heads_free(self);
        return st;
    }
    *ret = self;
    return WM_OK;
}

void wm_audit_heads_free(wm_audit_heads *heads)
{
    if (heads == NULL)
        return;
    free(heads->path);
    free(heads);
}

/* Why the head cannot follow the last one; "" if it can. */
static void doubt(const wm_audit_heads *self, uint64_t lines, const wm_digest *hash, wm_error *why)
{
    if (lines < self->lines)
        wm_fail(why, WM_E_UNTRUSTED,
                "the aggregator's audit has %" PRIu64 " lines, and had %" PRIu64
                " at %s: it was put back from a backup, or its history was rewritten; %s has what was shown",
                lines, self->lines, self->when, self->path);
    else if (lines == self->lines && !wm_digest_equal(hash, &self->hash))
        wm_fail(why, WM_E_UNTRUSTED,
                "the aggregator's audit has another line %" PRIu64
                " than at %s: its history was rewritten, or it was put back from a backup; %s has what was shown",
                lines, self->when, self->path);
}

wm_status wm_audit_heads_seen(wm_audit_heads *heads, uint64_t lines, const wm_digest *hash, int64_t wall_ms,
                              wm_error *err)
{
    wm_error  why = { WM_OK, "" };
    char      line[LINE_MOST], digest[WM_DIGEST_TEXT], when[WM_TIME_TEXT];
    int       n;
    wm_status st = WM_OK;

    if (lines == 0 || (lines == heads->lines && wm_digest_equal(hash, &heads->hash)))
        return WM_OK;
    doubt(heads, lines, hash, &why);
    n = snprintf(line, sizeof line, "%s%" PRIu64 " %s %s\n", why.status != WM_OK ? "!" : "", lines,
                 wm_digest_text(hash, digest), wm_time_text(wall_ms, when));
    if (heads->kept >= WM_AUDIT_HEADS_KEPT + 1)
        st = load(heads, err); /* which lets go of the oldest */
    if (st == WM_OK)
        st = heads->files->append(heads->files, heads->path, line, (size_t)n, err);
    heads->kept++;
    heads->lines = lines;
    heads->hash = *hash;
    memcpy(heads->when, when, sizeof heads->when);
    return why.status != WM_OK ? wm_fail(err, why.status, "%s", why.text) : st;
}
