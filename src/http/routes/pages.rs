//! THE list of pages: their addresses, their methods, and who gets in.
//!
//! What [`Opens`] says is what the handlers' argument types enforce; the test that walks all addresses as everybody holds
//! one against the other.

use actix_web::{Route as Handler, web};

use crate::http::auth;
use crate::http::pages::{self, admin, integrations, members, profile, settings, setup, sign_in, syncs, teams};

/// Who a page opens to. Everybody else is led to sign in, or told that there is nothing, or which role it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opens {
    /// Everybody.
    Anyone,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever may look at something of the organization.
    Readers,
    /// The organization's members.
    Members,
    /// The organization's admins and owners.
    Admins,
    /// The organization's owners.
    Owners,
    /// The instance's administrators.
    Administrators,
}

/// One address with what it answers.
pub struct Page {
    /// Its pattern, which is also its name in metrics.
    pub pattern: &'static str,
    /// Who it opens to.
    pub opens: Opens,
    get: Option<fn() -> Handler>,
    post: Option<fn() -> Handler>,
}

const fn page(pattern: &'static str, opens: Opens, get: fn() -> Handler) -> Page {
    Page { pattern, opens, get: Some(get), post: None }
}

const fn form(pattern: &'static str, opens: Opens, get: fn() -> Handler, post: fn() -> Handler) -> Page {
    Page { pattern, opens, get: Some(get), post: Some(post) }
}

const fn action(pattern: &'static str, opens: Opens, post: fn() -> Handler) -> Page {
    Page { pattern, opens, get: None, post: Some(post) }
}

