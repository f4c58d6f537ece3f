/* tests/figures.c: the lines of WM_FIGURES; tab-separated, since tests/faults and tests/load read them with awk. */
#include "tests/figures.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void keep(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void keep(const char *format, ...)
{
    const char *path = getenv("WM_FIGURES");
    char        line[512];
    va_list     arguments;
    int         n, file;

    if (path == NULL || *path == '\0')
        return;
    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (n < 0 || (size_t)n >= sizeof line || file < 0 || write(file, line, (size_t)n) != n) {
        fprintf(stderr, "the figure cannot be kept in %s\n", path);
        abort();
    }
    close(file);
}

void tell_fault(const fault_figure *f)
{
    printf("# figure: %s: %" PRIu64 " tries, %" PRIu64 " survived, %" PRIu64 " lost, %" PRIu64 " counted twice",
           f->fault, f->tries, f->survived, f->lost, f->doubled);
    if (f->seconds >= 0)
        printf(", progress after %.2f s", f->seconds);
    printf("\n");
    fflush(stdout);
    keep("fault\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%.3f\n", f->fault, f->tries, f->survived,
         f->lost, f->doubled, f->seconds);
}

void tell_load(const load_figure *f)
{
    printf("# figure: %s: %.4g %s", f->figure, f->value, f->unit);
    if (f->peer != NULL)
        printf(" (%s: %.4g)", f->peer, f->peer_value);
    printf("\n");
    fflush(stdout);
    keep("load\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\t%.6g\t%s\n", f->figure, f->unit, f->value, f->must, f->aim,
         f->peer != NULL ? f->peer : "-", f->peer_value, f->more_is_better ? "more" : "less");
}
