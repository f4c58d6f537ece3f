/* server/commands/clients.c: clients, revoke */
#include "server/commands/commands.h"

#include "common/table.h"

#include <stdio.h>

static void add_row(wm_table *table, const json_t *gateway)
{
    char when[20];
    bool revoked = wm_json_text(gateway, "revoked")[0] != '\0';

    wm_table_cell(table, "%s", wm_json_text(gateway, "name"));
    wm_table_cell(table, "%s", wm_json_time(gateway, "last_seen", when));
    if (revoked)
        wm_table_cell(table, "revoked");
    else if (json_is_object(json_object_get(gateway, "away")))
        wm_table_cell(table, "away: %s", wm_json_text(json_object_get(gateway, "away"), "why"));
    else if (wm_json_text(gateway, "busy_with")[0] != '\0')
        wm_table_cell(table, "%s %lld", wm_json_text(gateway, "busy_with"), wm_json_int(gateway, "busy_round"));
    else
        wm_table_cell(table, "-");
    if (wm_json_int(gateway, "rows") > 0)
        wm_table_cell(table, "%lld", wm_json_int(gateway, "rows"));
    else
        wm_table_cell(table, "-"); /* it has read none yet: a gateway reads them for its first task */
    wm_table_cell(table, "%s", wm_json_time(gateway, "certificate_until", when));
    if (wm_json_text(gateway, "refused")[0] == '\0')
        wm_table_cell(table, "-");
    else
        wm_table_cell(table, "%s: %s", wm_json_time(gateway, "refused", when), wm_json_text(gateway, "refusal"));
}

wm_status wm_command_clients(wm_cli_call *call, const void *settings, wm_error *err)
{
    static const wm_table_column columns[] = {
        { "gateway", false }, { "last seen (UTC)", false },   { "doing", false },
        { "rows", true },     { "certificate until", false }, { "last refusal", false },
    };
    const wm_form_settings *set = settings;
    json_t                 *answer = NULL, *gateway;
    wm_table                table;
    wm_text                 text = WM_TEXT_INIT;
    size_t                  i;
    wm_status st = wm_command_ask(call, call->words[0], &(wm_command){ .verb = "clients" }, &answer, err);

    if (st != WM_OK)
        return st;
    if (set->json) {
        st = wm_command_print_json(call, answer, err);
    } else if (json_array_size(json_object_get(answer, "gateways")) == 0) {
        fprintf(call->out, "no gateway has enrolled yet: `wardmote-server token %s NAME` makes a token for one\n",
                call->words[0]);
    } else {
        wm_table_init(&table, columns, sizeof columns / sizeof *columns);
        json_array_foreach(json_object_get(answer, "gateways"), i, gateway) add_row(&table, gateway);
        wm_table_write(&table, &text);
        fputs(wm_text_chars(&text), call->out);
        wm_text_release(&text);
        wm_table_release(&table);
    }
    json_decref(answer);
    return st;
}

wm_status wm_command_revoke(wm_cli_call *call, const void *settings, wm_error *err)
{
    json_t   *answer = NULL;
    wm_status st =
        wm_command_ask(call, call->words[0],
                       &(wm_command){ .verb = "revoke", .words = &call->words[1], .n_words = 1 }, &answer, err);

    (void)settings;
    if (st == WM_OK)
        fprintf(call->out, "\"%s\" is revoked; %lld of its connections were closed\n",
                wm_json_text(answer, "revoked"), wm_json_int(answer, "connections_closed"));
    json_decref(answer);
    return st;
}
