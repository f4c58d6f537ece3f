/* common/config/document.c
 *
 * A stack of open lists and mappings takes libyaml's events. Its depth is fixed, so nothing recurses on what
 * a file says. A document with faults is read to its end all the same (a key given twice does not hide the
 * next fault), but after a syntax error libyaml cannot go on. */
#include "common/config/document.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

typedef struct builder {
    wm_arena   *arena;
    wm_faults  *faults;
    wm_yaml    *open[WM_DOCUMENT_DEPTH_MAX]; /* the lists and mappings that have not ended */
    size_t      depth;
    wm_yaml    *root;
    size_t      nodes;
    size_t      documents;
    const char *key; /* read in the innermost mapping, its value still to come */
    wm_place    key_place;
} builder;

static wm_place place_of(yaml_mark_t mark)
{
    return (wm_place){ .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1 };
}

/* Where the next value goes: "training.rate", "model.layers[2]". */
static void add_path(const builder *b, wm_text *path)
{
    for (size_t i = 0; i < b->depth; i++) {
        const wm_yaml *node = b->open[i];
        const char    *key = i + 1 < b->depth ? b->open[i + 1]->key : b->key;

        if (node->kind == WM_YAML_LIST)
            wm_text_printf(path, "[%zu]", i + 1 < b->depth ? node->count - 1 : node->count);
        else if (key != NULL)
            wm_text_printf(path, "%s%s", path->size > 0 ? "." : "", key);
    }
}

__attribute__((format(printf, 3, 4))) static wm_status fault(builder *b, wm_place place, const char *fmt, ...)
{
    wm_text path = WM_TEXT_INIT, words = WM_TEXT_INIT;
    va_list args;

    va_start(args, fmt);
    wm_text_vprintf(&words, fmt, args);
    va_end(args);
    add_path(b, &path);
    wm_faults_add(b->faults, place, wm_text_chars(&path), "%s", wm_text_chars(&words));
    wm_text_release(&path);
    wm_text_release(&words);
    return WM_E_INVALID;
}

static wm_status no_memory(wm_error *err)
{
    return wm_fail(err, WM_E_NOMEM, "no memory for the tree of a configuration file");
}

/* Counts a value or key against the limit. */
static wm_status count_node(builder *b, wm_place place)
{
    if (++b->nodes > WM_DOCUMENT_NODES_MAX)
        return fault(b, place, "more than %d values in one file", WM_DOCUMENT_NODES_MAX);
    return WM_OK;
}

/* The word of a key; it waits for its value. */
static wm_status take_key(builder *b, const yaml_event_t *event, wm_error *err)
{
    const char    *text = (const char *)event->data.scalar.value;
    const wm_yaml *before = wm_yaml_get(b->open[b->depth - 1], text);
    wm_status      st = count_node(b, place_of(event->start_mark));

    if (st != WM_OK)
        return st;
    b->key = wm_arena_text(b->arena, text, strlen(text));
    if (b->key == NULL)
        return no_memory(err);
    b->key_place = place_of(event->start_mark);
    if (before != NULL)
        fault(b, b->key_place, "is given twice; first on line %u", before->key_place.line);
    return WM_OK;
}

void wm_yaml_append(wm_yaml *parent, wm_yaml *node)
{
    if (parent->last != NULL)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

/* Hangs a node into the innermost open list or mapping; the first of all is the root. */
static wm_status hang(builder *b, wm_yaml *node)
{
    wm_yaml  *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;
    wm_status st = count_node(b, node->place);

    if (st != WM_OK)
        return st;
    if (parent == NULL) {
        b->root = node;
        return WM_OK;
    }
    node->key = b->key;
    node->key_place = b->key_place;
    b->key = NULL;
    wm_yaml_append(parent, node);
    return WM_OK;
}

static wm_yaml *new_node(builder *b, wm_yaml_kind kind, const yaml_event_t *event)
{
    wm_yaml *node = wm_arena_alloc(b->arena, sizeof *node);

    if (node != NULL) {
        node->kind = kind;
        node->place = place_of(event->start_mark);
        node->text = "";
    }
    return node;
}

static wm_status take_scalar(builder *b, const yaml_event_t *event, wm_error *err)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t      n = event->data.scalar.length;
    wm_yaml    *node;

    if (strlen(text) != n)
        return fault(b, place_of(event->start_mark), "a zero character stands in the text");
    if (b->depth > 0 && b->open[b->depth - 1]->kind == WM_YAML_MAP && b->key == NULL)
        return take_key(b, event, err);
    node = new_node(b, WM_YAML_SCALAR, event);
    if (node == NULL || (n > 0 && (node->text = wm_arena_text(b->arena, text, n)) == NULL))
        return no_memory(err);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return hang(b, node);
}

