//! Services at which one repository has many addresses, or which answer in a way of their own: Azure DevOps (also Server, in a
//! company's own network) and AWS CodeCommit. Everybody else is [`Service::Other`].

use url::Url;

/// What stands before a repository's name in all HTTP addresses of Azure DevOps, and nowhere else.
const GIT: &str = "_git";
/// What may follow it: which objects the server prefers to send.
const VIEWS: [&str; 2] = ["_full", "_optimized"];
/// The collection of every organization of the public service, which old addresses name.
const COLLECTION: &str = "DefaultCollection";
/// Regions of AWS by their beginning, and what the hosts of each partition end in (AWS's own endpoint table).
const PARTITIONS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eusc-", "amazonaws.eu"),
];
/// That of all other regions, those of the government's partition among them.
const USUAL: &str = "amazonaws.com";

/// Who is at an address, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vcs) enum Service {
    /// Azure DevOps, the service or a server.
    AzureDevOps,
    /// AWS CodeCommit.
    CodeCommit,
    /// Anybody.
    Other,
}

impl Service {
    /// By the host (in lower case) and the path.
    pub(in crate::vcs) fn of(host: &str, path: &str) -> Self {
        let azure = is_azure_devops(host) || host == "ssh.dev.azure.com" || path.split('/').any(|part| part == GIT);
        if codecommit_host(host).is_some() {
            Self::CodeCommit
        } else if azure {
            Self::AzureDevOps
        } else {
            Self::Other
        }
    }
}

/// Whether a host, in lower case, is one of the public service Azure DevOps, which looks at the token alone and takes any user
/// name beside it.
#[must_use]
pub fn is_azure_devops(host: &str) -> bool {
    host == "dev.azure.com" || host.ends_with(".visualstudio.com")
}

