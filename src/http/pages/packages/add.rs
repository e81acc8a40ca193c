//! Adding a package by its address.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::components::{Flash, Tab, head, snippet_bare, tabs};
use super::super::forms::{Faults, Input, checkbox, faults_of, select, text_area};
use super::super::layout::{self, Here, csrf};
use super::super::package::address;
use super::super::respond::see_other;
use crate::admin::credentials;
use crate::admin::packages::{self, NewPackage};
use crate::composer::directories::Directories;
use crate::http::State;
use crate::http::form::Form;
use crate::http::page_error::PageError;
use crate::http::visitor::Manages;
use crate::vcs::Layout;

/// What is said about the field that names directories.
pub(in super::super) const DIRECTORIES: &str = "Where the packages are, one line each: packages/* or libs/*/php; ** for any depth, . for the root, !packages/old to leave one out. Each directory with a composer.json is a package of its own, with the versions of the repository.";

/// What is said about packages of others.
pub(in super::super) const FORK: &str = "It is a fork of somebody else’s package";
pub(in super::super) const FORK_HINT: &str =
    "Its vendor does not become one of the organization: other packages of that vendor still come from elsewhere.";

/// By what way a package comes here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Way {
    Repository,
    Artifacts,
    Custom,
    Block,
}

/// The ways, each with its page; `base`: the address of the list of packages.
pub(in super::super) fn ways(base: &str, current: Way) -> Markup {
    let tab = |way: Way, label: &str, path: &str| Tab {
        address: format!("{base}{path}"),
        label: label.to_owned(),
        count: None,
        current: way == current,
    };
    tabs(
        "Ways to add a package",
        &[
            tab(Way::Repository, "From a repository", "/new"),
            tab(Way::Artifacts, "Archives", "/-/artifacts"),
            tab(Way::Custom, "JSON", "/-/custom"),
            tab(Way::Block, "Block a name", "/-/block"),
        ],
    )
}

/// The fields of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    url: String,
    vcs: String,
    trunk_path: String,
    branches_path: String,
    tags_path: String,
    package_path: String,
    directories: String,
    credential: String,
    fork: String,
}

impl Fields {
    /// The paths of a Subversion repository; an empty field means the usual one.
    fn layout(&self) -> Result<Layout, Faults> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let [trunk, branches, tags, package] =
            [&self.trunk_path, &self.branches_path, &self.tags_path, &self.package_path].map(|text| given(text));
        let fields = [
            ("trunk_path", Layout::parse(trunk.as_deref(), None, None, None)),
            ("branches_path", Layout::parse(None, branches.as_deref(), None, None)),
            ("tags_path", Layout::parse(None, None, tags.as_deref(), None)),
            ("package_path", Layout::parse(None, None, None, package.as_deref())),
        ];
        let mut faults = Faults::default();
        for (field, read) in fields {
            if let Err(error) = read {
                faults.add(field, error.to_string());
            }
        }
        let layout = Layout::parse(trunk.as_deref(), branches.as_deref(), tags.as_deref(), package.as_deref());
        layout.map_err(|_| faults)
    }

    fn uses_paths(&self) -> bool {
        let paths = [&self.trunk_path, &self.branches_path, &self.tags_path, &self.package_path];
        self.vcs == "svn" || paths.iter().any(|path| !path.is_empty())
    }
}

/// Answers `/orgs/{org}/packages/new`.
pub async fn new(manager: Manages, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    form_page(&manager, &state, &Fields::default(), &Faults::default(), StatusCode::OK).await
}

