//! What can go wrong with the archives of custom packages: one clear error each, and what was served stays.

use serde_json::{Value, json};

use super::{Answer, World, borrowed, lib, noise, tar, zip};

#[test]
fn one_error_each_and_nothing_is_lost() {
    let world = World::configured("server.max_upload = \"1MiB\"");
    world.server.put("good.zip", Answer::File(zip(&borrowed(&lib("1.0.0")))));
    let good =
        json!({"name": "acme/lib", "version": "1.0.0", "dist": {"type": "zip", "url": world.server.url("good.zip")}});
    world.custom(&good, "").done();
    let token = world.token("");
    let before = world.served(&token, "acme/lib");
    let archives = world.archives();
    let zeros = "\0".repeat(24 << 20);
    let own = |path: &str| world.server.url(path);
    let put = |path: &str, answer: Answer| {
        world.server.put(path, answer);
        own(path)
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, expected) in [
        (own("nowhere.zip"), "the server answers 404"),
        (put("500.zip", Answer::Status(503)), "the server answers 503"),
        (put("403.zip", Answer::Status(403)), "does the package need another credential"),
        (format!("https://localhost:{closed}/x.zip"), "could not be fetched"),
        (put("page.zip", Answer::File(b"<html>Sign in</html>".to_vec())), "it is no archive that is taken here"),
        (put("empty.zip", Answer::File(Vec::new())), "it is empty"),
        (put("tar.zip", Answer::File(tar(&borrowed(&lib("2.0.0"))))), "it is named as a zip, and is a tar"),
        (put("large.zip", Answer::File(zip(&[("noise", &noise())]))), "`max_upload` under [server] allows"),
        (put("bomb.zip", Answer::File(zip(&[("zeros", &zeros)]))), "that is a bomb"),
        (put("loop.zip", Answer::Redirect(own("loop.zip"))), "redirects too often"),
        (put("plain.zip", Answer::Redirect("http://localhost:9/x".to_owned())), "from https to an unencrypted address"),
        (put("cloud.zip", Answer::Redirect("https://169.254.169.254/x".to_owned())), "169.254.169.254"),
        ("https://169.254.169.254/x.zip".to_owned(), "169.254.169.254"),
        ("https://metadata.google.internal/x.zip".to_owned(), "metadata.google.internal"),
    ] {
        let bad = json!({"name": "acme/lib", "version": "2.0.0", "dist": {"type": "zip", "url": url}});
        let told = world.change("acme/lib", &json!([good, bad])).failed();
        assert!(told.contains(expected) && told.contains("$[1].dist.url"), "{url}: {told}");
        assert_eq!(told.matches("error: ").count(), 1, "{told}");
        assert_eq!(world.served(&token, "acme/lib"), before, "{url}");
        assert_eq!(world.archives(), archives, "{url}: nothing is left behind");
    }
    let mut wrong = good.clone();
    wrong["dist"]["reference"] = json!("other");
    wrong["dist"]["shasum"] = json!("0".repeat(40));
    let told = world.change("acme/lib", &wrong).failed();
    assert!(told.contains("it has the SHA-1") && told.contains("$.dist.shasum"), "{told}");
    assert_eq!(world.show("acme/lib")["status"], "failed");
    world.change("acme/lib", &good).done();
    let shown: Value = world.show("acme/lib");
    assert_eq!((&shown["status"], &shown["error"]), (&json!("ok"), &Value::Null));
    assert_eq!(world.served(&token, "acme/lib"), before);
}

#[test]
fn an_archive_that_was_lost_is_fetched_again_if_it_is_the_same() {
    let world = World::new();
    world.server.put("1.zip", Answer::File(zip(&borrowed(&lib("1.0.0")))));
    let json =
        json!({"name": "acme/lib", "version": "1.0.0", "dist": {"type": "zip", "url": world.server.url("1.zip")}});
    world.custom(&json, "").done();
    let token = world.token("");
    let project = world.project(&token, &[("acme/lib", "1.0.0")]);
    project.composer("update").done();
    let before = project.installed("acme/lib");
    let lose = || std::fs::remove_dir_all(world.installation.folder.path().join("data/dists")).unwrap();
    lose();
    project.forget();
    assert!(project.composer("install").failed().contains("404"));
    world.command("package update acme/lib --wait").done();
    project.composer("install").done();
    assert_eq!(project.installed("acme/lib"), before);
    lose();
    world.server.put("1.zip", Answer::File(zip(&borrowed(&lib("evil")))));
    let told = world.command("package update acme/lib --wait").failed();
    assert!(told.contains("what is there now is another one than was fetched first"), "{told}");
}
