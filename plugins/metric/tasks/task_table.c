// The ten choice tasks, GSM8K and wikitext as lm-evaluation-harness 0.4.13 has them
// (lm_eval/tasks/*/*.yaml).
#include "task_table.h"

#include <string.h>

#define ACC      TASK_ACC
#define ACC_NORM (TASK_ACC | TASK_ACC_NORM)

static const char *const gsm8k_until[] = { "Question:", "</s>", "<|im_end|>" };
static const char *const cot_until[] = { "Q:", "</s>", "<|im_end|>" };
static const char *const gsm8k_ignore[] = { ",", "\\$", "(?s).*#### ", "\\.$" };

#define FLEXIBLE                                                                                   \
    {                                                                                              \
        "flexible-extract", "(-?[$0-9.,]{2,})|(-?[0-9]+)", -1, "[invalid]"                         \
    }
static const answer_filter gsm8k_filters[] = {
    { "strict-match", "#### (\\-?[0-9\\.\\,]+)", 0, "[invalid]" },
    FLEXIBLE,
};
static const answer_filter cot_filters[] = {
    { "strict-match", "The answer is (\\-?[0-9\\.\\,]+).", 0,
      "[invalid]" }, // with one more character
    FLEXIBLE,
};
#define GSM8K(stops, filters, kwargs)                                                              \
    .kind = TASK_GENERATE, .metrics = TASK_MATCH, .n_until = sizeof(stops) / sizeof *(stops),      \
    .until = (stops), .gen_kwargs = (kwargs), .n_filters = sizeof(filters) / sizeof *(filters),    \
    .filter = (filters),                                                                           \
    .cleaning = { sizeof gsm8k_ignore / sizeof *gsm8k_ignore, gsm8k_ignore, true }

static const task_spec specs[] = {
    { .name = "arc_easy",
      .version = "1.0",
      .metrics = ACC_NORM,
      .question = "Question: {question}\nAnswer:",
      .choices = "choices.text",
      .gold_rule = GOLD_LABEL,
      .gold = "answerKey" },
    { .name = "arc_challenge",
      .version = "1.0",
      .metrics = ACC_NORM,
      .question = "Question: {question}\nAnswer:",
      .choices = "choices.text",
      .gold_rule = GOLD_LABEL,
      .gold = "answerKey" },
    { .name = "boolq",
      .version = "2.0",
      .metrics = ACC,
      .shots_rule = SHOTS_DRAWN_BUT_SELF,
      .cluster = "passage",
      .question = "{passage}\nQuestion: {question}?\nAnswer:",
      .choices = "no|yes|",
      .gold_rule = GOLD_NUMBER,
      .gold = "label" },
    { .name = "copa",
      .version = "1.0",
      .metrics = ACC,
      .shots_rule = SHOTS_DRAWN_BUT_SELF,
      .derive = derive_copa,
      .question = "{context}",
      .text_target = true,
      .choices = "choices",
      .gold_rule = GOLD_NUMBER,
      .gold = "label" },
    { .name = "hellaswag",
      .version = "1.0",
      .metrics = ACC_NORM,
      .shots_rule = SHOTS_DRAWN_BUT_SELF,
      .derive = derive_hellaswag,
      .hash_derived = true,
      .question = "{query}",
      .choices = "choices",
      .gold_rule = GOLD_NUMBER,
      .gold = "label" },
    { .name = "openbookqa",
      .version = "1.0",
      .metrics = ACC_NORM,
      .question = "{question_stem}",
      .choices = "choices.text",
      .gold_rule = GOLD_LABEL,
      .gold = "answerKey" },
    { .name = "piqa",
      .version = "1.0",
      .metrics = ACC_NORM,
      .shots_rule = SHOTS_DRAWN_BUT_SELF,
      .question = "Question: {goal}\nAnswer:",
      .choices = "{sol1}|{sol2}|",
      .gold_rule = GOLD_NUMBER,
      .gold = "label" },
    { .name = "rte",
      .version = "1.0",
      .metrics = ACC,
      .shots_rule = SHOTS_DRAWN_BUT_SELF,
      .question = "{sentence1}\nQuestion: {sentence2} True or False?\nAnswer:",
      .choices = "True|False|",
      .gold_rule = GOLD_NUMBER,
      .gold = "label" },
    { .name = "winogrande",
      .version = "1.0",
      .metrics = ACC,
      .shots_rule = SHOTS_DRAWN_BUT_SELF,
      .derive = derive_winogrande,
      .contexts = "contexts",
      .text_target = true,
      .answer = "{target}",
      .gold_rule = GOLD_COUNT,
      .gold = "answer" },
    { .name = "gsm8k",
      .version = "3.0",
      .shots = 5,
      GSM8K(gsm8k_until, gsm8k_filters,
            "{\"until\": null, \"do_sample\": false, \"temperature\": 0.0}"),
      .question = "Question: {question}\nAnswer:",
      .answer = "{answer}" },
    { .name = "gsm8k_cot",
      .version = "3.0",
      .file = "gsm8k",
      .pool = "gsm8k_cot.train",
      .shots = 8,
      .shots_rule = SHOTS_FIRST,
      GSM8K(cot_until, cot_filters, "{\"do_sample\": false, \"until\": null}"),
      .derive = derive_gsm8k_cot,
      .question = "Q: {question}\nA:",
      .answer = "{target}" },
    { .name = "wikitext",
      .version = "2.0",
      .kind = TASK_ROLLING,
      .derive = derive_wikitext,
      .question = "{page}",
      .answer = "{text}" },
};

