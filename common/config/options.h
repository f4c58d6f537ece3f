/* common/config/options.h
 *
 * Fills structs from a tree by tables of options (family.h), and collects every fault on the way: unknown
 * keys with the nearest known one, wrong types with what was found and what would be right, values out of
 * range, what must be given and is not.
 *
 * A table is a wm_member: the options of a layer, a section of a file, or a file as a whole. A field
 * whose value is at fault keeps its zero, and the reading goes on. A table's `standard` texts are ours and
 * must be right; a test reads the defaults of every table there is. */
#ifndef WM_COMMON_CONFIG_OPTIONS_H
#define WM_COMMON_CONFIG_OPTIONS_H

#include "common/config/document.h"
#include "common/config/family.h"

typedef struct wm_reader {
    wm_arena   *arena; /* what is pointed to lives here */
    wm_faults  *faults;
    const void *families; /* the record that wm_option.family counts into; NULL if no table needs one */
    bool        full;     /* the arena had no more room: what was read is of no use */
} wm_reader;

/* ret[table->options_size] <- the options. `node`: a mapping, or a value for the table's main option; NULL or
 * empty: the defaults. `place`: for what must be given when there is no node. */
void wm_table_read(wm_reader *reader, const wm_member *table, const wm_yaml *node, wm_place place, const char *path,
                   void *ret);

/* One member: name | {name: value} | {name: {options}}. *ret stays as it was after a fault. */
void wm_choice_read(wm_reader *reader, const wm_family *family, const wm_yaml *node, const char *path,
                    wm_choice *ret);

/* As wm_choice_read, and a plain number is {number: it}; NULL: no member stands for numbers. */
void wm_choice_read_number(wm_reader *reader, const wm_family *family, const char *number, const wm_yaml *node,
                           const char *path, wm_choice *ret);

/* A value outside a table, such as one entry of a list: option->kind is one of the scalars or lists of
 * scalars. */
void wm_value_read(wm_reader *reader, const wm_option *option, const wm_yaml *node, const char *path, void *field);

/* "data.columns" and "TEMP" -> "data.columns.TEMP"; "" and "job" -> "job". "" if the arena is full. */
const char *wm_path_key(wm_reader *reader, const char *path, const char *key);
/* "model.layers" and 2 -> "model.layers[2]" */
const char *wm_path_item(wm_reader *reader, const char *path, size_t i);

/* Memory of the arena; NULL and reader->full if there is none. */
void *wm_reader_alloc(wm_reader *reader, size_t n, size_t size);

/* A fault about a word that is none of names[n]: "\"ratte\" is not a known layer; did you mean \"dense\"?", or which are
 * known if none is near. `what`: "is not a known layer". */
void wm_fault_unknown(wm_reader *reader, wm_place place, const char *path, const char *what, const char *word,
                      const char *const *names, size_t n);

#endif
