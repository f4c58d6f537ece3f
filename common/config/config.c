/* common/config/config.c */
#include "common/config/config.h"

/* Bounded by the limits of a document many times over: 10,000 values of a few cache lines each. */
enum { MEMORY_MAX = 64 << 20 };

wm_status wm_config_read(const char *file, const char *text, size_t n, const wm_member *table, const void *families,
                         wm_faults *faults, void *record, wm_arena **memory, wm_error *err)
{
    wm_reader reader = { .faults = faults, .families = families };
    wm_yaml  *root = NULL;
    wm_status st = wm_arena_new_growing(MEMORY_MAX, &reader.arena, err);

    if (st != WM_OK)
        return st;
    wm_faults_name(faults, file);
    st = wm_document_read(text, n, WM_CONFIG_BYTES_MAX, reader.arena, faults, &root, err);
    if (st != WM_OK)
        goto out;
    wm_table_read(&reader, table, root, root->place, "", record);
    if (reader.full)
        st = wm_fail(err, WM_E_NOMEM, "%s: no memory for its settings", file);
    else
        st = wm_faults_result(faults, err);
    if (st == WM_OK) {
        *memory = reader.arena;
        reader.arena = NULL;
    }
out:
    wm_arena_free(reader.arena);
    return st;
}
