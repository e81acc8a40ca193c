//! READMEs, which anybody who may push wrote: Markdown becomes HTML that shows text and nothing else.
//!
//! Raw HTML is not passed on, images become their descriptions, links lead to `http(s)` and `mailto` only, and what is left
//! goes through a list of allowed elements. That is done off the threads that answer, one at a time for each core at most,
//! and remembered.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web;
use ammonia::{Builder, UrlRelative};
use comrak::arena_tree::NodeEdge;
use comrak::nodes::NodeValue;
use comrak::{Arena, Options, format_html, parse_document};
use maud::{Markup, PreEscaped, html};
use tokio::sync::Semaphore;

use crate::store::readmes::Readme;

/// How many renderings are remembered.
const KEPT: usize = 200;
/// Bytes of HTML that they may have together.
const KEPT_BYTES: usize = 16 << 20;
/// How deep a document may be nested; deeper ones are no documents, and are shown as plain text.
const DEEPEST: usize = 60;
/// How many are rendered at once.
const AT_ONCE: usize = 2;

/// What was rendered, by the file's name and content, which say everything: a hit tells nobody anything that he may not know,
/// because he has the content already. The lock is held for look-ups.
pub(in crate::http) struct Readmes {
    known: Mutex<HashMap<(String, String), Arc<str>>>,
    turns: Semaphore,
}

impl Default for Readmes {
    fn default() -> Self {
        Self { known: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Readmes {
    /// The README as HTML; none where it is too long to be shown.
    pub(super) async fn render(&self, readme: &Readme) -> Option<Markup> {
        let text = readme.text.clone()?;
        let key = (readme.name.to_ascii_lowercase(), readme.blob.clone());
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(PreEscaped(known.to_string()));
        }
        let _turn = self.turns.acquire().await.ok()?;
        let is_markdown = key.0.ends_with(".md") || key.0.ends_with(".markdown") || key.0.ends_with(".mdown");
        let html: Arc<str> = web::block(move || rendered(&text, is_markdown)).await.ok()?.into();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Rendered again when needed: which of them go does not matter.
        if known.len() >= KEPT || known.values().map(|html| html.len()).sum::<usize>() + html.len() > KEPT_BYTES {
            known.clear();
        }
        known.insert(key, Arc::clone(&html));
        Some(PreEscaped(html.to_string()))
    }
}

fn rendered(text: &str, is_markdown: bool) -> String {
    match is_markdown.then(|| from_markdown(text)).flatten() {
        Some(html) => html,
        None => html! { pre { (text) } }.into_string(),
    }
}

/// None for what is nested too deeply.
fn from_markdown(text: &str) -> Option<String> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    let arena = Arena::new();
    let root = parse_document(&arena, text, &options);
    let mut depth = 0_usize;
    for edge in root.traverse() {
        match edge {
            NodeEdge::Start(node) => {
                depth += 1;
                if depth > DEEPEST {
                    return None;
                }
                let mut data = node.data_mut();
                let inward = matches!(&data.value, NodeValue::Link(link) if !leads_out(&link.url));
                match &mut data.value {
                    // The page has a heading of its own, and the README is a section of it.
                    NodeValue::Heading(heading) => heading.level = (heading.level + 2).min(6),
                    // What an image shows is told by its description, which is its content.
                    value @ NodeValue::Image(_) => *value = NodeValue::Emph,
                    // What is relative leads to a place in the repository, which is not here.
                    value if inward => *value = NodeValue::Emph,
                    _ => {}
                }
            }
            NodeEdge::End(_) => depth = depth.saturating_sub(1),
        }
    }
    let mut html = String::with_capacity(text.len() * 2);
    format_html(root, &options, &mut html).ok()?;
    Some(clean(&html))
}

/// Whether an address is one that a browser may be sent to; what is written in another way is looked at again by [`clean`].
fn leads_out(url: &str) -> bool {
    ["http://", "https://", "mailto:"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))
}

