//! How GitHub answers: refusals, lists in pages, and what has not changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Flavour, Site};
use crate::platforms::message::{Asked, Reply, strict};

/// Where things are, by the name under which somebody asks.
#[derive(Clone, Debug)]
pub struct Places {
    /// The pages' and Git's address.
    pub web: String,
    /// The API's address.
    pub api: String,
}

/// A list's page as somebody wants it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

/// A refusal, or a word.
pub(super) fn message(status: u16, text: &str) -> Reply {
    Reply::json(
        status,
        &json!({"message": text, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()}),
    )
}

/// There is nothing, or nothing for this token.
pub(super) fn not_found() -> Reply {
    message(404, "Not Found")
}

/// Not with this token.
pub(super) fn forbidden(text: &str) -> Reply {
    message(403, text)
}

/// What was sent makes no sense.
pub(super) fn invalid(resource: &str, text: &str) -> Reply {
    let errors = json!([{"resource": resource, "code": "custom", "message": text}]);
    let body =
        json!({"message": "Validation Failed", "errors": errors, "documentation_url": "https://docs.github.com/rest"});
    Reply::json(422, &body)
}

/// Reads the query of an address that documents these parameters, each with its values; none: any.
pub(super) fn parameters<'a>(asked: &'a Asked, known: &[(&str, &[&str])]) -> Result<BTreeMap<&'a str, &'a str>, Reply> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let given = strict(&asked.query, &[], &names).map_err(|why| not_found().blamed(why))?;
    for (name, value) in &given {
        let (_, values) = known.iter().find(|(own, _)| own == name).expect("a known one");
        if !values.is_empty() && !values.contains(value) {
            return Err(invalid("Query", "no such value").blamed(format!("{value:?} is no value of `{name}`")));
        }
    }
    Ok(given)
}

/// Reads the query of a list.
pub(super) fn list<'a>(
    asked: &'a Asked,
    known: &[(&str, &[&str])],
) -> Result<(BTreeMap<&'a str, &'a str>, Page), Reply> {
    let known = [known, &[("per_page", &[]), ("page", &[])]].concat();
    let given = parameters(asked, &known)?;
    let number = |name: &str, other: usize, most: usize| match given.get(name) {
        None => Ok(other),
        Some(text) => match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(invalid("Query", "no such page").blamed(format!("`{name}` is {text:?}"))),
        },
    };
    let page = Page { number: number("page", 1, usize::MAX)?, size: number("per_page", 30, 100)? };
    Ok((given, page))
}

impl Site {
    /// Where things are for somebody who asks.
    pub(super) fn places(&self, asked: &Asked) -> Places {
        self.places_at(&asked.host)
    }

    /// Where things are by a host's name.
    pub(super) fn places_at(&self, host: &str) -> Places {
        match self.flavour {
            Flavour::Cloud => Places { web: "https://github.com".to_owned(), api: "https://api.github.com".to_owned() },
            Flavour::Server { .. } => {
                let web = format!("{}://{host}:{}", self.scheme, self.port);
                Places { api: format!("{web}/api/v3"), web }
            }
        }
    }

    /// One page of a list, with links to the others. `wrap` is the name of the list, where it is a part of an object.
    pub(super) fn page<T>(
        &self,
        asked: &Asked,
        page: Page,
        all: &[T],
        wrap: Option<(&str, Value)>,
        shown: impl Fn(&T) -> Value,
    ) -> Reply {
        let rows: Vec<Value> = all.iter().skip((page.number - 1) * page.size).take(page.size).map(shown).collect();
        let body = match wrap {
            None => Value::from(rows),
            Some((name, mut object)) => {
                object["total_count"] = all.len().into();
                object[name] = rows.into();
                object
            }
        };
        let last = all.len().div_ceil(page.size).max(1);
        let mut links = Vec::new();
        let mut link = |number: usize, relation: &str| {
            links.push(format!("<{}>; rel=\"{relation}\"", self.page_address(asked, number)));
        };
        if page.number > 1 {
            link(page.number - 1, "prev");
        }
        if page.number < last {
            link(page.number + 1, "next");
            link(last, "last");
        }
        if page.number > 1 {
            link(1, "first");
        }
        let reply = Reply::json(200, &body);
        if links.is_empty() { reply } else { reply.with("link", &links.join(", ")) }
    }

    /// GitHub's links have numbers where the request had names.
    fn page_address(&self, asked: &Asked, number: usize) -> String {
        let api = self.places(asked).api;
        let path = self.api_path(asked).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let path = match parts.as_slice() {
            ["orgs", org, rest @ ..] => match self.directory.org(org) {
                Some(org) => format!("/organizations/{}/{}", org.id, rest.join("/")),
                None => path,
            },
            ["repos", owner, name, rest @ ..] => match self.repository_at(owner, name) {
                Some(repository) => format!("/repositories/{}/{}", repository.id, rest.join("/")),
                None => path,
            },
            _ => path,
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(asked.query.iter().filter(|(name, _)| name != "page"));
        query.append_pair("page", &number.to_string());
        format!("{api}{path}?{}", query.finish())
    }
}

/// Gives an answer its mark, or says that it is the one that is known already.
pub(super) fn conditional(asked: &Asked, reply: Reply) -> Reply {
    if asked.method != "GET" || reply.status != 200 {
        return reply;
    }
    let links = reply.headers.iter().filter(|(name, _)| name == "link").map(|(_, value)| value.as_str());
    let mut hash = Sha256::new();
    hash.update(&reply.body);
    hash.update(links.collect::<String>());
    let etag: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("W/\"{etag}\"");
    if asked.header("if-none-match") != Some(&etag) {
        return reply.with("etag", &etag);
    }
    let violation = reply.violation;
    let headers = reply.headers.into_iter().filter(|(name, _)| name != "content-type").collect();
    Reply { headers, violation, ..Reply::empty(304) }.with("etag", &etag)
}
