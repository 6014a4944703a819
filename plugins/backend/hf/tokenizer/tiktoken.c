// Tokenizers of tiktoken: a file of ranks, with the pattern and the special tokens of the class
// that tokenizer_config.json names. They become the parts that a tokenizer.json would have.
#include "parts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define OTHERS       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define HEAD         "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER        "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER        "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define NO_HAN       "&&[^\\p{Han}]"

#define QWEN CONTRACTIONS "|" HEAD "\\p{L}+|\\p{N}|" OTHERS
#define GLM  CONTRACTIONS "|" HEAD "\\p{L}+|\\p{N}{1,3}|" OTHERS
#define CL100K                                                                                     \
    "'(?i:[sdmt]|ll|ve|re)|" HEAD                                                                  \
    "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+\\z|\\s*[\\r\\n]"                      \
    "|\\s+(?!\\S)|\\s"
#define GPT2 "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define O200K                                                                                      \
    HEAD "[" UPPER "]*[" LOWER "]+" CONTRACTIONS "?|" HEAD "[" UPPER "]+[" LOWER "]*" CONTRACTIONS \
         "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define KIMI                                                                                       \
    "[\\p{Han}]+|" HEAD "[" UPPER NO_HAN "]*[" LOWER NO_HAN "]+" CONTRACTIONS "?|" HEAD            \
    "[" UPPER NO_HAN "]+[" LOWER NO_HAN "]*" CONTRACTIONS "?|\\p{N}{1,3}|" OTHERS

// clang-format off
// Special tokens stand after the ranks: `special` in order, "+n" leaving a gap, then `n_more` of
// `more` with a number, which counts from 0 or is the id. Those of added_tokens_decoder stand above
// them. `ranks`: the default tokens are those of a vocabulary of this size; 0: of any.
static const struct tk_class {
    const char *name, *pattern;
    bool nfc;
    size_t ranks;
    const char *special, *more;
    size_t n_more;
    bool by_id;
} classes[] = {
    { "TikTokenTokenizer", KIMI, false, 0, "", "<|reserved_token_%zu|>", 258, true }, // Moonlight, Kimi
    { "QWenTokenizer", QWEN, true, 0, "<|endoftext|> <|im_start|> <|im_end|>", "<|extra_%zu|>", 205, false },
    { "HYTokenizer", QWEN, true, 0, "<|endoftext|> <|startoftext|> <|bos|> <|eos|> <|pad|>", "<|extra_%zu|>", 205, false },
    { "ChatGLM4Tokenizer", GLM, false, 0, "", NULL, 0, false },
    { "TiktokenTokenizerWrapper", CL100K, false, 100256, "+1 <|endoftext|> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> +15 <|endofprompt|>", NULL, 0, false }, // DBRX
    { "cl100k_base", CL100K, false, 100256, "+1 <|endoftext|> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> +15 <|endofprompt|>", NULL, 0, false },
    { "o200k_base", O200K, false, 199998, "+1 <|endoftext|> +18 <|endofprompt|>", NULL, 0, false },
    { "r50k_base", GPT2, false, 50256, "<|endoftext|>", NULL, 0, false },
    { "gpt2", GPT2, false, 50256, "<|endoftext|>", NULL, 0, false },
};
// clang-format on

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

// Does a file begin as lines of base64 and ranks do, and not as SentencePiece's?
static bool holds_ranks(const char *path)
{
    unsigned char head[64] = { 0 };
    FILE *file = fopen(path, "rb");
    const size_t n = file ? fread(head, 1, sizeof head - 1, file) : 0;

    if (file)
        (void)fclose(file);
    for (size_t i = 0; i < n && head[i] != '\n'; i++)
        if (head[i] == ' ')
            return i > 0 && head[i + 1] >= '0' && head[i + 1] <= '9';
        else if (head[i] < '+' || head[i] > 'z')
            return false;
    return false;
}

cull_status tk_find_ranks(cull_ctx *ctx, const char *folder, char path[4096])
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    struct stat info;
    size_t n = 0;

    path[0] = '\0';
    while (dir && (entry = readdir(dir))) {
        char one[4096];
        if (!ends_with(entry->d_name, ".tiktoken") &&
            strcmp(entry->d_name, "tiktoken.model") != 0 &&
            strcmp(entry->d_name, "tokenizer.model") != 0)
            continue;
        if (snprintf(one, sizeof one, "%s/%s", folder, entry->d_name) >= (int)sizeof one ||
            stat(one, &info) != 0 || !S_ISREG(info.st_mode) || !holds_ranks(one))
            continue;
        n++;
        (void)snprintf(path, 4096, "%s", one);
    }
    if (dir)
        (void)closedir(dir);
    if (n > 1)
        return ctx->host->fail(ctx, CULL_EFORMAT, "%s: %zu files of tiktoken's are too many",
                               folder, n);
    return CULL_OK;
}

// ---- the class ----

static cull_status unknown_class(cull_ctx *ctx, const char *path, tk_str name)
{
    tk_text known = { 0 };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        tk_text_add(&known, i ? ", " : "", i ? 2 : 0);
        tk_text_add(&known, classes[i].name, strlen(classes[i].name));
    }
    const cull_status status = ctx->host->fail(
        ctx, CULL_ENOTSUP,
        "%s: the pattern that cuts words is not known for the tokenizer_class \"%.*s\" of "
        "tokenizer_config.json (known: %.*s)",
        path, (int)(name.n < 80 ? name.n : 80), name.s, (int)known.n, known.s ? known.s : "");
    tk_text_free(&known);
    return status;
}

