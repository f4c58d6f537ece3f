/* common/sanitized.h: WM_SANITIZED, 1 in a build with a sanitizer of memory or of threads, else 0; by gcc and by clang. */
#ifndef WM_COMMON_SANITIZED_H
#define WM_COMMON_SANITIZED_H

#ifndef __has_feature
#define __has_feature(x) 0 /* clang's way to say what gcc has macros for */
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WM_SANITIZED 1
#else
#define WM_SANITIZED 0
#endif

#endif