fn clean(html: &str) -> String {
    let tags: HashSet<&str> = [
        "h3",
        "h4",
        "h5",
        "h6",
        "p",
        "pre",
        "code",
        "ul",
        "ol",
        "li",
        "a",
        "strong",
        "em",
        "del",
        "blockquote",
        "br",
        "hr",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ]
    .into();
    Builder::default()
        .tags(tags)
        .tag_attributes([("a", ["href"].into()), ("ol", ["start"].into())].into())
        .generic_attributes(HashSet::new())
        .url_schemes(["http", "https", "mailto"].into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener noreferrer"))
        .clean(html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::rendered;

    fn shown(text: &str) -> String {
        rendered(text, true)
    }

    #[test]
    fn what_people_write_is_shown() {
        let html = shown(
            "# Title\n\nA [link](https://example.com/a?b=c), `code` and\n\n- one\n- two\n\n|a|b|\n|-|-|\n|1|2|\n",
        );
        assert!(html.contains("<h3>Title</h3>"), "{html}");
        assert!(
            html.contains(r#"<a href="https://example.com/a?b=c" rel="nofollow noopener noreferrer">link</a>"#),
            "{html}"
        );
        assert!(html.contains("<li>one</li>") && html.contains("<td>2</td>"), "{html}");
    }

    #[test]
    fn attacks_come_out_as_text_or_not_at_all() {
        for attack in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)>",
            "<iframe src=https://evil.example></iframe>",
            "<style>body{display:none}</style>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<form action=https://evil.example><input name=password></form>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java&#115;cript:alert(1))",
            "[x](&#x6A;avascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:msgbox(1))",
            "![x](https://evil.example/pixel.png)",
            "![x](javascript:alert(1))",
            "[![x](https://evil.example/badge.svg)](javascript:alert(1))",
            "<https://evil.example/\"onclick=alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "[x](//evil.example)",
            "```\"><script>alert(1)</script>\nx\n```",
            "| <script> |\n|-|\n| <img src=x> |",
            "<details open ontoggle=alert(1)>",
            "<math><mtext></p><style><img src onerror=alert(1)></style></mtext></math>",
        ] {
            let html = shown(attack).to_lowercase();
            for wrong in ["<script", "<img", "<svg", "<iframe", "<style", "<form", "<input", "<details", "<math"] {
                assert!(!html.contains(wrong), "{attack}: {html}");
            }
            for part in html.split('<').skip(1).filter(|part| part.starts_with('a')) {
                let tag = part.split('>').next().unwrap_or_default();
                let href = tag.split("href=\"").nth(1).unwrap_or("http");
                assert!(href.starts_with("http") || href.starts_with("mailto:"), "{attack}: {html}");
                assert!(!tag.contains(" on"), "{attack}: {html}");
            }
        }
    }

    #[test]
    fn images_become_their_descriptions_and_relative_links_text() {
        let html =
            shown("[![Build](https://ci.example/b.svg)](https://ci.example/b) ![Logo](logo.png) [docs](docs/a.md)");
        assert!(html.contains("<em>Build</em></a>") && html.contains("Logo") && html.contains("docs"), "{html}");
        assert!(!html.contains("logo.png") && !html.contains("docs/a.md") && !html.contains("b.svg"), "{html}");
    }

    #[test]
    fn contrived_documents_neither_crash_nor_take_long() {
        const SIZE: usize = 128 << 10;
        for piece in [
            "> ", ">", "- ", "* - ", "1. ", "[", "![", "**", "*a_ ", "<", "`", "~~~\n> ", "|a", "\\", "&", "[a](",
            "a**b ", "\t",
        ] {
            let text = piece.repeat(SIZE / piece.len());
            let html = shown(&text);
            assert!(html.len() < SIZE * 12, "{piece}: {}", html.len());
        }
        let mut deep = String::new();
        for level in 0..400 {
            deep.push_str(&" ".repeat(level * 2));
            deep.push_str("- x\n");
        }
        assert!(!shown(&deep).is_empty());
    }
}
