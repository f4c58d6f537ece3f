/* server/config.c */
#include "server/config.h"

#include "common/config/config.h"
#include "common/crypto/certificate.h"
#include "common/crypto/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const wm_option listen_options[] = {
    { .name = "control",
      .kind = WM_WORD,
      .offset = offsetof(wm_listen_config, control),
      .standard = "0.0.0.0:7400",
      .doc = "Where gateways ask for work: an address of this machine and a port; [::]:7400 is IPv6." },
    { .name = "bulk",
      .kind = WM_WORD,
      .offset = offsetof(wm_listen_config, bulk),
      .standard = "0.0.0.0:7401",
      .doc = "Where models and updates are transferred, so that a question never waits behind a model." },
    { .name = "enrolment",
      .kind = WM_WORD,
      .offset = offsetof(wm_listen_config, enrolment),
      .standard = "0.0.0.0:7402",
      .doc = "Where new gateways enrol with their token, and late ones renew an expired certificate." },
};

static void check_listen(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_listen_config *listen = options;
    const struct {
        const char *name, *address;
    } all[] = { { "control", listen->control }, { "bulk", listen->bulk }, { "enrolment", listen->enrolment } };
    char     host[WM_HOST_TEXT];
    uint16_t port;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!wm_address_split(all[i].address, host, &port))
            wm_faults_add(faults, place, path, "%s: \"%.100s\" is no address and port, such as 0.0.0.0:7400",
                          all[i].name, all[i].address);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(all[i].address, all[j].address) == 0)
                wm_faults_add(faults, place, path, "%s and %s cannot both listen at %.100s", all[j].name,
                              all[i].name, all[i].address);
}

static const wm_member listen_table = {
    .name = "listen",
    .doc = "Where the aggregator listens.",
    .options = listen_options,
    .n_options = sizeof listen_options / sizeof *listen_options,
    .options_size = sizeof(wm_listen_config),
    .check = check_listen,
};

static const wm_option upload_options[] = {
    { .name = "at_once",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_upload_config, at_once),
      .least = 1,
      .most = 1024,
      .standard = "4",
      .doc = "Updates that are taken in at the same time; other gateways are told when to come back." },
    { .name = "memory",
      .kind = WM_BYTES,
      .offset = offsetof(wm_upload_config, memory),
      .least = 0,
      .most = 1e12,
      .standard = "8MiB",
      .doc =
          "What updates on their way in may take in memory, all together; one for which there is none for more than a "
          "moment is gathered in a file without a name, and read when it is whole." },
    { .name = "room",
      .kind = WM_BYTES,
      .offset = offsetof(wm_upload_config, room),
      .least = 1 << 20,
      .most = 1e13,
      .standard = "1GiB",
      .doc =
          "Room for updates on their way, those included whose transfer was broken off and may go on. A job whose "
          "update is larger is not taken." },
    { .name = "stall",
      .kind = WM_DURATION,
      .offset = offsetof(wm_upload_config, stall_ms),
      .least = 1000,
      .most = 3600e3,
      .standard = "20s",
      .doc =
          "A gateway from which nothing came for so long loses its place to another; what it sent is kept while there "
          "is room." },
    { .name = "turn",
      .kind = WM_DURATION,
      .offset = offsetof(wm_upload_config, turn_ms),
      .least = 1000,
      .most = 86400e3,
      .standard = "2m",
      .doc = "How long a slow gateway may hold a place while others wait for one." },
};

static const wm_member upload_table = {
    .name = "uploads",
    .doc = "How updates are taken in.",
    .options = upload_options,
    .n_options = sizeof upload_options / sizeof *upload_options,
    .options_size = sizeof(wm_upload_config),
};

static const wm_option connection_options[] = {
    { .name = "most",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_connection_config, most),
      .least = 8,
      .most = 100000,
      .standard = "8192",
      .doc =
          "Connections of verified gateways that each listener holds; with one more a gateway that is here already "
          "loses its oldest, and another is refused." },
    { .name = "strangers",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_connection_config, strangers),
      .least = 16,
      .most = 100000,
      .standard = "1024",
      .doc =
          "Connections on top of those, for each listener, that have not shown yet who they are; with one more the "
          "oldest is closed of those from the network address that has most of them." },
    { .name = "per_gateway",
      .kind = WM_WHOLE,
      .offset = offsetof(wm_connection_config, per_gateway),
      .least = 1,
      .most = 100000,
      .standard = "4",
      .doc = "Connections that one gateway may have with each listener; with one more its oldest is closed." },
    { .name = "idle",
      .kind = WM_DURATION,
      .offset = offsetof(wm_connection_config, idle_ms),
      .least = 1000,
      .most = 86400e3,
      .standard = "90s",
      .doc = "A connection on which nothing was asked for so long is closed." },
    { .name = "memory",
      .kind = WM_BYTES,
      .offset = offsetof(wm_connection_config, memory),
      .least = 1 << 20,
      .most = 1e12,
      .standard = "4MiB",
      .doc =
          "What questions, and again what answers, may take in memory at once, for each listener; what is over it "
          "waits." },
};

