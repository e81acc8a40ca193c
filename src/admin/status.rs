//! How the instance is: what its administrators look at first.

use std::time::Duration;

use super::Result;
use crate::appliance::vitals::Vitals;
use crate::appliance::{Appliance, NoAnswer};
use crate::store::job_lists::Counts;
use crate::store::{figures, hooks, job_lists};

pub use crate::store::figures::{Amounts, Credential, Failing};
pub use crate::store::job_lists::Lane;

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before a credential ends somebody should see to it.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The same of one whose token replaces itself.
const VERY_SOON: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// How many credentials are told.
const TOLD: i64 = 50;

/// How the instance is at this moment.
#[derive(Debug)]
pub struct Status {
    /// Why the database does not take changes, if so.
    pub database: Option<String>,
    /// Why what is served is older than the database, if so.
    pub catalog: Option<String>,
    /// Why no work can be done, if so.
    pub hindrance: Option<String>,
    /// What it takes of the machine.
    pub vitals: Vitals,
    /// What the database knows; none if it could not be read.
    pub known: Option<Known>,
}

/// What the database tells of the instance.
#[derive(Debug)]
pub struct Known {
    /// How much there is.
    pub amounts: Amounts,
    /// Organizations with packages that need somebody.
    pub failing: Vec<Failing>,
    /// Credentials that do not open what they are for, or not for long.
    pub credentials: Vec<Credential>,
    /// Jobs by state.
    pub jobs: Counts,
    /// The queue by lane.
    pub lanes: Vec<Lane>,
    /// Webhooks that are in use.
    pub hooks: usize,
    /// The newest migration.
    pub schema: i64,
}

/// Looks at everything.
///
/// # Errors
/// Never for what is wrong with the instance: that is what the answer tells.
pub async fn look(appliance: &Appliance) -> Result<Status> {
    let database = match appliance.require_answers(PATIENCE).await {
        Ok(()) => None,
        Err(NoAnswer::Refused(error)) => Some(error.to_string()),
        Err(NoAnswer::Silent) => Some("it does not answer".to_owned()),
    };
    let now = appliance.now();
    let reading = appliance.database.read(move |db| {
        Ok::<_, crate::store::Error>(Known {
            amounts: figures::amounts(db)?,
            failing: figures::failing(db)?,
            credentials: figures::credentials(db, (now + SOON, now + VERY_SOON), TOLD)?,
            jobs: job_lists::counts(db, &job_lists::Filter::default())?,
            lanes: job_lists::lanes(db, now, now - HOUR, now - DAY)?,
            hooks: hooks::addresses(db)?.len(),
            schema: figures::schema(db)?,
        })
    });
    // A disk that hangs must not hang the page that says so.
    let known = tokio::time::timeout(PATIENCE, reading).await.ok().and_then(std::result::Result::ok);
    let looking = appliance.clone();
    let vitals = tokio::task::spawn_blocking(move || looking.vitals());
    let vitals = tokio::time::timeout(PATIENCE, vitals).await.ok().and_then(std::result::Result::ok);
    Ok(Status {
        database,
        catalog: appliance.catalog.trouble().map(|trouble| trouble.to_string()),
        hindrance: appliance.hindrance(),
        vitals: vitals.unwrap_or_default(),
        known,
    })
}
