// Any bytes as a tokenizer.json: it is opened, encodes a text and decodes the ids, or is refused
// with a sentence.
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "fuzz/fuzz.h"
#include "plugin/host.h"
#include "tokenizer/tokenizer.h"

// A folder with a tokenizer.json; what is read in its place are the input's bytes.
#define FOLDER CULL_SOURCE_DIR "/models/tinyworld-mixtral"

typedef struct input {
    cull_host host;    // the core's, but for what it reads
    const char *bytes; // (n), ended by a NUL
    size_t n;
} input;

static cull_status read_input(cull_ctx *ctx, const char *path, const char **bytes, size_t *n)
{
    const input *in = cull_context_of(ctx)->data;
    const bool config = strstr(path, "tokenizer_config.json") != NULL;

    *bytes = config ? "{\"bos_token\": \"<s>\", \"eos_token\": \"\xc3\xa9\"}" : in->bytes;
    *n = config ? strlen(*bytes) : in->n;
    return CULL_OK;
}

static void run(cull_ctx *ctx)
{
    static const char text[] =
        "The 12 \xe4\xb8\xad\xe6\x96\x87, it's  caf\xc3\xa9<s> \xe2\x96\x81\n\n\xf0\x9f\x98\x80"
        "e\xcc\x81\xef\xbd\x81 abababababababab aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    hf_tokenizer *tk = NULL;
    int32_t *ids;
    size_t n, len;
    char *decoded;
    const cull_status status = hf_tokenizer_open(ctx, FOLDER, &tk);

    if (status != CULL_OK && cull_context_of(ctx)->error.status != status)
        abort(); // refused without a sentence
    if (status != CULL_OK)
        return;
    if (hf_tokenizer_encode(ctx, tk, text, sizeof text, CULL_SPECIAL, &ids, &n) == CULL_OK &&
        hf_tokenizer_decode(ctx, tk, ids, n, CULL_SPECIAL, &decoded, &len) == CULL_OK &&
        decoded[len] != '\0')
        abort();
    hf_tokenizer_close(tk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *text = calloc(n + 1, 1);
    cull_context context;

    if (!text || cull_context_init(&context, NULL, NULL) != CULL_OK) {
        free(text);
        return 0;
    }
    memcpy(text, bytes, n);
    input in = { .host = *context.ctx.host, .bytes = text, .n = n };
    in.host.read_file = read_input;
    context.ctx.host = &in.host;
    context.data = &in;
    run(&context.ctx);
    cull_context_release(&context);
    free(text);
    return 0;
}
