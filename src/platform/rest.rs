//! What is the same at every platform's REST API: turns and pauses of a credential, lists of many pages, and answers that are
//! kept between runs.

mod line;
mod reader;
mod touched;
mod walk;

pub(super) use line::{Line, Silent, Wish};
pub(super) use reader::{Lists, Reader};
pub(super) use touched::{Parents, above};
pub(super) use walk::{Walk, encoded, next_link};
