// Waves of variants: limited by the answers that are kept, and by what a kill may lose.
#include "plan/cost/waves.h"

// Answers are kept until a pass ends: so many bytes they may take.
enum { ANSWER_BYTES = 256 };

// What a killed run loses is its last wave: no longer than this, if that costs little reading.
static const double wave_seconds = 600;

static size_t variants_in_time(double each)
{
    return each > 0 && wave_seconds / each < 1e6 ? (size_t)(wave_seconds / each) : SIZE_MAX;
}

size_t cull_wave_variants(size_t requests, double seconds, uint64_t memory)
{
    const uint64_t room = memory ? memory / 4 : 1u << 30;
    const size_t kept = (size_t)(room / (((uint64_t)requests + 1) * ANSWER_BYTES));
    const size_t most = variants_in_time(seconds) < kept ? variants_in_time(seconds) : kept;

    return most > 1 ? most : 1;
}
