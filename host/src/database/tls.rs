//! TLS by rustls: libpq's sslmodes, root certificates, client certificates.
//!
//! As libpq, but: a root certificate that is named must be readable in every mode (libpq passes
//! over a missing one below verify-ca); TLS 1.2 is the oldest; a verified certificate must be of
//! X.509 version 3. With require, `~/.postgresql/root.crt` is verified against, as there.
//!
//! Nothing here runs until a connection is about to use TLS: a Unix socket never pays for it.

use crate::error::{Code, Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::der::oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use x509_cert::der::{Decode, Encode};

/// libpq's sslmode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(super) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub(super) const NAMES: &[(&str, SslMode)] = &[
        ("disable", SslMode::Disable),
        ("allow", SslMode::Allow),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];
}

/// Where the trusted root certificates are.
#[derive(Clone)]
pub(super) enum Roots {
    File(PathBuf),
    /// The operating system's.
    System,
}

/// What the connection string says about TLS.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) mode: SslMode,
    pub(super) roots: Option<Roots>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) send_certificate: bool,
    pub(super) server_name: bool,
    pub(super) only_tls13: bool,
    /// For `~/.postgresql/`, libpq's place for certificates.
    pub(super) home: Option<PathBuf>,
}

/// The options, and the connector once it was needed; copies of an address share it.
#[derive(Clone)]
pub(super) struct Lazy {
    pub(super) options: Options,
    connector: Arc<OnceLock<MakeRustlsConnect>>,
}

impl Lazy {
    pub(super) fn new(options: Options) -> Self {
        Lazy {
            options,
            connector: Arc::default(),
        }
    }

    /// Reads the certificates, the first time.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector.clone());
        }
        let connector = MakeRustlsConnect::new(self.options.config()?);
        Ok(self.connector.get_or_init(|| connector).clone())
    }
}

impl Options {
    fn default_file(&self, name: &str) -> Option<PathBuf> {
        let path = self.home.as_ref()?.join(".postgresql").join(name);
        path.exists().then_some(path)
    }

    /// As libpq: a root certificate that is named, or lies in `~/.postgresql/root.crt`, is verified
    /// against in every mode; verify-ca and verify-full insist on one.
    fn verification(&self) -> Result<Option<Chain>> {
        let roots = match &self.roots {
            Some(roots) => Some(roots.clone()),
            None => self.default_file("root.crt").map(Roots::File),
        };
        match roots {
            Some(Roots::File(path)) => Ok(Some(Chain::from_file(&path)?)),
            Some(Roots::System) => Ok(Some(Chain::system()?)),
            None if self.mode >= SslMode::VerifyCa => {
                Err(broken("sslrootcert", "no root certificate is given")
                    .hint("name the file of the certificate authority by sslrootcert, or say sslrootcert=system for the operating system's"))
            }
            None => Ok(None),
        }
    }

    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
        if !self.send_certificate {
            return Ok(None);
        }
        let Some(path) = self
            .certificate
            .clone()
            .or_else(|| self.default_file("postgresql.crt"))
        else {
            return Ok(None);
        };
        let chain = certificates("sslcert", &path)?;
        let Some(path) = self
            .key
            .clone()
            .or_else(|| self.default_file("postgresql.key"))
        else {
            return Err(broken("sslkey", "a client certificate needs its key")
                .hint("name the key's file by sslkey"));
        };
        let shown = path.display();
        let metadata = std::fs::metadata(&path)
            .map_err(|error| broken("sslkey", format_args!("{shown}: {error}")))?;
        let forbidden = if metadata.uid() == 0 { 0o027 } else { 0o077 };
        if metadata.mode() & forbidden != 0 {
            return Err(broken(
                "sslkey",
                format_args!("{shown}: group or others may read it"),
            )
            .hint(format!("chmod 600 {shown}")));
        }
        let key = PrivateKeyDer::from_pem_file(&path).map_err(|error| {
            broken("sslkey", format_args!("{shown}: {error}"))
                .hint("a key in PEM, without a password")
        })?;
        Ok(Some((chain, key)))
    }

    fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let versions: &[&rustls::SupportedProtocolVersion] = if self.only_tls13 {
            &[&rustls::version::TLS13]
        } else {
            rustls::DEFAULT_VERSIONS
        };
        let verifier = Verifier {
            chain: self.verification()?,
            name: self.mode == SslMode::VerifyFull,
            algorithms,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| Error::new(Code::Internal, "failed to set up TLS").cause(error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.identity()? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                broken(
                    "sslcert",
                    format_args!("the certificate and sslkey do not fit: {error}"),
                )
            })?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.server_name;
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(config)
    }
}

