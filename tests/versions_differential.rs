//! Holds the rules of versions, constraints and names to Composer's own classes: thousands of generated questions are
//! answered by both, and the answers must be the same.
//!
//! Needs PHP and Composer (Debian: `apt install php-cli composer`). The questions are the same in each run; set
//! `VERSIONS_DIFFERENTIAL_SEED` to a number for others. We follow Composer 2.10; where an older one is installed, the
//! differences that its changes make are allowed, and nothing else.

#[path = "versions_differential/generator.rs"]
mod generator;
#[path = "versions_differential/php.rs"]
mod php;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use packagist_selfhosted::composer::constraint::Constraint;
use packagist_selfhosted::composer::name::{self, PackageName};
use packagist_selfhosted::composer::{stability, version};
use regex::Regex;

use crate::generator::Generator;
use crate::php::{Answer, Question, ask_composer, question};

/// Our answer to the same question.
fn our_answer(question: &Question) -> Answer {
    let arguments: Vec<&str> = question[1..].iter().map(String::as_str).collect();
    let fallible = |result: Result<String, ()>| result.map_or(Answer::Refused, |text| Answer::Result(Some(text)));
    let given = |text: &str| Answer::Result(Some(text.to_owned()));
    let yes = |is: bool| given(if is { "yes" } else { "no" });
    match (question[0].as_str(), arguments.as_slice()) {
        ("normalize", [text]) => fallible(version::normalize(text).map(|version| version.to_string()).map_err(drop)),
        ("branch", [text]) => given(version::normalize_branch(text).as_str()),
        ("stability", [text]) => given(stability::of_version(text).as_str()),
        ("prefix", [text]) => Answer::Result(version::numeric_alias_prefix(text)),
        ("compare", [a, b]) => given(&(version::compare(a, b) as i8).to_string()),
        ("constraint", [text]) => fallible(Constraint::parse(text).map(|found| found.to_string()).map_err(drop)),
        ("matches", [text, candidate]) => {
            let candidate = version::NormalizedVersion::from_stored((*candidate).to_owned());
            Constraint::parse(text).map_or(Answer::Refused, |found| yes(found.matches(&candidate)))
        }
        ("satisfies", [text, constraint]) => {
            // Composer reads the version first, and both must be good.
            let read = version::normalize(text).ok().zip(Constraint::parse(constraint).ok());
            read.map_or(Answer::Refused, |(version, constraint)| yes(constraint.matches(&version)))
        }
        ("order", [a, b]) if a.starts_with("dev-") && b.starts_with("dev-") => given(if a == b { "0" } else { "none" }),
        ("order", [a, b]) => given(&(version::compare(a, b) as i8).to_string()),
        ("alias", [text, source, target, default]) => {
            let alias = version::branch_alias(text, [(*source, *target)], *default == "default");
            Answer::Result(alias.map(|alias| alias.to_string()))
        }
        ("name", [text]) => {
            given(if PackageName::parse(text).is_ok() || name::is_platform(text) { "good" } else { "bad" })
        }
        ("platform", [text]) => yes(name::is_platform(text)),
        other => panic!("unknown question {other:?}"),
    }
}

/// Which of Composer's later changes the installed one lacks.
struct Lacking {
    /// Semver 3.4 (Composer 2.6): longer dates are versions.
    long_dates: bool,
    /// A "v" is ignored when a default branch is looked at for a number.
    numeric_default_branches: bool,
}

impl Lacking {
    /// Questions that show it.
    fn probes() -> [Question; 2] {
        [question("normalize", &["100000.0.0"]), question("alias", &["v2.x-dev", "x", "x", "default"])]
    }

    fn from_answers(answers: &[Answer]) -> Self {
        Self { long_dates: answers[0] == Answer::Refused, numeric_default_branches: answers[1] != Answer::Result(None) }
    }

    /// Whether a difference comes from such a change.
    fn explains(&self, question: &Question, composer: &Answer, ours: &Answer) -> bool {
        let default_alias = Answer::Result(Some("9999999-dev".to_owned()));
        match question[0].as_str() {
            "normalize" | "constraint" | "matches" | "satisfies" => {
                self.long_dates && *ours != Answer::Refused && question[1..].iter().any(|text| has_long_date(text))
            }
            "alias" => {
                self.numeric_default_branches
                    && question[1].starts_with('v')
                    && (composer, ours) == (&default_alias, &Answer::Result(None))
            }
            _ => false,
        }
    }
}

/// Whether a text contains a date with the two last groups that semver 3.4 introduced.
fn has_long_date(text: &str) -> bool {
    static OLD: LazyLock<Regex> = LazyLock::new(|| pattern("?"));
    static NEW: LazyLock<Regex> = LazyLock::new(|| pattern("{0,2}"));
    let runs = text.split(|character: char| !character.is_ascii_digit() && !".:-".contains(character));
    let dates = runs.map(|run| run.trim_end_matches(['.', ':', '-']));
    dates.into_iter().any(|date| NEW.is_match(date) && !OLD.is_match(date))
}

fn pattern(count: &str) -> Regex {
    Regex::new(&format!("^[0-9]{{4}}(?:[.:-]?[0-9]{{2}}){{1,6}}(?:[.:-]?[0-9]{{1,3}}){count}$"))
        .expect("the pattern is constant")
}

/// Versions for which `version_compare` is no order: see `version::compare`.
fn is_ordered(version: &str) -> bool {
    let ends_well = version.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric());
    ends_well && !version.contains(['#', '\0'])
}

