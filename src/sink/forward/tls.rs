//! TLS for a connection, by rustls. The receiver proves that it is the host that was named, by a certificate of an authority that
//! this machine trusts, or of one in a file.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::refused::Refused;
use super::socket::{Channel, Socket, is_passing, left};

/// How long the last message may take.
const GOODBYE: Duration = Duration::from_millis(100);

/// What a sender trusts, and what it is.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts the authorities of `authorities`, a PEM file, or those that the machine trusts. `own` is a PEM file with the
    /// sender's certificate and its private key.
    ///
    /// # Errors
    /// A sentence that says which file cannot be used, and why.
    pub fn new(authorities: Option<&Path>, own: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(path) => {
                for certificate in certificates("--ca-file", path)? {
                    roots.add(certificate).map_err(|error| format!("--ca-file {}: {error}", path.display()))?;
                }
            }
            // One that cannot be parsed does not matter as long as there are others.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err("this machine has no certificates of authorities: install ca-certificates, or name a file with --ca-file".into());
                }
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let of_file = |error: String| format!("--cert-file {}: {error}", path.display());
                let key =
                    PrivateKeyDer::from_pem_file(path).map_err(|error| of_file(sentence(&error, "private key")))?;
                builder
                    .with_client_auth_cert(certificates("--cert-file", path)?, key)
                    .map_err(|error| of_file(error.to_string()))?
            }
        };
        Ok(Tls(Arc::new(config)))
    }

    /// Encrypts what goes through a socket to this host.
    ///
    /// # Errors
    /// If the other side is not that host, or does not speak TLS.
    pub fn encrypt(&self, mut socket: Socket, host: &str, deadline: Instant) -> anyhow::Result<Box<dyn Channel>> {
        let name = ServerName::try_from(host.to_owned()).context("TLS needs the name of a host, or its IP address")?;
        let mut session = ClientConnection::new(Arc::clone(&self.0), name)?;
        while session.is_handshaking() {
            left(deadline).context("it does not answer the handshake of TLS")?;
            match session.complete_io(&mut socket) {
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
                    Some(cause) => bail!(Refused(refusal(cause))),
                    None => return Err(error).context("it closes the connection during the handshake of TLS"),
                },
            }
        }
        Ok(Box::new(Encrypted(StreamOwned::new(session, socket))))
    }
}

/// A socket, and what encrypts its bytes.
struct Encrypted(StreamOwned<ClientConnection, Socket>);

impl Channel for Encrypted {
    fn set_deadline(&mut self, deadline: Instant) {
        self.0.sock.set_deadline(deadline);
    }
}

impl Read for Encrypted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Encrypted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Says goodbye. Otherwise Fluentd logs a warning for each connection that ends.
impl Drop for Encrypted {
    fn drop(&mut self) {
        self.set_deadline(Instant::now() + GOODBYE);
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
    }
}

/// The certificates of a PEM file, at least one.
fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{option} {}: {}", path.display(), sentence(&pem::Error::NoItemsFound, "certificate"))),
        Err(error) => Err(format!("{option} {}: {}", path.display(), sentence(&error, "certificate"))),
    }
}

/// Why a file has no such item.
fn sentence(error: &pem::Error, item: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("it has no {item} in PEM format"),
        error => error.to_string(),
    }
}

/// Why the two sides do not get along, and what may help.
fn refusal(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is of an authority that this machine does not trust: name the authority's file with --ca-file".into()
        }
        rustls::Error::InvalidMessage(_) => "it does not speak TLS: leave out tls:".into(),
        error => error.to_string(),
    }
}
