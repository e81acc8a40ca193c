//! How the server is: what needs somebody first, then what it does and takes.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::reach::{self, Reach};
use crate::admin::status::{self, Credential, Known, Lane, Status};
use crate::appliance::vitals::Vitals;
use crate::clock::Timestamp;
use crate::http::page_error::PageError;
use crate::http::pages::components::{
    Problem, Tone, absolute, ago, bytes, counted, duration, head, nothing, number, problems, status as state_of,
};
use crate::http::pages::layout::{self, Here};
use crate::http::visitor::Administers;
use crate::http::{State, tls};
use crate::platform::Level;
use crate::telemetry::rate::requests_per_second;

/// How long before its end a certificate is worth a look, in seconds.
const CERTIFICATE_SOON: i64 = 14 * 86_400;

/// Answers `/admin`.
pub async fn show(administrator: Administers, state: web::Data<State>) -> Result<HttpResponse, PageError> {
    let look = status::look(&state.appliance).await?;
    let now = state.appliance.now();
    let (certificate, reached) = tokio::join!(certificate(&state), reach::look(&state));
    let mut troubles = troubles(&look, certificate.as_ref(), now);
    troubles.extend(reached.iter().filter(|one| one.finding.level == Level::Fail).map(of_platform));
    troubles.sort_by_key(|problem| problem.tone != Tone::Fail);
    let under = html! {
        "As of " (ago(now, now)) ". For programs: " a class="mono" href="/readyz" { "/readyz" } ", "
        a class="mono" href="/metrics" { "/metrics" } ", " code { "packagist-selfhosted check" }
    };
    let reload = html! { a class="btn" href="/admin" { "Check again" } };
    let content = html! {
        (head("Status", &under, &reload))
        div class="sections" {
            (problems(&troubles))
            @if let Some(known) = &look.known { (figures(known, &look.vitals, state.started, now)) }
            (machine(&look))
            (checks(&state, &look, certificate.as_ref(), &reached, now))
            @if let Some(known) = &look.known { (queue(&known.lanes, now)) }
            (version(&state, look.known.as_ref()))
        }
    };
    Ok(layout::page(&administrator.chrome(), Here::Status, "Status", &content))
}

fn of_platform(one: &Reach) -> Problem {
    Problem {
        tone: Tone::Fail,
        what: html! { (one.name) " cannot be used" },
        detail: html! { (one.finding.text) " Nobody can sign in by it. What is published is served on." },
        cure: Some((format!("/admin/integrations/{}", one.id), "Integration".to_owned())),
    }
}

/// The server's own certificate: when it ends, or why that cannot be told.
type Certificate = Result<Timestamp, String>;

async fn certificate(state: &State) -> Option<Certificate> {
    let files = state.settings.tls.clone()?;
    let read = web::block(move || tls::ends_at(&files)).await;
    Some(match read {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    })
}

/// Everything that needs somebody, worst first.
fn troubles(look: &Status, certificate: Option<&Certificate>, now: Timestamp) -> Vec<Problem> {
    let mut all = Vec::new();
    let mut add = |tone, what: &str, detail: Markup, cure: Option<(&str, &str)>| {
        let cure = cure.map(|(address, words)| (address.to_owned(), words.to_owned()));
        all.push(Problem { tone, what: html! { (what) }, detail, cure });
    };
    if let Some(reason) = &look.database {
        let still = "What is published is served on. Webhooks are refused, so that the platforms send them again.";
        add(Tone::Fail, "The database takes no changes", html! { (reason) ". " (still) }, None);
    }
    if let Some(reason) = &look.catalog {
        let still = "What was published before is served on; nothing newer is.";
        add(Tone::Fail, "What is served is older than the database", html! { (reason) ". " (still) }, None);
    }
    if let (Some(reason), None) = (&look.hindrance, &look.database) {
        let detail = html! { "No work is done: " (reason) " What is published is served on, and work goes on by itself once there is room." };
        add(Tone::Fail, "Updates wait", detail, Some(("/admin/jobs", "Jobs")));
    }
    match certificate {
        Some(Err(reason)) => {
            let detail = html! { (reason) ". The one that was read before is in use until it ends." };
            add(Tone::Fail, "The server’s certificate cannot be read", detail, None);
        }
        Some(Ok(end)) if *end <= now => {
            let detail = html! { "Since " (absolute(*end)) ". Browsers and Composer refuse to connect. A new file is taken over by itself." };
            add(Tone::Fail, "The server’s certificate has ended", detail, None);
        }
        Some(Ok(end)) if is_soon(*end, now) => {
            let detail = html! { (ago(*end, now)) ", " (absolute(*end)) ". A new file is taken over by itself." };
            add(Tone::Warn, "The server’s certificate ends soon", detail, None);
        }
        _ => {}
    }
    match &look.known {
        Some(known) => all.extend(of_work(known, now)),
        None => {
            add(Tone::Fail, "The database does not answer questions", html! { "The figures below are missing." }, None)
        }
    }
    all.sort_by_key(|problem| problem.tone != Tone::Fail);
    all
}

