/* server/store/verify_heads.c
 *
 * The chain against what gateways were shown of it. Whoever has the disk can make the audit anew, rows and all, so that it
 * holds; but not what was sent out. A head is the number of a line and its hash, which stands for every line before it. */
#include "server/store/verify_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 1 << 20 };

/* "lines hash time", as a gateway writes it; "!" in front: it was no good continuation then already. */
static bool read_head(const char *line, wm_audit_head *ret, char when[WM_TIME_TEXT])
{
    char digest[WM_DIGEST_TEXT];

    when[0] = '\0';
    return sscanf(line + (*line == '!'), "%" SCNu64 " %64s %23s", &ret->lines, digest, when) >= 2 &&
           ret->lines > 0 && ret->lines <= INT64_MAX && wm_digest_parse(digest, &ret->hash);
}

static wm_status check_head(wm_verifier *v, const char *path, size_t number, const char *text, wm_error *err)
{
    wm_audit_head head;
    wm_finding    where = { .violation = true, .area = "head" };
    wm_digest     is = { 0 };
    char          when[WM_TIME_TEXT];
    wm_query      q;
    bool          there;

    if (!read_head(text, &head, when)) {
        wm_verify_say(v, &where, "%s:%zu: it is not a number of lines and a SHA-256", path, number);
        return WM_OK;
    }
    v->result.heads++;
    where.line = head.lines;
    wm_query_init(&q, &v->db, "SELECT hash FROM audit WHERE line = ?", err);
    wm_bind_u64(&q, head.lines);
    there = wm_query_row(&q);
    if (there)
        wm_column_blob(&q, is.bytes, WM_DIGEST_SIZE);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    if (!there)
        wm_verify_say(v, &where,
                      "%s:%zu: the gateway was shown audit line %" PRIu64 " (%s), and %s ends at line %" PRIu64
                      ": what came after it was taken away, or this is a backup from before",
                      path, number, head.lines, when, v->db.path, v->result.head.lines);
    else if (!wm_digest_equal(&is, &head.hash))
        wm_verify_say(v, &where,
                      "%s:%zu: the gateway was shown another audit line %" PRIu64
                      " (%s) than %s has: that line or one before it was rewritten",
                      path, number, head.lines, when, v->db.path);
    return WM_OK;
}

wm_status wm_verify_heads(wm_verifier *v, wm_error *err)
{
    const wm_files *files = v->set->files;
    wm_status       st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < v->set->n_heads; i++) {
        uint8_t *text;
        char    *rest, *line;
        size_t   n;

        st = files->read(files, v->set->heads[i], FILE_MOST, &text, &n, err);
        if (st != WM_OK)
            return st;
        for (size_t at = 0; at < n;
             at++) /* a power cut leaves zeroes, and lines behind them: none is passed over */
            if (text[at] == '\0')
                text[at] = '\n';
        rest = (char *)text;
        for (size_t number = 1; st == WM_OK && (line = strsep(&rest, "\n")) != NULL; number++)
            if (*line != '\0')
                st = check_head(v, v->set->heads[i], number, line, err);
        free(text);
    }
    return st;
}
