/* tests/e2e/gateways.c: enrolling gateways, and their processes. */
#include "tests/e2e/inside.h"

void office_gateway_folder(const office *o, size_t k, char path[4300])
{
    snprintf(path, 4300, "%s/gateways/%s", o->folder, o->names[k]);
}

void office_gateway_log(const office *o, size_t k, char path[4300])
{
    snprintf(path, 4300, "%s/gateways/%s.log", o->folder, o->names[k]);
}

void office_enrol(office *o, size_t k)
{
    char     folder[4300], path[4400], *token;
    wm_error err;

    office_gateway_folder(o, k, folder);
    office_do(o, NULL, WARDMOTE_SERVER, "token", o->dir, o->names[k], NULL);
    token = strdup(wm_text_chars(&o->output));
    assert_non_null(token);
    office_do(o, token, WARDMOTE_CLIENT, "enroll", folder, "--token", "-", NULL);
    free(token);
    office_do(o, NULL, WARDMOTE, "data", o->job, "--data", o->data, "--client-yaml", o->names[k], NULL);
    snprintf(path, sizeof path, "%s/client.yaml", folder);
    wm_text_add(&o->output, "limits: {redo: 0s}\n"); /* the jobs of the tests are short, and their updates are kept */
    assert_ok(wm_files_system()->append(wm_files_system(), path, o->output.chars, o->output.size, &err), &err);
}

void office_client_yaml(office *o, size_t k, const char *key, const char *value)
{
    char    folder[4300], path[4400], *text, *line;
    wm_text changed = WM_TEXT_INIT;

    office_gateway_folder(o, k, folder);
    snprintf(path, sizeof path, "%s/client.yaml", folder);
    text = office_read_text(path);
    line = text != NULL ? strstr(text, key) : NULL;
    while (line != NULL && line > text && line[-1] != '\n')
        line = strstr(line + 1, key);
    if (line == NULL)
        fail_msg("there is no line %s in %s", key, path);
    wm_text_add_bytes(&changed, text, (size_t)(line - text));
    wm_text_printf(&changed, "%s %s%s", key, value, line + strcspn(line, "\n"));
    office_write_text(path, wm_text_chars(&changed));
    wm_text_release(&changed);
    free(text);
}

void office_enrol_all(office *o)
{
    for (size_t k = 0; k < o->n_gateways; k++)
        office_enrol(o, k);
}

void office_gateway_start(office *o, size_t k, const char *crash)
{
    char folder[4300], log[4300];

    assert_int_equal(o->gateways[k], 0);
    office_gateway_folder(o, k, folder);
    office_gateway_log(o, k, log);
    o->gateways[k] = office_process_start(WARDMOTE_CLIENT, "run", folder, log, crash);
}

void office_gateways_start(office *o)
{
    for (size_t k = 0; k < o->n_gateways; k++)
        office_gateway_start(o, k, NULL);
}

void office_gateway_stop(office *o, size_t k)
{
    office_process_stop(o, &o->gateways[k], "the gateway to end");
}

void office_gateway_kill(office *o, size_t k)
{
    office_process_kill(&o->gateways[k]);
}

void office_gateway_crashes(office *o, size_t k)
{
    office_process_crashes(o, &o->gateways[k], "the gateway to die at its crash point");
}