fn broken(key: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::ConfigInvalid, format!("failed to read {key}")).cause(why)
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let shown = path.display();
    match all {
        Ok(all) if all.is_empty() => Err(broken(
            key,
            format_args!("{shown}: it holds no certificate in PEM"),
        )),
        Ok(all) => Ok(all),
        Err(error) => Err(broken(key, format_args!("{shown}: {error}"))),
    }
}

/// The certificates that are trusted.
#[derive(Debug)]
struct Chain {
    roots: RootCertStore,
    /// As they were in the file: a self-signed server certificate may be named as its own root.
    listed: Vec<CertificateDer<'static>>,
}

impl Chain {
    fn from_file(path: &Path) -> Result<Self> {
        let listed = certificates("sslrootcert", path)?;
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots.add(certificate.clone()).map_err(|error| {
                broken("sslrootcert", format_args!("{}: {error}", path.display()))
            })?;
        }
        Ok(Chain { roots, listed })
    }

    fn system() -> Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let error = broken(
                "sslrootcert=system",
                "the operating system has no root certificates",
            );
            let error = found
                .errors
                .iter()
                .fold(error, |error, why| error.cause(why));
            return Err(error.hint("install them (Debian: ca-certificates), or name a file"));
        }
        Ok(Chain {
            roots,
            listed: Vec::new(),
        })
    }
}

/// Checks the server's certificate as far as sslmode asks; its signature of the handshake always,
/// for channel binding rests on it.
#[derive(Debug)]
struct Verifier {
    chain: Option<Chain>,
    name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let parsed = ParsedCertificate::try_from(certificate)?;
        if chain.listed.contains(certificate) {
            in_force(certificate, now)?;
        } else {
            let all = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &chain.roots,
                intermediates,
                now,
                all,
            )?;
        }
        if self.name
            && let Err(error) = verify_server_name(&parsed, name)
            && !common_name_fits(certificate, &name.to_str())
        {
            return Err(error);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if ParsedCertificate::try_from(certificate).is_ok() {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        }
        // An X.509 version 1 certificate, which `openssl x509 -req` makes and webpki does not read:
        // without verification its key is all that counts.
        let info = x509_cert::Certificate::from_der(certificate)
            .and_then(|certificate| certificate.tbs_certificate.subject_public_key_info.to_der())
            .map_err(|_| CertificateError::BadEncoding)?;
        let info = SubjectPublicKeyInfoDer::from(info);
        verify_tls13_signature_with_raw_key(message, &info, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn in_force(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let certificate =
        x509_cert::Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = certificate.tbs_certificate.validity;
    if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// As libpq: a certificate without alternative names is for the host that its common name says.
fn common_name_fits(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let Ok(certificate) = x509_cert::Certificate::from_der(certificate) else {
        return false;
    };
    let certificate = certificate.tbs_certificate;
    let mut extensions = certificate.extensions.iter().flatten();
    if extensions.any(|extension| extension.extn_id == ID_CE_SUBJECT_ALT_NAME) {
        return false;
    }
    let attributes = certificate.subject.0.iter().flat_map(|part| part.0.iter());
    let mut names = attributes.filter(|attribute| attribute.oid == CN);
    let (Some(name), None) = (names.next(), names.next()) else {
        return false;
    };
    std::str::from_utf8(name.value.value()).is_ok_and(|name| name_fits(name, host))
}

/// A `*.` at the start stands for exactly one label.
fn name_fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => host
            .split_once('.')
            .is_some_and(|(label, tail)| !label.is_empty() && tail.eq_ignore_ascii_case(rest)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::name_fits;

    #[test]
    fn common_names_fit_as_in_libpq() {
        for (pattern, host, fits) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("d*.example.com", "db.example.com", false),
            ("*", "localhost", false),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(name_fits(pattern, host), fits, "{pattern} {host}");
        }
    }
}
