/* tests/config/jobs.c */
#include "tests/config/jobs.h"

const char example[] = "job: air-quality\n"                                                              /* 1 */
                       "data:\n"                                                                         /* 2 */
                       "  source: {csv: {files: \"*.csv.gz\"}}\n"                                        /* 3 */
                       "  owner: {column: station}\n"                                                    /* 4 */
                       "  time: {columns: [year, month, day, hour], zone: Asia/Shanghai}\n"              /* 5 */
                       "  columns:\n"                                                                    /* 6 */
                       "    PM2.5: {range: [0, 1000], missing: {fill: last, limit: 6, mask: true}}\n"    /* 7 */
                       "    TEMP:  {range: [-40, 60]}\n"                                                 /* 8 */
                       "    wd:    {compass: 16}   # wind direction\n"                                   /* 9 */
                       "    hour:  {cycle: 24h}\n"                                                       /* 10 */
                       "  inputs:\n"                                                                     /* 11 */
                       "    past: {window: {columns: [PM2.5, TEMP, wd, hour], length: 24}}\n"            /* 12 */
                       "  targets:\n"                                                                    /* 13 */
                       "    pm25: {column: PM2.5, ahead: 6h, missing: skip}\n"                           /* 14 */
                       "  scale: federated\n"                                                            /* 15 */
                       "  split: {time: [0.7, 0.1, 0.2]}\n"                                              /* 16 */
                       "model:\n"                                                                        /* 17 */
                       "  layers: [flatten, {dense: 64}, relu, {dense: 1}]\n"                            /* 18 */
                       "  loss: mse\n"                                                                   /* 19 */
                       "training: {optimiser: sgd, rate: 0.05, batch: 32, epochs: 1}\n"                  /* 20 */
                       "rounds: 30\n"                                                                    /* 21 */
                       "cohort: {select: all, quorum: 0.7, deadline: 60s}\n"                             /* 22 */
                       "strategy: fedavg\n"                                                              /* 23 */
                       "evaluate: {every: 1, metrics: [rmse, mae], baselines: [naive, alone, pooled]}\n" /* 24 */
                       "seed: 1\n";                                                                      /* 25 */

const char river[] = "job: river-watch\n"
                     "data:\n"
                     "  source: {csv: {files: \"*.csv.gz\", separator: \";\"}}\n"
                     "  time: {column: t}\n"
                     "  columns:\n"
                     "    level: {range: [-2000, 9000], scale: client}\n"
                     "    flow:  {missing: {fill: linear}}\n"
                     "    flag:  {categories: [calm, flood], missing: zero}\n"
                     "    hour:  {cycle: 24h}\n"
                     "  inputs:\n"
                     "    past: {window: {columns: [level, flag], length: 36, every: 10m}}\n"
                     "    when: {at: target, columns: [hour]}\n"
                     "  targets:\n"
                     "    rise:  {column: level, ahead: [1h, 3h], difference: true}\n"
                     "    alarm: {column: flag, missing: skip}\n"
                     "model:\n"
                     "  layers:\n"
                     "    - {name: x, from: past, flatten: {}}\n"
                     "    - {name: trunk, from: [x, when], concat: {}}\n"
                     "    - relu\n"
                     "    - {name: rise, from: trunk, dense: 6}\n"
                     "    - {name: alarm, from: trunk, dense: {units: 2, bias: false}}\n"
                     "  losses:\n"
                     "    rise:  {pinball: [0.1, 0.5, 0.9]}\n"
                     "    alarm: {cross_entropy: {weight: 0.2}}\n"
                     "training: {optimiser: {sgd: {momentum: 0.9}}, rate: {halving: 0.05}, clip: 1.0}\n"
                     "rounds: 100\n"
                     "cohort: {select: {uniform: 0.1}, over: 1.3, quorum: 0.8, deadline: 10m}\n"
                     "strategy: {fedprox: {mu: 0.5}}\n"
                     "evaluate: {every: 5, metrics: rmse, patience: 10}\n";

wm_status parse(const char *text, const wm_setting *settings, size_t n, wm_faults *faults, wm_job **job)
{
    wm_error err;

    wm_faults_init(faults, "");
    return wm_job_parse("air.yaml", text, strlen(text), &test_families, settings, n, faults, job, &err);
}

wm_job *parse_well(const char *text, const wm_setting *settings, size_t n)
{
    wm_faults faults;
    wm_job   *job = NULL;
    wm_status st = parse(text, settings, n, &faults, &job);

    if (st != WM_OK)
        print_error("%s", wm_text_chars(&faults.lines));
    assert_int_equal(st, WM_OK);
    wm_faults_release(&faults);
    return job;
}
