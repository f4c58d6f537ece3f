/* server/report/summary.h
 *
 * How a run stands or ended, as a record; and summary.json, the same for programs. */
#ifndef WM_SERVER_REPORT_SUMMARY_H
#define WM_SERVER_REPORT_SUMMARY_H

#include "common/text.h"
#include "server/ledger.h"
#include "server/report/history.h"

/* What the pages of a run's folder are made from. All borrowed. */
typedef struct wm_report {
    const wm_job          *job;
    const wm_run_record   *record;
    const wm_history      *history;
    const wm_standing     *standing;
    const wm_final_record *final;   /* NULL: none, or not yet */
    int64_t                wall_ms; /* now, or when the run ended */
} wm_report;

/* Figures that are not known are null. *to is bad if memory ran out. */
void wm_summary_json(const wm_report *report, wm_text *to);

#endif
