//! One PHP process that answers many questions, each a line of JSON.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

const INSTALL: &str =
    "This test compares with Composer itself: install PHP and Composer (Debian: apt install php-cli composer).";

/// Runs a script of `tests/composer_truth` and gives its answers, one for each question.
pub fn answers(script: &str, questions: &[Value]) -> Vec<Value> {
    let path = format!("{}/tests/composer_truth/{script}", env!("CARGO_MANIFEST_DIR"));
    // Debian's php.ini and PHP's built-in defaults differ in these.
    let settings = ["display_errors=stderr", "precision=14", "serialize_precision=-1", "memory_limit=-1"];
    let mut php = Command::new("php")
        .args(settings.iter().flat_map(|setting| ["-d", setting]))
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("The php program does not start: {error}. {INSTALL}"));
    let mut input = php.stdin.take().expect("the input is piped");
    let output = BufReader::new(php.stdout.take().expect("the output is piped"));
    let text: String = questions.iter().map(|question| question.to_string() + "\n").collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let answers: Vec<Value> = output
        .lines()
        .map(|line| {
            let line = line.expect("PHP writes lines");
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in PHP's answer {line}"))
        })
        .collect();
    let written = writer.join().expect("the writer does not panic");
    let status = php.wait().expect("the process was started");
    assert!(
        status.success() && written.is_ok() && answers.len() == questions.len(),
        "{script} gave {} answers to {} questions and ended with {status}. {INSTALL}",
        answers.len(),
        questions.len(),
    );
    answers
}
