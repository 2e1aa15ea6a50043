//! Blocks as one HTML file: no script, no network, and a style that prints.

use crate::model::visible::visible;
use crate::report::paper::Block;
use crate::report::paper::Cell;
use crate::report::paper::Mood;
use crate::report::paper::Paper;
use crate::report::paper::Table;

/// An exact text of so many letters is not split over lines.
const WHOLE: usize = 34;

/// Colours never say anything that the words do not.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,'Segoe UI',sans-serif;margin:2rem auto;max-width:78rem;padding:0 1.5rem}\
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #8886}\
code,.exact{font:13px/1.45 ui-monospace,Consolas,monospace;overflow-wrap:anywhere}\
.whole{white-space:nowrap}.digest{color:#777}\
table{border-collapse:collapse;width:100%;margin:.6rem 0}\
th{text-align:left;font-weight:600;border-bottom:2px solid #8888}\
th,td{padding:.3rem .8rem .3rem 0;vertical-align:top}td{border-bottom:1px solid #8883}\
.good{color:#17803d}.bad{color:#c02424;font-weight:600}\
.alert{border:2px solid #c02424;border-radius:4px;padding:.6rem .9rem;margin:.8rem 0;font-weight:600}\
@media(prefers-color-scheme:dark){.good{color:#5ecb85}.bad{color:#ff7b72}.alert{border-color:#ff7b72}}\
@media print{body{margin:0;max-width:none;font-size:11px}code,.exact{font-size:10px}\
h2{break-after:avoid}tr,.alert{break-inside:avoid}thead{display:table-header-group}}";

pub(super) fn write(paper: &Paper) -> String {
    let title = escape(&paper.title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n\
         <p class=\"digest\">plan <code>{}</code></p>\n",
        escape(&paper.digest)
    );
    paper.blocks.iter().for_each(|block| push(&mut text, block));
    text.push_str("</body></html>\n");
    text
}

fn push(text: &mut String, block: &Block) {
    match block {
        Block::Heading(words) => text.push_str(&format!("<h2>{}</h2>\n", escape(words))),
        Block::Text(words) => text.push_str(&format!("<p>{}</p>\n", escape(words))),
        Block::Alert(words) => {
            text.push_str(&format!("<p class=\"alert\">{}</p>\n", escape(words)));
        }
        Block::List(items) => {
            text.push_str("<ul>");
            for item in items {
                text.push_str(&format!("<li>{}</li>\n", escape(item)));
            }
            text.push_str("</ul>\n");
        }
        Block::Table(table) => push_table(text, table),
    }
}

fn push_table(text: &mut String, table: &Table) {
    text.push_str("<table>");
    if table.columns.iter().any(|column| !column.is_empty()) {
        text.push_str("<thead><tr>");
        for column in &table.columns {
            text.push_str(&format!("<th>{}</th>", escape(column)));
        }
        text.push_str("</tr></thead>");
    }
    text.push_str("<tbody>\n");
    for row in &table.rows {
        text.push_str("<tr>");
        for cell in row {
            push_cell(text, cell);
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>\n");
}

fn push_cell(text: &mut String, cell: &Cell) {
    let class = match cell.mood {
        Mood::Plain => "",
        // A name that is not split can be read; a long one must be.
        Mood::Exact if cell.text.chars().count() <= WHOLE => " class=\"exact whole\"",
        Mood::Exact => " class=\"exact\"",
        Mood::Good => " class=\"good\"",
        Mood::Bad => " class=\"bad\"",
    };
    text.push_str(&format!("<td{class}>{}</td>", escape(&cell.text)));
}

/// INVARIANT: no text of a host ends its element or begins another.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
