//! Where something is reached: a URL that was checked.

use powerloom_core::invalid::Invalid;
use std::fmt;
use url::{Host, Url};

/// Over what a message may go that is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a further permission must break whoever decides on one")]
pub enum Cleartext {
    /// Over nothing that leaves the machine: `http` only to a loopback address or `localhost`.
    #[default]
    Loopback,
    /// Over any network: for closed ones, and for nothing else.
    Anywhere,
}

/// A URL of `https`, or of `http` where that is allowed, without user, password and fragment.
///
/// Its `Debug` shows scheme and host only: the path of a webhook is often its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Checks `text`, which `field` held.
    ///
    /// # Errors
    /// [`Invalid`], which does not show the text.
    ///
    /// # Examples
    /// ```
    /// use powerloom_web::{Cleartext, Endpoint};
    ///
    /// assert!(Endpoint::parse("url", "https://hooks.example.com/x", Cleartext::Loopback).is_ok());
    /// assert!(Endpoint::parse("url", "http://127.0.0.1:8080/x", Cleartext::Loopback).is_ok());
    /// assert!(Endpoint::parse("url", "http://hooks.example.com/x", Cleartext::Loopback).is_err());
    /// ```
    pub fn parse(field: &str, text: &str, cleartext: Cleartext) -> Result<Self, Invalid> {
        let allowed = match cleartext {
            Cleartext::Loopback => {
                "an https URL, or an http URL of the loopback, without user, password and fragment"
            }
            Cleartext::Anywhere => "an https or http URL without user, password and fragment",
        };
        let refuse = || Invalid::hidden(field, allowed);
        let url = Url::parse(text).map_err(|_| refuse())?;
        let endpoint = Self { url };
        let plain = endpoint.url.username().is_empty()
            && endpoint.url.password().is_none()
            && endpoint.url.fragment().is_none()
            && endpoint.url.has_host();
        let sealed = match endpoint.url.scheme() {
            "https" => true,
            "http" => cleartext == Cleartext::Anywhere || endpoint.is_loopback(),
            _ => false,
        };
        if plain && sealed { Ok(endpoint) } else { Err(refuse()) }
    }

    /// Whether it is on this machine: a loopback address, or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.url.origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str, cleartext: Cleartext) -> bool {
        Endpoint::parse("url", text, cleartext).is_ok()
    }

    #[test]
    fn only_what_is_encrypted_or_stays_here_is_taken_unless_said_otherwise() {
        for text in
            ["https://x.example.com/a?b=c", "http://127.0.0.1:1", "http://[::1]/", "http://localhost:9/"]
        {
            assert!(good(text, Cleartext::Loopback), "{text}");
        }
        for text in ["http://x.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com"] {
            assert!(!good(text, Cleartext::Loopback), "{text}");
            assert!(good(text, Cleartext::Anywhere), "{text}");
        }
        for text in [
            "",
            "x.example.com",
            "ftp://x",
            "file:///etc/passwd",
            "https://u@x/",
            "https://:p@x/",
            "https://x/#f",
        ] {
            assert!(!good(text, Cleartext::Anywhere), "{text}");
        }
    }

    #[test]
    fn neither_debug_nor_a_refusal_shows_the_path() {
        let endpoint = Endpoint::parse("url", "https://x.example.com/T0/hush", Cleartext::Loopback).unwrap();
        assert_eq!(format!("{endpoint:?}"), "Endpoint(https://x.example.com)");
        let refused = Endpoint::parse("url", "http://x.example.com/T0/hush", Cleartext::Loopback);
        assert!(!format!("{refused:?}").contains("hush"));
    }
}
