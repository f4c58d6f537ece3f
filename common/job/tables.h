/* common/job/tables.h
 *
 * Every table of options that the job file is read by, for the reference of the configuration and its test. Sections
 * inside a table are reached through it; the families' members have tables of their own. */
#ifndef WM_COMMON_JOB_TABLES_H
#define WM_COMMON_JOB_TABLES_H

#include "common/config/family.h"

extern const wm_member wm_job_table;        /* the file */
extern const wm_member wm_job_column_table; /* data.columns.NAME */
extern const wm_member wm_job_input_table;  /* data.inputs.NAME */
extern const wm_member wm_job_target_table; /* data.targets.NAME */
extern const wm_member wm_job_examples_table; /* data.examples */
extern const wm_family wm_job_splits;       /* data.split */
extern const wm_member wm_job_layer_table;  /* model.layers[i], beside the layer's own name */
extern const wm_member wm_job_start_table;  /* model.start, where it is a mapping */
extern const wm_member wm_job_loss_table;   /* model.losses.NAME, among the loss's own options */

#endif
