//! Archives: whole, in parts, and refused.

use crate::world::{FORGOTTEN, STORED, World, world};

fn path(reference: &str) -> String {
    format!("/repo/acme/dists/acme/lib/{reference}.zip")
}

async fn with(world: &World, headers: &[(&str, &str)]) -> crate::client::Response {
    let mut request = world.with(&world.reader, "GET", &path(STORED));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().await
}

#[tokio::test]
async fn an_archive_is_sent_whole_and_harmless() {
    let world = world().await;
    let whole = with(&world, &[]).await;
    assert_eq!((whole.status, &whole.body), (200, &world.archive));
    for (name, value) in [
        ("content-type", "application/zip"),
        ("content-length", &*world.archive.len().to_string()),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("content-disposition", &format!("attachment; filename=\"acme-lib-{STORED}.zip\"")),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
        ("accept-ranges", "bytes"),
        ("vary", "Authorization"),
    ] {
        assert_eq!(whole.header(name).as_deref(), Some(value), "{name}");
    }
    let mut head = world.with(&world.reader, "HEAD", &path(STORED)).send().await.lasting();
    assert!(head.body.is_empty());
    head.body = whole.body.clone();
    assert_eq!(head, whole.clone().lasting());
    let tag = whole.header("etag").expect("a tag");
    assert_eq!(tag.len(), 66);
    let unchanged = with(&world, &[("If-None-Match", &tag)]).await;
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, Some(tag.clone())));
    assert_eq!(with(&world, &[("If-None-Match", "\"other\"")]).await.status, 200);
    assert_eq!(world.get(&world.restricted, &path(STORED)).await.status, 200);
}

#[tokio::test]
async fn one_range_is_served() {
    let world = world().await;
    let size = world.archive.len();
    let tag = with(&world, &[]).await.header("etag").expect("a tag");
    for (range, from, to) in
        [("bytes=0-3", 0, 4), ("bytes=5-", 5, size), ("bytes=-4", size - 4, size), ("bytes=3-999", 3, size)]
    {
        let part = with(&world, &[("Range", range), ("If-Range", &tag)]).await;
        assert_eq!((part.status, part.body.as_slice()), (206, &world.archive[from..to]), "{range}");
        assert_eq!(part.header("content-range"), Some(format!("bytes {from}-{}/{size}", to - 1)));
        assert_eq!(part.header("content-length"), Some((to - from).to_string()));
    }
    for headers in [[("Range", "bytes=0-1,3-4"), ("X", "")], [("Range", "bytes=0-1"), ("If-Range", "\"other\"")]] {
        assert_eq!(with(&world, &headers).await.status, 200);
    }
    let outside = with(&world, &[("Range", "bytes=999-")]).await;
    assert_eq!((outside.status, outside.header("content-range")), (416, Some(format!("bytes */{size}"))));
}

#[tokio::test]
async fn a_purged_archive_says_so() {
    let world = world().await;
    let gone = world.get(&world.reader, &path(FORGOTTEN)).await;
    assert_eq!(gone.status, 410);
    assert!(gone.warning().expect("a warning").contains("removed for good"));
    assert_eq!(gone.header("content-type").as_deref(), Some("application/json"));
}

#[tokio::test]
async fn hidden_and_absent_archives_are_alike() {
    let world = world().await;
    let ask = |token: &str, path: &str| world.with(token, "GET", path).send();
    let absent = ask(&world.reader, "/repo/acme/dists/acme/none/00.zip").await.lasting();
    assert_eq!(absent.status, 404);
    assert!(absent.warning().expect("a warning").contains("may not read"));
    for (token, path) in [
        (&world.restricted, format!("/repo/acme/dists/acme/secret-lib/{STORED}.zip")),
        (&world.reader, path("ABCDEF")),
        (&world.reader, path("main")),
        (&world.reader, path(&"a".repeat(65))),
        (&world.reader, "/repo/acme/dists/acme/..%2flib/00.zip".to_owned()),
        (&world.stranger, path(STORED)),
        (&world.empty, path(FORGOTTEN)),
    ] {
        assert_eq!(ask(token, &path).await.lasting(), absent, "{path}");
    }
}
