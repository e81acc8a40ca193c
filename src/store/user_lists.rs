//! The people with an account on the instance, as its administrators look through them.

use rusqlite::{Connection, named_params};

use super::Result;
use super::users::{COLUMNS, User, user};

/// Which people somebody looks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this in their name, what they are called, or their address; also of an account on a platform.
    pub text: Option<String>,
    /// Only administrators.
    pub administrators: bool,
    /// Only those whose account is disabled.
    pub disabled: bool,
}

impl Filter {
    /// The text as a pattern, in which nothing of it means anything but itself.
    fn pattern(&self) -> Option<String> {
        let text = self.text.as_ref()?;
        Some(format!("%{}%", text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")))
    }
}

const FILTER: &str = r"(:pattern IS NULL OR name LIKE :pattern ESCAPE '\' OR display_name LIKE :pattern ESCAPE '\'
        OR email LIKE :pattern ESCAPE '\' OR EXISTS (
            SELECT 1 FROM account a WHERE a.user_id = user.id AND a.login LIKE :pattern ESCAPE '\'))
    AND (:administrators = 0 OR admin = 1) AND (:disabled = 0 OR enabled = 0)";

/// Up to `limit` people after the one of this name, by name.
///
/// # Errors
/// If the database cannot be read.
pub fn page(connection: &Connection, filter: &Filter, after: &str, limit: i64) -> Result<Vec<User>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM user WHERE {FILTER} AND name > :after ORDER BY name LIMIT :limit"
        ))?
        .query_map(
            named_params! {
                ":pattern": filter.pattern(), ":administrators": filter.administrators, ":disabled": filter.disabled,
                ":after": after, ":limit": limit,
            },
            user,
        )?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// How many people the filter finds.
///
/// # Errors
/// If the database cannot be read.
pub fn count(connection: &Connection, filter: &Filter) -> Result<i64> {
    Ok(connection.prepare_cached(&format!("SELECT count(*) FROM user WHERE {FILTER}"))?.query_row(
        named_params! {
            ":pattern": filter.pattern(), ":administrators": filter.administrators, ":disabled": filter.disabled,
        },
        |found| found.get(0),
    )?)
}
