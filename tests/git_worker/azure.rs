//! Azure DevOps and AWS CodeCommit: what is particular about their Git, and about how they refuse.

use super::bare_repository::BareRepository;
use super::git_server::{Account, Fault};
use super::{Scene, Snapshot, Update, VcsError};

/// Where a project's repository is.
const PATH: &str = "org/My%20Project/_git/lib";

/// A scene in which Azure DevOps serves a repository to whoever has the token.
fn scene() -> (Scene, BareRepository) {
    let mut scene = Scene::new();
    let repository = BareRepository::create(&scene.directory.path().join("repositories/org/My Project/_git/lib"));
    repository.package("refs/heads/main", "acme/lib");
    scene.server.fail(Fault::AzureDevOps);
    scene.server.require(Account::Basic("pat", "right"));
    scene.credential = Some(scene.basic("pat", "right"));
    (scene, repository)
}

async fn changed(scene: &mut Scene) -> Snapshot {
    let url = scene.server.url(PATH);
    match scene.update_from(&url).await {
        Ok(Update::Changed(snapshot)) => snapshot,
        other => panic!("expected a change: {other:?}"),
    }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.refs.iter().map(|entry| entry.name.as_str()).collect()
}

#[tokio::test]
async fn repositories_of_azure_devops_are_read_and_followed() {
    let (mut scene, repository) = scene();
    let first = changed(&mut scene).await;
    assert_eq!((names(&first), first.default_branch.as_deref()), (vec!["refs/heads/main"], Some("refs/heads/main")));
    // More than one round of what both sides have.
    for number in 0..40 {
        let name = format!("acme/lib{number}");
        repository.package("refs/heads/main", &name);
    }
    repository.git(&["tag", "-a", "-m", "a release", "v1.0.0", "main"]);
    repository.point("refs/pull/1/merge", "refs/heads/main");
    let second = changed(&mut scene).await;
    assert_eq!(names(&second), ["refs/heads/main", "refs/tags/v1.0.0"], "pull requests are no versions");
    let url = scene.server.url(PATH);
    assert!(matches!(scene.update_from(&url).await, Ok(Update::Unchanged { .. })));
    repository.remove("refs/tags/v1.0.0");
    assert_eq!(names(&changed(&mut scene).await), ["refs/heads/main"]);
}

#[tokio::test]
async fn a_sign_in_page_of_azure_devops_is_told_as_a_refused_token() {
    let (mut scene, _repository) = scene();
    let url = scene.server.url(PATH);
    scene.credential = Some(scene.basic("pat", "expired"));
    let sign_in = "https://spsprodeus21.vssps.visualstudio.com/_signin?realm=dev.azure.com&reply_to=x";
    const HTML: (&str, &str) = ("Content-Type", "text/html; charset=utf-8");
    let answers = [
        Fault::AzureDevOps,
        Fault::Answer(302, vec![("Location", sign_in.to_owned())], ""),
        Fault::Answer(302, vec![("Location", "/org/_signin?redirect=1".to_owned())], ""),
        Fault::Answer(200, vec![(HTML.0, HTML.1.to_owned())], "<html>Sign In</html>"),
        Fault::Answer(
            401,
            vec![("WWW-Authenticate", "Basic realm=\"https://tfsprodcus6.visualstudio.com/\"".to_owned())],
            "",
        ),
    ];
    for fault in answers {
        scene.server.fail(fault.clone());
        let refused = scene.update_from(&url).await.expect_err("the token has expired");
        let text = refused.to_string();
        assert!(
            matches!(refused, VcsError::CredentialRefused { .. }) && refused.is_permanent(),
            "{fault:?}: {refused:?}"
        );
        assert!(text.contains("did not accept the credential") && text.contains("Code (Read)"), "{text}");
        assert!(!text.contains("expired\"") && !text.contains("reply_to"), "{text}");
    }
    scene.credential = None;
    for fault in [Fault::Answer(302, vec![("Location", sign_in.to_owned())], ""), Fault::AzureDevOps] {
        scene.server.fail(fault);
        assert!(matches!(scene.update_from(&url).await, Err(VcsError::AuthRequired { .. })));
    }
    scene.credential = Some(scene.basic("pat", "right"));
    assert_eq!(changed(&mut scene).await.refs.len(), 1, "a new token mends it");
}

#[tokio::test]
async fn a_server_that_takes_only_windows_accounts_is_told_as_such() {
    let (mut scene, _repository) = scene();
    let url = scene.server.url(PATH);
    let answer = |challenge: &str| Fault::Answer(401, vec![("WWW-Authenticate", challenge.to_owned())], "");
    for (challenge, said) in [("NTLM", "NTLM"), ("Negotiate", "NTLM"), ("Basic realm=\"tfs\"", "Code (Read)")] {
        scene.server.fail(answer(challenge));
        let refused = scene.update_from(&url).await.expect_err("it is refused").to_string();
        assert!(refused.contains(said), "{challenge}: {refused}");
    }
}
