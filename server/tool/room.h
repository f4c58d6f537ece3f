/* server/tool/room.h
 *
 * Whether this machine has the memory that a simulation of a model takes, before any of it is taken: a system that has given
 * out more than it has ends the process, or another, without a word. */
#ifndef WM_SERVER_TOOL_ROOM_H
#define WM_SERVER_TOOL_ROOM_H

#include "common/job/job.h"
#include "models/model.h"

/* What `workers` threads and the engine may take while they train this model, without the readings: SIZE_MAX if that
 * cannot be counted. */
size_t wm_room_needed(const wm_job *job, const wm_model *model, size_t workers);

/* WM_E_INVALID if that is more than `machine` bytes (common/memory.h); the sentence names the layer with most parameters at
 * its place in `file`. */
wm_status wm_room_check(const char *file, const wm_job *job, const wm_model *model, size_t workers, size_t machine,
                        wm_error *err);

#endif
