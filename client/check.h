/* client/check.h
 *
 * A gateway's preflight: are its readings such that a job could use them? Names the first thing that is wrong, with
 * file and line where there is one, and how to mend it. Nothing is changed. */
#ifndef WM_CLIENT_CHECK_H
#define WM_CLIENT_CHECK_H

#include "client/owners.h"
#include "common/text.h"

/* With a job: as that job would read them, with at least examples_min training examples. With job NULL: only that the
 * files are there and readable, and that each column of settings->allowed has values. Adds what was found to *report,
 * a line each, also when something is wrong. Errors are those of wm_owners_open, and WM_E_MALFORMED: cells that are no
 * numbers; WM_E_RANGE: a column without a single usable value; WM_E_REFUSED: too few examples. */
wm_status wm_check_readings(const wm_job *job, const wm_owners_settings *settings, size_t examples_min,
                            wm_text *report, wm_error *err);

#endif
