//! The certificate and the key that TLS is served with, from PEM files.

use crate::error::{Error, Kind, Result};
use crate::wire;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// Reads the certificate chain (the server's own first) and its private key.
///
/// # Errors
/// `Configuration` when a file cannot be read, holds something else, or the key belongs to another certificate.
pub fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unreadable("certificate", certificate, error))?;
    if chain.is_empty() {
        return Err(Error::new(
            Kind::Configuration,
            format!("there is no certificate in {} (a PEM file is needed)", certificate.display()),
        ));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("private key", key, error))?;
    let mut config = ServerConfig::builder_with_provider(wire::tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::because(Kind::Internal, "TLS cannot be set up", error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| {
            let sentence = format!("{} and {} do not go together", certificate.display(), key.display());
            Error::because(Kind::Configuration, sentence, error)
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn unreadable(what: &str, path: &Path, error: pem::Error) -> Error {
    match error {
        pem::Error::NoItemsFound => {
            Error::new(Kind::Configuration, format!("there is no {what} in {} (a PEM file is needed)", path.display()))
        }
        error => Error::because(Kind::Configuration, format!("cannot read the {what} {}", path.display()), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::Trust;
    use std::fs;

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let (one, other) = (Trust::fresh(), Trust::fresh());
        fs::write(path("one.crt"), &one.certificate_pem).expect("written");
        fs::write(path("one.key"), &one.key_pem).expect("written");
        fs::write(path("other.key"), &other.key_pem).expect("written");
        fs::write(path("empty"), "").expect("written");
        fs::write(path("broken"), "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n").expect("written");

        load(&path("one.crt"), &path("one.key")).expect("they go together");
        for (certificate, key, said) in [
            ("missing", "one.key", "cannot read the certificate"),
            ("one.crt", "missing", "cannot read the private key"),
            ("empty", "one.key", "there is no certificate in"),
            ("one.key", "one.key", "there is no certificate in"),
            ("one.crt", "one.crt", "there is no private key in"),
            ("broken", "one.key", "cannot read the certificate"),
            ("one.crt", "other.key", "do not go together"),
        ] {
            let error = load(&path(certificate), &path(key)).expect_err(said);
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.chain().contains(said), "{}", error.chain());
        }
    }
}
