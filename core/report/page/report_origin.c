// Where the numbers come from: trials, experiments, what differs between two of them, literature.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "record/h5/h5.h"
#include "report/page/sections.h"

typedef struct origin { // of one trial
    const char *yaml, *config, *title, *finished, *host, *cpu, *commit, *compiler;
    size_t n_plugins;
    const char *const *kind, *const *name, *const *version, *const *cite;
} origin;

static cull_status get_texts(cull_h5_in *file, const char *path, size_t *n, const char *const **out)
{
    cull_h5_shape shape;
    const void *data = NULL;

    *n = 0;
    if (!cull_h5_has(file, path))
        return CULL_OK;
    CULL_TRY(cull_h5_get(file, path, 's', &shape, &data));
    *n = shape.n;
    *out = data;
    return CULL_OK;
}

static cull_status read_origin(cull_h5_in *file, origin *o)
{
    size_t n;
    const char *const *texts;

    *o = (origin){ "", "", "", "", "", "", "", "", 0, NULL, NULL, NULL, NULL };
    CULL_TRY(get_texts(file, "/provenance/config_yaml", &n, &texts));
    o->yaml = n ? texts[0] : "";
    CULL_TRY(get_texts(file, "/provenance/config_resolved", &n, &texts));
    o->config = n ? texts[0] : "";
    CULL_TRY(cull_h5_get_text(file, "/", "title", &o->title));
    CULL_TRY(cull_h5_get_text(file, "/", "finished", &o->finished));
    CULL_TRY(cull_h5_get_text(file, "/provenance", "host", &o->host));
    CULL_TRY(cull_h5_get_text(file, "/provenance", "cpu", &o->cpu));
    CULL_TRY(cull_h5_get_text(file, "/provenance", "git_commit", &o->commit));
    CULL_TRY(cull_h5_get_text(file, "/provenance", "compiler", &o->compiler));
    CULL_TRY(get_texts(file, "/provenance/plugins/kind", &n, &o->kind));
    CULL_TRY(get_texts(file, "/provenance/plugins/version", &n, &o->version));
    CULL_TRY(get_texts(file, "/provenance/plugins/cite", &n, &o->cite));
    return get_texts(file, "/provenance/plugins/name", &o->n_plugins, &o->name);
}

// ---- tables ----

static void put_trials(const report *r, const origin *all)
{
    cull_buf_puts(r->page,
                  "<details><summary>Trials</summary><div class=\"scroll\"><table><thead><tr>"
                  "<th>trial</th><th>id</th><th>precision</th><th>finished</th><th "
                  "class=\"r\">seconds</th><th>host</th><th>CPU</th><th>Cull</th>"
                  "<th>compiler</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->frame->n_trials; i++) {
        const cull_frame_trial *t = &r->frame->trial[i];
        const char *const texts[] = { t->precision, all[i].finished };
        cull_buf_puts(r->page, "<tr><td>");
        cull_page_text(r->page, all[i].title);
        cull_buf_printf(r->page, "</td><td class=\"soft\">%.12s</td>", t->id); // hexadecimal
        for (size_t c = 0; c < 2; c++) {
            cull_buf_puts(r->page, "<td>");
            cull_page_text(r->page, texts[c]);
            cull_buf_puts(r->page, "</td>");
        }
        cull_buf_printf(r->page, "<td class=\"r\">%.1f</td><td>", t->wall_s);
        cull_page_text(r->page, all[i].host);
        cull_buf_puts(r->page, "</td><td>");
        cull_page_text(r->page, all[i].cpu);
        char commit[11];
        snprintf(commit, sizeof commit, "%s", all[i].commit);
        cull_buf_puts(r->page, "</td><td class=\"soft\">");
        cull_page_text(r->page, commit);
        cull_buf_puts(r->page, "</td><td>");
        cull_page_text(r->page, all[i].compiler);
        cull_buf_puts(r->page, "</td></tr>\n");
    }
    cull_buf_puts(r->page, "</tbody></table></div></details>\n");
}

static void put_experiments(const report *r, const origin *all)
{
    for (size_t i = 0; i < r->frame->n_trials; i++) {
        bool seen = *all[i].yaml == '\0';
        for (size_t j = 0; j < i; j++)
            seen |= strcmp(all[i].yaml, all[j].yaml) == 0;
        if (seen)
            continue;
        cull_buf_puts(r->page, "<details><summary>The experiment of ");
        cull_page_text(r->page, r->frame->trial[i].folder);
        cull_buf_puts(r->page, "</summary><pre>");
        cull_page_text(r->page, all[i].yaml);
        cull_buf_puts(r->page, "</pre></details>\n");
    }
}

// Conditions of the columns: what every number of a task has in common.
static void put_conditions(const report *r)
{
    cull_buf_puts(r->page,
                  "<details><summary>How tasks were measured</summary><div class=\"scroll\">"
                  "<table><thead><tr><th>task</th><th>metric</th><th>conditions</th></tr>"
                  "</thead>\n<tbody>\n");
    for (size_t c = 0; c < r->frame->n_columns; c++) {
        const cull_column_of *column = &r->frame->column[c];
        bool seen = false;
        for (size_t d = 0; d < c; d++)
            seen |= strcmp(r->frame->column[d].task, column->task) == 0 &&
                    strcmp(r->frame->column[d].plugin, column->plugin) == 0 &&
                    strcmp(r->frame->column[d].conditions, column->conditions) == 0;
        if (seen)
            continue;
        cull_buf_puts(r->page, "<tr><td>");
        cull_page_text(r->page, column->task);
        cull_buf_puts(r->page, "</td><td>");
        cull_page_text(r->page, column->plugin);
        cull_buf_puts(r->page, "</td><td class=\"wrap soft\">");
        for (const char *s = column->conditions; *s; s++) {
            const char one[] = { *s, '\0' };
            cull_page_text(r->page, *s == '\n' ? s[1] ? ", " : "" : one);
        }
        cull_buf_puts(r->page, "</td></tr>\n");
    }
    cull_buf_puts(r->page, "</tbody></table></div></details>\n");
}

