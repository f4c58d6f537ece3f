/* server/report/charts.h
 *
 * The charts of report.html: which figures of a run are drawn, under which title and unit. */
#ifndef WM_SERVER_REPORT_CHARTS_H
#define WM_SERVER_REPORT_CHARTS_H

#include "server/report/summary.h"

/* Adds each chart as a card. WM_E_NOMEM. */
wm_status wm_report_charts(const wm_report *report, wm_text *to, wm_error *err);

/* The part that the evaluations during the run are of, in words. */
const char *wm_report_evaluated_part(const wm_job *job);

#endif
