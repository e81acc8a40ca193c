//! Asks Composer: one PHP process for all questions, JSON on its pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const INSTALL: &str =
    "This test compares with Composer itself: install PHP and Composer (Debian: apt install php-cli composer).";

/// What Composer is asked: an operation and its arguments.
pub type Question = Vec<String>;

/// A result, which may be "none"; or a refusal, whose wording is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Result(Option<String>),
    Refused,
}

/// Puts a question together.
pub fn question(operation: &str, arguments: &[&str]) -> Question {
    std::iter::once(operation).chain(arguments.iter().copied()).map(str::to_owned).collect()
}

/// Asks one PHP process all questions.
pub fn ask_composer(questions: &[Question]) -> Vec<Answer> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/composer_truth/versions.php");
    let mut php = Command::new("php")
        .args(["-d", "display_errors=stderr", "-d", "precision=14"])
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("The php program does not start: {error}. {INSTALL}"));
    let mut input = php.stdin.take().expect("the input is piped");
    let output = BufReader::new(php.stdout.take().expect("the output is piped"));
    let text: String = questions.iter().map(|question| serde_json::json!(question).to_string() + "\n").collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let lines: Vec<String> = output.lines().map(|line| line.expect("PHP writes UTF-8")).collect();
    let status = php.wait().expect("PHP ends");
    assert!(status.success(), "PHP ended with {status}; see its message above. {INSTALL}");
    writer.join().expect("the writer does not panic").expect("PHP reads all questions");
    assert_eq!(lines.len(), questions.len(), "an answer to each question");
    lines.iter().map(|line| answer(line)).collect()
}

fn answer(line: &str) -> Answer {
    let value: serde_json::Value = serde_json::from_str(line).expect("PHP writes JSON");
    match value.get("ok") {
        Some(result) => Answer::Result(result.as_str().map(str::to_owned)),
        None => Answer::Refused,
    }
}
