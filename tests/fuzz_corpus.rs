//! The properties of `tests/fuzz` without a fuzzer: on every committed seed, on mutations of them, and on long inputs made of them.
//!
//! The mutations are the same in each run; set `FUZZ_CORPUS_SEED` to a number for others.

#[path = "fuzz/properties/mod.rs"]
mod properties;
#[path = "metadata_differential/random.rs"]
mod random;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use random::Random;

/// How many mutations each target meets.
const MUTATIONS: usize = 2_000;
/// How long an input is that is a seed over and over.
const LONG: usize = 8 * 1024;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name)
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder("seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a seed can be read")))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

/// Words that mean something to the target.
fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder("dictionaries").join(format!("{target}.dict"))).unwrap_or_default();
    text.lines().filter_map(|line| Some(unescaped(line.strip_prefix('"')?.strip_suffix('"')?))).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        let (byte, length) = match hex {
            Some(byte) => (vec![byte], 4),
            None if character == '\\' => (rest.bytes().skip(1).take(1).collect(), 2),
            None => (character.to_string().into_bytes(), character.len_utf8()),
        };
        bytes.extend(byte);
        rest = rest.get(length..).expect("the escapes of a dictionary are ASCII");
    }
    bytes
}

/// What breaks the property, if this input does; why was printed by the panic.
fn broken(target: &str, origin: &str, input: &[u8]) -> Option<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| properties::check(target, input)));
    outcome.err().map(|_| format!("{target}, by {origin}: {:?}", String::from_utf8_lossy(input)))
}

/// The first input that breaks the property of a target.
fn first_broken(target: &str) -> Option<String> {
    let (seeds, words) = (seeds(target), dictionary(target));
    let plain = seeds.iter().find_map(|(name, seed)| broken(target, name, seed));
    let long = |(name, seed): &(String, Vec<u8>)| {
        let long: Vec<u8> = seed.iter().copied().cycle().take(LONG).collect();
        broken(target, &format!("{name} over and over"), &long)
    };
    let mut random = random(target);
    plain.or_else(|| seeds.iter().find_map(long)).or_else(|| {
        (0..MUTATIONS)
            .find_map(|number| broken(target, &format!("mutation {number}"), &mutated(&mut random, &seeds, &words)))
    })
}

fn random(target: &str) -> Random {
    let seed =
        std::env::var("FUZZ_CORPUS_SEED").ok().map_or(1, |seed| seed.parse().expect("FUZZ_CORPUS_SEED is a number"));
    Random(target.bytes().fold(seed, |seed: u64, letter| seed.wrapping_mul(31).wrapping_add(u64::from(letter))))
}

/// A few changes to a seed: bytes set, words put in, pieces taken out, doubled, or taken from another seed.
fn mutated(random: &mut Random, seeds: &[(String, Vec<u8>)], words: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.pick(seeds).1.clone();
    for _ in 0..=random.below(5) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(12)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] = byte(random),
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].repeat(1 + random.below(4));
                input.splice(at..at, piece);
            }
            3 if !words.is_empty() => {
                let word = random.pick(words);
                input.splice(at..at, word.iter().copied());
            }
            4 => {
                let other = &random.pick(seeds).1;
                let from = random.below(other.len() + 1);
                let piece = &other[from..(from + random.below(40)).min(other.len())];
                input.splice(at..end, piece.iter().copied());
            }
            _ => input.insert(at, byte(random)),
        }
    }
    input
}

/// Mostly something that can be printed.
fn byte(random: &mut Random) -> u8 {
    let byte = random.next().to_le_bytes()[0];
    if random.chance(15) { byte } else { b' ' + byte % 95 }
}

#[test]
fn every_property_holds_on_seeds_and_mutations() {
    let broken: Vec<String> = properties::ALL.iter().filter_map(|(target, _)| first_broken(target)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The fuzzer's own list is `tests/fuzz/Cargo.toml`, and nobody builds it every day.
#[test]
fn every_property_has_a_target() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the fuzz crate's manifest");
    let properties: BTreeSet<String> = properties::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    for name in &properties {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in Cargo.toml");
        let target = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).expect("a target's source");
        assert!(target.contains(&format!("timed(\"{name}\", data)")), "{name}'s target checks something else");
    }
    for list in ["fuzz_targets", "seeds"] {
        let entries = fs::read_dir(folder(list)).expect("the folder can be read");
        let names: BTreeSet<String> = entries
            .map(|entry| entry.expect("the folder can be read").path())
            .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
            .collect();
        assert_eq!(names, properties, "{list}");
    }
}
