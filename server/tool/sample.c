/* server/tool/sample.c: wardmote sample city: readings of a made-up city. */
#include "server/tool/tool.h"

#include "client/city.h"

#include <string.h>

typedef struct sample_settings {
    int64_t gateways, days, seed;
} sample_settings;

static const wm_cli_option options[] = {
    { .name = "gateways",
      .kind = WM_CLI_WHOLE,
      .offset = offsetof(sample_settings, gateways),
      .value = "N",
      .least = 1,
      .most = WM_CITY_GATEWAYS_MAX,
      .doc = "districts, a gateway and a file each (default: 4)" },
    { .name = "days",
      .kind = WM_CLI_WHOLE,
      .offset = offsetof(sample_settings, days),
      .value = "N",
      .least = 7,
      .most = WM_CITY_DAYS_MAX,
      .doc = "days of hourly readings (default: 365)" },
    { .name = "seed",
      .kind = WM_CLI_WHOLE,
      .offset = offsetof(sample_settings, seed),
      .value = "N",
      .least = 0,
      .most = 9007199254740992.0,
      .doc = "another seed, another city (default: 1)" },
};

static const sample_settings standard = { .gateways = 4, .days = 365, .seed = 1 };

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const sample_settings *set = settings;
    const char            *folder = call->words[1];
    wm_city_settings       city = { .gateways = (size_t)set->gateways,
                                    .days = (size_t)set->days,
                                    .seed = (uint64_t)set->seed };
    wm_status              st;

    if (strcmp(call->words[0], "city") != 0)
        return wm_cli_misused(call, err, "\"%s\" is not a sample; there is: city", call->words[0]);
    st = wm_city_write(folder, &city, err);
    if (st == WM_OK)
        fprintf(call->out,
                "%lld districts, %lld days, synthetic (see %s/README.txt)\nnext: wardmote simulate %s/city.yaml\n",
                (long long)set->gateways, (long long)set->days, folder, folder);
    return st;
}

const wm_cli_command wm_tool_sample = {
    .name = "sample",
    .arguments = "city DIR",
    .summary = "makes up the readings of a city, and a job that runs on them",
    .details = "Traffic, air and energy, hour by hour, a CSV file for each district; nothing in it was measured.\n",
    .example = "wardmote sample city mycity --gateways 4 --days 365\n",
    .words_min = 2,
    .words_max = 2,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(sample_settings),
    .standard = &standard,
    .run = run,
};
