/* tests/config/reference.h
 *
 * docs/configuration.md is prose by hand around blocks that are made from the tables by which files are read:
 *
 *     <!-- table: job.training -->
 *     ...
 *     <!-- end -->
 *
 * `meson compile -C build reference` writes the blocks anew; test_reference.c checks that they are what the tables say,
 * and that there is one for every table. A new table: one line in tables.c, and its two marks in the document. */
#ifndef WM_TESTS_CONFIG_REFERENCE_H
#define WM_TESTS_CONFIG_REFERENCE_H

#include "common/config/family.h"
#include "common/text.h"

/* A table or a family; the other is NULL. */
typedef struct reference_root {
    const char *id;
    bool sections_apart; /* a whole file: its sections have blocks of their own; else they are told in place */
    const wm_member *table;
    const wm_family *family;
} reference_root;

extern const reference_root reference_roots[];
extern const size_t         reference_n_roots;

/* Calls back for every block there must be: the roots, and the sections of a file's table ("job.training"). */
typedef void reference_visit(void *self, const reference_root *block);
void         reference_each(reference_visit *visit, void *self);

/* The block of one table or family as Markdown. */
void reference_render(const wm_member *table, const wm_family *family, bool sections_apart, wm_text *ret);

/* *ret <- the document with every block made anew. Returns false, with a sentence in *why, if a block is unknown, there
 * twice, not there at all, or does not end. */
bool reference_renew(const char *document, wm_text *ret, wm_text *why);

#endif