// ---- the difference between two trials ----

extern const char cull_difference_js[]; // difference.js

// JSON inside a script element: "<" could end it.
static void put_json(cull_buf *page, const char *json)
{
    for (; *json; json++)
        if (*json == '<')
            cull_buf_puts(page, "\\u003c");
        else
            cull_buf_add(page, json, 1);
}

static void put_differences(const report *r, const origin *all)
{
    bool first = true;

    cull_buf_puts(r->page,
                  "<div class=\"noprint\"><h3>What differs between two trials</h3>\n"
                  "<p><select id=\"first\" aria-label=\"first trial\"></select> and <select "
                  "id=\"second\" aria-label=\"second trial\"></select></p>\n"
                  "<div class=\"scroll\"><table><tbody id=\"difference\"></tbody></table>"
                  "</div>\n<script type=\"application/json\" id=\"configs\">[");
    for (size_t i = 0; i < r->frame->n_trials; i++) {
        cull_buf title = CULL_BUF_INIT;
        if (*all[i].config != '{')
            continue;
        cull_buf_json(&title, all[i].title, strlen(all[i].title));
        cull_buf_puts(r->page, first ? "\n{\"title\":" : ",\n{\"title\":");
        put_json(r->page, title.failed ? "\"\"" : title.s);
        cull_buf_puts(r->page, ",\"config\":");
        put_json(r->page, all[i].config);
        cull_buf_puts(r->page, "}");
        cull_buf_release(&title);
        first = false;
    }
    cull_buf_puts(r->page, "]</script>\n<script>");
    cull_buf_puts(r->page, first ? "" : cull_difference_js);
    cull_buf_puts(r->page, "</script></div>\n");
}

// ---- literature ----

static bool seen_before(const origin *all, size_t trial, size_t plugin)
{
    for (size_t i = 0; i <= trial; i++)
        for (size_t j = 0; j < (i == trial ? plugin : all[i].n_plugins); j++)
            if (strcmp(all[i].kind[j], all[trial].kind[plugin]) == 0 &&
                strcmp(all[i].name[j], all[trial].name[plugin]) == 0)
                return true;
    return false;
}

static void put_plugins(const report *r, const origin *all)
{
    cull_buf_puts(r->page, "<h3>Plugins and literature</h3><div class=\"scroll\"><table><thead><tr>"
                           "<th>kind</th><th>name</th><th>version</th><th>source</th></tr></thead>"
                           "<tbody>\n");
    for (size_t i = 0; i < r->frame->n_trials; i++)
        for (size_t j = 0; j < all[i].n_plugins; j++) {
            if (seen_before(all, i, j))
                continue;
            const char *const texts[] = { all[i].kind[j], all[i].name[j], all[i].version[j] };
            cull_buf_puts(r->page, "<tr>");
            for (size_t c = 0; c < 3; c++) {
                cull_buf_puts(r->page, "<td>");
                cull_page_text(r->page, texts[c]);
                cull_buf_puts(r->page, "</td>");
            }
            char prose[2048];
            snprintf(prose, sizeof prose, "%.*s", (int)strcspn(all[i].cite[j], "@"),
                     all[i].cite[j]);
            cull_buf_puts(r->page, "<td class=\"wrap\">");
            cull_page_text(r->page, prose);
            cull_buf_puts(r->page, "</td></tr>\n");
        }
    cull_buf_puts(r->page, "</tbody></table></div>\n");
}

static void put_bibtex(const report *r, const origin *all)
{
    bool any = false;

    for (size_t i = 0; i < r->frame->n_trials; i++)
        for (size_t j = 0; j < all[i].n_plugins; j++) {
            const char *entry = strchr(all[i].cite[j], '@');
            if (seen_before(all, i, j) || !entry || !strchr(entry, '{'))
                continue;
            cull_buf_puts(r->page, any ? "\n\n"
                                       : "<details><summary>BibTeX of the methods</summary>"
                                         "<pre>");
            cull_page_text(r->page, entry);
            any = true;
        }
    cull_buf_puts(r->page, any ? "</pre></details>\n" : "");
}

cull_status report_origin(const report *r)
{
    origin *all = cull_take(r->ctx, r->frame->n_trials, sizeof *all);

    if (!all)
        return CULL_ENOMEM;
    for (size_t i = 0; i < r->frame->n_trials; i++) {
        cull_h5_in *file;
        CULL_TRY(cull_h5_open(r->ctx, r->frame->trial[i].path, &file));
        CULL_TRY(cull_h5_done(file, read_origin(file, &all[i])));
    }
    put_differences(r, all);
    put_trials(r, all);
    put_conditions(r);
    put_experiments(r, all);
    put_plugins(r, all);
    put_bibtex(r, all);
    return CULL_OK;
}