fn questions(generator: &mut Generator) -> Vec<Question> {
    let versions: Vec<String> = (0..12_000).map(|_| generator.version()).collect();
    let constraints: Vec<String> = (0..16_000).map(|_| generator.constraint()).collect();
    let normalized: Vec<String> =
        versions.iter().filter_map(|text| version::normalize(text).ok()).map(|found| found.to_string()).collect();
    let mut questions = Vec::new();
    for text in &versions {
        for operation in ["normalize", "branch", "stability"] {
            questions.push(question(operation, &[text]));
        }
    }
    for text in &constraints {
        questions.push(question("constraint", &[text]));
        if Constraint::parse(text).is_ok() {
            for _ in 0..3 {
                questions.push(question("matches", &[text, generator.pick(&normalized).as_str()]));
            }
        }
    }
    let ordered: Vec<&String> = normalized.iter().chain(&versions).filter(|text| is_ordered(text)).collect();
    let near: Vec<String> = (0..4_000)
        .map(|_| generator.plain_version())
        .filter_map(|text| version::normalize(&text).ok())
        .map(|found| found.to_string())
        .collect();
    for _ in 0..15_000 {
        let (a, b) = (generator.pick(&ordered).as_str(), generator.pick(&ordered).as_str());
        questions.push(question("compare", &[a, b]));
        let (a, b) = (generator.pick(&near).as_str(), generator.pick(&near).as_str());
        questions.push(question("compare", &[a, b]));
    }
    adversarial(generator, &normalized, &mut questions);
    for _ in 0..4_000 {
        let [text, source, target, default] = generator.branch_alias();
        questions.push(question("prefix", &[&text]));
        questions.push(question("prefix", &[&target]));
        questions.push(question("alias", &[&text, &source, &target, &default]));
    }
    for _ in 0..6_000 {
        let text = generator.name();
        questions.push(question("name", &[&text]));
        questions.push(question("platform", &[&text]));
    }
    questions
}

/// Tens of thousands of pairs, of what is meant to be compared and of what is meant to break the comparing.
fn adversarial(generator: &mut Generator, normalized: &[String], questions: &mut Vec<Question>) {
    let hostile: Vec<String> = (0..6_000).map(|_| generator.adversarial()).collect();
    for text in &hostile {
        for operation in ["normalize", "branch", "stability", "constraint"] {
            questions.push(question(operation, &[text]));
        }
    }
    let comparable: Vec<String> = hostile
        .iter()
        .flat_map(|text| [Some(text.clone()), version::normalize(text).ok().map(|found| found.to_string())])
        .flatten()
        .filter(|text| is_ordered(text))
        .collect();
    let normalized: Vec<&String> = normalized.iter().filter(|text| is_ordered(text)).collect();
    for _ in 0..12_000 {
        let (a, b) = (generator.pick(&comparable).clone(), generator.pick(&comparable).clone());
        questions.push(question("compare", &[&a, &b]));
        questions.push(question("order", &[&a, generator.pick(&normalized).as_str()]));
        let version = if generator.pick(&[true, false]) == &true { generator.plain_version() } else { a };
        let constraint = generator.constraint();
        questions.push(question("satisfies", &[&version, &constraint]));
        questions.push(question("satisfies", &[generator.pick(&normalized).as_str(), &constraint]));
    }
}

/// How often Composer gave each answer to an operation; all texts count as one, but for those of closed questions.
fn tally(questions: &[Question], answers: &[Answer]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut tally: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (question, answer) in questions.iter().zip(answers) {
        let is_closed = matches!(
            question[0].as_str(),
            "stability" | "compare" | "order" | "matches" | "satisfies" | "name" | "platform"
        );
        let kind = match answer {
            Answer::Refused => "refused",
            Answer::Result(None) => "none",
            Answer::Result(Some(text)) if is_closed => text,
            // Branches are told by whether they have a number.
            Answer::Result(Some(text)) if text.starts_with("dev-") => "dev",
            Answer::Result(Some(_)) => "text",
        };
        *tally.entry(question[0].clone()).or_default().entry(kind.to_owned()).or_default() += 1;
    }
    tally
}

#[test]
fn the_same_answers_as_composer() {
    let seed =
        std::env::var("VERSIONS_DIFFERENTIAL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101);
    let mut questions = questions(&mut Generator::new(seed));
    questions.splice(0..0, Lacking::probes());
    let composer = ask_composer(&questions);
    let lacking = Lacking::from_answers(&composer);
    let (mut wrong, mut newer) = (Vec::new(), 0_usize);
    for (question, composer) in questions.iter().zip(&composer) {
        let ours = our_answer(question);
        if ours == *composer {
            continue;
        }
        if lacking.explains(question, composer, &ours) {
            newer += 1;
        } else {
            wrong.push(format!("{question:?}: Composer {composer:?}, we {ours:?}"));
        }
    }
    let tally = tally(&questions, &composer);
    println!("{} questions, {newer} allowed differences; Composer's answers: {tally:?}", questions.len());
    let sample = wrong.iter().take(40).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} answers differ (seed {seed}):\n{sample}", wrong.len(), questions.len());
    assert!(newer * 100 < questions.len(), "the allowed differences hide too much: {newer}");
    for (operation, answers) in tally {
        let (most, all) = (answers.values().max().copied().unwrap_or(0), answers.values().sum::<usize>());
        assert!(
            most * 100 < all * 98,
            "nearly all questions for {operation} have the same kind of answer: {answers:?}"
        );
    }
}
