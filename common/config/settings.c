/* common/config/settings.c */
#include "common/config/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1000 };

/* One setting on its way down. */
typedef struct walk {
    wm_arena   *arena;
    wm_faults  *faults;
    const char *key;  /* the whole path, for messages */
    const char *rest; /* of the path, still to go */
    wm_place    place;
    size_t      depth;
    wm_error   *err;
} walk;

static wm_status no_memory(const walk *w)
{
    return wm_fail(w->err, WM_E_NOMEM, "no memory for --set %.100s", w->key);
}

/* The path up to where the walk is. */
static int passed(const walk *w)
{
    return (int)(w->rest - w->key);
}

__attribute__((format(printf, 2, 3))) static wm_status fault(const walk *w, const char *fmt, ...)
{
    wm_text words = WM_TEXT_INIT;
    va_list args;

    va_start(args, fmt);
    wm_text_vprintf(&words, fmt, args);
    va_end(args);
    wm_faults_add(w->faults, w->place, w->key, "%s", wm_text_chars(&words));
    wm_text_release(&words);
    return WM_E_INVALID;
}

/* What was set carries the place of its setting. The depth is bounded by the reader. */
static void place_all(wm_yaml *node, wm_place place)
{
    node->place = place;
    for (wm_yaml *child = node->first; child != NULL; child = child->next) {
        child->key_place = place;
        place_all(child, place);
    }
}