static const wm_member connection_table = {
    .name = "connections",
    .doc = "How many connections there may be, and for how long.",
    .options = connection_options,
    .n_options = sizeof connection_options / sizeof *connection_options,
    .options_size = sizeof(wm_connection_config),
};

static const wm_option presence_options[] = {
    { .name = "silence",
      .kind = WM_DURATION,
      .offset = offsetof(wm_presence_config, silence_ms),
      .least = 1000,
      .most = 86400e3,
      .standard = "45s",
      .doc =
          "A gateway of which nothing was heard for so long is away. One that waits for work is heard every 25 s." },
    { .name = "gone",
      .kind = WM_DURATION,
      .offset = offsetof(wm_presence_config, gone_ms),
      .least = 0,
      .most = 86400e3,
      .standard = "10s",
      .doc = "So long a gateway whose connection has ended has time to come back before it is away." },
};

static const wm_member presence_table = {
    .name = "presence",
    .doc =
        "When a gateway is away: a round does not wait for it once the quorum is met, and another takes its place.",
    .options = presence_options,
    .n_options = sizeof presence_options / sizeof *presence_options,
    .options_size = sizeof(wm_presence_config),
};

static const wm_option certificate_options[] = {
    { .name = "gateway",
      .kind = WM_DURATION,
      .offset = offsetof(wm_certificate_config, gateway_ms),
      .least = 10e3,
      .most = 3650 * 86400e3,
      .standard = "30d",
      .doc = "How long a gateway's certificate is valid; it renews it by itself at half of that." },
    { .name = "server",
      .kind = WM_DURATION,
      .offset = offsetof(wm_certificate_config, server_ms),
      .least = 10e3,
      .most = 3650 * 86400e3,
      .standard = "90d",
      .doc = "How long the aggregator's own certificate is valid; it renews it by itself at half of that." },
};

static const wm_member certificate_table = {
    .name = "certificates",
    .doc = "How long certificates are valid.",
    .options = certificate_options,
    .n_options = sizeof certificate_options / sizeof *certificate_options,
    .options_size = sizeof(wm_certificate_config),
};

static const wm_option server_options[] = {
    { .name = "listen",
      .kind = WM_SECTION,
      .offset = offsetof(wm_server_config, listen),
      .section = &listen_table,
      .doc = "Where the aggregator listens." },
    { .name = "names",
      .kind = WM_WORDS,
      .offset = offsetof(wm_server_config, names),
      .doc =
          "Host names or addresses by which gateways reach the aggregator: its certificate carries them, and a token "
          "says them." },
    { .name = "addresses",
      .kind = WM_WORDS,
      .offset = offsetof(wm_server_config, addresses),
      .optional = true,
      .doc =
          "What tokens say in place of `names` and the enrolment listener's port: host:port, at most four, for an "
          "aggregator behind a gate that maps ports." },
    { .name = "uploads",
      .kind = WM_SECTION,
      .offset = offsetof(wm_server_config, uploads),
      .section = &upload_table,
      .doc = "How updates are taken in." },
    { .name = "connections",
      .kind = WM_SECTION,
      .offset = offsetof(wm_server_config, connections),
      .section = &connection_table,
      .doc = "How many connections there may be, and for how long." },
    { .name = "presence",
      .kind = WM_SECTION,
      .offset = offsetof(wm_server_config, presence),
      .section = &presence_table,
      .doc =
          "When a gateway is away: a round does not wait for it once the quorum is met, and another takes its place." },
    { .name = "certificates",
      .kind = WM_SECTION,
      .offset = offsetof(wm_server_config, certificates),
      .section = &certificate_table,
      .doc = "How long certificates are valid." },
};

static void check_server(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_server_config *config = options;
    char                    host[WM_HOST_TEXT];
    uint16_t                port;

    (void)path;
    if (config->names.count == 0)
        wm_faults_add(faults, place, "names",
                      "there must be at least one name by which gateways reach the aggregator");
    for (size_t i = 0; i < config->names.count; i++)
        if (!wm_server_name_ok(config->names.items[i]))
            wm_faults_add(faults, place, "names", "\"%.100s\" is neither a host name nor an address",
                          config->names.items[i]);
    if (config->addresses.count > WM_TOKEN_ADDRESSES)
        wm_faults_add(faults, place, "addresses", "there are %zu, a token has room for %d", config->addresses.count,
                      (int)WM_TOKEN_ADDRESSES);
    for (size_t i = 0; i < config->addresses.count; i++)
        if (!wm_address_split(config->addresses.items[i], host, &port))
            wm_faults_add(faults, place, "addresses", "\"%.100s\" is no host and port, such as office.example:7402",
                          config->addresses.items[i]);
}

