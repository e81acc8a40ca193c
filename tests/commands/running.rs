//! Beside a running server, without one, and as somebody else.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::json;

use crate::world::{Said, World, bytes_below, contains};

/// A user that every Linux machine has.
const NOBODY: u32 = 65534;

#[test]
fn only_serve_makes_a_data_directory() {
    let world = World::empty();
    world.run("org list").refused(1, "there is no data directory at ");
    assert!(!world.data().exists());
    world.serve().stop();
    assert_eq!(fs::metadata(world.data()).unwrap().mode() & 0o777, 0o700);
    for file in ["packagist.sqlite", "keys", "lock"] {
        assert_eq!(fs::metadata(world.data().join(file)).unwrap().mode() & 0o777, 0o600, "{file}");
    }
    assert!(world.run("org list").done().out.starts_with("SLUG"));
}

#[test]
fn a_running_server_does_the_commands() {
    let world = World::new();
    let server = world.serve();
    let socket = world.data().join("control.sock");
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    assert_eq!(world.run("org add acme").line(), "1");
    world.run("org add acme").refused(1, "taken");
    world.run("package add https://localhost/a --org nobody").refused(1, "no organization `nobody`");
    let (url, _) = world.repository("foo", &json!({ "name": "acme/foo" }));
    assert_eq!(world.run(&format!("package add {url} --wait")).line(), "acme/foo");
    let hook = world.run("package hook acme/foo").line();
    assert!(hook.starts_with("http://127.0.0.1:") && hook.rsplit('/').next().unwrap().len() == 64, "{hook}");
    assert_eq!(world.run("package hook acme/foo").line(), hook, "it is shown again");
    let rotated = world.run("package hook acme/foo --rotate");
    assert!(rotated.err.contains("works for 24 hours"), "{rotated:?}");
    assert_ne!(rotated.line(), hook);

    // A relative file is the client's, wherever the server was started.
    let elsewhere = world.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("secret"), "hunter2-of-the-host\n").unwrap();
    let words =
        ["credential", "add", "git", "--type", "http-bearer", "--host", "git.example.com", "--secret-file", "secret"];
    Said::of(world.command(&words).current_dir(&elsewhere).output().unwrap()).done();

    let log = server.stop();
    assert!(!socket.exists());
    assert!(!log.contains("hunter2") && !log.contains(hook.rsplit('/').next().unwrap()), "{log}");
    let bytes = bytes_below(&world.data());
    assert!(!contains(&bytes, "hunter2-of-the-host") && !contains(&bytes, hook.rsplit('/').next().unwrap()));
    assert_eq!(world.run("package list --json").json()[0]["name"], "acme/foo", "and what it did stays");
}

