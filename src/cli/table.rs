//! Lists: as JSON for scripts, or for people, in columns that stand below each other.

use serde_json::Value;

use super::args::ListFormat;
use super::output::Output;

/// Shows a list in the format that was asked for.
pub fn show<T>(
    output: &Output,
    format: &ListFormat,
    items: &[T],
    json: impl Fn(&T) -> Value,
    heading: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> Result<(), serde_json::Error> {
    if format.json {
        return output.json(&items.iter().map(json).collect::<Vec<_>>());
    }
    output.line(table(heading, &items.iter().map(cells).collect::<Vec<_>>()));
    Ok(())
}

/// A table with a heading; empty cells are `-`. Without rows there is nothing to show.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(shown(cell).chars().count());
        }
    }
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let lines = std::iter::once(&heading).chain(rows).map(|row| line(row, &widths));
    lines.collect::<Vec<_>>().join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{:width$}", shown(cell)));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn shown(cell: &str) -> String {
    if cell.is_empty() { "-".to_owned() } else { cell.replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [vec!["1".to_owned(), "äb".to_owned()], vec!["200".to_owned(), String::new()]];
        assert_eq!(table(&["ID", "NAME"], &rows), "ID   NAME\n1    äb\n200  -");
    }
}
