// Tells the address sanitizer which bytes nobody may touch; nothing without it.
#ifndef CULL_BASE_POISON_H
#define CULL_BASE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#    define CULL_HAVE_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define CULL_HAVE_ASAN 1
#    endif
#endif

#ifdef CULL_HAVE_ASAN
#    include <sanitizer/asan_interface.h>
#    define CULL_POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#    define CULL_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#    define CULL_POISON(p, n)   ((void)(p), (void)(n))
#    define CULL_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#endif