/// Takes its form: the new package's page shows how it is read.
pub async fn add(
    manager: Manages,
    Form(fields): Form<Fields>,
    state: web::Data<State>,
) -> Result<HttpResponse, PageError> {
    let url = fields.url.trim().to_owned();
    if url.is_empty() {
        let faults = Faults::of("url", "Give the address of the repository");
        return form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let credential = Some(fields.credential.clone()).filter(|name| !name.is_empty());
    let vcs = Some(fields.vcs.clone()).filter(|word| !word.is_empty());
    let layout = match fields.layout() {
        Ok(layout) => layout,
        Err(faults) => return form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await,
    };
    let directories: Vec<String> = fields.directories.lines().map(str::to_owned).collect();
    if let Err(error) = Directories::parse(&directories)
        && !fields.directories.trim().is_empty()
    {
        let faults = Faults::of("directories", error.to_string());
        return form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let new = NewPackage { url, vcs, layout, credential, fork: fields.fork == "on", directories };
    match packages::add(&state.appliance, &manager.actor(), manager.org(), new).await {
        Ok(added) => {
            let flash = Flash { good: true, text: "Package added. Its repository is being read.".to_owned() };
            Ok(see_other(&address(&manager.organization.slug, added.id, None), Some(&flash)))
        }
        Err(error) => {
            let faults = faults_of(error, "url")?;
            form_page(&manager, &state, &fields, &faults, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// What one can choose from: the name, and where it is sent.
pub(in super::super) async fn credential_choices(
    manager: &Manages,
    state: &State,
) -> Result<Vec<(String, String)>, PageError> {
    let all = credentials::list(&state.appliance, manager.org()).await?;
    let named = all.into_iter().map(|credential| {
        let host = credentials::host(&credential).map(|host| format!(", for {host}")).unwrap_or_default();
        let words = format!("{}{host}", credential.name);
        (credential.name, words)
    });
    Ok(std::iter::once((String::new(), "None".to_owned())).chain(named).collect())
}

fn systems() -> Vec<(String, String)> {
    let named = [
        ("", "Git, or Subversion where the address says so"),
        ("git", "Git"),
        ("hg", "Mercurial"),
        ("svn", "Subversion"),
    ];
    named.map(|(word, words)| (word.to_owned(), words.to_owned())).to_vec()
}

/// Where in a Subversion repository the package is.
fn subversion(fields: &Fields, faults: &Faults) -> Markup {
    let path = |name: &'static str, label: &'static str, value: &str, usual: &'static str, hint: &'static str| {
        let input =
            Input { name, label, value, hint, placeholder: usual, mono: true, autocomplete: "off", ..Input::default() };
        input.markup(faults)
    };
    html! {
        details open[fields.uses_paths()] {
            summary { "Paths in a Subversion repository" }
            div class="stack" {
                (path("trunk_path", "Trunk", &fields.trunk_path, "trunk", "“false” where the address itself is the trunk."))
                (path("branches_path", "Branches", &fields.branches_path, "branches", "“false” if there are none."))
                (path("tags_path", "Tags", &fields.tags_path, "tags", "“false” if there are none."))
                (path("package_path", "Package", &fields.package_path, "", "The package’s directory in the trunk and in each branch and tag."))
            }
        }
    }
}

/// Which directories are packages of their own.
fn several(fields: &Fields, faults: &Faults) -> Markup {
    html! {
        details open[!fields.directories.trim().is_empty()] {
            summary { "Several packages in one Git repository" }
            div class="stack" {
                (text_area("directories", "Directories", &fields.directories, DIRECTORIES, 4, faults))
            }
        }
    }
}

async fn form_page(
    manager: &Manages,
    state: &State,
    fields: &Fields,
    faults: &Faults,
    code: StatusCode,
) -> Result<HttpResponse, PageError> {
    let base = super::base(manager);
    let choices = credential_choices(manager, state).await?;
    let url = Input {
        name: "url",
        label: "Address of the repository",
        value: &fields.url,
        hint: "As you would clone it or check it out, by HTTPS or SSH.",
        placeholder: "https://git.example.com/team/library.git",
        required: true,
        mono: true,
        autocomplete: "off",
        ..Input::default()
    };
    let slug = &manager.organization.slug;
    let command = format!("packagist-selfhosted package add https://git.example.com/team/library.git --org {slug}");
    let content = html! {
        nav class="crumbs" aria-label="Breadcrumb" { a href=(base) { "Packages" } " /" }
        (head("Add a package", &html! { "Each tag and branch with a composer.json becomes a version." }, &html! {}))
        (ways(&base, Way::Repository))
        @if !faults.is_empty() { div class="gap-b" { (faults.summary()) } }
        form class="form stack" method="post" action={ (base) "/new" } {
            (csrf(&manager.who.csrf))
            (url.markup(faults))
            (select("vcs", "Version control system", &systems(), &fields.vcs, "", faults))
            (subversion(fields, faults))
            (several(fields, faults))
            (select("credential", "Credential", &choices, &fields.credential, "What opens the repository, for the same host. None where everybody in the network may read it.", faults))
            p class="small" { a href={ "/orgs/" (slug) "/credentials/new" } { "Add another credential" } }
            (checkbox("fork", "on", FORK, FORK_HINT, fields.fork == "on"))
            div class="row" {
                button class="btn primary" { "Add the package" }
                a class="btn" href=(base) { "Back to the packages" }
            }
        }
        section class="gap stack-s" aria-label="By command" {
            p class="muted small" { "The same by command, also for many in a script:" }
            (snippet_bare("add-command", "Shell", &command))
        }
    };
    Ok(layout::page_with(code, &manager.chrome(), Here::Packages, "Add a package", &content))
}
