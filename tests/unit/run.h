#pragma once

/*
 * main() of a check program: one suite, TAP-less, exit status 0 when all passed. CK_FORK stays on
 * so that a crash is one failure.
 */

#include <check.h>
#include <stdlib.h>

#define TEST_MAIN(suite_function)                                                                  \
    int main(void)                                                                                 \
    {                                                                                              \
        SRunner *runner = srunner_create(suite_function());                                        \
        int failed;                                                                                \
                                                                                                   \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        failed = srunner_ntests_failed(runner);                                                    \
        srunner_free(runner);                                                                      \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                               \
    }
