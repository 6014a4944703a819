// CPUID and XGETBV: an instruction set counts only where the system also saves its registers.
#include "math/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#    include <cpuid.h>

enum { XCR_YMM = 0x6, XCR_ZMM = 0xe6, XCR_TILES = 0x60000 };

static uint64_t enabled_registers(void)
{
    unsigned a, b, c, d, low, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void brand(char *name, size_t size)
{
    unsigned text[12] = { 0 };
    char raw[sizeof text + 1] = { 0 };

    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, text + 4 * i, text + 4 * i + 1, text + 4 * i + 2,
                         text + 4 * i + 3))
            return;
    memcpy(raw, text, sizeof text);
    snprintf(name, size, "%s", raw + strspn(raw, " "));
    for (size_t n = strlen(name); n && name[n - 1] == ' '; n--)
        name[n - 1] = '\0';
}

cull_cpu cull_cpu_features(void)
{
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    const uint64_t saved = enabled_registers();
    const bool ymm = (saved & XCR_YMM) == XCR_YMM, zmm = (saved & XCR_ZMM) == XCR_ZMM;
    unsigned a, b, c, d;
    cull_cpu cpu = { 0 };

    brand(cpu.name, sizeof cpu.name);
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        cpu.avx = ymm && c & bit_AVX;
        cpu.fma = ymm && c & bit_FMA;
    }
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return cpu;
    cpu.avx2 = ymm && b & bit_AVX2;
    cpu.avx512 = zmm && (b & avx512) == avx512;
    cpu.amx_bf16 = (saved & XCR_TILES) == XCR_TILES && d & 1u << 24 && d & 1u << 22;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d))
        cpu.avx512_bf16 = cpu.avx512 && a & 1u << 5;
    return cpu;
}
#else
cull_cpu cull_cpu_features(void)
{
    return (cull_cpu){ 0 };
}
#endif

void cull_cpu_words(const cull_cpu *cpu, char *text, size_t size)
{
    (void)snprintf(text, size, "%s%s%s%s%s%s", cpu->avx ? "avx " : "", cpu->avx2 ? "avx2 " : "",
                   cpu->fma ? "fma " : "", cpu->avx512 ? "avx512 " : "",
                   cpu->avx512_bf16 ? "avx512_bf16 " : "", cpu->amx_bf16 ? "amx_bf16 " : "");
    const size_t n = strlen(text);
    if (n)
        text[n - 1] = '\0';
    else
        (void)snprintf(text, size, "none beyond the baseline");
}