fn is_soon(end: Timestamp, now: Timestamp) -> bool {
    end.as_seconds() - now.as_seconds() < CERTIFICATE_SOON
}

fn of_work(known: &Known, now: Timestamp) -> Vec<Problem> {
    let mut all = Vec::new();
    if known.jobs.failed > 0 {
        let what = counted(known.jobs.failed, "job has failed", "jobs have failed");
        let cure = Some(("/admin/jobs?state=failed".to_owned(), "Failed jobs".to_owned()));
        let detail =
            html! { "What failed for good is not tried again by itself. What was published before is served on." };
        all.push(Problem { tone: Tone::Fail, what: html! { (what) }, detail, cure });
    }
    for one in &known.failing {
        let what = match (one.failed, one.held) {
            (0, held) => counted(held, "package waits for a decision", "packages wait for a decision"),
            (failed, _) => counted(failed, "package cannot be updated", "packages cannot be updated"),
        };
        let detail = html! {
            @if one.failed > 0 && one.held > 0 { (counted(one.held, "other waits", "others wait")) " for a decision. " }
            @if let Some(since) = one.since { "The first of them failed " (ago(since, now)) ". " }
            "What was published before is served on."
        };
        let state = if one.failed > 0 { "failed" } else { "held" };
        let cure = Some((format!("/orgs/{}/packages?state={state}", one.slug), "Packages".to_owned()));
        all.push(Problem { tone: Tone::Warn, what: html! { (one.name) ": " (what) }, detail, cure });
    }
    all.extend(known.credentials.iter().map(|credential| of_credential(credential, now)));
    all
}

fn of_credential(one: &Credential, now: Timestamp) -> Problem {
    let ended = one.expires_at.is_some_and(|end| end <= now);
    let (tone, what) = match (ended, one.status.as_str()) {
        (true, _) => (Tone::Fail, "has expired"),
        (false, "refused") => (Tone::Fail, "is refused"),
        _ => (Tone::Warn, "expires soon"),
    };
    Problem {
        tone,
        what: html! { (one.organization) ": the credential " span class="mono" { (one.name) } " " (what) },
        detail: html! {
            @if let Some(end) = one.expires_at { (absolute(end)) ". " }
            "Packages that use it are served as they are, and not updated" @if tone == Tone::Warn { " from then on" } "."
        },
        cure: Some((format!("/orgs/{}/credentials/{}", one.slug, one.name), "Credential".to_owned())),
    }
}

fn figures(known: &Known, vitals: &Vitals, started: Timestamp, now: Timestamp) -> Markup {
    let amounts = &known.amounts;
    let fact = |term: &str, value: Markup| html! { div { dt { (term) } dd { (value) } } };
    let waits = known.lanes.iter().filter_map(|lane| lane.oldest).min();
    html! {
        dl class="facts" {
            (fact("Packages", html! { (number(amounts.packages)) " " small { (counted(amounts.versions, "version", "versions")) } }))
            (fact("Organizations", html! { a href="/admin/organizations" { (number(amounts.organizations)) } }))
            (fact("Users", html! { a href="/admin/users" { (number(amounts.users)) } }))
            (fact("Jobs waiting", html! {
                a href="/admin/jobs" { (number(known.jobs.waiting)) }
                @if let Some(oldest) = waits { " " small { "oldest " (duration(now.since(oldest))) } }
            }))
            (fact("Failed", html! { a href="/admin/jobs?state=failed" { (number(known.jobs.failed)) } }))
            (fact("Requests", html! { (format!("{:.1}", requests_per_second())) " " small { "a second, in the last minute" } }))
            @if let Some(memory) = vitals.memory { (fact("Memory", html! { (bytes(memory)) })) }
            (fact("Started", html! { (ago(started, now)) }))
        }
    }
}

