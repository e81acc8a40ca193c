//! Bare repositories on disk, served as platforms serve them over HTTP: by Git's own program.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::message::{Asked, Reply};

/// Runs `git http-backend` as a CGI program (RFC 3875, git-http-backend(1)).
pub fn backend(asked: &Asked, folder: &Path, rest: &str) -> Reply {
    let header = |name: &str| asked.header(name).unwrap_or_default().to_owned();
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&asked.query).finish();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PATH_TRANSLATED", folder.join(rest))
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", &asked.method)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", asked.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("HTTP_ACCEPT", header("accept"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("git is installed");
    child.stdin.take().expect("piped").write_all(&asked.body).expect("git reads its input");
    let output = child.wait_with_output().expect("git ends");
    let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let mut reply = Reply { body: output.stdout[end + 4..].to_vec(), ..Reply::empty(200) };
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "Status" => reply.status = value[..3].parse().expect("a status"),
            _ => reply.headers.push((name.to_ascii_lowercase(), value.to_owned())),
        }
    }
    reply
}
