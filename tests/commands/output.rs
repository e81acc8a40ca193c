//! What cannot be shown was not told: a command then does not end well.

use std::process::Stdio;

use serde_json::json;

use crate::world::{Said, World};

/// Runs a command whose reader has gone.
fn unread(world: &World, line: &str) -> Said {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let words: Vec<&str> = line.split_whitespace().collect();
    Said::of(world.command(&words).stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap())
}

#[test]
fn a_token_that_could_not_be_shown_is_told_with_its_id() {
    let world = World::with_organization();
    let add = |to: &str| world.shell(&format!("$DO token add --access read {to}"));
    let said = add("> /dev/full").refused(1, "token 1 was made and could not be shown");
    assert!(said.err.contains("token revoke 1") && said.err.contains("No space left"), "{said:?}");
    world.run("token revoke 1").done();
    let server = world.serve();
    add("> /dev/full").refused(1, "token revoke 2");
    // Open, and not for writing.
    add("1< /dev/null").refused(1, "token revoke 3");
    unread(&world, "token add --access read").refused(1, "token revoke 4");
    server.stop();
    assert_eq!(world.run("token list --json").json().as_array().unwrap().len(), 3);
}

#[test]
fn no_token_is_made_for_a_closed_output() {
    let world = World::with_organization();
    let close = "$DO token add --access read >&-";
    world.shell(close).refused(1, "standard output is closed");
    let server = world.serve();
    world.shell(close).refused(1, "none was made");
    server.stop();
    assert_eq!(world.run("token list --json").json(), json!([]));
    world.shell("$DO token add --access read > /dev/null").done();
}

#[test]
fn what_cannot_be_written_is_told() {
    let world = World::with_organization();
    let tell = |lines: &[&str]| {
        for line in lines {
            world.shell(&format!("$DO {line} > /dev/full")).refused(1, "standard output cannot be written");
        }
    };
    tell(&["org list", "org list --json", "org add other", "check", "man", "completions bash"]);
    let server = world.serve();
    tell(&["org list", "org add third"]);
    // A note is lost.
    let said = world.shell("$DO package update --all --org other 2> /dev/full");
    assert_eq!(said.code, Some(1), "{said:?}");
    // Why it failed remains why it failed.
    assert_eq!(world.shell("$DO vendor list 2> /dev/full").code, Some(2));
    server.stop();
    assert_eq!(world.run("org list --json").json().as_array().unwrap().len(), 3, "what was done stays done");
}

#[test]
fn whoever_closed_the_pipe_has_read_enough() {
    let world = World::with_organization();
    for line in ["org list", "man", "completions bash", "--help"] {
        let said = unread(&world, line).done();
        assert!(said.err.is_empty(), "{said:?}");
    }
}
