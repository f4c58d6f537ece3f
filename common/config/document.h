/* common/config/document.h
 *
 * A YAML file as a tree in which every value knows its line and column. Only what a configuration needs:
 * mappings, lists and scalars, one document. Aliases, anchors, tags, directives and keys that are not words
 * are faults, and so is a key that is given twice: a file that means two things means nothing. Scalars keep
 * the characters that were written; what kind of value they are is decided by the option that reads them, so
 * that 050 is fifty.
 *
 * Reading is libyaml's events, never its document loader, so that the limits hold before memory is taken. */
#ifndef WM_COMMON_CONFIG_DOCUMENT_H
#define WM_COMMON_CONFIG_DOCUMENT_H

#include "common/arena.h"
#include "common/config/faults.h"
#include "common/text.h"

#include <stdbool.h>

enum {
    WM_DOCUMENT_DEPTH_MAX = 32,    /* mappings and lists inside each other */
    WM_DOCUMENT_NODES_MAX = 10000, /* values and keys */
};

typedef enum wm_yaml_kind { WM_YAML_SCALAR, WM_YAML_LIST, WM_YAML_MAP } wm_yaml_kind;

/* Zero-terminated texts, no zero inside. Lives as long as its arena; changed only by settings. */
typedef struct wm_yaml wm_yaml;
struct wm_yaml {
    wm_yaml_kind kind;
    bool         quoted; /* a scalar in quotes or a block: a word, whatever it looks like */
    bool         flow;   /* a list or mapping written [in, line] */
    wm_place     place;
    const char  *text;         /* of a scalar; "" when nothing was written */
    wm_yaml     *first, *last; /* of a list or mapping */
    size_t       count;
    wm_yaml     *next; /* in the list or mapping that this stands in */
    const char  *key;  /* in a mapping, else NULL */
    wm_place     key_place;
};

/* text[n] is read and not kept. What is wrong is added to *faults. WM_OK: there is a tree, though perhaps
 * with faults (a key given twice, a tag) that do not keep its values from being checked too. WM_E_INVALID:
 * there is none, and *ret is untouched. An empty document is an empty mapping. */
wm_status wm_document_read(const char *text, size_t n, size_t bytes_max, wm_arena *arena, wm_faults *faults,
                           wm_yaml **ret, wm_error *err);

/* The value of a key, NULL if there is none. */
wm_yaml *wm_yaml_get(const wm_yaml *map, const char *key);

/* Hangs a node, which hangs nowhere yet (with its key, if it is a mapping), behind the others. */
void wm_yaml_append(wm_yaml *parent, wm_yaml *node);

/* A copy of the mapping with only its `keys`, or with all but these; the values are shared. NULL: out of
 * memory. */
wm_yaml *wm_yaml_only(const wm_yaml *map, const char *const *keys, size_t n, wm_arena *arena);
wm_yaml *wm_yaml_without(const wm_yaml *map, const char *const *keys, size_t n, wm_arena *arena);

/* A scalar that nothing was written for, as in "model:". */
bool wm_yaml_is_empty(const wm_yaml *node);

/* "\"fifty\"", shortened, or "a list", "a mapping", "nothing": for messages. */
enum { WM_YAML_QUOTE = 64 };
const char *wm_yaml_quote(const wm_yaml *node, char text[WM_YAML_QUOTE]);

/* The tree as YAML that reads back as the same tree. */
wm_status wm_document_write(const wm_yaml *root, wm_text *ret, wm_error *err);

#endif