#[test]
fn many_commands_at_once_are_all_done() {
    let world = World::with_organization();
    let server = world.serve();
    let vendors = |from: u32| -> Vec<Child> {
        let add = |number| world.command(&["vendor", "add", &format!("vendor{number}")]).spawn().unwrap();
        (from..from + 12).map(add).collect()
    };
    for mut child in vendors(0) {
        assert!(child.wait().unwrap().success());
    }
    server.stop();
    // Without a server one waits for the other.
    for mut child in vendors(12) {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(world.run("vendor list --json").json().as_array().unwrap().len(), 24);
}

#[test]
fn a_socket_that_a_crash_left_is_no_server() {
    let world = World::with_organization();
    world.serve().kill();
    assert!(world.data().join("control.sock").exists());
    assert_eq!(world.run("org list --json").json().as_array().unwrap().len(), 1);
    world.serve().stop();
    assert!(!world.data().join("control.sock").exists());
}

#[test]
fn a_server_reads_no_endless_requests() {
    let world = World::new();
    let server = world.serve();
    let socket = world.data().join("control.sock");
    let ask = |request: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // The server may hang up before it has read everything.
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    assert!(ask(b"hello\n").contains(r#"{"exit":1}"#));
    assert!(ask(b"").contains(r#"{"exit":1}"#));
    let request = |words: &[&str]| {
        format!("{}\n", json!({ "version": "0", "arguments": words, "directory": "/", "input": null }))
    };
    let answer = ask(request(&["serve"]).as_bytes());
    assert!(answer.contains(r#"{"exit":2}"#) && answer.contains("restart the server"), "{answer}");
    let endless = vec![b' '; 4 << 20];
    assert!(!ask(&endless).contains(r#"{"exit":0}"#));
    world.run("org list").done();
    server.stop();
}

#[test]
fn a_command_goes_on_when_whoever_typed_it_has_gone() {
    let world = World::new();
    let server = world.serve();
    let mut stream = UnixStream::connect(world.data().join("control.sock")).unwrap();
    let request = json!({ "version": "0", "arguments": ["org", "add", "acme"], "directory": "/", "input": null });
    writeln!(stream, "{request}").unwrap();
    drop(stream);
    // Commands are taken in the order in which they connect, and the server stops when those that it took have ended.
    world.run("user list").done();
    server.stop();
    assert_eq!(world.run("org list --json").json()[0]["slug"], "acme");
}

#[test]
fn a_data_directory_may_have_a_long_path() {
    let world = World::empty();
    let long = world.path().join("d".repeat(100)).join("e".repeat(60));
    fs::create_dir_all(long.parent().unwrap()).unwrap();
    fs::write(world.path().join("config.toml"), format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {long:?}\n"))
        .unwrap();
    let server = world.serve();
    assert!(long.join("control.sock").exists());
    world.run("org add acme").done();
    server.stop();
}

#[test]
fn a_locked_data_directory_is_told() {
    let world = World::new();
    let server = world.serve();
    let said = Said::of(world.command(&["serve"]).output().unwrap());
    let said = said.refused(1, "another process uses the data directory");
    assert!(said.err.contains("a server that runs") && !said.err.contains("waiting for a command"), "{said:?}");
    server.stop();
}

#[test]
fn a_server_waits_for_a_command_that_uses_the_data_directory() {
    let world = World::new();
    // What a command does; it needs no server's socket to do it, also not the one that a crash left.
    drop(UnixListener::bind(world.data().join("control.sock")).unwrap());
    let lock = fs::OpenOptions::new().write(true).open(world.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let mut server = world.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waits = log.by_ref().find(|line| line.contains("waiting for a command that is using the data directory"));
    assert!(waits.is_some());
    drop(lock);
    assert!(log.by_ref().any(|line| line.contains("The server is listening.")));
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert_eq!(log.filter(|line| line.contains("waiting for a command")).count(), 0, "it is said once");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_waiting_server_heeds_signals() {
    let world = World::new();
    let lock = fs::OpenOptions::new().write(true).open(world.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let mut server = world.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.by_ref().any(|line| line.contains("waiting for a command")));
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert!(log.any(|line| line.contains("stops before it has started")));
    assert!(server.wait().unwrap().success());
}

#[test]
fn root_acts_as_the_owner_of_the_data_directory() {
    if !geteuid().is_root() {
        // Only root can be somebody else.
        return;
    }
    let world = World::empty();
    fs::create_dir(world.data()).unwrap();
    chown(world.data(), Some(NOBODY), Some(NOBODY)).unwrap();
    let server = world.serve();
    world.run("org add acme").done();
    server.stop();
    let add = "credential add git --type http-bearer --host git.example.com --secret-file secret";
    fs::write(world.path().join("secret"), "only root reads this").unwrap();
    fs::set_permissions(world.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.run(add).line(), "1");
    world.run("org list --org x").refused(2, "unexpected argument");
    world.run("credential remove other").refused(1, "there is no credential `other`");
    world.run("check").done();
    for entry in fs::read_dir(world.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY, "{}", path.display());
    }
}

#[test]
fn the_owner_is_told_of_a_configuration_that_only_root_reads() {
    if !geteuid().is_root() {
        // Only root can be somebody else.
        return;
    }
    let world = World::new();
    let config = world.path().join("config.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    world.run("org list").done();
    for entry in fs::read_dir(world.data()).unwrap() {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(world.data(), Some(NOBODY), Some(NOBODY)).unwrap();
    for line in ["org list", "serve"] {
        let said = world.run(line).refused(1, "the configuration cannot be read: Permission denied");
        assert!(said.err.contains(&format!("tried as user {NOBODY} of group {NOBODY}")), "{said:?}");
        assert!(said.err.contains(&format!("chgrp {NOBODY}")), "{said:?}");
    }
    let said = world.run("check");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains(&format!("tried as user {NOBODY}")), "{said:?}");
    // Where the file is found without being named, the owner finds the same one.
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let said = Said::of(world.program(&["check"]).output().unwrap()).done();
    assert!(said.out.contains(&format!("the configuration {} can be read", config.display())), "{said:?}");
}

#[test]
fn a_socket_of_somebody_else_is_no_server() {
    // Whoever listens at the socket cannot be a server that holds the data: an answer that is none is told.
    let world = World::with_organization();
    let listener = UnixListener::bind(world.data().join("control.sock")).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        BufReader::new(&stream).read_line(&mut request).unwrap();
        stream.write_all(b"{\"out\":\"x\"}\n").unwrap();
    });
    let said = world.run("org list");
    answering.join().unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the server went away before it had answered"), "{said:?}");
}

#[test]
fn whoever_waits_is_told_that_the_server_stops() {
    let world = World::with_organization();
    // Nothing answers there, so that the update is still running, or waiting to be tried again.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let config = world.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap() + "allow_insecure = true\n[outbound]\nallow = [\"127.0.0.1\"]\n";
    fs::write(&config, text).unwrap();
    let server = world.serve();
    let waiting = world
        .command(&["package", "add", &format!("http://{address}/a/b"), "--wait"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The update has begun when it connects.
    let (connection, _) = silent.accept().unwrap();
    server.stop();
    drop(connection);
    let said = Said::of(waiting.wait_with_output().unwrap());
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the server is stopping"), "{said:?}");
    assert_eq!(world.run("job list --json").json()[0]["state"], "ready");
}

#[test]
fn what_a_command_changed_is_served_when_it_returns() {
    let world = World::new();
    let server = world.serve();
    world.run("org add acme").done();
    let (url, commit) = world.repository("foo", &json!({ "name": "acme/foo" }));
    world.run(&format!("package add {url} --wait")).done();
    let token = world.run("token add --access read").line();
    let (status, root) = server.get("/repo/acme/packages.json", &token);
    assert!(status == 200 && root.contains("acme/foo"), "{root}");

    let dist = format!("/repo/acme/dists/acme/foo/{commit}.zip");
    assert_eq!(server.get(&dist, &token).0, 200);
    world.run(&format!("package forget acme/foo {commit}")).done();
    assert_eq!(server.get(&dist, &token).0, 410);
    assert_eq!(fs::read_dir(world.data().join("unfinished")).unwrap().count(), 0);

    world.run("org rename acme umbrella").done();
    assert_eq!(server.get("/repo/umbrella/packages.json", &token).0, 200);
    assert_eq!(server.get("/repo/acme/packages.json", &token).0, 200, "lock files name the former address");
    world.run("package remove acme/foo").done();
    let (_, root) = server.get("/repo/umbrella/packages.json", &token);
    assert!(!root.contains("acme/foo"), "{root}");
    world.run("token revoke 1").done();
    assert_eq!(server.get("/repo/umbrella/packages.json", &token).0, 401);

    world.run("user add ada --admin").done();
    world.run("user add bob --admin").done();
    let token = world.run("token add --user ada").line();
    assert_eq!(server.get("/repo/umbrella/packages.json", &token).0, 200);
    world.run("user disable ada").done();
    assert_eq!(server.get("/repo/umbrella/packages.json", &token).0, 401);
    world.run("user enable ada").done();
    assert_eq!(server.get("/repo/umbrella/packages.json", &token).0, 200);
    world.run("org remove umbrella").done();
    assert_eq!(server.get("/repo/umbrella/packages.json", &token).0, 404);
    server.stop();
}