fn machine(look: &Status) -> Markup {
    let vitals = &look.vitals;
    html! {
        section aria-labelledby="h-machine" {
            h2 id="h-machine" { "This server" }
            @if let (Some(disk), Some(free), Some(kept)) = (vitals.disk, vitals.free, vitals.kept_free) {
                @let used = disk.saturating_sub(free);
                @let text = format!("{} of {}", bytes(used), bytes(disk));
                div class="row between small" {
                    span { "Disk of the data directory" }
                    span class="muted" { (text) "; updates stop when less than " (bytes(kept)) " are free" }
                }
                meter class="gap-s" aria-label="Disk used" min="0" max=(disk) low=(disk.saturating_sub(kept.saturating_mul(3)))
                    high=(disk.saturating_sub(kept)) optimum="0" value=(used) { (text) }
            }
        }
    }
}

fn checks(
    state: &State,
    look: &Status,
    certificate: Option<&Certificate>,
    reached: &[Reach],
    now: Timestamp,
) -> Markup {
    let vitals = &look.vitals;
    let size = |amount: Option<u64>| amount.map_or_else(|| "of unknown size".to_owned(), bytes);
    let well = |trouble: bool| if trouble { (Tone::Fail, "Fails") } else { (Tone::Ok, "OK") };
    let row = |name: &str, (tone, word): (Tone, &str), detail: Markup| {
        html! {
            tr {
                th scope="row" class="w-name" { b { (name) } }
                td data-label="State" class="nowrap w-state" { (state_of(tone, word)) }
                td data-label="Detail" class="wide" { (detail) }
            }
        }
    };
    let short = look.hindrance.is_some() && look.database.is_none();
    html! {
        section aria-labelledby="h-checks" {
            h2 id="h-checks" { "Checks" }
            table class="table" {
                caption class="sr" { "Checks of this server" }
                thead {
                    tr {
                        th scope="col" class="w-name" { "Check" }
                        th scope="col" class="nowrap w-state" { "State" }
                        th scope="col" class="wide" { "Detail" }
                    }
                }
                tbody {
                    (row("Database", well(look.database.is_some()), html! {
                        (size(vitals.database)) ", journal " (size(vitals.journal)) ", in " code { (state.appliance.settings.data_dir.display()) }
                    }))
                    (row("Catalog", well(look.catalog.is_some()), html! { "What Composer is answered from is " (if look.catalog.is_some() { "behind the database" } else { "as new as the database" }) }))
                    (row("Disk", well(short), html! { (size(vitals.free)) " free" }))
                    @if let Some(known) = &look.known {
                        (row("Archives", (Tone::Ok, "OK"), html! {
                            (counted(known.amounts.archives, "archive", "archives")) ", "
                            (bytes(u64::try_from(known.amounts.archive_bytes).unwrap_or(0)))
                        }))
                        (row("Webhooks", (Tone::Ok, "OK"), html! { (counted(i64::try_from(known.hooks).unwrap_or(i64::MAX), "address takes", "addresses take")) " pushes" }))
                    }
                    (certificate_row(certificate, now, row))
                    @for one in reached {
                        @let state = match one.finding.level {
                            Level::Ok => (Tone::Ok, "OK"),
                            Level::Warn => (Tone::Warn, "Look at it"),
                            Level::Fail => (Tone::Fail, "Fails"),
                        };
                        (row(&one.name, state, html! { (one.finding.text) }))
                    }
                    (clock_row(reached, now, row))
                }
            }
        }
    }
}

/// The platforms say what time it is; where they do not agree with this machine, their findings tell so.
fn clock_row(reached: &[Reach], now: Timestamp, row: impl Fn(&str, (Tone, &str), Markup) -> Markup) -> Markup {
    let differs = reached.iter().any(|one| one.finding.text.starts_with("The clocks of"));
    let state = if differs { (Tone::Warn, "Differs") } else { (Tone::Ok, "OK") };
    let with = if reached.is_empty() { "no platform to compare it with" } else { "as the platforms say" };
    row("Clock", state, html! { (absolute(now)) ", " (if differs { "which a platform contradicts" } else { with }) })
}

