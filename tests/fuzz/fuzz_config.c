/* tests/fuzz/fuzz_config.c
 *
 * What an operator or an installer may have written as server.yaml or client.yaml: settings or faults with their places,
 * never a crash. The first byte says which of the two. */
#include "client/config.h"
#include "server/config.h"

#include "tests/fuzz/memory_files.h"

static void read_server(const wm_files *files, wm_faults *faults)
{
    wm_server_config config;
    wm_arena        *memory = NULL;
    wm_error         err = { WM_OK, "" };
    char            *addresses[4];
    size_t           n = 0;
    wm_status        st = wm_server_config_read(files, "folder", faults, &config, &memory, &err);

    must((st == WM_OK) == (memory != NULL) && (st == WM_OK || err.text[0] != '\0'));
    must(st != WM_E_INVALID || faults->count > 0);
    if (st != WM_OK)
        return;
    must(config.names.count > 0 && config.connections.most > 0 && config.uploads.at_once > 0);
    if (wm_server_config_addresses(&config, addresses, 4, &n, &err) == WM_OK)
        for (size_t i = 0; i < n; i++)
            free(addresses[i]);
    wm_arena_free(memory);
}

static void read_client(const wm_files *files, wm_faults *faults)
{
    wm_client_config config;
    wm_arena        *memory = NULL;
    wm_error         err = { WM_OK, "" };
    wm_status        st = wm_client_config_read(files, "folder", faults, &config, &memory, &err);

    must((st == WM_OK) == (memory != NULL) && (st == WM_OK || err.text[0] != '\0'));
    must(st != WM_E_INVALID || faults->count > 0);
    if (st != WM_OK)
        return;
    must(config.servers.count > 0 && config.data.folder[0] != '\0');
    must(config.control_port > 0 && config.control_port < 65536 && config.limits.nice >= 0);
    wm_arena_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker        from = { bytes, n };
    bool         is_client = (take_number(&from, 1) & 1) != 0;
    memory_files folder;
    wm_faults    faults;
    wm_text      said = WM_TEXT_INIT;

    memory_files_init(&folder);
    memory_files_put(&folder, is_client ? "client.yaml" : "server.yaml", &from);
    wm_faults_init(&faults, "file");
    if (is_client)
        read_client(&folder.files, &faults);
    else
        read_server(&folder.files, &faults);
    wm_faults_report(&faults, &said);
    must(!said.bad && (faults.count == 0) == (said.size == 0));
    wm_text_release(&said);
    wm_faults_release(&faults);
    memory_files_release(&folder);
    return 0;
}
