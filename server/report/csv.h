/* server/report/csv.h
 *
 * rounds.csv and clients.csv, as RFC 4180 has them but with plain line ends. What is not known is empty. A text from
 * outside is quoted where it must be, loses its control characters, and cannot begin a formula in a spreadsheet. */
#ifndef WM_SERVER_REPORT_CSV_H
#define WM_SERVER_REPORT_CSV_H

#include "common/text.h"
#include "server/report/history.h"

extern const char wm_rounds_csv_header[]; /* with its line end */

void wm_rounds_csv_row(const wm_history_round *round, wm_text *to);

/* The whole file. `final` may be NULL: no columns of contenders then. */
void wm_clients_csv(const wm_job *job, const wm_run_record *record, const wm_history *history,
                    const wm_final_record *final, wm_text *to);

/* One field, quoted if need be. */
void wm_csv_text(wm_text *to, const char *text);

/* "federated", "tuned", "alone", "pooled", "naive": a contender as a name for programs. */
const char *wm_contender_key(wm_contender contender);

/* True if there is a figure of that contender, for anybody. */
bool wm_final_has(const wm_final_record *final, size_t n_clients, wm_contender contender);

#endif
