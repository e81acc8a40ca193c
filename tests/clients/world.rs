//! A server with an organization, packages, a token and a certificate; and what its process uses.

use std::fmt;
use std::fs;

use crate::installation::Installation;
use crate::work_tree::WorkTree;

/// Everything a test acts on.
pub struct World {
    pub installation: Installation,
    pub token: String,
    /// `acme/p00` and so on, each with the content of its file.
    pub packages: Vec<(String, String)>,
    /// The certificate, which vouches for itself.
    pub ca: String,
}

impl World {
    /// A server over HTTPS, or without.
    pub fn start(count: usize, https: bool) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let tls = https.then(|| (made.cert.pem(), made.signing_key.serialize_pem()));
        let installation = Installation::start_with(None, tls);
        installation.command("org add acme").done();
        let mut packages = Vec::new();
        for number in 0..count {
            let name = format!("acme/p{number:02}");
            // Too large for the buffers of a connection, and not compressible.
            let content = noise(number, if number == 0 { 6 << 20 } else { 2000 });
            let tree = WorkTree::init(&installation.repositories.join(format!("p{number:02}")));
            tree.release(&name, &content);
            tree.git(&["tag", "1.0.0"]);
            installation.command(&format!("package add {}", tree.url())).done();
            packages.push((name, content));
        }
        installation.command("package update --all --wait").done();
        let token = installation.command("token add --access read").done();
        Self { installation, token, packages, ca: made.cert.pem() }
    }

    /// Where the server is.
    pub fn url(&self, path: &str) -> String {
        self.installation.url(path)
    }

    /// What the process uses.
    pub fn uses(&self) -> Uses {
        let process = format!("/proc/{}", self.installation.server.as_ref().unwrap().id());
        let files = fs::read_dir(format!("{process}/fd")).unwrap().count();
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Uses { files, threads: number("Threads:"), kilobytes: number("VmRSS:") }
    }

    /// The value of a metric without labels, or of the first with.
    pub fn metric(&self, name: &str) -> f64 {
        let (status, text) = self.installation.get("/metrics", "");
        assert_eq!(status, 200);
        let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().unwrap())
    }
}

/// What a process uses.
#[derive(Clone, Copy)]
pub struct Uses {
    pub files: usize,
    pub threads: usize,
    pub kilobytes: usize,
}

impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {} threads, {} MB", self.files, self.threads, self.kilobytes >> 10)
    }
}

/// Text that gzip does nothing for, the same each time.
fn noise(seed: usize, length: usize) -> String {
    let mut state = u64::try_from(seed).unwrap() * 2 + 1;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(33 + u8::try_from((state >> 33) % 90).unwrap())
    });
    letters.take(length).collect()
}
