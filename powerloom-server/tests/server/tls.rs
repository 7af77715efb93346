//! HTTPS.

use crate::stage::Stage;
use powerloom_server::server::Tls;
use reqwest::Certificate;
use std::path::{Path, PathBuf};

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn below(folder: &Path) -> Self {
        Self { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
    }

    /// A new self-signed certificate and its key; returns the certificate.
    fn renew(&self) -> String {
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&self.certificate, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.pem()
    }
}

fn client(trusted: &str) -> reqwest::Client {
    let certificate = Certificate::from_pem(trusted.as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap()
}

#[tokio::test]
async fn https_is_spoken_in_both_versions_of_http_and_certificates_change_while_it_runs() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let files = Files::below(folder.path());
    let old = files.renew();
    let tls = Tls::open(&files.certificate, &files.key).unwrap();
    let server = stage.server(&stage.loom().await).tls(tls.clone()).start().await.unwrap();
    let url = format!("{}/healthz", server.url());
    assert!(url.starts_with("https://127.0.0.1:"));
    let answer = client(&old).get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    let certificate = Certificate::from_pem(old.as_bytes()).unwrap();
    let one =
        reqwest::Client::builder().no_proxy().http1_only().tls_certs_only([certificate]).build().unwrap();
    let answer = one.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));

    let plain = url.replace("https://", "http://");
    assert!(stage.client.get(plain).send().await.is_err(), "nothing is served in the clear");

    let new = files.renew();
    tls.reload().unwrap();
    assert_eq!(client(&new).get(&url).send().await.unwrap().status(), 200);
    assert!(client(&old).get(&url).send().await.is_err(), "a new connection gets the new certificate");

    std::fs::write(&files.key, "hunter2").unwrap();
    let refused = tls.reload().unwrap_err();
    assert!(
        refused.to_string().contains("key.pem") && !format!("{refused:?}").contains("hunter2"),
        "{refused:?}"
    );
    assert_eq!(client(&new).get(&url).send().await.unwrap().status(), 200, "what was used is used on");
    drop(one);
    assert!(server.shutdown().await.is_clean());
}

#[test]
fn a_key_of_another_certificate_and_an_empty_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::below(folder.path());
    let certificate = files.renew();
    files.renew();
    std::fs::write(&files.certificate, certificate).unwrap();
    assert!(Tls::open(&files.certificate, &files.key).unwrap_err().to_string().contains("key.pem"));
    files.renew();
    std::fs::write(&files.certificate, "").unwrap();
    assert!(Tls::open(&files.certificate, &files.key).unwrap_err().to_string().contains("cert.pem"));
}