static const task_spec mmlu = {
    .version = "1.0",
    .metrics = ACC,
    .shots_rule = SHOTS_FIRST,
    .question =
        "{question|strip}\nA. {choices.0}\nB. {choices.1}\nC. {choices.2}\nD. {choices.3}\nAnswer:",
    .choices = "A|B|C|D|",
    .gold_rule = GOLD_NUMBER,
    .gold = "answer",
};

// X(subject, category)
#define MMLU(X)                                                                                    \
    X(abstract_algebra, STEM)                                                                      \
    X(anatomy, STEM)                                                                               \
    X(astronomy, STEM)                                                                             \
    X(business_ethics, OTHER)                                                                      \
    X(clinical_knowledge, OTHER)                                                                   \
    X(college_biology, STEM)                                                                       \
    X(college_chemistry, STEM)                                                                     \
    X(college_computer_science, STEM)                                                              \
    X(college_mathematics, STEM)                                                                   \
    X(college_medicine, OTHER)                                                                     \
    X(college_physics, STEM)                                                                       \
    X(computer_security, STEM)                                                                     \
    X(conceptual_physics, STEM)                                                                    \
    X(econometrics, SOCIAL_SCIENCES)                                                               \
    X(electrical_engineering, STEM)                                                                \
    X(elementary_mathematics, STEM)                                                                \
    X(formal_logic, HUMANITIES)                                                                    \
    X(global_facts, OTHER)                                                                         \
    X(high_school_biology, STEM)                                                                   \
    X(high_school_chemistry, STEM)                                                                 \
    X(high_school_computer_science, STEM)                                                          \
    X(high_school_european_history, HUMANITIES)                                                    \
    X(high_school_geography, SOCIAL_SCIENCES)                                                      \
    X(high_school_government_and_politics, SOCIAL_SCIENCES)                                        \
    X(high_school_macroeconomics, SOCIAL_SCIENCES)                                                 \
    X(high_school_mathematics, STEM)                                                               \
    X(high_school_microeconomics, SOCIAL_SCIENCES)                                                 \
    X(high_school_physics, STEM)                                                                   \
    X(high_school_psychology, SOCIAL_SCIENCES)                                                     \
    X(high_school_statistics, STEM)                                                                \
    X(high_school_us_history, HUMANITIES)                                                          \
    X(high_school_world_history, HUMANITIES)                                                       \
    X(human_aging, OTHER)                                                                          \
    X(human_sexuality, SOCIAL_SCIENCES)                                                            \
    X(international_law, HUMANITIES)                                                               \
    X(jurisprudence, HUMANITIES)                                                                   \
    X(logical_fallacies, HUMANITIES)                                                               \
    X(machine_learning, STEM)                                                                      \
    X(management, OTHER)                                                                           \
    X(marketing, OTHER)                                                                            \
    X(medical_genetics, OTHER)                                                                     \
    X(miscellaneous, OTHER)                                                                        \
    X(moral_disputes, HUMANITIES)                                                                  \
    X(moral_scenarios, HUMANITIES)                                                                 \
    X(nutrition, OTHER)                                                                            \
    X(philosophy, HUMANITIES)                                                                      \
    X(prehistory, HUMANITIES)                                                                      \
    X(professional_accounting, OTHER)                                                              \
    X(professional_law, HUMANITIES)                                                                \
    X(professional_medicine, OTHER)                                                                \
    X(professional_psychology, SOCIAL_SCIENCES)                                                    \
    X(public_relations, SOCIAL_SCIENCES)                                                           \
    X(security_studies, SOCIAL_SCIENCES)                                                           \
    X(sociology, SOCIAL_SCIENCES)                                                                  \
    X(us_foreign_policy, SOCIAL_SCIENCES)                                                          \
    X(virology, OTHER)                                                                             \
    X(world_religions, HUMANITIES)

