/* common/log_repeats.c */
#include "common/log_repeats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wm_repeats {
    uint64_t  keys[WM_REPEATS_KINDS]; /* beside the kinds, so that looking for one is quick */
    wm_repeat kinds[WM_REPEATS_KINDS];
    int64_t   next_due_ms; /* no minute is over before; 0: there is none */
};

enum { OTHERS = 0 }; /* the kind of all that have no place of their own */

wm_repeats *wm_repeats_new(void)
{
    return calloc(1, sizeof(wm_repeats)); /* places that are never used are never touched */
}

void wm_repeats_free(wm_repeats *repeats)
{
    free(repeats);
}

static const char *field(const wm_field *fields, const char *const *names)
{
    for (; *names != NULL; names++)
        for (const wm_field *f = fields; f->name != NULL; f++)
            if (f->text != NULL && strcmp(f->name, *names) == 0)
                return f->text;
    return NULL;
}

/* FNV-1a over what is not a digit: "over the limit of 65536" is one kind, whatever was announced. */
static uint64_t mix(uint64_t key, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < '0' || *text > '9')
            key = (key ^ (uint8_t)*text) * 1099511628211u;
    return (key ^ 0xff) * 1099511628211u;
}

static uint64_t mix_name(uint64_t key, const char *text)
{
    for (; *text != '\0'; text++)
        key = (key ^ (uint8_t)*text) * 1099511628211u;
    return (key ^ 0xff) * 1099511628211u;
}

static void begin(wm_repeats *r, size_t at, uint64_t key, const wm_repeat *kind)
{
    r->keys[at] = key;
    r->kinds[at] = *kind;
    if (r->next_due_ms == 0 || kind->since_ms + WM_REPEATS_MS < r->next_due_ms)
        r->next_due_ms = kind->since_ms + WM_REPEATS_MS;
}

/* Where its kind is, if it is there; else a free place, else the others'. */
static size_t place_of(wm_repeats *r, uint64_t key, bool *known)
{
    size_t at = OTHERS;

    for (size_t i = OTHERS + 1; i < WM_REPEATS_KINDS; i++) {
        if (r->kinds[i].since_ms != 0 && r->keys[i] == key) {
            *known = true;
            return i;
        }
        if (at == OTHERS && r->kinds[i].since_ms == 0)
            at = i;
    }
    *known = at == OTHERS && r->kinds[OTHERS].since_ms != 0;
    return at;
}

/* A minute that is over and held nothing back is forgotten. */
static void expire(wm_repeats *r, int64_t now_ms)
{
    if (now_ms < r->next_due_ms)
        return;
    r->next_due_ms = 0;
    for (size_t i = 0; i < WM_REPEATS_KINDS; i++) {
        int64_t due = r->kinds[i].since_ms + WM_REPEATS_MS;

        if (r->kinds[i].since_ms == 0)
            continue;
        if (due <= now_ms && r->kinds[i].n <= WM_REPEATS_FIRST)
            r->kinds[i].since_ms = 0;
        else if (r->next_due_ms == 0 || due < r->next_due_ms)
            r->next_due_ms = due;
    }
}

bool wm_repeats_tell(wm_repeats *r, wm_log_level level, const char *part, const char *sentence,
                     const wm_field *fields, int64_t now_ms)
{
    static const char *const peers[] = { "name", "client", "source", "from", NULL };
    static const char *const who[] = { "name", "client", NULL };
    static const char *const reasons[] = { "why", "reason", NULL };
    const char              *name = field(fields, who), *why = field(fields, reasons);
    uint64_t                 key;
    bool                     known;
    size_t                   at;
    wm_repeat                kind = { .since_ms = now_ms, .n = 1, .level = level };

    if (field(fields, peers) == NULL)
        return true;
    expire(r, now_ms);
    key = mix(mix(14695981039346656037u, part), sentence);
    key = mix(mix_name(key, name != NULL ? name : ""), why != NULL ? why : "");
    at = place_of(r, key, &known);
    if (known)
        return ++r->kinds[at].n <= WM_REPEATS_FIRST;
    snprintf(kind.part, sizeof kind.part, "%s", part);
    snprintf(kind.sentence, sizeof kind.sentence, "%s", at == OTHERS ? "lines of too many kinds" : sentence);
    snprintf(kind.name, sizeof kind.name, "%s", name != NULL && at != OTHERS ? name : "");
    snprintf(kind.why, sizeof kind.why, "%s", why != NULL && at != OTHERS ? why : "");
    begin(r, at, key, &kind);
    return true;
}

bool wm_repeats_due(wm_repeats *r, int64_t now_ms, wm_repeat *ret)
{
    if (r->next_due_ms == 0 || now_ms < r->next_due_ms)
        return false;
    for (size_t i = 0; i < WM_REPEATS_KINDS; i++) {
        wm_repeat *kind = &r->kinds[i];

        if (kind->since_ms == 0 || kind->n <= WM_REPEATS_FIRST ||
            (now_ms != INT64_MAX && kind->since_ms + WM_REPEATS_MS > now_ms))
            continue;
        *ret = *kind;
        ret->n -= WM_REPEATS_FIRST;
        kind->since_ms = 0;
        return true;
    }
    expire(r, now_ms);
    return false;
}
