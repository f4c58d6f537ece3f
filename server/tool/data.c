/* server/tool/data.c: wardmote data: what a job will find in a folder, before anything is trained. */
#include "server/tool/tool.h"

#include "common/config/document.h"
#include "common/table.h"
#include "server/tool/workspace.h"

#include <stdlib.h>
#include <string.h>

typedef struct data_settings {
    wm_workspace_settings space;
    bool                  names;
    const char           *client_yaml; /* a client's name */
} data_settings;

static const wm_cli_option options[] = {
    WM_WORKSPACE_OPTIONS(data_settings, space),
    { .name = "names",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(data_settings, names),
      .doc = "only the clients' names, a line each" },
    { .name = "client-yaml",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(data_settings, client_yaml),
      .value = "NAME",
      .doc = "the `data` section of client.yaml by which a gateway would read that client's share" },
};

static const data_settings standard = { .space = { .seed = -1 } };

/* The job's own words on source and owner, indented to stand under `data:`. */
static wm_status copy_sections(const wm_job *job, wm_text *ret, wm_error *err)
{
    static const char *const keys[] = { "source", "owner" };
    wm_arena                *arena;
    wm_faults                faults;
    wm_yaml                 *root, *sections;
    wm_text                  text = WM_TEXT_INIT;
    wm_status                st = wm_arena_new_growing(16 << 20, &arena, err);

    if (st != WM_OK)
        return st;
    wm_faults_init(&faults, job->name);
    st = wm_document_read(job->text, job->n_text, WM_JOB_TEXT_MAX, arena, &faults, &root, err);
    if (st == WM_OK) {
        sections = wm_yaml_only(wm_yaml_get(root, "data"), keys, sizeof keys / sizeof *keys, arena);
        st = sections != NULL ? wm_document_write(sections, &text, err)
                              : wm_fail(err, WM_E_NOMEM, "no memory for client.yaml");
    }
    for (const char *line = wm_text_chars(&text); *line != '\0';) {
        size_t n = strcspn(line, "\n");

        wm_text_printf(ret, "  %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    wm_text_release(&text);
    wm_faults_release(&faults);
    wm_arena_free(arena);
    return st;
}

/* `text` as YAML reads it back whatever is in it: between single quotes, those within doubled. */
static void add_quoted(wm_text *to, const char *text)
{
    wm_text_add(to, "'");
    for (; *text != '\0'; text++)
        wm_text_add_bytes(to, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    wm_text_add(to, "'");
}

/* A gateway that reads its share out of a common folder divides it as the job does, and keeps what bears its name. */
wm_status wm_client_data_yaml(const wm_job *job, const char *folder, const char *name, wm_text *ret, wm_error *err)
{
    char     *absolute = realpath(folder, NULL);
    wm_status st;

    if (absolute == NULL)
        return wm_fail(err, WM_E_MISSING, "%s is not a folder", folder);
    wm_text_add(ret, "data:\n  folder: ");
    add_quoted(ret, absolute);
    wm_text_add(ret, "\n");
    free(absolute);
    st = copy_sections(job, ret, err);
    if (st != WM_OK)
        return st;
    if (job->data.owner.member != NULL) {
        wm_text_add(ret, "  keep: ");
        add_quoted(ret, name);
        wm_text_add(ret, "\n");
    }
    wm_text_add(ret, "  examples_min: 1\n");
    return ret->bad ? wm_fail(err, WM_E_NOMEM, "no memory for client.yaml") : WM_OK;
}

static bool has_owner(const wm_owners *owners, const char *name)
{
    for (size_t i = 0; i < wm_owners_count(owners); i++)
        if (strcmp(wm_owners_name(owners, i), name) == 0)
            return true;
    return false;
}

static void print_table(const wm_cli_call *call, wm_owners *owners)
{
    static const wm_table_column columns[] = { { "client", false },  { "rows", true },     { "missing", true },
                                               { "filled", true },   { "left out", true }, { "train", true },
                                               { "validate", true }, { "test", true } };
    wm_table                     table;
    wm_text                      text = WM_TEXT_INIT;

    wm_table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < wm_owners_count(owners); i++) {
        wm_examples_summary s;

        wm_examples_summarise(wm_owners_examples(owners, i), &s);
        wm_table_cell(&table, "%s", wm_owners_name(owners, i));
        wm_table_cell(&table, "%zu", s.rows);
        wm_table_cell(&table, "%zu", s.missing);
        wm_table_cell(&table, "%zu", s.filled);
        wm_table_cell(&table, "%zu", s.dropped);
        for (int part = 0; part < WM_PARTS; part++)
            wm_table_cell(&table, "%zu", s.counts[part]);
    }
    wm_table_write(&table, &text);
    fputs(wm_text_chars(&text), call->out);
    wm_text_release(&text);
    wm_table_release(&table);
}

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const data_settings  *set = settings;
    wm_workspace_settings space_settings = set->space;
    wm_workspace          space;
    wm_text               yaml = WM_TEXT_INIT;
    wm_log               *log = NULL;
    wm_status             st = WM_OK;

    space_settings.file = call->words[0];
    /* A script asks for names or for a section, gateway by gateway; the table has said it before. */
    if (!set->names && set->client_yaml == NULL)
        st = wm_cli_log(call, &log, err);
    if (st == WM_OK)
        st = wm_workspace_open(call, &space_settings, log, &space, err);
    wm_log_free(log);
    if (st != WM_OK)
        return st;
    if (set->client_yaml != NULL) {
        char *folder = wm_workspace_folder(&space_settings);

        if (!has_owner(space.owners, set->client_yaml))
            st = wm_fail(err, WM_E_MISSING, "there is no client \"%s\"; `wardmote data %s --names` lists them",
                         set->client_yaml, space_settings.file);
        else
            st = folder == NULL ? wm_fail(err, WM_E_NOMEM, "no memory for client.yaml")
                                : wm_client_data_yaml(space.job, folder, set->client_yaml, &yaml, err);
        if (st == WM_OK)
            fputs(wm_text_chars(&yaml), call->out);
        wm_text_release(&yaml);
        free(folder);
    } else if (set->names) {
        for (size_t i = 0; i < wm_owners_count(space.owners); i++)
            fprintf(call->out, "%s\n", wm_owners_name(space.owners, i));
    } else {
        print_table(call, space.owners);
    }
    wm_workspace_release(&space);
    return st;
}

const wm_cli_command wm_tool_data = {
    .name = "data",
    .arguments = "FILE",
    .summary = "what a job finds in a folder: clients, rows, gaps, examples",
    .example = "wardmote data no2.yaml --data readings/\n",
    .words_min = 1,
    .words_max = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(data_settings),
    .standard = &standard,
    .run = run,
};
