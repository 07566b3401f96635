//! A certificate that is made for one test, and the client that trusts it.

use crate::wire::tls::provider;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Both ends' configuration around a fresh certificate for `localhost`.
pub struct Trust {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
    pub certificate_pem: String,
    pub key_pem: String,
}

impl Trust {
    /// A new certificate.
    pub fn fresh() -> Trust {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        Trust {
            server: Arc::new(
                ServerConfig::builder_with_provider(provider())
                    .with_safe_default_protocol_versions()
                    .expect("versions of TLS")
                    .with_no_client_auth()
                    .with_single_cert(vec![made.cert.der().clone()], key)
                    .expect("the key fits"),
            ),
            client: Arc::new(
                ClientConfig::builder_with_provider(provider())
                    .with_safe_default_protocol_versions()
                    .expect("versions of TLS")
                    .with_root_certificates(roots)
                    .with_no_client_auth(),
            ),
            certificate_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
        }
    }

    /// Connects as a client does.
    pub async fn connect(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let name = ServerName::try_from("localhost").expect("a name");
        tokio_rustls::TlsConnector::from(self.client.clone()).connect(name, stream).await.expect("a handshake")
    }
}
