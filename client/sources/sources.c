/* client/sources/sources.c: the registry of data.source. */
#include "client/owners.h"
#include "client/source.h"

extern const wm_source_ops wm_source_csv, wm_source_idx, wm_source_synthetic, wm_source_text;

static const wm_member *const members[] = {
    &wm_source_csv.member,
    &wm_source_idx.member,
    &wm_source_synthetic.member,
    &wm_source_text.member,
};

const wm_family wm_sources = { "source", members, sizeof members / sizeof *members };