/// All pages, by what they belong to. A fixed address stands before a pattern that it fits.
pub static PAGES: &[Page] = &[
    // Before and around signing in.
    page("/", Opens::Anyone, || web::to(pages::landing)),
    form("/login", Opens::Anyone, || web::to(sign_in::page), || web::to(sign_in::submit)),
    form(
        "/login/second-factor",
        Opens::Anyone,
        || web::to(sign_in::second_factor),
        || web::to(sign_in::submit_second_factor),
    ),
    action("/logout", Opens::SignedIn, || web::to(sign_in::log_out)),
    page("/auth/{integration}", Opens::Anyone, || web::to(auth::depart)),
    page("/auth/{integration}/callback", Opens::Anyone, || web::to(auth::callback)),
    form("/setup", Opens::Anyone, || web::to(setup::page), || web::to(setup::submit)),
    // A person's own things.
    form("/profile", Opens::SignedIn, || web::to(profile::show), || web::to(profile::save)),
    action("/profile/appearance", Opens::SignedIn, || web::to(profile::save_appearance)),
    action("/profile/theme", Opens::SignedIn, || web::to(profile::theme)),
    form(
        "/profile/password",
        Opens::SignedIn,
        || web::to(profile::password::show),
        || web::to(profile::password::save),
    ),
    form(
        "/profile/second-factor",
        Opens::SignedIn,
        || web::to(profile::second_factor::show),
        || web::to(profile::second_factor::propose),
    ),
    action("/profile/second-factor/confirm", Opens::SignedIn, || web::to(profile::second_factor::confirm)),
    action("/profile/second-factor/codes", Opens::SignedIn, || web::to(profile::second_factor::new_codes)),
    action("/profile/second-factor/disable", Opens::SignedIn, || web::to(profile::second_factor::disable)),
    action("/profile/sessions/end-others", Opens::SignedIn, || web::to(profile::sessions::end_others)),
    action("/profile/sessions/end-all", Opens::SignedIn, || web::to(profile::sessions::end_all)),
    action("/profile/sessions/{session}/end", Opens::SignedIn, || web::to(profile::sessions::end)),
    action("/profile/accounts/{integration}/connect", Opens::SignedIn, || web::to(profile::accounts::connect)),
    form(
        "/profile/accounts/{account}/disconnect",
        Opens::SignedIn,
        || web::to(profile::accounts::ask),
        || web::to(profile::accounts::disconnect),
    ),
    action("/profile/token", Opens::SignedIn, || web::to(profile::token::make)),
    action("/profile/token/{token}/revoke", Opens::SignedIn, || web::to(profile::token::revoke)),
    // An organization's packages.
    page("/orgs/{org}", Opens::Readers, || web::to(pages::overview::show)),
    page("/orgs/{org}/packages", Opens::Readers, || web::to(pages::packages::list)),
    form("/orgs/{org}/packages/new", Opens::Admins, || web::to(pages::packages::new), || web::to(pages::packages::add)),
    action("/orgs/{org}/packages/bulk", Opens::Admins, || web::to(pages::packages::bulk)),
    // No vendor is called `-`.
    form(
        "/orgs/{org}/packages/-/custom",
        Opens::Admins,
        || web::to(pages::packages::made::new_custom),
        || web::to(pages::packages::made::add_custom),
    ),
    form(
        "/orgs/{org}/packages/-/artifacts",
        Opens::Admins,
        || web::to(pages::packages::made::new_artifacts),
        || web::to(pages::packages::made::add_artifacts),
    ),
    form(
        "/orgs/{org}/packages/-/block",
        Opens::Admins,
        || web::to(pages::packages::made::new_block),
        || web::to(pages::packages::made::block),
    ),
    page("/orgs/{org}/packages/{id}", Opens::Readers, || web::to(pages::package::by_id)),
    page("/orgs/{org}/packages/{vendor}/{name}", Opens::Readers, || web::to(pages::package::show)),
    page("/orgs/{org}/packages/{vendor}/{name}/versions", Opens::Readers, || web::to(pages::package::versions)),
    page("/orgs/{org}/packages/{vendor}/{name}/dependents", Opens::Readers, || web::to(pages::package::dependents)),
    page("/orgs/{org}/packages/{vendor}/{name}/readme", Opens::Readers, || web::to(pages::package::readme)),
    page("/orgs/{org}/packages/{vendor}/{name}/log", Opens::Readers, || web::to(pages::package::log)),
    page("/orgs/{org}/packages/{vendor}/{name}/history", Opens::Readers, || web::to(pages::package::history)),
    page("/orgs/{org}/packages/{vendor}/{name}/events", Opens::Readers, || web::to(pages::package::events)),
    action("/orgs/{org}/packages/{vendor}/{name}/update", Opens::Admins, || web::to(pages::package::update)),
    action("/orgs/{org}/packages/{vendor}/{name}/accept", Opens::Admins, || web::to(pages::package::accept)),
    action("/orgs/{org}/packages/{vendor}/{name}/directories", Opens::Admins, || {
        web::to(pages::package::save_directories)
    }),
    action("/orgs/{org}/packages/{vendor}/{name}/forget", Opens::Admins, || web::to(pages::package::forget)),
    form(
        "/orgs/{org}/packages/{vendor}/{name}/webhook",
        Opens::Admins,
        || web::to(pages::package::webhook),
        || web::to(pages::package::rotate),
    ),
    action("/orgs/{org}/packages/{vendor}/{name}/webhook/secret", Opens::Admins, || {
        web::to(pages::package::webhook_secret)
    }),
    form(
        "/orgs/{org}/packages/{vendor}/{name}/artifacts",
        Opens::Admins,
        || web::to(pages::package::artifacts),
        || web::to(pages::package::upload),
    ),
    action("/orgs/{org}/packages/{vendor}/{name}/artifacts/remove", Opens::Admins, || {
        web::to(pages::package::remove_artifact)
    }),
    form(
        "/orgs/{org}/packages/{vendor}/{name}/definition",
        Opens::Admins,
        || web::to(pages::package::definition),
        || web::to(pages::package::save_definition),
    ),
    form(
        "/orgs/{org}/packages/{vendor}/{name}/settings",
        Opens::Admins,
        || web::to(pages::package::settings),
        || web::to(pages::package::save),
    ),
    form(
        "/orgs/{org}/packages/{vendor}/{name}/abandon",
        Opens::Admins,
        || web::to(pages::package::abandonment),
        || web::to(pages::package::abandon),
    ),
    action("/orgs/{org}/packages/{vendor}/{name}/publish", Opens::Admins, || web::to(pages::package::publish)),
    form(
        "/orgs/{org}/packages/{vendor}/{name}/remove",
        Opens::Admins,
        || web::to(pages::package::remove),
        || web::to(pages::package::remove),
    ),
    // What it follows.
    page("/orgs/{org}/syncs", Opens::Admins, || web::to(syncs::list)),
    form("/orgs/{org}/syncs/new", Opens::Admins, || web::to(syncs::new), || web::to(syncs::add)),
    page("/orgs/{org}/syncs/{sync}", Opens::Admins, || web::to(syncs::show)),
    page("/orgs/{org}/syncs/{sync}/events", Opens::Admins, || web::to(syncs::events)),
    page("/orgs/{org}/syncs/{sync}/plan", Opens::Admins, || web::to(syncs::preview)),
    action("/orgs/{org}/syncs/{sync}/start", Opens::Admins, || web::to(syncs::start)),
    action("/orgs/{org}/syncs/{sync}/run", Opens::Admins, || web::to(syncs::run)),
    action("/orgs/{org}/syncs/{sync}/stop", Opens::Admins, || web::to(syncs::stop)),
    action("/orgs/{org}/syncs/{sync}/accept", Opens::Owners, || web::to(syncs::accept)),
    action("/orgs/{org}/syncs/{sync}/pause", Opens::Admins, || web::to(syncs::pause)),
    action("/orgs/{org}/syncs/{sync}/hooks", Opens::Admins, || web::to(syncs::repair)),
    page("/orgs/{org}/syncs/{sync}/runs", Opens::Admins, || web::to(syncs::history)),
    page("/orgs/{org}/syncs/{sync}/runs/{run}", Opens::Admins, || web::to(syncs::one_run)),
    page("/orgs/{org}/syncs/{sync}/repositories", Opens::Admins, || web::to(syncs::repositories)),
    action("/orgs/{org}/syncs/{sync}/repositories/adopt", Opens::Admins, || web::to(syncs::adopt)),
    form("/orgs/{org}/syncs/{sync}/terms", Opens::Admins, || web::to(syncs::terms), || web::to(syncs::save_terms)),
    form("/orgs/{org}/syncs/{sync}/promote", Opens::Owners, || web::to(syncs::promote), || web::to(syncs::promote)),
    form("/orgs/{org}/syncs/{sync}/remove", Opens::Owners, || web::to(syncs::remove), || web::to(syncs::remove)),
    // An organization's people.
    page("/orgs/{org}/members", Opens::Members, || web::to(members::list)),
    form("/orgs/{org}/members/new", Opens::Admins, || web::to(members::new), || web::to(members::add)),
    page("/orgs/{org}/members/person", Opens::Admins, || web::to(members::show)),
    action("/orgs/{org}/members/person/role", Opens::Admins, || web::to(members::change_role)),
    action("/orgs/{org}/members/person/activate", Opens::Admins, || web::to(members::activate)),
    action("/orgs/{org}/members/person/deactivate", Opens::Admins, || web::to(members::deactivate)),
    action("/orgs/{org}/members/person/remove", Opens::Admins, || web::to(members::remove)),
    page("/orgs/{org}/teams", Opens::Members, || web::to(teams::list)),
    form("/orgs/{org}/teams/new", Opens::Admins, || web::to(teams::new), || web::to(teams::add)),
    page("/orgs/{org}/teams/{team}", Opens::Members, || web::to(teams::show)),
    form("/orgs/{org}/teams/{team}/edit", Opens::Admins, || web::to(teams::edit), || web::to(teams::save)),
    form("/orgs/{org}/teams/{team}/remove", Opens::Admins, || web::to(teams::remove), || web::to(teams::remove)),
    action("/orgs/{org}/teams/{team}/members/add", Opens::Admins, || web::to(teams::add_member)),
    action("/orgs/{org}/teams/{team}/members/remove", Opens::Admins, || web::to(teams::remove_member)),
    form("/orgs/{org}/teams/{team}/packages", Opens::Admins, || web::to(teams::choose), || web::to(teams::grant)),
    action("/orgs/{org}/teams/{team}/packages/revoke", Opens::Admins, || web::to(teams::revoke)),
    action("/orgs/{org}/teams/{team}/packages/all", Opens::Admins, || web::to(teams::all_packages)),
    page("/orgs/{org}/access", Opens::Readers, || web::to(pages::access::explain)),
    page("/orgs/{org}/packages/{vendor}/{name}/access", Opens::Admins, || web::to(pages::package::access)),
    action("/orgs/{org}/packages/{vendor}/{name}/access/grant", Opens::Admins, || {
        web::to(pages::package::grant_access)
    }),
    action("/orgs/{org}/packages/{vendor}/{name}/access/revoke", Opens::Admins, || {
        web::to(pages::package::revoke_access)
    }),
    page("/orgs/{org}/settings", Opens::Owners, || web::to(settings::show)),
    action("/orgs/{org}/settings/name", Opens::Owners, || web::to(settings::name)),
    action("/orgs/{org}/settings/activation", Opens::Owners, || web::to(settings::activation)),
    action("/orgs/{org}/settings/login-rule", Opens::Owners, || web::to(settings::login_rule)),
    action("/orgs/{org}/settings/vendors/add", Opens::Owners, || web::to(settings::add_vendor)),
    action("/orgs/{org}/settings/vendors/remove", Opens::Owners, || web::to(settings::remove_vendor)),
    form("/orgs/{org}/settings/remove", Opens::Owners, || web::to(settings::remove), || web::to(settings::remove)),
    // An organization's secrets and its log.
    form("/orgs/{org}/tokens", Opens::Admins, || web::to(pages::tokens::list), || web::to(pages::tokens::add)),
    form(
        "/orgs/{org}/tokens/{token}/revoke",
        Opens::Admins,
        || web::to(pages::tokens::ask),
        || web::to(pages::tokens::revoke),
    ),
    page("/orgs/{org}/credentials", Opens::Admins, || web::to(pages::credentials::list)),
    form(
        "/orgs/{org}/credentials/new",
        Opens::Admins,
        || web::to(pages::credentials::new),
        || web::to(pages::credentials::add),
    ),
    form(
        "/orgs/{org}/credentials/new/{integration}",
        Opens::Admins,
        || web::to(pages::credentials::form),
        || web::to(pages::credentials::depart),
    ),
    page("/orgs/{org}/credentials/{credential}", Opens::Admins, || web::to(pages::credentials::show)),
    action("/orgs/{org}/credentials/{credential}/test", Opens::Admins, || web::to(pages::credentials::test)),
    action("/orgs/{org}/credentials/{credential}/connect", Opens::Admins, || web::to(pages::credentials::again)),
    action("/orgs/{org}/credentials/{credential}/rotate", Opens::Admins, || web::to(pages::credentials::rotate)),
    action("/orgs/{org}/credentials/{credential}/self-rotation", Opens::Admins, || {
        web::to(pages::credentials::set_self_rotation)
    }),
    form(
        "/orgs/{org}/credentials/{credential}/remove",
        Opens::Admins,
        || web::to(pages::credentials::remove),
        || web::to(pages::credentials::remove),
    ),
    page("/orgs/{org}/audit", Opens::Admins, || web::to(pages::audit::of_organization)),
    page("/orgs/{org}/audit/export", Opens::Admins, || web::to(pages::audit::export_of_organization)),
    // The instance.
    page("/admin/integrations", Opens::Administrators, || web::to(integrations::list)),
    page("/admin/integrations/new/{platform}", Opens::Administrators, || web::to(integrations::new)),
    page("/admin/integrations/{integration}", Opens::Administrators, || web::to(integrations::show)),
    action("/admin/integrations/{integration}/test", Opens::Administrators, || web::to(integrations::test)),
    form(
        "/admin/integrations/{integration}/app",
        Opens::Administrators,
        || web::to(integrations::app::show),
        || web::to(integrations::app::set_out),
    ),
    page("/admin/integrations/{integration}/app/created", Opens::Administrators, || {
        web::to(integrations::app::come_back)
    }),
    action("/admin/integrations/{integration}/app/use", Opens::Administrators, || web::to(integrations::app::lend)),
    action("/admin/integrations/{integration}/app/forget", Opens::Administrators, || {
        web::to(integrations::app::forget)
    }),
    form(
        "/admin/integrations/{integration}/system-hook",
        Opens::Administrators,
        || web::to(integrations::system_hook::show),
        || web::to(integrations::system_hook::make),
    ),
    action("/admin/integrations/{integration}/system-hook/remove", Opens::Administrators, || {
        web::to(integrations::system_hook::remove)
    }),
    page("/admin", Opens::Administrators, || web::to(admin::status::show)),
    page("/admin/organizations", Opens::Administrators, || web::to(admin::organizations::list)),
    form(
        "/admin/organizations/new",
        Opens::Administrators,
        || web::to(admin::organizations::new),
        || web::to(admin::organizations::add),
    ),
    form(
        "/admin/organizations/{organization}",
        Opens::Administrators,
        || web::to(admin::organizations::edit),
        || web::to(admin::organizations::rename),
    ),
    form(
        "/admin/organizations/{organization}/remove",
        Opens::Administrators,
        || web::to(admin::organizations::remove),
        || web::to(admin::organizations::remove),
    ),
    page("/admin/users", Opens::Administrators, || web::to(admin::users::list)),
    form("/admin/users/new", Opens::Administrators, || web::to(admin::users::new), || web::to(admin::users::add)),
    page("/admin/users/{user}", Opens::Administrators, || web::to(admin::user::show)),
    action("/admin/users/{user}/enable", Opens::Administrators, || web::to(admin::user::enable)),
    action("/admin/users/{user}/disable", Opens::Administrators, || web::to(admin::user::disable)),
    action("/admin/users/{user}/promote", Opens::Administrators, || web::to(admin::user::promote)),
    action("/admin/users/{user}/demote", Opens::Administrators, || web::to(admin::user::demote)),
    action("/admin/users/{user}/password", Opens::Administrators, || web::to(admin::user::password)),
    action("/admin/users/{user}/reset-second-factor", Opens::Administrators, || {
        web::to(admin::user::reset_second_factor)
    }),
    form(
        "/admin/users/{user}/remove",
        Opens::Administrators,
        || web::to(admin::user::remove),
        || web::to(admin::user::remove),
    ),
    page("/admin/configuration", Opens::Administrators, || web::to(admin::configuration::show)),
    page("/admin/jobs", Opens::Administrators, || web::to(admin::jobs::list)),
    action("/admin/jobs/retry", Opens::Administrators, || web::to(admin::jobs::retry_failed)),
    page("/admin/jobs/{job}", Opens::Administrators, || web::to(admin::job::show)),
    page("/admin/jobs/{job}/events", Opens::Administrators, || web::to(admin::job::events)),
    page("/admin/jobs/{job}/log", Opens::Administrators, || web::to(admin::job::text)),
    action("/admin/jobs/{job}/retry", Opens::Administrators, || web::to(admin::job::retry)),
    action("/admin/jobs/{job}/cancel", Opens::Administrators, || web::to(admin::job::cancel)),
    page("/admin/audit", Opens::Administrators, || web::to(pages::audit::of_instance)),
    page("/admin/audit/export", Opens::Administrators, || web::to(pages::audit::export_of_instance)),
];

impl Page {
    /// The methods it has, as `Allow` says them.
    #[must_use]
    pub const fn methods(&self) -> &'static str {
        match (self.get.is_some(), self.post.is_some()) {
            (true, true) => "GET, HEAD, POST",
            (true, false) => super::READ,
            _ => "POST",
        }
    }

    /// Registers it.
    pub(super) fn configure(&'static self, config: &mut web::ServiceConfig) {
        let mut resource = web::resource(self.pattern).name(self.pattern);
        if let Some(get) = self.get {
            let reads = actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head());
            resource = resource.route(get().guard(reads));
        }
        if let Some(post) = self.post {
            resource = resource.route(post().guard(actix_web::guard::Post()));
        }
        config.service(resource.default_service(web::to(|| super::wrong_method(self.methods()))));
    }
}

#[cfg(test)]
mod tests {
    use super::PAGES;

    #[test]
    fn patterns_are_unique() {
        for page in PAGES {
            assert_eq!(PAGES.iter().filter(|other| other.pattern == page.pattern).count(), 1, "{}", page.pattern);
        }
    }
}
