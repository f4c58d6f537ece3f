/* tests/config/reference.c */
#include "tests/config/reference.h"

#include "common/config/values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_words[] = {
    [WM_BOOL] = "`true` or `false`",
    [WM_WHOLE] = "whole number",
    [WM_REAL] = "number",
    [WM_WORD] = "word",
    [WM_DURATION] = "duration",
    [WM_CHOICE] = "one of",
    [WM_WORDS] = "list of words",
    [WM_REALS] = "list of numbers",
    [WM_WHOLES] = "list of whole numbers",
    [WM_DURATIONS] = "list of durations",
    [WM_BYTES] = "size",
    [WM_FLAGS] = "list of",
    [WM_SECTION] = "section",
};

void reference_each(reference_visit *visit, void *self)
{
    for (size_t r = 0; r < reference_n_roots; r++) {
        const reference_root *root = &reference_roots[r];

        visit(self, root);
        for (size_t i = 0; root->sections_apart && i < root->table->n_options; i++) {
            const wm_option *option = &root->table->options[i];
            char             id[100];

            if (option->kind != WM_SECTION)
                continue;
            snprintf(id, sizeof id, "%s.%s", root->id, option->name);
            visit(self, &(reference_root){ .id = id, .table = option->section });
        }
    }
}

/* A bar would end the cell. */
static void add_cell(wm_text *text, const char *words)
{
    for (; *words != '\0'; words++) {
        if (*words == '|')
            wm_text_add(text, "\\");
        wm_text_add_bytes(text, words, 1);
    }
}

static void add_bound(wm_text *text, wm_kind kind, double bound)
{
    char words[WM_DURATION_WORDS];

    if (kind == WM_DURATION || kind == WM_DURATIONS)
        wm_text_add(text, wm_duration_words((int64_t)bound, words));
    else
        wm_text_printf(text, "%.15g", bound);
}

static void add_range(wm_text *text, const wm_option *option)
{
    if (option->least == 0 && option->most == 0)
        return;
    wm_text_add(text, ", ");
    add_bound(text, option->kind, option->least);
    if (option->most < option->least || isinf(option->most)) {
        wm_text_add(text, " or more");
    } else {
        wm_text_add(text, " to ");
        add_bound(text, option->kind, option->most);
    }
}

static void add_value(wm_text *text, const wm_option *option)
{
    if (option->kind >= WM_MEMBER) {
        wm_text_add(text, option->says);
        if (option->number != NULL)
            wm_text_printf(text, ", or a number for `%s`", option->number);
    } else {
        wm_text_add(text, kind_words[option->kind]);
        for (size_t i = 0; (option->kind == WM_CHOICE || option->kind == WM_FLAGS) && option->words[i] != NULL; i++)
            wm_text_printf(text, "%s `%s`", i > 0 ? "," : "", option->words[i]);
        add_range(text, option);
    }
    if (option->main)
        wm_text_add(text, "; main");
}

static void add_rows(wm_text *text, const wm_member *table, const char *prefix, bool sections_apart)
{
    for (size_t i = 0; i < table->n_options; i++) {
        const wm_option *option = &table->options[i];
        char             path[100];

        wm_text_printf(text, "| `%s%s` | ", prefix, option->name);
        add_value(text, option);
        wm_text_add(text, " | ");
        if (option->standard != NULL)
            wm_text_printf(text, "`%s`", option->standard);
        else if (!option->optional && option->kind != WM_SECTION)
            wm_text_add(text, "must be given");
        wm_text_add(text, " | ");
        add_cell(text, option->doc);
        wm_text_add(text, " |\n");
        if (option->kind != WM_SECTION || sections_apart)
            continue;
        snprintf(path, sizeof path, "%s%s.", prefix, option->name);
        add_rows(text, option->section, path, false);
    }
}

static void add_table(wm_text *text, const wm_member *table, bool sections_apart)
{
    if (table->n_options == 0)
        return;
    wm_text_add(text, "| key | value | default | |\n|---|---|---|---|\n");
    add_rows(text, table, "", sections_apart);
}

void reference_render(const wm_member *table, const wm_family *family, bool sections_apart, wm_text *ret)
{
    if (table != NULL) {
        add_table(ret, table, sections_apart);
        return;
    }
    for (size_t i = 0; i < family->n_members; i++) {
        const wm_member *member = family->members[i];

        wm_text_printf(ret, "%s**`%s`** ", i > 0 ? "\n" : "", member->name);
        wm_text_add(ret, member->doc);
        wm_text_add(ret, "\n");
        if (member->n_options > 0)
            wm_text_add(ret, "\n");
        add_table(ret, member, false);
    }
}

/* ---- the document ---- */

static const char begin[] = "<!-- table: ", begin_end[] = " -->\n", end[] = "<!-- end -->\n";

typedef struct search {
    const char    *id;
    size_t         n_id;
    bool           found;
    reference_root block;
} search;

static void match(void *self, const reference_root *block)
{
    search *s = self;

    if (strlen(block->id) != s->n_id || strncmp(block->id, s->id, s->n_id) != 0)
        return;
    s->found = true;
    s->block = *block;
}

typedef struct census {
    const char *document;
    wm_text    *why;
    bool        good;
} census;

/* Every block is there, once. */
static void count_block(void *self, const reference_root *block)
{
    census     *c = self;
    char        mark[200];
    const char *at;

    snprintf(mark, sizeof mark, "%s%s%s", begin, block->id, begin_end);
    at = strstr(c->document, mark);
    if (at != NULL && strstr(at + 1, mark) == NULL)
        return;
    wm_text_printf(c->why, "the block \"%s\" is %s\n", block->id, at == NULL ? "missing" : "there twice");
    c->good = false;
}

bool reference_renew(const char *document, wm_text *ret, wm_text *why)
{
    census c = { .document = document, .why = why, .good = true };

    reference_each(count_block, &c);
    for (const char *at = document, *mark;; at = strstr(mark, end)) {
        const char *id_end, *close;
        search      s = { 0 };

        mark = strstr(at, begin);
        if (mark == NULL) {
            wm_text_add(ret, at);
            return c.good;
        }
        s.id = mark + strlen(begin);
        id_end = strstr(mark, begin_end);
        close = id_end != NULL ? strstr(id_end, end) : NULL;
        if (close == NULL) {
            wm_text_printf(why, "a block does not end: %.60s\n", mark);
            return false;
        }
        s.n_id = (size_t)(id_end - s.id);
        reference_each(match, &s);
        if (!s.found) {
            wm_text_printf(why, "the block \"%.*s\" is of no table\n", (int)s.n_id, s.id);
            return false;
        }
        wm_text_add_bytes(ret, at, (size_t)(id_end + strlen(begin_end) - at));
        reference_render(s.block.table, s.block.family, s.block.sections_apart, ret);
    }
}
