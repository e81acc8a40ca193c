//! How GitLab answers: refusals, lists in pages, and what has not changed.

use std::collections::BTreeMap;

use packagist_selfhosted::clock::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Site;
use crate::platforms::message::{Asked, Reply, strict};

/// Rows of a page if nobody says.
const ROWS: usize = 20;
/// Most rows of a page; who wants more gets these.
const MOST_ROWS: usize = 100;
/// Above so many rows nobody counts them.
const COUNTED: usize = 10_000;

/// A parameter, and what may stand in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// One of these.
    One(&'static [&'static str]),
}

/// A list's page as somebody wants it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    number: usize,
    size: usize,
    /// Whether it goes on from a row instead of a number.
    keyset: Option<u64>,
}

/// A moment as the API writes it.
pub(super) fn moment(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339().replace('Z', ".000Z")
}

/// A day as the API writes it.
pub(super) fn today(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()[..10].to_owned()
}

/// There is nothing, or nothing for this token.
pub(super) fn not_found(what: &str) -> Reply {
    Reply::json(404, &json!({"message": format!("404 {what}Not Found")}))
}

/// There is no such address.
pub(super) fn nowhere() -> Reply {
    Reply::json(404, &json!({"error": "404 Not Found"})).blamed("there is no such address")
}

/// Not with this role.
pub(super) fn forbidden() -> Reply {
    Reply::json(403, &json!({"message": "403 Forbidden"}))
}

/// What no correct client sends.
pub(super) fn bad(why: &str) -> Reply {
    Reply::json(400, &json!({"error": why})).blamed(why)
}

/// Reads the query of an address that documents these parameters. GitLab repeats the number of the address in its links.
pub(super) fn parameters<'a>(asked: &'a Asked, known: &[(&str, Takes)]) -> Result<BTreeMap<&'a str, &'a str>, Reply> {
    let mut names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    names.push("id");
    let mut given = strict(&asked.query, &[], &names).map_err(|why| bad(&why))?;
    for (name, value) in &mut given {
        let takes = known.iter().find(|(own, _)| own == name).map_or(Takes::Number, |(_, takes)| *takes);
        let fits = match takes {
            Takes::Text => true,
            Takes::Flag => match flag(value) {
                Some(word) => {
                    *value = word;
                    true
                }
                None => false,
            },
            Takes::Number => value.parse::<u64>().is_ok(),
            Takes::One(values) => values.contains(value),
        };
        if !fits {
            return Err(bad(&format!("{name} is invalid: {value:?}")));
        }
    }
    Ok(given)
}

/// All that GitLab takes for yes and no, as some clients write it.
fn flag(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "on" => Some("true"),
        "false" | "f" | "0" | "no" | "off" => Some("false"),
        _ => None,
    }
}

/// Reads the query of a list, which cannot be read by keyset unless it says so.
pub(super) fn list<'a>(
    asked: &'a Asked,
    known: &[(&str, Takes)],
    has_keyset: bool,
) -> Result<(BTreeMap<&'a str, &'a str>, Page), Reply> {
    let own = [
        ("per_page", Takes::Number),
        ("page", Takes::Number),
        ("pagination", Takes::One(&["legacy", "keyset"])),
        ("id_after", Takes::Number),
        ("cursor", Takes::Text),
    ];
    let given = parameters(asked, &[known, &own].concat())?;
    let number = |name: &str, other: usize| match given.get(name).map(|text| text.parse()) {
        None => Ok(other),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(bad(&format!("{name} does not have a valid value"))),
    };
    let is_keyset = given.get("pagination") == Some(&"keyset");
    if is_keyset && !(has_keyset && given.get("order_by").is_none_or(|by| *by == "id")) {
        let said = "Keyset pagination is not yet available for this type of request";
        return Err(Reply::json(405, &json!({"error": said})).blamed(said));
    }
    let after = given.get("id_after").or_else(|| given.get("cursor")).map(|text| text.parse::<u64>());
    let keyset = is_keyset.then(|| after.and_then(Result::ok).unwrap_or(0));
    let page = Page { number: number("page", 1)?, size: number("per_page", ROWS)?.min(MOST_ROWS), keyset };
    Ok((given, page))
}

