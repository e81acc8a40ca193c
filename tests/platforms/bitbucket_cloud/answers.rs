//! How Bitbucket Cloud answers: refusals, lists in pages, and only what was asked for.

use serde_json::{Value, json};

use super::Site;
use crate::platforms::message::{Asked, Reply, strict};

/// A refusal.
pub(super) fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"type": "error", "error": {"message": message}}))
}

/// There is nothing, or nothing for this token.
pub(super) fn absent(what: &str) -> Reply {
    error(404, &format!("{what} not found"))
}

/// Not without this scope.
pub(super) fn lacks(required: &[&str], granted: impl IntoIterator<Item = String>) -> Reply {
    let granted: Vec<String> = granted.into_iter().collect();
    let message = "Your credentials lack one or more required privilege scopes.";
    let detail = json!({"required": required, "granted": granted});
    Reply::json(403, &json!({"type": "error", "error": {"message": message, "detail": detail}}))
}

/// Gone, on an announced day.
pub fn removed() -> Reply {
    let message = "CHANGE-2770 - Functionality has been deprecated";
    let url = "https://developer.atlassian.com/cloud/bitbucket/changelog/#CHANGE-2770";
    let error = json!({"message": message, "detail": "See the announcement.", "data": {"announcement_url": url}});
    Reply::json(410, &json!({"type": "error", "error": error}))
}

impl Site {
    /// One page of a list. `most` is how many things a page may have at the most.
    pub(super) fn page(&self, asked: &Asked, known: &[&str], all: &[Value]) -> Result<Reply, Reply> {
        let optional = [known, &["pagelen", "page", "fields"]].concat();
        let given = strict(&asked.query, &[], &optional).map_err(|why| error(400, &why).blamed(why.clone()))?;
        let number = |name: &str, other: usize, most: usize| match given.get(name).map(|text| text.parse::<usize>()) {
            None => Ok(other),
            Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
            Some(_) => Err(error(400, "Invalid pagelen").blamed(format!("`{name}` is none"))),
        };
        let (size, page) = (number("pagelen", 10, 100)?, number("page", 1, usize::MAX)?);
        let rows = all.iter().skip((page - 1) * size).take(size);
        let fields = given.get("fields").map(|fields| fields.split(',').collect::<Vec<_>>());
        let rows: Vec<Value> = rows.map(|row| only(row, fields.as_deref())).collect();
        let mut body = json!({"values": rows});
        let has = |name: &str| fields.as_ref().is_none_or(|fields| fields.contains(&name));
        if has("pagelen") {
            (body["pagelen"], body["page"], body["size"]) = (size.into(), page.into(), all.len().into());
        }
        if page * size < all.len() && has("next") {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(asked.query.iter().filter(|(name, _)| name != "page"));
            query.append_pair("page", &(page + 1).to_string());
            body["next"] = format!("{}{}?{}", self.origin(asked), asked.path, query.finish()).into();
        } else if page > 1 && has("next") {
            // As some lists end.
            body["next"] = "".into();
        }
        Ok(Reply::json(200, &body))
    }

    /// The address of whatever host was asked.
    pub(super) fn origin(&self, asked: &Asked) -> String {
        match self.is_public {
            true => "https://api.bitbucket.org".to_owned(),
            false => format!("http://{}:{}", asked.host, self.port),
        }
    }
}

/// Of a row what was asked for: `values.user.uuid` leaves all else out.
fn only(row: &Value, fields: Option<&[&str]>) -> Value {
    let Some(fields) = fields else { return row.clone() };
    let mut kept = json!({});
    for field in fields.iter().filter_map(|field| field.strip_prefix("values.")) {
        let names: Vec<&str> = field.split('.').collect();
        take(row, &mut kept, &names);
    }
    kept
}

fn take(from: &Value, to: &mut Value, names: &[&str]) {
    let Some((name, rest)) = names.split_first() else { return };
    let Some(value) = from.get(*name) else { return };
    if rest.is_empty() || !value.is_object() {
        to[*name] = value.clone();
        return;
    }
    if !to[*name].is_object() {
        to[*name] = json!({});
    }
    take(value, &mut to[*name], rest);
}
