//! A web server for tests that holds files: HTTPS with a certificate of a private authority, with a log of every request and
//! answers to order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, LOCATION};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use super::certificates::Authority;

/// What is answered at one path.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These bytes.
    File(Vec<u8>),
    /// These bytes, to whoever shows this `Authorization`; 401 to everybody else.
    For(&'static str, Vec<u8>),
    /// This status.
    Status(u16),
    /// A redirect.
    Redirect(String),
}

/// A request: its path, and what it showed.
pub type Seen = (String, Option<String>);

#[derive(Default)]
struct State {
    answers: Mutex<HashMap<String, Answer>>,
    log: Mutex<Vec<Seen>>,
}

/// A running server; it stops when dropped.
pub struct FileServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
    handle: ServerHandle,
}

impl FileServer {
    /// Starts one, with a certificate of this authority.
    pub fn start(authority: &Authority) -> Self {
        let state = Arc::new(State::default());
        let (sender, receiver) = std::sync::mpsc::channel();
        let (shared, tls) = (Arc::clone(&state), authority.server.clone());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app =
                    move || App::new().app_data(web::Data::from(Arc::clone(&shared))).default_service(web::to(answer));
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind_rustls_0_23(("127.0.0.1", 0), tls).expect("a free port");
                let port = server.addrs()[0].port();
                let server = server.run();
                sender.send((port, server.handle())).expect("the test waits for it");
                server.await
            })
        });
        let (port, handle) = receiver.recv().expect("the server starts");
        Self { port, state, handle }
    }

    /// The address of a file, by the name `localhost`.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.port)
    }

    /// Answers so at this path from now on.
    pub fn put(&self, path: &str, answer: Answer) {
        self.state.answers.lock().expect("no panic").insert(format!("/{path}"), answer);
    }

    /// The requests since the last call.
    pub fn take_log(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.log.lock().expect("no panic"))
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        // The command is sent at once; nobody waits for the end.
        drop(self.handle.stop(false));
    }
}

async fn answer(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    state.log.lock().expect("no panic").push((request.path().to_owned(), shown.clone()));
    let answer = state.answers.lock().expect("no panic").get(request.path()).cloned();
    match answer {
        Some(Answer::File(bytes)) => HttpResponse::Ok().body(bytes),
        Some(Answer::For(who, bytes)) if shown.as_deref() == Some(who) => HttpResponse::Ok().body(bytes),
        Some(Answer::For(..)) => HttpResponse::Unauthorized().finish(),
        Some(Answer::Status(status)) => HttpResponse::build(StatusCode::from_u16(status).expect("a status")).finish(),
        Some(Answer::Redirect(to)) => HttpResponse::Found().insert_header((LOCATION, to)).finish(),
        None => HttpResponse::NotFound().finish(),
    }
}