// tokenizer_class of tokenizer_config.json; a wrapper of tiktoken's own encodings may name one.
static cull_status read_class(cull_ctx *ctx, const char *folder, const char *path,
                              const struct tk_class **out)
{
    char name[4096];
    json_t *json;

    if (snprintf(name, sizeof name, "%s/tokenizer_config.json", folder) >= (int)sizeof name)
        return ctx->host->fail(ctx, CULL_EIO, "%s: the name is too long", folder);
    const tk_file file = { ctx, name };
    CULL_TRY(tk_read_file(&file, JSON_DECODE_INT_AS_REAL, &json));
    const json_t *encoding = json_object_get(json, "encoding_name");
    const json_t *value =
        json_is_string(encoding) ? encoding : json_object_get(json, "tokenizer_class");
    const tk_str word = json_is_string(value)
                            ? (tk_str){ json_string_value(value), json_string_length(value) }
                            : tk_cstr("");
    *out = NULL;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (tk_equal(word, tk_cstr(classes[i].name)))
            *out = &classes[i];
    const cull_status status = *out ? CULL_OK : unknown_class(ctx, path, word);
    json_decref(json);
    return status;
}

// ---- special tokens ----

typedef struct tk_specials {
    cull_ctx *ctx;
    tk_added *token;
    size_t n, n_given; // those of the files come first
} tk_specials;

// A default one, unless the files give its id or its text another meaning.
static cull_status add_default(tk_specials *s, int32_t id, const char *text, size_t n)
{
    for (size_t i = 0; i < s->n_given; i++)
        if (s->token[i].id == id || tk_equal(s->token[i].content, (tk_str){ text, n }))
            return CULL_OK;
    char *copy = s->ctx->host->alloc(s->ctx, n + 1, 1);
    if (!copy)
        return CULL_ENOMEM;
    memcpy(copy, text, n);
    s->token[s->n++] = (tk_added){ .content = { copy, n }, .id = id, .special = true };
    return CULL_OK;
}

static cull_status add_defaults(tk_specials *s, const struct tk_class *class, size_t ranks)
{
    int32_t id = (int32_t)ranks;

    if (class->ranks && class->ranks != ranks)
        return CULL_OK;
    for (const char *word = class->special; *word;) {
        const size_t n = strcspn(word, " ");
        if (*word == '+')
            id += atoi(word + 1);
        else
            CULL_TRY(add_default(s, id++, word, n));
        word += n + (word[n] == ' ');
    }
    for (size_t i = 0; i < class->n_more; i++, id++) {
        char text[64];
        const int n = snprintf(text, sizeof text, class->more, class->by_id ? (size_t)id : i);
        CULL_TRY(add_default(s, id, text, (size_t)n));
    }
    return CULL_OK;
}

cull_status tk_tiktoken_specials(cull_ctx *ctx, const struct tk_class *class, size_t ranks,
                                 const tk_config *config, tk_added **out, size_t *n)
{
    tk_specials s = { .ctx = ctx };

    s.token = ctx->host->alloc(ctx, config->n_explicit + class->n_more + 16, sizeof *s.token);
    if (!s.token)
        return CULL_ENOMEM;
    for (size_t i = 0; i < config->n_explicit; i++) // tiktoken knows of no other options
        s.token[s.n++] = (tk_added){ .content = config->tokens[i].content,
                                     .id = config->tokens[i].id,
                                     .special = config->tokens[i].special };
    s.n_given = s.n;
    CULL_TRY(add_defaults(&s, class, ranks));
    *out = s.token;
    *n = s.n;
    return CULL_OK;
}

// ---- the whole ----

// What a tokenizer.json of this class has beside its model.
static json_t *components(const struct tk_class *class)
{
    return json_pack("{s:o, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b}]}, s:{s:s}}",
                     "normalizer", class->nfc ? json_pack("{s:s}", "type", "NFC") : json_null(),
                     "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split",
                     "pattern", "Regex", class->pattern, "behavior", "Removed", "invert", 1, "type",
                     "ByteLevel", "add_prefix_space", 0, "use_regex", 0, "decoder", "type",
                     "ByteLevel");
}

cull_status tk_tiktoken_open(cull_ctx *ctx, const char *folder, const char *path, hf_tokenizer *tk)
{
    const struct tk_class *class;
    const tk_file file = { ctx, path };
    tk_config config;
    tk_added *tokens;
    size_t n;

    CULL_TRY(read_class(ctx, folder, path, &class));
    CULL_TRY(tk_config_read(ctx, folder, &config));
    CULL_TRY(tk_bpe_read_ranks(ctx, path, &tk->bpe));
    CULL_TRY(tk_tiktoken_specials(ctx, class, tk->bpe.vocab.n, &config, &tokens, &n));
    tk->own_ids = tk->whole = true;
    config.n_tokens = config.n_explicit = config.n_named = 0;
    json_t *json = components(class);
    if (!json)
        return tk_no_memory(ctx);
    const tk_node root = tk_root(&file, json);
    cull_status status = tk_components_read(&root, tk);
    if (status == CULL_OK)
        status = tk_added_enter(&root, tk, tokens, n, &config);
    tk->bos = tk_token_id(tk, config.bos);
    tk->eos = tk_token_id(tk, config.eos);
    json_decref(json);
    return status;
}
