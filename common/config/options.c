/* common/config/options.c */
#include "common/config/options.h"

#include "common/config/values.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SUGGESTED_MAX = 40 };

void *wm_reader_alloc(wm_reader *reader, size_t n, size_t size)
{
    size_t bytes;
    void  *ret = NULL;

    if (!__builtin_mul_overflow(n, size, &bytes))
        ret = wm_arena_alloc(reader->arena, bytes);
    if (ret == NULL)
        reader->full = true;
    return ret;
}

const char *wm_path_key(wm_reader *reader, const char *path, const char *key)
{
    size_t size = strlen(path) + strlen(key) + 2;
    char  *ret = wm_reader_alloc(reader, size, 1);

    if (ret == NULL)
        return "";
    snprintf(ret, size, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
    return ret;
}

const char *wm_path_item(wm_reader *reader, const char *path, size_t i)
{
    size_t size = strlen(path) + 24;
    char  *ret = wm_reader_alloc(reader, size, 1);

    if (ret == NULL)
        return "";
    snprintf(ret, size, "%s[%zu]", path, i);
    return ret;
}

/* The nearest of the names, or all of them. Not for faults that are only counted: a hostile file may have thousands. */
static void suggest(const wm_reader *reader, wm_text *text, const char *word, const char *const *names, size_t n)
{
    const char *nearest = reader->faults->count < WM_FAULTS_SHOWN ? wm_nearest(word, names, n) : NULL;

    if (nearest != NULL)
        wm_text_printf(text, "; did you mean \"%s\"?", nearest);
    for (size_t i = 0; nearest == NULL && i < n && i < SUGGESTED_MAX; i++)
        wm_text_printf(text, "%s%s", i == 0 ? "; known here: " : ", ", names[i]);
    if (nearest == NULL && n > SUGGESTED_MAX)
        wm_text_add(text, ", ...");
}

void wm_fault_unknown(wm_reader *reader, wm_place place, const char *path, const char *what, const char *word,
                      const char *const *names, size_t n)
{
    wm_yaml quoted = { .kind = WM_YAML_SCALAR, .text = word, .quoted = true };
    wm_text words = WM_TEXT_INIT;
    char    quote[WM_YAML_QUOTE];

    wm_text_printf(&words, "%s %s", wm_yaml_quote(&quoted, quote), what);
    suggest(reader, &words, word, names, n);
    wm_faults_add(reader->faults, place, path, "%s", wm_text_chars(&words));
    wm_text_release(&words);
}

static void fault_unknown_key(wm_reader *reader, const wm_yaml *node, const char *path, const char *const *names,
                              size_t n)
{
    wm_text words = WM_TEXT_INIT;

    wm_text_add(&words, n > 0 ? "unknown key" : "unknown key; there are no options here");
    suggest(reader, &words, node->key, names, n);
    wm_faults_add(reader->faults, node->key_place, wm_path_key(reader, path, node->key), "%s",
                  wm_text_chars(&words));
    wm_text_release(&words);
}

/* ---- members of families ---- */

static void fault_unknown_member(wm_reader *reader, const wm_family *family, const char *word, wm_place place,
                                 const char *path)
{
    char         what[100];
    const char **names = wm_reader_alloc(reader, family->n_members + 1, sizeof *names);

    if (names == NULL)
        return;
    for (size_t i = 0; i < family->n_members; i++)
        names[i] = family->members[i]->name;
    snprintf(what, sizeof what, "is not a known %s", family->name);
    wm_fault_unknown(reader, place, path, what, word, names, family->n_members);
}

static void read_member(wm_reader *reader, const wm_member *member, const wm_yaml *options, wm_place place,
                        const char *path, wm_choice *ret)
{
    wm_choice choice = { .member = member, .place = place, .path = path };
    void     *record = NULL;

    if (member->options_size > 0 && (record = wm_reader_alloc(reader, 1, member->options_size)) == NULL)
        return;
    wm_table_read(reader, member, options, place, wm_path_key(reader, path, member->name), record);
    choice.options = record;
    *ret = choice;
}

void wm_choice_read_number(wm_reader *reader, const wm_family *family, const char *number, const wm_yaml *node,
                           const char *path, wm_choice *ret)
{
    const wm_member *member;
    double           unused;

    if (node->kind == WM_YAML_SCALAR && !wm_yaml_is_empty(node)) {
        if (number != NULL && !node->quoted && wm_real_parse(node->text, &unused) &&
            (member = wm_family_find(family, number)) != NULL)
            read_member(reader, member, node, node->place, path, ret);
        else if ((member = wm_family_find(family, node->text)) != NULL)
            read_member(reader, member, NULL, node->place, path, ret);
        else
            fault_unknown_member(reader, family, node->text, node->place, path);
    } else if (node->kind == WM_YAML_MAP && node->count == 1) {
        if ((member = wm_family_find(family, node->first->key)) != NULL)
            read_member(reader, member, node->first, node->first->key_place, path, ret);
        else
            fault_unknown_member(reader, family, node->first->key, node->first->key_place, path);
    } else if (node->kind == WM_YAML_MAP) {
        wm_faults_add(reader->faults, node->place, path,
                      "a %s is written name or {name: {options}}; this mapping has %zu keys", family->name,
                      node->count);
    } else {
        char quote[WM_YAML_QUOTE];

        wm_faults_add(reader->faults, node->place, path, "%s stands here, where a %s belongs",
                      wm_yaml_quote(node, quote), family->name);
    }
}

void wm_choice_read(wm_reader *reader, const wm_family *family, const wm_yaml *node, const char *path,
                    wm_choice *ret)
{
    wm_choice_read_number(reader, family, NULL, node, path, ret);
}

static void read_choices(wm_reader *reader, const wm_family *family, const wm_yaml *node, const char *path,
                         wm_choices *ret)
{
    bool           list = node->kind == WM_YAML_LIST;
    size_t         n = list ? node->count : 1, i = 0;
    const wm_yaml *item = list ? node->first : node;
    wm_choice     *items;

    if (n == 0 || (items = wm_reader_alloc(reader, n, sizeof *items)) == NULL)
        return;
    for (; i < n; i++, item = item->next)
        wm_choice_read(reader, family, item, list ? wm_path_item(reader, path, i) : path, &items[i]);
    *ret = (wm_choices){ .items = items, .count = n };
}

/* ---- tables ---- */

static const wm_option *find_option(const wm_member *table, const char *name)
{
    for (size_t i = 0; i < table->n_options; i++)
        if (strcmp(table->options[i].name, name) == 0)
            return &table->options[i];
    return NULL;
}

static const wm_option *main_option(const wm_member *table)
{
    for (size_t i = 0; i < table->n_options; i++)
        if (table->options[i].main)
            return &table->options[i];
    return NULL;
}

static void refuse_unknown_keys(wm_reader *reader, const wm_member *table, const wm_yaml *map, const char *path)
{
    const char **names = wm_reader_alloc(reader, table->n_options + 1, sizeof *names);

    if (names == NULL)
        return;
    for (size_t i = 0; i < table->n_options; i++)
        names[i] = table->options[i].name;
    for (const wm_yaml *child = map->first; child != NULL; child = child->next)
        if (find_option(table, child->key) == NULL)
            fault_unknown_key(reader, child, path, names, table->n_options);
}

static void read_table(wm_reader *reader, const wm_member *table, const wm_yaml *node, wm_place place,
                       const char *path, bool demanding, void *ret);

static const wm_family *family_of(const wm_reader *reader, const wm_option *option)
{
    assert(reader->families != NULL);
    return *(const wm_family *const *)(const void *)((const char *)reader->families + option->family);
}

/* field <- the option's value; node NULL: a section that is not there. */
static void read_option(wm_reader *reader, const wm_option *option, const wm_yaml *node, wm_place place,
                        const char *path, void *field)
{
    switch (option->kind) {
    case WM_SECTION:
        read_table(reader, option->section, node, place, path, node != NULL || !option->optional, field);
        break;
    case WM_MEMBER:
        wm_choice_read_number(reader, family_of(reader, option), option->number, node, path, field);
        break;
    case WM_MEMBERS:
        read_choices(reader, family_of(reader, option), node, path, field);
        break;
    case WM_YAML:
        *(const wm_yaml **)field = node;
        break;
    default:
        wm_value_read(reader, option, node, path, field);
    }
}

/* Defaults have no place in the file. */
static wm_yaml *place_nowhere(wm_yaml *node)
{
    node->place = (wm_place){ 0, 0 };
    for (wm_yaml *child = node->first; child != NULL; child = child->next)
        place_nowhere(child)->key_place = (wm_place){ 0, 0 };
    return node;
}

/* A default as it would stand in the file, as a tree; NULL if the arena is full. */
static const wm_yaml *standard_node(wm_reader *reader, const wm_option *option)
{
    const char *text = option->standard[0] != '\0' ? option->standard : "\"\"";
    wm_yaml    *node = NULL;
    wm_faults   faults;
    wm_status   st;

    wm_faults_init(&faults, option->name);
    st = wm_document_read(text, strlen(text), strlen(text), reader->arena, &faults, &node, NULL);
    assert(faults.count == 0); /* a table of ours */
    wm_faults_release(&faults);
    if (st != WM_OK) {
        reader->full = true;
        return NULL;
    }
    return place_nowhere(node);
}

static bool is_empty_list(const wm_yaml *node)
{
    return node->kind == WM_YAML_LIST && node->count == 0;
}

/* What the file says of an option, with its own path. */
static void read_given(wm_reader *reader, const wm_option *option, const wm_yaml *given, wm_place place,
                       const char *path, void *field)
{
    if (option->standard == NULL && !option->optional && is_empty_list(given))
        wm_faults_add(reader->faults, given->place, path, "the list is empty; at least one is needed");
    else
        read_option(reader, option, given, place, path, field);
}

static void read_field(wm_reader *reader, const wm_option *option, const wm_yaml *given, wm_place place,
                       const char *path, bool demanding, void *field)
{
    const wm_yaml *node = given;

    if ((option->kind == WM_MEMBER || option->kind == WM_MEMBERS) && family_of(reader, option) == NULL)
        return;
    if (node == NULL && option->standard != NULL && (node = standard_node(reader, option)) == NULL)
        return;
    if (node == NULL && option->kind != WM_SECTION) {
        if (demanding && !option->optional)
            wm_faults_add(reader->faults, place, wm_path_key(reader, path, option->name), "must be given: %s",
                          option->doc);
        return;
    }
    path = wm_path_key(reader, path, option->name);
    if (given != NULL)
        read_given(reader, option, given, place, path, field);
    else
        read_option(reader, option, node, place, path, field);
}

/* demanding: what must be given is missed; else its field stays zero. */
static void read_table(wm_reader *reader, const wm_member *table, const wm_yaml *node, wm_place place,
                       const char *path, bool demanding, void *ret)
{
    const wm_option *shorthand = main_option(table);
    bool             empty = node == NULL || wm_yaml_is_empty(node);
    bool             map = !empty && node->kind == WM_YAML_MAP;
    size_t           faults_before = reader->faults->count;
    char             quote[WM_YAML_QUOTE];

    if (node != NULL)
        place = node->place;
    if (!empty && !map && shorthand == NULL) {
        wm_faults_add(reader->faults, place, path, "%s stands here, where a mapping of options belongs",
                      wm_yaml_quote(node, quote));
        return;
    }
    if (map)
        refuse_unknown_keys(reader, table, node, path);
    for (size_t i = 0; i < table->n_options && !reader->full; i++) {
        const wm_option *option = &table->options[i];
        void            *field = (char *)ret + option->offset;

        if (!empty && !map && option == shorthand)
            read_given(reader, option, node, place, path, field);
        else
            read_field(reader, option, map ? wm_yaml_get(node, option->name) : NULL, place, path, demanding, field);
    }
    if (table->check != NULL && demanding && !reader->full && reader->faults->count == faults_before)
        table->check(ret, reader->faults, place, path);
}

void wm_table_read(wm_reader *reader, const wm_member *table, const wm_yaml *node, wm_place place, const char *path,
                   void *ret)
{
    read_table(reader, table, node, place, path, true, ret);
}
