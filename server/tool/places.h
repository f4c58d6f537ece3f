/* server/tool/places.h
 *
 * Where in the job's file it stands what the readings contradict: an error of the data's says which key it is about
 * ("data.owner: 400 examples cannot be dealt to 1000 clients"), and its reader wants the line. */
#ifndef WM_SERVER_TOOL_PLACES_H
#define WM_SERVER_TOOL_PLACES_H

#include "common/job/job.h"

/* Puts "file:line:column: " before a sentence that begins with a key of the job, or with "owner NAME: " and then one. Any
 * other stays as it is. text[n]: what is in the file. */
void wm_places_add(const char *file, const char *text, size_t n, wm_error *err);

#endif
