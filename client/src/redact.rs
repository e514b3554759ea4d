//! URLs that may hold passwords and API keys, and never show them.

use std::{fmt, str::FromStr};

use url::Url;

/// A URL whose `Display` and `Debug` show neither password nor path: providers put API keys there. Of a Postgres URL
/// they show the user and the database. [`SecretUrl::expose`] gives the whole URL to those who connect by it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

/// A text that is no URL. It does not repeat the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a URL: {reason}")]
pub struct UrlError {
    reason: String,
}

impl SecretUrl {
    /// The whole URL. Never log it.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The URL as `url` parses it. Never log it.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Checks that the URL has one of these schemes.
    ///
    /// # Errors
    /// [`UrlError`] naming the schemes.
    pub fn with_scheme(self, schemes: &[&str]) -> Result<Self, UrlError> {
        if schemes.contains(&self.0.scheme()) && self.0.has_host() {
            return Ok(self);
        }
        Err(UrlError { reason: format!("expected {}://host…", schemes.join(":// or ")) })
    }

    /// Takes what this URL hides out of a text that others wrote, such as the error of an HTTP client.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.replace(self.0.as_str(), &self.to_string());
        let secrets = [Some(self.0.path()), self.0.query(), self.0.password(), Some(self.0.username())];
        let is_secret = |part: &&str| part.trim_matches('/').len() > 3 && !self.shows(part);
        for secret in secrets.into_iter().flatten().filter(is_secret) {
            text = text.replace(secret.trim_end_matches('/'), "…");
        }
        text
    }

    fn is_database(&self) -> bool {
        matches!(self.0.scheme(), "postgres" | "postgresql")
    }

    /// Whether this part is one that `Display` shows.
    fn shows(&self, part: &str) -> bool {
        self.is_database() && (part == self.0.path() || part == self.0.username())
    }
}

impl FromStr for SecretUrl {
    type Err = UrlError;

    fn from_str(s: &str) -> Result<Self, UrlError> {
        s.trim().parse().map(Self).map_err(|error: url::ParseError| UrlError { reason: error.to_string() })
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        write!(f, "{}://", url.scheme())?;
        match (url.username(), url.password(), self.is_database()) {
            ("", None, _) => {}
            (user, None, true) => write!(f, "{user}@")?,
            (user, Some(_), true) => write!(f, "{user}:…@")?,
            _ => f.write_str("…@")?,
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        if self.is_database() {
            f.write_str(url.path())?;
        } else if url.path().len() > 1 || url.query().is_some() {
            f.write_str("/…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        let url: SecretUrl = url.parse().expect("a URL");
        assert_eq!(format!("{url}"), format!("{url:?}"));
        url.to_string()
    }

    #[test]
    fn keys_and_passwords_are_not_shown() {
        assert_eq!(shown("http://127.0.0.1:8545"), "http://127.0.0.1:8545");
        assert_eq!(shown("https://rpc.example/v2/s3cr3tk3y"), "https://rpc.example/…");
        assert_eq!(shown("https://rpc.example/?key=s3cr3t"), "https://rpc.example/…");
        assert_eq!(shown("https://me:s3cr3t@rpc.example"), "https://…@rpc.example");
        assert_eq!(shown("postgres://me:s3cr3t@db:5433/index?password=x"), "postgres://me:…@db:5433/index");
        assert_eq!(shown("postgres://me@db/index"), "postgres://me@db/index");
    }

    #[test]
    fn what_a_url_hides_is_taken_out_of_others_texts() {
        let url: SecretUrl = "https://me:pa55word@rpc.example/v2/s3cr3tk3y".parse().expect("a URL");
        let text = "error sending request for url (https://rpc.example/v2/s3cr3tk3y): pa55word was refused";
        let clean = url.scrub(text);
        assert!(!clean.contains("s3cr3tk3y") && !clean.contains("pa55word"), "{clean}");
        assert!(clean.contains("rpc.example"), "{clean}");
    }

    #[test]
    fn a_broken_url_is_not_repeated() {
        let error = "postgres//me:s3cr3t@db".parse::<SecretUrl>().expect_err("no URL");
        assert!(!error.to_string().contains("s3cr3t"));
        let error = "ftp://h/s3cr3t".parse::<SecretUrl>().expect("a URL").with_scheme(&["http", "https"]);
        assert_eq!(error.expect_err("a scheme").to_string(), "not a URL: expected http:// or https://host…");
    }
}
