/* server/records.c */
#include "server/records.h"

#include <string.h>

const char *wm_outcome_name(wm_outcome outcome)
{
    static const char *const names[] = {
        [WM_OUTCOME_NONE] = "running",    [WM_OUTCOME_DONE] = "done",     [WM_OUTCOME_EARLY] = "stopped early",
        [WM_OUTCOME_STOPPED] = "stopped", [WM_OUTCOME_FAILED] = "failed",
    };

    return (size_t)outcome < sizeof names / sizeof *names ? names[outcome] : "unknown";
}

const char *wm_verdict_name(wm_verdict verdict)
{
    static const char *const names[] = {
        [WM_VERDICT_NONE] = "missed",       [WM_VERDICT_ACCEPTED] = "accepted", [WM_VERDICT_REFUSED] = "refused",
        [WM_VERDICT_DECLINED] = "declined", [WM_VERDICT_LATE] = "late",
    };

    return (size_t)verdict < sizeof names / sizeof *names ? names[verdict] : "unknown";
}

const char *wm_run_id_text(const uint8_t id[WM_RUN_ID_SIZE], char text[WM_RUN_TEXT])
{
    static const char hex[] = "0123456789abcdef";

    for (int i = 0; i < WM_RUN_ID_SIZE; i++) {
        text[2 * i] = hex[id[i] >> 4];
        text[2 * i + 1] = hex[id[i] & 15];
    }
    text[WM_RUN_TEXT - 1] = '\0';
    return text;
}

bool wm_run_id_parse(const char *text, uint8_t id[WM_RUN_ID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t           parsed[WM_RUN_ID_SIZE] = { 0 };

    if (strlen(text) != WM_RUN_TEXT - 1)
        return false;
    for (int i = 0; i < WM_RUN_TEXT - 1; i++) {
        const char *digit = strchr(hex, text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);

        if (digit == NULL)
            return false;
        parsed[i / 2] = (uint8_t)(parsed[i / 2] << 4 | (digit - hex));
    }
    memcpy(id, parsed, sizeof parsed);
    return true;
}
