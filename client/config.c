/* client/config.c */
#include "client/config.h"

#include "common/config/config.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* The families that client.yaml chooses from. */
typedef struct config_families {
    const wm_family *sources, *owners;
} config_families;

#define PORTS(field, port, what)                                                                          \
    {                                                                                                     \
        .name = #field, .kind = WM_WHOLE, .offset = offsetof(wm_client_config, field##_port), .least = 1, \
        .most = 65535, .standard = port, .doc = what                                                      \
    }

static const wm_option data_options[] = {
    { .name = "folder",
      .kind = WM_WORD,
      .offset = offsetof(wm_data_policy, folder),
      .standard = ".",
      .doc = "The folder in which the source's files are looked for; a relative one begins at client.yaml's." },
    { .name = "source",
      .kind = WM_MEMBER,
      .offset = offsetof(wm_data_policy, source),
      .family = offsetof(config_families, sources),
      .says = "a source",
      .doc = "Where this gateway's readings lie: a source, such as {csv: \"*.csv\"}." },
    { .name = "owner",
      .kind = WM_MEMBER,
      .offset = offsetof(wm_data_policy, owner),
      .family = offsetof(config_families, owners),
      .says = "an owner rule",
      .optional = true,
      .doc = "How the readings divide, if the files hold those of other gateways too; without it all are this "
             "gateway's." },
    { .name = "keep",
      .kind = WM_WORD,
      .offset = offsetof(wm_data_policy, keep),
      .optional = true,
      .doc = "With `owner`: the owner whose readings are this gateway's; the one of its own name by default." },
    { .name = "columns",
      .kind = WM_WORDS,
      .offset = offsetof(wm_data_policy, columns),
      .optional = true,
      .doc = "The columns that a job may use; a job that asks for another is refused by name. Without it, all." },
    { .name = "examples_min",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_data_policy, examples_min),
      .least = 1,
      .most = 1e9,
      .standard = "100",
      .doc = "With fewer training examples than this the gateway takes no part: an update of few examples says "
             "much about each." },
};

static const wm_member data_table = {
    .name = "data",
    .doc = "Where the readings lie and what may be done with them.",
    .options = data_options,
    .n_options = sizeof data_options / sizeof *data_options,
    .options_size = sizeof(wm_data_policy),
};

static const wm_option limit_options[] = {
    { .name = "memory",
      .kind = WM_BYTES,
      .offset = offsetof(wm_client_limits, memory),
      .least = 0,
      .most = 1e15,
      .standard = "0",
      .doc =
          "What training may take, without the readings, such as 64MiB; a larger model is refused by name. 0: as much "
          "as the machine has." },
    { .name = "nice",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_client_limits, nice),
      .least = 0,
      .most = 19,
      .standard = "10",
      .doc = "How far training steps back behind the gateway's other work, as in nice(1)." },
    { .name = "redo",
      .kind = WM_DURATION,
      .offset = offsetof(wm_client_limits, redo),
      .least = 0,
      .most = 24 * 3600 * 1000.0,
      .standard = "1s",
      .doc =
          "A task that took less than this is done again after a crash, to the same bits; of longer ones the update is "
          "written to the disk before it is sent. Flash that is written every round wears out. 0s: every update is "
          "written." },
};

static const wm_member limits_table = {
    .name = "limits",
    .doc = "What training may take of the machine.",
    .options = limit_options,
    .n_options = sizeof limit_options / sizeof *limit_options,
    .options_size = sizeof(wm_client_limits),
};

static const wm_option client_options[] = {
    { .name = "servers",
      .kind = WM_WORDS,
      .offset = offsetof(wm_client_config, servers),
      .doc = "The aggregator's host names or addresses; the next is tried when one does not answer." },
    PORTS(control, "7400", "The aggregator's port for work."),
    PORTS(bulk, "7401", "The aggregator's port for transfers of models and updates."),
    PORTS(enrolment, "7402", "The aggregator's port for enrolment, and for renewal of an expired certificate."),
    { .name = "data",
      .kind = WM_SECTION,
      .offset = offsetof(wm_client_config, data),
      .section = &data_table,
      .doc = "Where the readings lie and what may be done with them." },
    { .name = "limits",
      .kind = WM_SECTION,
      .offset = offsetof(wm_client_config, limits),
      .section = &limits_table,
      .doc = "What training may take of the machine." },
};

