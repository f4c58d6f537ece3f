/* common/config/family.c */
#include "common/config/family.h"

#include <string.h>

const wm_member *wm_family_find(const wm_family *family, const char *name)
{
    for (size_t i = 0; i < family->n_members; i++)
        if (strcmp(family->members[i]->name, name) == 0)
            return family->members[i];
    return NULL;
}
