/* common/config/family.h
 *
 * Families read their own options. A member of a family (a layer, a strategy, a source of readings) is described by
 * a table: its name, what it is, and the options that it takes. The reader of files fills the member's own struct
 * from that table, checks types and ranges, names the nearest known key for an unknown one, and the reference of the
 * configuration (docs/configuration.md) is checked against the same table.
 *
 * In a file a member stands as its name alone, which takes the defaults (`relu`), as {name: {option: value}}, or,
 * where one option is its main one, as {name: value} (`dense: 64`). */
#ifndef WM_COMMON_CONFIG_FAMILY_H
#define WM_COMMON_CONFIG_FAMILY_H

#include "common/config/faults.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an option is, in the file and in the struct. Lists are {items, count}. Everything that is pointed to lives as
 * long as what was parsed. Numbers are decimal: 050 is fifty. */
typedef enum wm_kind {
    WM_BOOL,      /* bool */
    WM_WHOLE,     /* int64_t, within [least, most] */
    WM_REAL,      /* double, finite, within [least, most] */
    WM_WORD,      /* const char *, NULL if absent and without default */
    WM_DURATION,  /* int64_t milliseconds: 250ms, 15m, 24h, 7d; within [least, most] ms */
    WM_CHOICE,    /* int: the index of the word in `words` */
    WM_WORDS,     /* wm_words; a lone word is a list of one */
    WM_REALS,     /* wm_reals; a lone number is a list of one */
    WM_WHOLES,    /* wm_wholes; a lone number is a list of one */
    WM_DURATIONS, /* wm_durations; a lone one is a list of one */
    WM_BYTES,     /* int64_t bytes: 64KiB, 1MiB, 500MB, 4096 */
    WM_FLAGS,     /* unsigned: bit i is set if `words`[i] is in the list; a lone word is a list of one */
    WM_SECTION,   /* a mapping with options of its own: the struct of `section` stands at offset */
    WM_MEMBER,    /* wm_choice: a member of `family` */
    WM_MEMBERS,   /* wm_choices; a lone member is a list of one */
    WM_YAML,      /* const struct wm_yaml *, NULL if absent: for the code that owns the table; `says` what it is */
} wm_kind;

typedef struct wm_words {
    const char *const *items;
    size_t             count;
} wm_words;

typedef struct wm_reals {
    const double *items;
    size_t        count;
} wm_reals;

typedef struct wm_wholes {
    const int64_t *items;
    size_t         count;
} wm_wholes;

typedef struct wm_durations {
    const int64_t *items; /* ms */
    size_t         count;
} wm_durations;

struct wm_yaml;
struct wm_member;

typedef struct wm_option {
    const char *name;
    wm_kind     kind;
    size_t      offset; /* of the field in the member's options struct */
    double      least;  /* inclusive; least == most == 0 means any; most < least: no upper end */
    double      most;
    const char *standard; /* the default as it would stand in the file; NULL: must be given, unless `optional` */
    bool        optional; /* may be absent without a default: the field stays zero */
    bool        main;     /* takes the value in {name: value} */
    const char *const *words; /* WM_CHOICE, WM_FLAGS: ends with NULL */
    const char        *doc;   /* one sentence for the reference */

    /* WM_SECTION: its table. Absent, it takes its own defaults; `optional`: then nothing in it must be given. */
    const struct wm_member *section;
    /* WM_MEMBER(S): offset of a `const wm_family *` in the record of families that is handed to the reader; where
     * that is NULL the key is not looked at and the field stays zero. */
    size_t      family;
    const char *number; /* WM_MEMBER: the member that a plain number stands for: rate: 0.1 is {constant: 0.1} */
    const char *says; /* WM_YAML, WM_MEMBER(S): "a mapping from names to columns", "a source"; for the reference */
} wm_option;

/* A member of a family; and any other table of options: a section of a file, or a file as a whole. */
typedef struct wm_member {
    const char      *name; /* as written in files */
    const char      *doc;  /* one sentence for the reference */
    const wm_option *options;
    size_t           n_options;
    size_t           options_size; /* bytes of the struct that they fill */

    /* What a table cannot say: options that must go together. Adds faults; NULL if there is nothing to add. Called
     * only when every option by itself was right. */
    void (*check)(const void *options, wm_faults *faults, wm_place place, const char *path);
} wm_member;

/* A registry. Families whose members have operations put `wm_member member` first in their ops struct, so that a
 * pointer to the member is a pointer to the ops. */
typedef struct wm_family {
    const char             *name; /* "layer", "strategy": for messages and the reference */
    const wm_member *const *members;
    size_t                  n_members;
} wm_family;

/* One choice out of a family, as a file made it. member NULL: nothing was chosen and there is no default. */
typedef struct wm_choice {
    const wm_member *member;
    const void      *options; /* of member->options_size bytes; NULL if that is 0 */
    wm_place         place;
    const char      *path; /* "model.layers[2]": for faults found later, such as shapes that do not fit */
} wm_choice;

typedef struct wm_choices {
    const wm_choice *items;
    size_t           count;
} wm_choices;

const wm_member *wm_family_find(const wm_family *family, const char *name); /* NULL if unknown */

#endif