#define STEM            "stem"
#define OTHER           "other"
#define SOCIAL_SCIENCES "social_sciences"
#define HUMANITIES      "humanities"
static const char *const subjects[] = {
#define MMLU_NAME(subject, category) "mmlu_" #subject,
    MMLU(MMLU_NAME)
};
static const char *const categories[] = {
#define MMLU_CATEGORY(subject, category) category,
    MMLU(MMLU_CATEGORY)
};

static const task_family families[] = {
    { "mmlu", NULL },
    { "mmlu_stem", STEM },
    { "mmlu_other", OTHER },
    { "mmlu_social_sciences", SOCIAL_SCIENCES },
    { "mmlu_humanities", HUMANITIES },
};

static const char *const names[] = {
    "arc_easy",
    "arc_challenge",
    "boolq",
    "copa",
    "hellaswag",
    "openbookqa",
    "piqa",
    "rte",
    "winogrande",
    "gsm8k",
    "gsm8k_cot",
    "wikitext",
    "mmlu",
    "mmlu_stem",
    "mmlu_other",
    "mmlu_social_sciences",
    "mmlu_humanities",
    NULL,
};

const char *const *task_names(void)
{
    return names;
}

size_t mmlu_subjects(const char *const **name, const char *const **category)
{
    *name = subjects;
    *category = categories;
    return sizeof subjects / sizeof *subjects;
}

const task_family *task_family_find(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

// "… about high school physics.": the subject's words.
static bool mmlu_find(cull_ctx *ctx, const char *name, task_spec *out)
{
    span words, description;
    *out = mmlu;
    out->name = name;
    if (py_replace(ctx, span_of(name + strlen("mmlu_")), "_", " ", &words) != CULL_OK)
        return false;
    const span parts[] = { span_of(
                               "The following are multiple choice questions (with answers) about "),
                           words, span_of(".\n\n") };
    out->description = span_join(ctx, 3, parts, &description) == CULL_OK ? description.s : NULL;
    return out->description != NULL;
}

bool task_find(cull_ctx *ctx, const char *name, task_spec *out)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (strcmp(specs[i].name, name) == 0) {
            *out = specs[i];
            return true;
        }
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (strcmp(subjects[i], name) == 0)
            return mmlu_find(ctx, subjects[i], out);
    return false;
}
