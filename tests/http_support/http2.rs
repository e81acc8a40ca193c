//! HTTP/2 by hand, for what no decent client sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long the server may take with a frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub payload: Vec<u8>,
}

/// A connection on which the settings were exchanged.
pub struct Connection {
    io: TlsStream<TcpStream>,
    /// What the server set.
    pub settings: Vec<(u16, u32)>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let anybody = Arc::new(Anybody(provider.signature_verification_algorithms));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(address).await.expect("the server listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut io = TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("TLS");
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
        let mut connection = Self { io, settings: Vec::new() };
        connection.frame(4, 0, 0, &[]).await;
        let first = connection.next().await.expect("settings come first");
        assert_eq!((first.kind, first.flags), (4, 0));
        connection.settings = first
            .payload
            .chunks(6)
            .map(|setting| {
                let (name, value) = setting.split_at(2);
                (u16::from_be_bytes(name.try_into().expect("2")), u32::from_be_bytes(value.try_into().expect("4")))
            })
            .collect();
        connection.frame(4, 1, 0, &[]).await;
        connection
    }

    /// Sends a frame; whether it could be.
    pub async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        self.io.write_all(&bytes).await.is_ok() && self.io.flush().await.is_ok()
    }

    /// Sends a request, whose body has come (`whole`) or is to come; whether it could be sent.
    pub async fn request(&mut self, stream: u32, method: &str, path: &str, whole: bool) -> bool {
        self.frame(1, if whole { 5 } else { 4 }, stream, &head(method, path)).await
    }

    /// Takes a request back.
    pub async fn reset(&mut self, stream: u32) -> bool {
        self.frame(3, 0, stream, &8u32.to_be_bytes()).await
    }

    /// Sends a request with `count` headers of one kilobyte each, in few bytes.
    pub async fn bomb(&mut self, stream: u32, path: &str, count: usize) -> bool {
        let mut block = head("GET", path);
        // A literal with a new name, kept in the table as entry 62.
        block.push(0x40);
        string(&mut block, b"x");
        string(&mut block, &[b'x'; 1000]);
        block.extend(std::iter::repeat_n(0x80 | 62, count));
        self.frame(1, 5, stream, &block).await
    }

    /// The next frame that matters; none when the connection ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.read()).await.expect("the server says something")?;
            match (frame.kind, frame.flags) {
                // Acknowledged settings, windows and pings.
                (4, 1) | (8, _) => {}
                (6, 0) => {
                    self.frame(6, 1, 0, &frame.payload).await;
                }
                _ => return Some(frame),
            }
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.io.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("it fits")];
        self.io.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind: head[3], flags: head[4], payload })
    }
}

/// A request's head as HPACK has it (RFC 7541), without compression beyond the static table.
fn head(method: &str, path: &str) -> Vec<u8> {
    // :scheme https
    let mut block = vec![0x87];
    for (name, value) in [(2, method), (4, path), (1, "localhost")] {
        // A literal that is not kept, with a name of the static table.
        block.push(name);
        string(&mut block, value.as_bytes());
    }
    block
}

/// A string without Huffman's code.
fn string(block: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => block.push(length),
        _ => {
            block.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                block.push(0x80 | u8::try_from(rest % 128).expect("small"));
                rest /= 128;
            }
            block.push(u8::try_from(rest).expect("small"));
        }
    }
    block.extend(text);
}

/// Trusts every certificate: the tests make a new one each.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