static size_t depth_of(const wm_yaml *node)
{
    size_t deepest = 0;

    for (const wm_yaml *child = node->first; child != NULL; child = child->next) {
        size_t depth = depth_of(child);

        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (node->kind != WM_YAML_SCALAR);
}

/* The name that `rest` begins with: the longest of the mapping's keys, for these may have dots, or up to . or
 * [ */
static size_t name_length(const wm_yaml *map, const char *rest)
{
    size_t longest = 0;

    for (const wm_yaml *child = map->first; child != NULL; child = child->next) {
        size_t n = strlen(child->key);

        if (n > longest && strncmp(rest, child->key, n) == 0 && strchr(".[", rest[n]) != NULL)
            longest = n; /* strchr finds the closing zero too */
    }
    return longest > 0 ? longest : strcspn(rest, ".[");
}

static void become_map(wm_yaml *node)
{
    node->kind = WM_YAML_MAP;
    node->quoted = false;
    node->flow = true;
    node->text = "";
}

static wm_status add_child(const walk *w, wm_yaml *map, const char *key, size_t n_key, wm_yaml **ret)
{
    wm_yaml *child = wm_arena_alloc(w->arena, sizeof *child);

    if (child == NULL || (child->key = wm_arena_text(w->arena, key, n_key)) == NULL)
        return no_memory(w);
    child->text = "";
    child->place = child->key_place = w->place;
    wm_yaml_append(map, child);
    *ret = child;
    return WM_OK;
}

/* A scalar on the way: nothing becomes a mapping, and so does a member's name of which an option is set. */
static wm_status open_scalar(const walk *w, wm_yaml *node)
{
    char        quote[WM_YAML_QUOTE];
    const char *name = node->text;
    size_t      n = strlen(name);
    wm_yaml    *child = NULL;
    wm_status   st;

    if (wm_yaml_is_empty(node)) {
        become_map(node);
        return WM_OK;
    }
    if (strncmp(w->rest, name, n) != 0 || w->rest[n] != '.')
        return fault(w, "\"%.*s\" is %s, which has no keys; set it to {...} as a whole", passed(w) - 1, w->key,
                     wm_yaml_quote(node, quote));
    become_map(node);
    st = add_child(w, node, name, n, &child);
    if (st == WM_OK)
        become_map(child);
    return st;
}

/* rest: "rate", "columns.TEMP.range" */
static wm_status step_into_map(walk *w, wm_yaml *node, wm_yaml **ret)
{
    wm_status st = node->kind == WM_YAML_SCALAR ? open_scalar(w, node) : WM_OK;
    size_t    n;

    if (st != WM_OK)
        return st;
    if (node->kind == WM_YAML_LIST)
        return fault(w, "\"%.*s\" is a list; say which of its entries, as in [0]", passed(w) - 1, w->key);
    n = name_length(node, w->rest);
    if (n == 0)
        return fault(w, "a name is missing in the path");
    for (wm_yaml *child = node->first; child != NULL; child = child->next)
        if (strlen(child->key) == n && strncmp(child->key, w->rest, n) == 0) {
            w->rest += n;
            *ret = child;
            return WM_OK;
        }
    st = add_child(w, node, w->rest, n, ret);
    w->rest += n;
    return st;
}

/* rest: "[2]..." */
static wm_status step_into_list(walk *w, wm_yaml *node, wm_yaml **ret)
{
    char         *end;
    size_t        digits = strspn(w->rest + 1, "0123456789");
    unsigned long i = strtoul(w->rest + 1, &end, 10);
    wm_yaml      *child = node->first;

    if (digits == 0 || digits > 6 || *end != ']')
        return fault(w, "a place in a list is written [0], [1], ...");
    if (node->kind != WM_YAML_LIST)
        return fault(w, "\"%.*s\" is not a list", passed(w), w->key);
    if (i >= node->count)
        return fault(w, "there is no [%lu] in \"%.*s\", which has %zu entries", i, passed(w), w->key, node->count);
    for (; i > 0; i--)
        child = child->next;
    w->rest = end + 1;
    *ret = child;
    return WM_OK;
}

/* The node that the key names, made if it was not there. */
static wm_status find(walk *w, wm_yaml *root, wm_yaml **ret)
{
    wm_yaml  *node = root;
    wm_status st = step_into_map(w, root, &node);

    for (w->depth = 1; st == WM_OK && w->rest[0] != '\0'; w->depth++) {
        if (w->rest[0] == '[') {
            st = step_into_list(w, node, &node);
        } else if (w->rest[0] == '.') {
            w->rest++;
            st = step_into_map(w, node, &node);
        } else {
            st = fault(w, "after ] comes . or [ or the end");
        }
        if (w->depth >= WM_DOCUMENT_DEPTH_MAX)
            return fault(w, "more than %d levels inside each other", WM_DOCUMENT_DEPTH_MAX);
    }
    *ret = node;
    return st;
}

/* The value as a tree of its own. Its faults have places in the value; they are told as the setting's. */
static wm_status read_value(const walk *w, const char *value, wm_yaml **ret)
{
    wm_faults faults;
    wm_yaml  *node = NULL;
    wm_status st;

    if (value[0] == '\0') { /* key= means: nothing */
        node = wm_arena_alloc(w->arena, sizeof *node);
        if (node == NULL)
            return no_memory(w);
        *node = (wm_yaml){ .text = "" };
        *ret = node;
        return WM_OK;
    }
    wm_faults_init(&faults, "value");
    st = wm_document_read(value, strlen(value), WM_SETTING_BYTES_MAX, w->arena, &faults, &node, w->err);
    if (faults.count > 0) {
        const char *lines = wm_text_chars(&faults.lines), *what = strstr(lines, "not YAML: ");
        const char *end = what != NULL ? strstr(what, " (which") : NULL;

        /* Its own line and column are those of no file. */
        if (what != NULL)
            st = fault(w,
                       "\"%.60s\" is %.*s; a value that is a word with YAML's own signs in it goes between quotes",
                       value, end != NULL ? (int)(end - what) : (int)strcspn(what, "\n"), what);
        else
            st = fault(w, "%.*s", (int)strcspn(lines, "\n"), lines);
    }
    wm_faults_release(&faults);
    if (st == WM_OK)
        *ret = node;
    return st;
}

static wm_status apply(walk *w, const wm_setting *setting, wm_yaml *root)
{
    wm_yaml  *value = NULL, *node = NULL;
    wm_status st;

    if (strlen(setting->key) > KEY_MAX)
        return fault(w, "a key has at most %d characters", KEY_MAX);
    st = read_value(w, setting->value, &value);
    if (st == WM_OK)
        st = find(w, root, &node);
    if (st != WM_OK)
        return st;
    if (w->depth + depth_of(value) > WM_DOCUMENT_DEPTH_MAX)
        return fault(w, "more than %d levels inside each other", WM_DOCUMENT_DEPTH_MAX);
    place_all(value, w->place);
    node->kind = value->kind;
    node->quoted = value->quoted;
    node->flow = true;
    node->place = w->place;
    node->text = value->text;
    node->first = value->first;
    node->last = value->last;
    node->count = value->count;
    return WM_OK;
}

wm_status wm_settings_apply(const wm_setting *settings, size_t n, wm_arena *arena, wm_yaml *root, wm_faults *faults,
                            wm_error *err)
{
    if (root->kind != WM_YAML_MAP)
        return WM_OK; /* the reader of the file says so, once */
    for (size_t i = 0; i < n; i++) {
        walk w = { .arena = arena,
                   .faults = faults,
                   .key = settings[i].key,
                   .rest = settings[i].key,
                   .place = { 0, (uint32_t)i + 1 },
                   .err = err };

        if (apply(&w, &settings[i], root) == WM_E_NOMEM)
            return WM_E_NOMEM;
    }
    return WM_OK;
}
