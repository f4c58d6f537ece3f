/* tests/disk/images.c */
#include "tests/disk/images.h"

#include "common/files.h"
#include "tests/figures.h"
#include "tests/unit.h"

static char the_case[512] = "before any image";

void images_case(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(the_case, sizeof the_case, fmt, args);
    va_end(args);
}

void images_fail(const char *fmt, ...)
{
    char    text[600];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fail_msg("%s: %s", the_case, text);
    abort(); /* fail_msg() does not come back, which its header does not say */
}

static size_t wish(const char *name, size_t usual)
{
    const char *text = getenv(name);

    return text != NULL ? (size_t)strtoull(text, NULL, 10) : usual;
}

static void look_at(disk *d, size_t n, const char *image, images_check *check, void *context)
{
    size_t   moments = disk_moment(d) + 1, moment = n % moments;
    char     deed[300];
    wm_error err;

    disk_tell(d, moment, deed, sizeof deed);
    images_case("WM_IMAGE=%zu, after operation %zu of %zu (%s)", n, moment, moments - 1, deed);
    disk_image(d, moment, n, image);
    check(context, image, moment);
    images_assert_ok(wm_folder_remove(image, &err), &err);
}

void images_look(disk *d, const char *fault, size_t usual, images_check *check, void *context)
{
    size_t   images = wish("WM_IMAGES", usual), only = wish("WM_IMAGE", SIZE_MAX);
    char     place[4096], image[4200];
    wm_error err;

    disk_rest(d);
    assert_true(disk_moment(d) > 0);
    snprintf(image, sizeof image, "%s/image", disk_folder(place));
    if (only != SIZE_MAX)
        look_at(d, only, image, check, context);
    for (size_t n = 0; only == SIZE_MAX && n < images; n++)
        look_at(d, n, image, check, context);
    assert_ok(wm_folder_remove(place, &err), &err);
    if (only == SIZE_MAX)
        tell_fault(&(fault_figure){ .fault = fault, .tries = images, .survived = images, .seconds = -1 });
}
