// Time encoding and decoding of a text: one line of JSON on stdout.
//
//     bench-tokenizer FOLDER TEXT BYTES
//
// The text is repeated until there are BYTES of it. MB are 10⁶ bytes, seconds those of the
// processor, so that other work on the machine does not count.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support/fake_host.h"
#include "support/test.h"
#include "tokenizer/tokenizer.h"

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// `bytes` bytes of the text, repeated, ending where a character ends.
static char *repeated(const char *text, size_t n, size_t *bytes)
{
    char *s = malloc(*bytes + 1);

    if (!s || n == 0)
        exit(3);
    for (size_t i = 0; i < *bytes; i++)
        s[i] = text[i % n];
    while (*bytes > 0 && ((unsigned char)text[*bytes % n] & 0xc0) == 0x80)
        --*bytes;
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench-tokenizer FOLDER TEXT BYTES\n");
        return 2;
    }
    fake_host *host = fake_host_new(1);
    cull_ctx *ctx = fake_ctx(host);
    hf_tokenizer *tk;
    const char *file;
    size_t n_file, n, len, bytes = strtoul(argv[3], NULL, 10);
    int32_t *ids;
    char *decoded;

    const double t0 = now();
    assert_ok(host, hf_tokenizer_open(ctx, argv[1], &tk));
    const double t1 = now();
    assert_ok(host, ctx->host->read_file(ctx, argv[2], &file, &n_file));
    char *text = repeated(file, n_file, &bytes);
    const double t2 = now();
    assert_ok(host, hf_tokenizer_encode(ctx, tk, text, bytes, CULL_SPECIAL, &ids, &n));
    const double t3 = now();
    assert_ok(host, hf_tokenizer_decode(ctx, tk, ids, n, 0, &decoded, &len));
    const double t4 = now();
    printf("{\"tokenizer\": \"%s\", \"bytes\": %zu, \"tokens\": %zu, \"open_s\": %.3f, "
           "\"encode_mb_s\": %.2f, "
           "\"decode_mb_s\": %.2f}\n",
           argv[1], bytes, n, t1 - t0, 1e-6 * (double)bytes / (t3 - t2),
           1e-6 * (double)bytes / (t4 - t3));
    free(text);
    hf_tokenizer_close(tk);
    fake_host_free(host);
    return 0;
}
