//! The page: a template with its style, its script and the data put in.

use super::CrashReport;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The document.
pub(super) fn html(report: &CrashReport) -> String {
    let data = serde_json::to_string(report).expect("plain data has a form as JSON");
    // Inside of a script only `<` could end it or begin a comment.
    let data = data.replace('<', "\\u003c");
    // The data comes last, so that nothing in it is taken for a placeholder.
    PAGE.replace("/*style*/", STYLE).replace("/*script*/", SCRIPT).replace("/*data*/", &data)
}