impl Site {
    /// One page of a list, with links to the others.
    pub(super) fn page<T>(&self, asked: &Asked, page: Page, all: &[T], shown: impl Fn(&T) -> Value) -> Reply {
        if let Some(after) = page.keyset {
            return self.page_after(asked, page, after, &all.iter().map(shown).collect::<Vec<_>>());
        }
        let rows: Vec<Value> = all.iter().skip((page.number - 1) * page.size).take(page.size).map(shown).collect();
        let last = all.len().div_ceil(page.size).max(1);
        let counts = self.ways.totals && all.len() <= COUNTED;
        let at = |number: usize| self.page_address(asked, page, &[("page", &number.to_string())]);
        let mut links = Vec::new();
        let mut link = |number: usize, relation: &str| links.push(format!("<{}>; rel=\"{relation}\"", at(number)));
        if page.number > 1 {
            link(page.number - 1, "prev");
        }
        if page.number < last {
            link(page.number + 1, "next");
        }
        link(1, "first");
        if counts {
            link(last, "last");
        }
        let next = if page.number < last { (page.number + 1).to_string() } else { String::new() };
        let before = if page.number > 1 { (page.number - 1).to_string() } else { String::new() };
        let mut reply = Reply::json(200, &rows.into())
            .with("x-page", &page.number.to_string())
            .with("x-per-page", &page.size.to_string())
            .with("x-next-page", &next)
            .with("x-prev-page", &before);
        if counts {
            reply = reply.with("x-total", &all.len().to_string()).with("x-total-pages", &last.to_string());
        }
        if self.ways.links { reply.with("link", &links.join(", ")) } else { reply }
    }

    fn page_after(&self, asked: &Asked, page: Page, after: u64, all: &[Value]) -> Reply {
        let id = |row: &Value| row["id"].as_u64().unwrap_or_default();
        let mut rest: Vec<&Value> = all.iter().filter(|row| id(row) > after).collect();
        rest.sort_by_key(|row| id(row));
        let goes_on = rest.len() > page.size;
        rest.truncate(page.size);
        let reply = Reply::json(200, &rest.iter().map(|row| (*row).clone()).collect());
        match rest.last().filter(|_| goes_on) {
            Some(last) => {
                let next = self.page_address(asked, page, &[("id_after", &id(last).to_string())]);
                reply.with("link", &format!("<{next}>; rel=\"next\""))
            }
            None => reply,
        }
    }

    /// GitLab's links say what the request said and more, under the address that somebody configured.
    fn page_address(&self, asked: &Asked, page: Page, own: &[(&str, &str)]) -> String {
        let mut query: BTreeMap<String, String> = asked.query.iter().cloned().collect();
        query.insert("per_page".to_owned(), page.size.to_string());
        let path = asked.path.strip_prefix(self.prefix).unwrap_or(&asked.path);
        if let Some(id) = path.split('/').nth(4).filter(|id| id.parse::<u64>().is_ok()) {
            query.insert("id".to_owned(), id.to_owned());
        }
        own.iter().for_each(|(name, value)| drop(query.insert((*name).to_owned(), (*value).to_owned())));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        format!("{}{path}?{query}", self.external_url)
    }
}

/// Gives an answer its mark, or says that it is the one that is known already.
pub(super) fn conditional(asked: &Asked, reply: Reply) -> Reply {
    if asked.method != "GET" || reply.status != 200 {
        return reply;
    }
    // The mark is of the body alone: whoever keeps pages has to keep where they lead to.
    let hash: String = Sha256::digest(&reply.body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("W/\"{hash}\"");
    if asked.header("if-none-match") != Some(&etag) {
        return reply.with("etag", &etag);
    }
    let violation = reply.violation;
    let headers = reply.headers.into_iter().filter(|(name, _)| name != "content-type").collect();
    Reply { headers, violation, ..Reply::empty(304) }.with("etag", &etag)
}