const wm_member wm_client_table = {
    .name = "client.yaml",
    .doc = "A gateway's own configuration.",
    .options = client_options,
    .n_options = sizeof client_options / sizeof *client_options,
    .options_size = sizeof(wm_client_config),
};

wm_status wm_client_config_read(const wm_files *files, const char *folder, wm_faults *faults, wm_client_config *ret,
                                wm_arena **memory, wm_error *err)
{
    static const config_families families = { &wm_sources, &wm_owner_rules };
    wm_client_config             config = { 0 };
    char                        *path = wm_path_join(folder, "client.yaml"), *data = NULL;
    uint8_t                     *text = NULL;
    wm_arena                    *arena;
    size_t                       n;
    wm_status                    st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to read client.yaml");
    st = files->read(files, path, WM_CONFIG_BYTES_MAX, &text, &n, err);
    if (st == WM_E_MISSING)
        wm_fail(err, st, "%s is not there: enrol this gateway first, with `wardmote-client enroll %s --token FILE`",
                path, folder);
    if (st == WM_OK)
        st = wm_config_read(path, (const char *)text, n, &wm_client_table, &families, faults, &config, &arena, err);
    free(text);
    free(path);
    if (st != WM_OK)
        return st;
    config.data.memory_max = config.limits.memory;
    if (config.data.memory_max == 0) {
        size_t machine = wm_memory_machine();

        config.data.memory_max = machine <= INT64_MAX ? (int64_t)machine : 0;
    }
    if (config.data.folder[0] != '/') {
        char *joined = wm_path_join(folder, config.data.folder);

        data = joined != NULL ? wm_arena_text(arena, joined, strlen(joined)) : NULL;
        free(joined);
        if (data == NULL) {
            wm_arena_free(arena);
            return wm_fail(err, WM_E_NOMEM, "no memory to read client.yaml");
        }
        config.data.folder = data;
    }
    *ret = config;
    *memory = arena;
    return WM_OK;
}

static const char rest[] =
    "\n"
    "# Where this gateway's readings lie, and what may be done with them. A job never names a place on a gateway.\n"
    "# `wardmote-client check` says whether it holds.\n"
    "#data:\n"
    "#  folder: /var/lib/readings\n"
    "#  source: {csv: \"*.csv\"}\n"
    "#  columns: [no2, wind]       # what a job may use; without this line, every column\n"
    "#  examples_min: 100          # with fewer training examples this gateway takes no part\n"
    "\n"
    "#limits:\n"
    "#  memory: 64MiB              # for training; a larger model is refused\n"
    "#  nice: 10\n"
    "#  redo: 1s                   # shorter work is done again after a crash; the update of longer work is on disk\n";

wm_status wm_client_config_write(const wm_files *files, const char *folder, const char *const *servers,
                                 size_t n_servers, int control_port, int bulk_port, int enrolment_port,
                                 wm_error *err)
{
    char     *path = wm_path_join(folder, "client.yaml");
    wm_text   text = WM_TEXT_INIT;
    wm_status st;

    wm_text_add(&text,
                "# This gateway's configuration; every key is explained in docs/configuration.md.\nservers: [");
    for (size_t i = 0; i < n_servers; i++)
        wm_text_printf(&text, "%s\"%s\"", i > 0 ? ", " : "", servers[i]);
    wm_text_printf(&text, "]\ncontrol: %d\nbulk: %d\nenrolment: %d\n%s", control_port, bulk_port, enrolment_port,
                   rest);
    st = path == NULL || text.bad ? wm_fail(err, WM_E_NOMEM, "no memory to write client.yaml")
                                  : files->replace(files, path, text.chars, text.size, 0644, err);
    wm_text_release(&text);
    free(path);
    return st;
}
