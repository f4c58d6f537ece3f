/* server/report/html.h
 *
 * report.html: the whole of a run on one page that opens anywhere, without a network, a script or a second file. */
#ifndef WM_SERVER_REPORT_HTML_H
#define WM_SERVER_REPORT_HTML_H

#include "server/report/summary.h"

/* WM_E_NOMEM. */
wm_status wm_report_html(const wm_report *report, wm_text *to, wm_error *err);

#endif