const wm_member wm_server_table = {
    .name = "server.yaml",
    .doc = "The aggregator's own configuration.",
    .options = server_options,
    .n_options = sizeof server_options / sizeof *server_options,
    .options_size = sizeof(wm_server_config),
    .check = check_server,
};

wm_status wm_server_config_read(const wm_files *files, const char *folder, wm_faults *faults, wm_server_config *ret,
                                wm_arena **memory, wm_error *err)
{
    wm_server_config config = { 0 };
    char            *path = wm_path_join(folder, "server.yaml");
    uint8_t         *text = NULL;
    size_t           n;
    wm_status        st;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to read server.yaml");
    st = files->read(files, path, WM_CONFIG_BYTES_MAX, &text, &n, err);
    if (st == WM_E_MISSING)
        wm_fail(err, st, "%s is not there: make an office with `wardmote-server init %s --name HOST`", path,
                folder);
    if (st == WM_OK)
        st = wm_config_read(path, (const char *)text, n, &wm_server_table, NULL, faults, &config, memory, err);
    if (st == WM_OK)
        *ret = config;
    free(text);
    free(path);
    return st;
}

/* The defaults of a section as a comment. */
static void write_section(wm_text *text, const wm_option *section)
{
    wm_text_printf(text, "\n# %s\n#%s:\n", section->doc, section->name);
    for (size_t i = 0; i < section->section->n_options; i++) {
        const wm_option *option = &section->section->options[i];

        wm_text_printf(text, "#  # %s\n#  %s: %s\n", option->doc, option->name, option->standard);
    }
}

wm_status wm_server_config_write(const wm_files *files, const char *folder, const char *const *names,
                                 size_t n_names, wm_error *err)
{
    char     *path = wm_path_join(folder, "server.yaml");
    wm_text   text = WM_TEXT_INIT;
    wm_status st;

    wm_text_add(&text, "# The aggregator's configuration; every key is explained in docs/configuration.md.\n"
                       "# What is commented out stands at its default.\n\nlisten:\n");
    for (size_t i = 0; i < sizeof listen_options / sizeof *listen_options; i++)
        wm_text_printf(&text, "  # %s\n  %s: %s\n", listen_options[i].doc, listen_options[i].name,
                       listen_options[i].standard);
    for (size_t i = 0; i < sizeof server_options / sizeof *server_options; i++) {
        const wm_option *option = &server_options[i];

        if (strcmp(option->name, "names") == 0) {
            wm_text_printf(&text, "\n# %s\nnames: [", option->doc);
            for (size_t k = 0; k < n_names; k++)
                wm_text_printf(&text, "%s\"%s\"", k > 0 ? ", " : "", names[k]);
            wm_text_add(&text, "]\n");
        } else if (option->kind == WM_SECTION && option->section != &listen_table) {
            write_section(&text, option);
        } else if (option->kind == WM_WORDS) {
            wm_text_printf(&text, "\n# %s\n#%s: [office.example:7402]\n", option->doc, option->name);
        }
    }
    st = path == NULL || text.bad ? wm_fail(err, WM_E_NOMEM, "no memory to write server.yaml")
                                  : files->replace(files, path, text.chars, text.size, 0600, err);
    wm_text_release(&text);
    free(path);
    return st;
}

wm_status wm_server_config_addresses(const wm_server_config *config, char **addresses, size_t most, size_t *n,
                                     wm_error *err)
{
    char     host[WM_HOST_TEXT];
    uint16_t port = 0;
    size_t   given = config->addresses.count, count = 0;

    if (!wm_address_split(config->listen.enrolment, host, &port))
        return wm_fail(err, WM_E_INVALID, "listen.enrolment: \"%s\" is no address and port",
                       config->listen.enrolment);
    for (size_t i = 0; i < (given > 0 ? given : config->names.count) && count < most; i++) {
        const char *name = given > 0 ? config->addresses.items[i] : config->names.items[i];
        bool        colon = strchr(name, ':') != NULL; /* an IPv6 address */
        int         made = given > 0 ? asprintf(&addresses[count], "%s", name)
                                     : asprintf(&addresses[count], colon ? "[%s]:%u" : "%s:%u", name, (unsigned)port);

        if (made < 0) {
            while (count > 0)
                free(addresses[--count]);
            return wm_fail(err, WM_E_NOMEM, "no memory for the addresses of a token");
        }
        count++;
    }
    *n = count;
    return WM_OK;
}
