//! What every page is held to: no finding of axe in both themes and in two widths, and nothing that has to be scrolled
//! sideways.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::chromium::Browser;

/// The rules of WCAG 2.2 AA, and what axe counts among good practice: headings in order, everything in a landmark.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// The narrowest window in which everything has its place.
const NARROWEST: u32 = 320;

/// What depends on the theme; everything else is the same by day and by night.
const RULES_OF_COLOUR: [&str; 2] = ["color-contrast", "link-in-text-block"];

/// Examines the page that the browser is at.
pub async fn examine(browser: &Browser, name: &str) {
    let findings = findings(browser, name).await;
    assert!(findings.is_empty(), "{name} at {}:\n{}", browser.address().await, findings.join("\n"));
}

/// What is wrong with the page that the browser is at.
pub async fn findings(browser: &Browser, name: &str) -> Vec<String> {
    browser.ask(&source(), Value::Null).await;
    let by_tag = json!({"type": "tag", "values": RULES});
    let by_name = json!({"type": "rule", "values": RULES_OF_COLOUR});
    let mut findings = Vec::new();
    for width in [1280, 390] {
        for (theme, rules) in [("light", &by_tag), ("dark", &by_name)] {
            browser.appear(width, theme == "dark").await;
            photograph(browser, &format!("{name}-{width}-{theme}")).await;
            findings.extend(run(browser, rules).await.iter().map(|what| format!("{width} px, {theme}: {what}")));
        }
    }
    browser.appear(NARROWEST, false).await;
    let wide = browser.ask(SIDEWAYS, Value::Null).await;
    findings.extend(wide.as_array().into_iter().flatten().map(|what| format!("{NARROWEST} px: sideways: {what}")));
    browser.appear(1280, false).await;
    findings
}

/// What reaches over the edge of the page, if the page can be scrolled for it.
const SIDEWAYS: &str = "
const root = document.documentElement;
if (root.scrollWidth <= root.clientWidth) return [];
const wide = [...document.body.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > root.clientWidth + 1);
return wide.slice(0, 5).map(one => one.outerHTML.slice(0, 160)).concat(`${root.scrollWidth} px wide`);
";

async fn run(browser: &Browser, rules: &Value) -> Vec<String> {
    let script = "
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0], resultTypes: ['violations']}).then(
    result => done(result.violations.flatMap(rule => rule.nodes.map(node =>
        `${rule.id}: ${node.failureSummary.replaceAll('\\n', ' ')} ${node.html.slice(0, 200)}`))),
    error => done([`axe failed: ${error}`]));
";
    let answer = browser.ask_later(script, rules.clone()).await;
    let findings = answer.as_array().unwrap_or_else(|| panic!("axe answered {answer}"));
    findings.iter().map(|finding| finding.as_str().unwrap_or_default().to_owned()).collect()
}

/// Writes a picture down, if somebody wants to look at it.
async fn photograph(browser: &Browser, name: &str) {
    if std::env::var_os("SCREENSHOTS").is_none() {
        return;
    }
    let folder = target().join("screenshots");
    fs::create_dir_all(&folder).expect("folders can be made");
    let picture = STANDARD.decode(browser.picture().await).expect("base64");
    fs::write(folder.join(format!("{name}.png")), picture).expect("files can be written");
}

fn source() -> String {
    let path = target().join("axe/axe_playwright_python/axe.min.js");
    fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("axe is not at {}: {error}. tests/run puts it there.", path.display());
    })
}

/// Cargo's target directory.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target directory").to_owned()
}
