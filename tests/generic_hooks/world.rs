//! An instance that reaches Amazon through a proxy, and one package with a webhook.

use std::net::SocketAddr;
use std::time::Duration;

use packagist_selfhosted::access::token;
use packagist_selfhosted::appliance::Appliance;
use packagist_selfhosted::clock::{Clock, Timestamp};
use packagist_selfhosted::http::{self, Server, State};
use packagist_selfhosted::jobs::Workers;
use packagist_selfhosted::jobs::build_dist::Dists;
use packagist_selfhosted::outbound;
use packagist_selfhosted::platform::generic::sns::{Doubt, Message, Notary, Urgency};
use packagist_selfhosted::secrets::random;
use packagist_selfhosted::store::hook_topics::{self, Topic};
use packagist_selfhosted::store::hooks::{self, Delivery};
use packagist_selfhosted::store::ids::{OrgId, PackageId};
use packagist_selfhosted::store::{organizations, packages};
use packagist_selfhosted::telemetry::metrics;
use packagist_selfhosted::vcs::{SourceUrl, UrlPolicy};
use serde_json::Value;
use tempfile::TempDir;

use crate::amazon::{Amazon, Version};
use crate::client::{Request, Response};
use crate::forward_proxy::ForwardProxy;
use crate::instance;

/// When the tests begin.
pub const START: Timestamp = Timestamp::from_seconds(1_795_348_800);
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything a test acts on.
pub struct World {
    pub appliance: Appliance,
    pub clock: Clock,
    pub amazon: Amazon,
    pub proxy: ForwardProxy,
    pub address: SocketAddr,
    pub hook: String,
    outbound: outbound::Settings,
    org: OrgId,
    package: PackageId,
    workers: Option<Workers>,
    _server: Server,
    _folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Amazon::new()).await
    }

    pub async fn with(amazon: Amazon) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (proxy, clock) = (ForwardProxy::start(None), Clock::manual(START));
        proxy.divert(443, amazon.serve().await);
        let outbound = outbound::Settings {
            proxy: Some(format!("http://{}", proxy.address)),
            ca_bundle: Some(amazon.authority.clone()),
            ..outbound::Settings::default()
        };
        let opened = instance::open_with(&folder.path().join("data"), clock.clone(), outbound.clone()).await;
        let appliance = opened.expect("the instance opens");
        let hook = "0123456789abcdef".repeat(4);
        let digest = token::digest_of(hook.as_bytes());
        let made = appliance.database.write(move |tx| {
            let org = organizations::insert(tx, "acme", "Acme", START)?;
            let new = packages::New {
                url: "https://git-codecommit.us-east-2.amazonaws.com/v1/repos/lib".to_owned(),
                url_key: "git-codecommit.us-east-2.amazonaws.com/v1/repos/lib".to_owned(),
                vcs: "git".to_owned(),
                credential: None,
                fork: false,
                next_check_at: START + Duration::from_secs(24 * 60 * 60),
            };
            let package = packages::insert(org, tx, &new, START)?;
            hooks::insert(org, tx, package, &digest, START)?;
            Ok::<_, packagist_selfhosted::store::Error>((org, package))
        });
        let (org, package) = made.await.expect("the store takes it");
        let settings = http::Settings {
            listen: vec!["127.0.0.1:0".parse().expect("an address")],
            tls: None,
            trusted_proxies: Vec::new(),
            metrics_token: None,
            public_url: "https://packages.example.com".to_owned(),
            limits: http::connections::Limits::of_files(1024),
            integrations: Vec::new(),
            configuration: Vec::new(),
            own: None,
        };
        let state = State::new(appliance.clone(), Dists::new(appliance.clone()), metrics::install(), settings);
        let server = Server::start(state).expect("the server starts");
        let address = server.addresses()[0];
        Self {
            appliance,
            clock,
            amazon,
            proxy,
            address,
            hook,
            outbound,
            org,
            package,
            workers: None,
            _server: server,
            _folder: folder,
        }
    }

    /// From now on, jobs are worked on.
    pub async fn work(&mut self) {
        self.workers = Some(Workers::start(self.appliance.clone(), 1).await.expect("workers start"));
    }

    /// Stops the work.
    pub async fn stop(mut self) {
        if let Some(workers) = self.workers.take() {
            workers.stop().await;
        }
    }

    /// Has the certificate fetched, or found missing, so that no call has to wait for it.
    pub async fn warm(&self) {
        let message = self.amazon.notification(Version::Two, "", START).to_string();
        let message = Message::read(message.as_bytes()).expect("a message").expect("one of SNS");
        // Where it is missing, that is what is to be known.
        let _ = self.appliance.notary.check(&message, Urgency::Job, START).await;
    }

    /// What a process that starts anew with the same data says of a message.
    pub async fn judge_after_restart(&self, message: &Value) -> Result<(), Doubt> {
        let message = Message::read(message.to_string().as_bytes()).expect("a message").expect("one of SNS");
        let folder = self.appliance.settings.data_dir.join("certificates");
        let notary = Notary::new(self.outbound.clone()).keeping(folder);
        notary.check(&message, Urgency::Job, self.clock.now()).await
    }

    /// The organization's package of an address; a new one, where there is none.
    pub async fn package_at(&self, url: &str) -> PackageId {
        let org = self.org;
        let key = SourceUrl::parse(url, &UrlPolicy::default()).expect("an address").key();
        let found = self.appliance.database.read({
            let key = key.clone();
            move |db| packages::by_url_key(org, db, &key)
        });
        if let Some(package) = found.await.expect("the store answers") {
            return package.id;
        }
        let new = packages::New {
            url: url.to_owned(),
            url_key: key,
            vcs: "git".to_owned(),
            credential: None,
            fork: false,
            next_check_at: START + Duration::from_secs(24 * 60 * 60),
        };
        let made = self.appliance.database.write(move |tx| packages::insert(org, tx, &new, START));
        made.await.expect("the store takes it")
    }

    /// A webhook of a package.
    pub async fn hook_of(&self, package: PackageId) -> String {
        let (org, hook) = (self.org, random::hex::<32>());
        let digest = token::digest_of(hook.as_bytes());
        let made = self.appliance.database.write(move |tx| hooks::insert(org, tx, package, &digest, START));
        made.await.expect("the store takes it");
        hook
    }

    /// The packages whose update waits, and the commits that each waits for.
    pub async fn updates(&self) -> Vec<(PackageId, Vec<String>)> {
        let question = self.appliance.database.read(|db| {
            let jobs = db
                .prepare(
                    "SELECT package_id, payload FROM job WHERE state = 'ready' AND kind = 'update_package' ORDER BY 1",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<Vec<(PackageId, String)>, _>>()?;
            Ok::<_, packagist_selfhosted::store::Error>(jobs)
        });
        let commits = |payload: &str| {
            let payload: Value = serde_json::from_str(payload).expect("JSON");
            let announced = payload["announced"].as_array().cloned().unwrap_or_default();
            announced.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let found = question.await.expect("the store answers");
        found.into_iter().map(|(package, payload)| (package, commits(&payload))).collect()
    }

    /// Posts a message as SNS does.
    pub async fn post(&self, message: &Value) -> Response {
        let kind = message["Type"].as_str().expect("a type");
        let headers = [("Content-Type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", kind)];
        self.post_with(&headers, message.to_string().as_bytes()).await
    }

    pub async fn post_with(&self, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut request = Request::new(self.address, "POST", &format!("/hooks/{}", self.hook));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(body).send().await
    }

    /// The arguments of the waiting jobs of a kind; of every kind, if it is empty.
    pub async fn jobs(&self, kind: &'static str) -> Vec<String> {
        let question = self.appliance.database.read(move |db| {
            let jobs = db
                .prepare("SELECT payload FROM job WHERE state = 'ready' AND (?1 = '' OR kind = ?1)")?
                .query_map([kind], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok::<_, packagist_selfhosted::store::Error>(jobs)
        });
        question.await.expect("the store answers")
    }

    /// Ends the waiting jobs, as if they were done.
    pub async fn finish_jobs(&self) {
        let done = self.appliance.database.write(|tx| {
            tx.execute("UPDATE job SET state = 'done' WHERE state = 'ready'", [])?;
            Ok::<_, packagist_selfhosted::store::Error>(())
        });
        done.await.expect("the store takes it");
    }

    /// Forgets what was delivered.
    pub async fn forget_deliveries(&self) {
        let done = self.appliance.database.write(|tx| {
            tx.execute("DELETE FROM delivery", [])?;
            Ok::<_, packagist_selfhosted::store::Error>(())
        });
        done.await.expect("the store takes it");
    }

    /// Has all topics refused, as their jobs would.
    pub async fn refuse_topics(&self) {
        let done = self.appliance.database.write(|tx| {
            tx.execute("UPDATE hook_topic SET state = 'refused'", [])?;
            Ok::<_, packagist_selfhosted::store::Error>(())
        });
        done.await.expect("the store takes it");
    }

    /// What was delivered, newest first.
    pub async fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries_of(self.package).await
    }

    /// The same, to another package's webhook.
    pub async fn deliveries_of(&self, package: PackageId) -> Vec<Delivery> {
        let org = self.org;
        self.appliance
            .database
            .read(move |db| hooks::deliveries(org, db, package, 50))
            .await
            .expect("the store answers")
    }

    pub async fn topics(&self) -> Vec<Topic> {
        let (org, package) = (self.org, self.package);
        self.appliance
            .database
            .read(move |db| hook_topics::of_package(org, db, package))
            .await
            .expect("the store answers")
    }

    /// The only topic, once it is as wanted.
    pub async fn topic_that(&self, is_wanted: impl Fn(&Topic) -> bool) -> Topic {
        let found = tokio::time::timeout(PATIENCE, async {
            let mut work = self.appliance.work.clone();
            loop {
                work.borrow_and_update();
                if let Some(topic) = self.topics().await.pop().filter(&is_wanted) {
                    return topic;
                }
                // A change may be told before this watch began; the time-out makes up for it.
                let _ = tokio::time::timeout(Duration::from_millis(200), work.changed()).await;
            }
        });
        found.await.expect("the topic comes to be as wanted")
    }
}