static wm_status take_start(builder *b, wm_yaml_kind kind, bool flow, const yaml_event_t *event, wm_error *err)
{
    wm_place  place = place_of(event->start_mark);
    wm_yaml  *node;
    wm_status st;

    if (b->depth > 0 && b->open[b->depth - 1]->kind == WM_YAML_MAP && b->key == NULL)
        return fault(b, place, "a key must be a word, not %s", kind == WM_YAML_MAP ? "a mapping" : "a list");
    if (b->depth == WM_DOCUMENT_DEPTH_MAX)
        return fault(b, place, "more than %d levels inside each other", WM_DOCUMENT_DEPTH_MAX);
    node = new_node(b, kind, event);
    if (node == NULL)
        return no_memory(err);
    node->flow = flow;
    st = hang(b, node);
    if (st == WM_OK)
        b->open[b->depth++] = node;
    return st;
}

static void refuse_extras(builder *b, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        fault(b, place_of(event->start_mark), "the anchor \"&%s\" is not used here; write the value out",
              (const char *)anchor);
    if (tag != NULL)
        fault(b, place_of(event->start_mark), "the tag \"%s\" is not used here; leave it out", (const char *)tag);
}

static wm_status take_document(builder *b, const yaml_event_t *event)
{
    if (++b->documents > 1)
        return fault(b, place_of(event->start_mark), "a second document begins here; one file holds one");
    if (event->data.document_start.version_directive != NULL ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        return fault(b, place_of(event->start_mark), "directives (lines with %%) are not used here");
    return WM_OK;
}

static wm_status take(builder *b, const yaml_event_t *event, wm_error *err)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return take_document(b, event);
    case YAML_ALIAS_EVENT:
        return fault(b, place_of(event->start_mark), "the alias \"*%s\" is not used here; write the value out",
                     (const char *)event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        refuse_extras(b, event, event->data.scalar.anchor, event->data.scalar.tag);
        return take_scalar(b, event, err);
    case YAML_SEQUENCE_START_EVENT:
        refuse_extras(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return take_start(b, WM_YAML_LIST, event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, event,
                          err);
    case YAML_MAPPING_START_EVENT:
        refuse_extras(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return take_start(b, WM_YAML_MAP, event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, event, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return WM_OK;
    default: /* the stream's and the document's ends */
        return WM_OK;
    }
}

/* libyaml gives a byte offset, not a mark, for characters that it cannot read. */
static wm_place place_of_offset(const char *text, size_t n, size_t offset)
{
    wm_place place = { 1, 1 };

    for (size_t i = 0; i < n && i < offset; i++) {
        if (text[i] == '\n')
            place = (wm_place){ place.line + 1, 1 };
        else if (((unsigned char)text[i] & 0xc0) != 0x80)
            place.column++;
    }
    return place;
}

static wm_status syntax_fault(const yaml_parser_t *parser, const char *text, size_t n, wm_faults *faults,
                              wm_error *err)
{
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";

    if (parser->error == YAML_MEMORY_ERROR)
        return no_memory(err);
    if (parser->error == YAML_READER_ERROR)
        wm_faults_add(faults, place_of_offset(text, n, parser->problem_offset), "", "not a text in UTF-8: %s",
                      problem);
    else if (parser->context != NULL)
        wm_faults_add(faults, place_of(parser->problem_mark), "", "not YAML: %s, %s (which began on line %zu)",
                      problem, parser->context, parser->context_mark.line + 1);
    else
        wm_faults_add(faults, place_of(parser->problem_mark), "", "not YAML: %s", problem);
    return WM_E_INVALID;
}

static wm_status read_events(yaml_parser_t *parser, builder *b, const char *text, size_t n, wm_error *err)
{
    for (bool done = false; !done;) {
        yaml_event_t event;
        wm_status    st;

        if (!yaml_parser_parse(parser, &event))
            return syntax_fault(parser, text, n, b->faults, err);
        st = take(b, &event, err);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (st != WM_OK)
            return st;
    }
    return WM_OK;
}

/* A comment alone, or nothing at all, is an empty mapping: its required keys are then what is missing. */
static wm_status finish(builder *b, wm_yaml **ret, wm_error *err)
{
    wm_yaml *root = b->root;

    if (root == NULL && (root = wm_arena_alloc(b->arena, sizeof *root)) == NULL)
        return no_memory(err);
    if (b->root == NULL)
        *root = (wm_yaml){ .kind = WM_YAML_MAP, .text = "", .place = { 1, 1 } };
    *ret = root;
    return WM_OK;
}

wm_status wm_document_read(const char *text, size_t n, size_t bytes_max, wm_arena *arena, wm_faults *faults,
                           wm_yaml **ret, wm_error *err)
{
    builder       b = { .arena = arena, .faults = faults };
    yaml_parser_t parser;
    wm_status     st;

    if (n > bytes_max) {
        wm_faults_add(faults, (wm_place){ 0, 0 }, "", "has %zu bytes; %zu are the most", n, bytes_max);
        return wm_faults_result(faults, err);
    }
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* some editors begin with a byte-order mark */
        text += 3;
        n -= 3;
    }
    if (!yaml_parser_initialize(&parser))
        return no_memory(err);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING); /* or two bytes could turn the file into UTF-16 */
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    st = read_events(&parser, &b, text, n, err);
    yaml_parser_delete(&parser);
    if (st != WM_OK)
        return st == WM_E_INVALID ? wm_faults_result(faults, err) : st;
    assert(b.depth == 0);
    return finish(&b, ret, err);
}

wm_yaml *wm_yaml_get(const wm_yaml *map, const char *key)
{
    assert(map->kind == WM_YAML_MAP);
    for (wm_yaml *node = map->first; node != NULL; node = node->next)
        if (strcmp(node->key, key) == 0)
            return node;
    return NULL;
}

static wm_yaml *pick(const wm_yaml *map, const char *const *keys, size_t n, bool listed, wm_arena *arena)
{
    wm_yaml *ret = wm_arena_alloc(arena, sizeof *ret);

    assert(map->kind == WM_YAML_MAP);
    if (ret == NULL)
        return NULL;
    *ret = *map;
    ret->first = ret->last = ret->next = NULL;
    ret->count = 0;
    for (const wm_yaml *child = map->first; child != NULL; child = child->next) {
        wm_yaml *copy;
        bool     found = false;

        for (size_t i = 0; i < n; i++)
            found |= strcmp(child->key, keys[i]) == 0;
        if (found != listed)
            continue;
        if ((copy = wm_arena_alloc(arena, sizeof *copy)) == NULL)
            return NULL;
        *copy = *child;
        copy->next = NULL;
        wm_yaml_append(ret, copy);
    }
    return ret;
}

wm_yaml *wm_yaml_only(const wm_yaml *map, const char *const *keys, size_t n, wm_arena *arena)
{
    return pick(map, keys, n, true, arena);
}

wm_yaml *wm_yaml_without(const wm_yaml *map, const char *const *keys, size_t n, wm_arena *arena)
{
    return pick(map, keys, n, false, arena);
}

bool wm_yaml_is_empty(const wm_yaml *node)
{
    return node->kind == WM_YAML_SCALAR && !node->quoted &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

const char *wm_yaml_quote(const wm_yaml *node, char text[WM_YAML_QUOTE])
{
    enum { SHOWN = 40 };
    size_t n = strlen(node->text);

    if (node->kind != WM_YAML_SCALAR)
        return node->kind == WM_YAML_LIST ? "a list" : "a mapping";
    if (wm_yaml_is_empty(node))
        return "nothing";
    if (n > SHOWN)
        for (n = SHOWN; n > 0 && ((unsigned char)node->text[n] & 0xc0) == 0x80;)
            n--;
    snprintf(text, WM_YAML_QUOTE, "\"%.*s%s\"", (int)n, node->text, node->text[n] != '\0' ? "..." : "");
    return text;
}