fn certificate_row(
    certificate: Option<&Certificate>,
    now: Timestamp,
    row: impl Fn(&str, (Tone, &str), Markup) -> Markup,
) -> Markup {
    match certificate {
        None => nothing(),
        Some(Err(reason)) => row("Certificate", (Tone::Fail, "Unreadable"), html! { (reason) }),
        Some(Ok(end)) => {
            let state = match *end {
                end if end <= now => (Tone::Fail, "Ended"),
                end if is_soon(end, now) => (Tone::Warn, "Ends soon"),
                _ => (Tone::Ok, "OK"),
            };
            row(
                "Certificate",
                state,
                html! { "until " (absolute(*end)) ", read again by itself when its file changes" },
            )
        }
    }
}

/// The lanes of the queue with what people call them, in the order of their urgency.
const LANES: [(&str, &str); 3] =
    [("hook", "Webhooks"), ("prompt", "What somebody waits for"), ("sweep", "What is due by schedule")];

fn queue(lanes: &[Lane], now: Timestamp) -> Markup {
    let of = |name: &str| lanes.iter().find(|lane| lane.name == name).cloned().unwrap_or_default();
    html! {
        section aria-labelledby="h-queue" {
            div class="head" { h2 id="h-queue" { "Queue" } a class="small" href="/admin/jobs" { "All jobs" } }
            table class="table" {
                caption class="sr" { "Queue by lane" }
                thead {
                    tr {
                        th scope="col" { "Lane" }
                        th scope="col" class="num" { "Running" }
                        th scope="col" class="num" { "Waiting" }
                        th scope="col" class="num" { "Oldest" }
                        th scope="col" class="num" { "Done, 1 h" }
                        th scope="col" class="num" { "Failed, 24 h" }
                    }
                }
                tbody {
                    @for (name, words) in LANES {
                        @let lane = of(name);
                        tr {
                            th scope="row" { (words) }
                            td data-label="Running" class="num" { (number(lane.running)) }
                            td data-label="Waiting" class="num" { (number(lane.waiting)) }
                            td data-label="Oldest" class="num" { @if let Some(oldest) = lane.oldest { (duration(now.since(oldest))) } }
                            td data-label="Done, 1 h" class="num" { (number(lane.done)) }
                            td data-label="Failed, 24 h" class="num" { (number(lane.failed)) }
                        }
                    }
                }
            }
        }
    }
}

fn version(state: &State, known: Option<&Known>) -> Markup {
    html! {
        section aria-labelledby="h-version" {
            h2 id="h-version" { "Version" }
            dl class="kv" {
                dt { "Program" } dd { (env!("CARGO_PKG_VERSION")) ", started " (absolute(state.started)) }
                dt { "Configuration" } dd { a href="/admin/configuration" { "Effective values" } }
                @if let Some(known) = known { dt { "Database schema" } dd { (known.schema) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, of_credential, troubles};
    use crate::admin::status::{Credential, Status};
    use crate::appliance::vitals::Vitals;
    use crate::clock::Timestamp;
    use crate::http::pages::components::Tone;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_348_800);

    #[test]
    fn what_is_broken_comes_before_what_will_be() {
        let end: Certificate = Ok(Timestamp::from_seconds(NOW.as_seconds() + 86_400));
        let look = Status {
            database: Some("disk I/O error".to_owned()),
            catalog: None,
            hindrance: Some("the database cannot be written (disk I/O error).".to_owned()),
            vitals: Vitals::default(),
            known: None,
        };
        let told: Vec<_> = troubles(&look, Some(&end), NOW)
            .into_iter()
            .map(|problem| (problem.tone, problem.what.into_string()))
            .collect();
        assert_eq!(told[0], (Tone::Fail, "The database takes no changes".to_owned()));
        assert_eq!(told.last().map(|last| last.0), Some(Tone::Warn));
        assert_eq!(told.len(), 3, "one cause is told once: {told:?}");
    }

    #[test]
    fn a_credential_says_whether_it_is_over() {
        let with = |status: &str, end: Option<i64>| Credential {
            slug: "acme".to_owned(),
            organization: "Acme".to_owned(),
            name: "deploy".to_owned(),
            status: status.to_owned(),
            expires_at: end.map(|days| Timestamp::from_seconds(NOW.as_seconds() + days * 86_400)),
        };
        let told = |credential: &Credential| {
            let problem = of_credential(credential, NOW);
            (problem.tone, problem.what.into_string().contains("soon"))
        };
        assert_eq!(told(&with("ok", Some(-1))), (Tone::Fail, false));
        assert_eq!(told(&with("refused", None)), (Tone::Fail, false));
        assert_eq!(told(&with("ok", Some(3))), (Tone::Warn, true));
    }
}
