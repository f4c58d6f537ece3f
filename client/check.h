/* client/check.h
 *
 * The preflight of a gateway: certificate, configuration, readings, the way to each server. A line for each thing that
 * holds; the first that does not is the error, with what mends it. */
#ifndef WM_CLIENT_CHECK_H
#define WM_CLIENT_CHECK_H

#include "common/clock.h"
#include "common/config/faults.h"
#include "common/files.h"

#include <stdio.h>

wm_status wm_check(const wm_files *files, const char *folder, wm_clock clock, FILE *out, wm_faults *faults,
                   wm_error *err);

#endif
