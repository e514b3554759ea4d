//! `Accept-Encoding`, and what it asks for.

use std::io::Write;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
};
use flate2::{Compression, write::GzEncoder};

/// Smaller bodies are sent as they are.
const WORTH: usize = 512;

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The best of those that a client likes best; what it does not name, `*` is for.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let (mut gzip, mut zstd, mut any) = (None, None, None);
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            for part in value.to_str().unwrap_or_default().split(',') {
                let (name, parameter) = part.split_once(';').unwrap_or((part, ""));
                let quality = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
                // What cannot be read is no reason to refuse.
                let liked = quality.and_then(|(_, value)| value.trim().parse::<f32>().ok()).unwrap_or(1.0);
                match name.trim() {
                    name if name.eq_ignore_ascii_case("gzip") => gzip = Some(liked),
                    name if name.eq_ignore_ascii_case("zstd") => zstd = Some(liked),
                    "*" => any = Some(liked),
                    _ => {}
                }
            }
        }
        let [gzip, zstd] = [gzip, zstd].map(|liked| liked.or(any).unwrap_or(0.0));
        if zstd > 0.0 && zstd >= gzip {
            Self::Zstd
        } else if gzip > 0.0 {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// `Content-Encoding`.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Zstd => Some(HeaderValue::from_static("zstd")),
        }
    }
}

/// The bytes in an encoding, if that is worth it.
pub(crate) fn compress(body: &Bytes, encoding: Encoding) -> Option<Bytes> {
    if body.len() < WORTH {
        return None;
    }
    let compressed = match encoding {
        Encoding::Identity => None,
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::default());
            encoder.write_all(body).and_then(|()| encoder.finish()).ok()
        }
        Encoding::Zstd => zstd::encode_all(&**body, 0).ok(),
    };
    compressed.filter(|compressed| compressed.len() < body.len()).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_best_that_is_accepted() {
        for (accepts, best) in [
            (vec![], Encoding::Identity),
            (vec!["br, deflate"], Encoding::Identity),
            (vec!["gzip, br"], Encoding::Gzip),
            (vec!["gzip", "ZSTD;q=0.5"], Encoding::Gzip),
            (vec!["gzip;q=0.5", "zstd"], Encoding::Zstd),
            (vec!["gzip;Q=0"], Encoding::Identity),
            (vec!["*"], Encoding::Zstd),
            (vec!["zstd;q=0, *;q=0.1"], Encoding::Gzip),
            (vec!["zstd;q=0, gzip;q=1.0"], Encoding::Gzip),
            (vec!["gzip;q=0.000"], Encoding::Identity),
        ] {
            let headers = accepts.iter().map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            assert_eq!(Encoding::accepted(&headers.collect()), best, "{accepts:?}");
        }
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let body = Bytes::from("service discovery ".repeat(100));
        let gzip = compress(&body, Encoding::Gzip).expect("worth it");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut plain).expect("gzip");
        assert_eq!(plain, body);
        assert_eq!(zstd::decode_all(&*compress(&body, Encoding::Zstd).expect("worth it")).expect("zstd"), body);
        assert_eq!(compress(&Bytes::from_static(b"small"), Encoding::Gzip), None);
    }
}
