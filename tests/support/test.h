// What every cmocka program includes before <cmocka.h>.
#ifndef CULL_TESTS_TEST_H
#define CULL_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#undef fail // host->fail is a function
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

// A test of both embedded models: *state is the name of one.
#define ON_MODEL(test, model)                                                                      \
    {                                                                                              \
#        test " on " model, test, NULL, NULL, model                                                \
    }
#define ON_BOTH_MODELS(test) ON_MODEL(test, "tinyworld-mixtral"), ON_MODEL(test, "tinyworld-olmoe")

#endif
