// A finding in a sentence, for whoever is told.
#include <stdarg.h>
#include <stdio.h>

#include "check/conform.h"

void cull_verdict_say(const cull_examiner *examiner, cull_verdict verdict, const char *fmt, ...)
{
    char text[CULL_SENTENCE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    examiner->say(examiner->arg, verdict, text);
}