/// The key of a repository at one of these services, which is the same for all of its addresses; none elsewhere. `parts` are
/// those of the path, decoded.
pub(super) fn key(host: &str, port: Option<u16>, parts: &[&str]) -> Option<String> {
    let mut parts = parts.to_vec();
    if let Some(last) = parts.last_mut() {
        *last = without_git(last);
    }
    if let Some((region, suffix)) = codecommit_host(host) {
        return Some(format!("git-codecommit.{region}.{suffix}/{}", parts.join("/")));
    }
    if let Some(names) = azure(host, &parts) {
        // Names there are the same whatever their case.
        return Some(format!("dev.azure.com/{}", names.join("/")).to_lowercase());
    }
    let git = parts.iter().position(|part| *part == GIT).filter(|git| git + 1 < parts.len())?;
    if git + 2 < parts.len() && VIEWS.contains(&parts[git + 1]) {
        parts.remove(git + 1);
    }
    // The repository that has its project's name goes by both `COLLECTION/_git/NAME` and `COLLECTION/NAME/_git/NAME`.
    if git >= 2 && git + 2 == parts.len() && parts[git - 1].to_lowercase() == parts[git + 1].to_lowercase() {
        parts.remove(git - 1);
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{host}{port}/{}", parts.join("/")).to_lowercase())
}

/// The name without the ending that Git itself does not mind.
fn without_git(name: &str) -> &str {
    let stem = name.len().checked_sub(4).filter(|stem| *stem > 0 && name.is_char_boundary(*stem));
    stem.filter(|stem| name[*stem..].eq_ignore_ascii_case(".git")).map_or(name, |stem| &name[..stem])
}

/// Organization, project and repository of an address of the public service.
fn azure<'a>(host: &'a str, parts: &[&'a str]) -> Option<[&'a str; 3]> {
    if let ("ssh.dev.azure.com" | "vs-ssh.visualstudio.com", ["v3", organization, project, repository]) = (host, parts)
    {
        return Some([*organization, *project, *repository]);
    }
    let (organization, rest) = match (host, parts) {
        ("dev.azure.com", [organization, rest @ ..]) => (*organization, rest),
        _ => (host.strip_suffix(".visualstudio.com").filter(|name| !name.contains('.'))?, parts),
    };
    let rest = match rest {
        [first, rest @ ..] if first.eq_ignore_ascii_case(COLLECTION) => rest,
        rest => rest,
    };
    match rest {
        [GIT, view, repository] if VIEWS.contains(view) => Some([organization, *repository, *repository]),
        [GIT, repository] => Some([organization, *repository, *repository]),
        [project, GIT, view, repository] if VIEWS.contains(view) => Some([organization, *project, *repository]),
        [project, GIT, repository] => Some([organization, *project, *repository]),
        _ => None,
    }
}

/// The path of the repository that is looked at in a browser, or copied from there; none at other services.
pub(super) fn repository_shown(host: &str, path: &str) -> Option<String> {
    let whole = path.trim_end_matches('/').to_owned();
    match Service::of(host, path) {
        Service::Other => None,
        // Pages of a repository have its address and more: `…/_git/NAME/branches`. Others may keep repositories below one that
        // is called `_git`.
        Service::AzureDevOps if is_azure_devops(host) => {
            let parts: Vec<&str> = whole.split('/').collect();
            let Some(git) = parts.iter().position(|part| *part == GIT) else { return Some(whole) };
            let view = parts.get(git + 1).is_some_and(|part| VIEWS.contains(part));
            let end = git + 2 + usize::from(view && parts.len() > git + 2);
            Some(parts[..end.min(parts.len())].join("/"))
        }
        Service::AzureDevOps | Service::CodeCommit => Some(whole),
    }
}

/// Where AWS shows repositories of CodeCommit to people, by partition: after the region, if that is in the host.
const CONSOLES: [&str; 3] = ["console.aws.amazon.com", "console.amazonaws.cn", "console.amazonaws-us-gov.com"];

/// The ordinary address of a repository of CodeCommit that is looked at in AWS's console.
pub(super) fn codecommit_shown(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let console = CONSOLES.iter().find_map(|console| host.strip_suffix(console))?;
    let mut parts = url.path_segments()?;
    let is_there = ["codesuite", "codecommit", "repositories"].iter().all(|wanted| parts.next() == Some(wanted));
    let name = parts.next().filter(|_| is_there)?;
    let named = url.query_pairs().find_map(|(key, value)| (key == "region").then(|| value.into_owned()));
    let region = console.strip_suffix('.').map(str::to_owned).or(named)?;
    codecommit(&format!(":{region}://{name}")).ok()
}

/// Region and ending of a host of CodeCommit, also of those that meet FIPS 140, and of those within a company's own network at
/// AWS (`vpce-….git-codecommit.REGION.vpce.…`).
fn codecommit_host(host: &str) -> Option<(&str, &str)> {
    let (within, host) = match host.split_once('.') {
        Some((endpoint, rest)) if endpoint.starts_with("vpce-") => (true, rest),
        _ => (false, host),
    };
    let rest = host.strip_prefix("git-codecommit")?;
    let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
    let (region, suffix) = rest.split_once('.')?;
    let suffix = if within { suffix.strip_prefix("vpce.")? } else { suffix };
    (is_region(region) && suffix == suffix_of(region)).then_some((region, suffix))
}

fn suffix_of(region: &str) -> &'static str {
    PARTITIONS.iter().find(|(beginning, _)| region.starts_with(beginning)).map_or(USUAL, |(_, suffix)| suffix)
}

fn is_region(text: &str) -> bool {
    (3..=30).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The ordinary address of what follows `codecommit:`, that is `:region://[profile@]repository` or
/// `//[profile@]repository`.
///
/// # Errors
/// The same with placeholders for what it does not say.
pub(super) fn codecommit(rest: &str) -> Result<String, String> {
    let (region, repository) = rest.split_once("//").unwrap_or((rest, ""));
    let region = region.trim_matches(':');
    let (profile, repository) = repository.rsplit_once('@').unwrap_or(("", repository));
    let known = is_region(region);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let plain = |text: &str| !text.is_empty() && text.len() <= 100 && text.bytes().all(fits);
    let (is_name, is_profile) = (plain(repository), profile.is_empty() || plain(profile));
    let region = if known { region } else { "<region>" };
    let repository = if is_name { repository } else { "<repository>" };
    let address = format!("https://git-codecommit.{region}.{}/v1/repos/{repository}", suffix_of(region));
    if known && is_name && is_profile { Ok(address) } else { Err(address) }
}
