//! The flags that say what an instance publishes.

use std::{fs, io::Read, path::PathBuf};

use anyhow::Result;
use client::service::MAX_METADATA;
use domain::Bytes;
use serde_json::{Map, Value};

use crate::{commands::target::ttl, exit::usage};

/// What an instance publishes; at `update`, what is not given stays.
#[derive(Debug, Clone, clap::Args)]
pub struct RecordArgs {
    /// Where it serves, such as https://a1.example:8443; may be repeated, up to 16
    #[arg(long = "endpoint", value_name = "URI", help_heading = "Record")]
    pub endpoints: Vec<String>,
    /// Metadata: a JSON object. By convention it has tags, zone, region, geo {lat, lon}, weight, priority, latency_ms,
    /// resources {cpu, memory_mb, storage_gb}, protocol, health_url
    #[arg(long, value_name = "JSON", help_heading = "Record")]
    pub metadata: Option<String>,
    /// File with the metadata; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "metadata", help_heading = "Record")]
    pub metadata_file: Option<PathBuf>,
    /// Writes it into tags of the metadata; may be repeated
    #[arg(long = "tag", value_name = "TAG", help_heading = "Record")]
    pub tags: Vec<String>,
    /// Writes it into the metadata
    #[arg(long, value_name = "ZONE", help_heading = "Record")]
    pub zone: Option<String>,
    /// Writes it into the metadata
    #[arg(long, value_name = "REGION", help_heading = "Record")]
    pub region: Option<String>,
    /// Length of the lease, 5s to 30d: so long after its last heartbeat the instance expires; 30s if a registration
    /// does not say
    #[arg(long, value_parser = ttl, value_name = "DURATION", help_heading = "Record")]
    pub ttl: Option<u32>,
}

impl RecordArgs {
    /// The endpoints as bytes.
    pub fn endpoints(&self) -> Vec<Bytes> {
        self.endpoints.iter().map(|uri| uri.clone().into_bytes().into()).collect()
    }

    /// The metadata that the flags make, over `before` where only --tag, --zone or --region are given; `None` if none
    /// of them is.
    pub fn metadata(&self, before: Option<&Bytes>) -> Result<Option<Bytes>> {
        let given = match (&self.metadata, &self.metadata_file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => Some(read(path)?),
            (None, None) => None,
        };
        let sugar = !self.tags.is_empty() || self.zone.is_some() || self.region.is_some();
        if given.is_none() && !sugar {
            return Ok(None);
        }
        let mut object = match (&given, before) {
            (Some(bytes), _) => object(bytes)?,
            (None, Some(before)) if !before.is_empty() => serde_json::from_slice(before).map_err(|_| {
                usage("the metadata of now is no JSON object: give all of it by --metadata or --metadata-file")
            })?,
            (None, _) => Map::new(),
        };
        if !self.tags.is_empty() {
            object.insert("tags".to_owned(), self.tags.clone().into());
        }
        for (name, value) in [("zone", &self.zone), ("region", &self.region)] {
            if let Some(value) = value {
                object.insert(name.to_owned(), value.clone().into());
            }
        }
        // As it was written, where nothing was added to it.
        let bytes = match given {
            Some(bytes) if !sugar => bytes,
            _ => Value::Object(object).to_string().into_bytes(),
        };
        if bytes.len() > MAX_METADATA {
            return Err(client::InputError::MetadataLength(bytes.len()).into());
        }
        Ok(Some(bytes.into()))
    }
}

/// Any bytes may be metadata, but only a JSON object can be searched by: here it must be one.
fn object(bytes: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(bytes).map_err(|error| usage(format!("the metadata is no JSON object: {error}")))
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    let result = if path == std::path::Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(1 << 20).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    result.map_err(|error| usage(format!("metadata file {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RecordArgs {
        RecordArgs {
            endpoints: vec![],
            metadata: None,
            metadata_file: None,
            tags: vec![],
            zone: None,
            region: None,
            ttl: None,
        }
    }

    fn text(args: &RecordArgs, before: Option<&str>) -> Option<String> {
        let before = before.map(|text| Bytes::from(text.as_bytes().to_vec()));
        let metadata = args.metadata(before.as_ref()).expect("metadata")?;
        Some(String::from_utf8(metadata.to_vec()).expect("text"))
    }

    #[test]
    fn metadata_is_written_as_it_was_given() {
        let given = RecordArgs { metadata: Some(r#"{ "b": 1, "a": 2 }"#.into()), ..args() };
        assert_eq!(text(&given, None).as_deref(), Some(r#"{ "b": 1, "a": 2 }"#));
        assert_eq!(text(&args(), Some("{}")), None);
    }

    #[test]
    fn tag_zone_and_region_go_into_the_object() {
        let sugar = RecordArgs { tags: vec!["x".into(), "y".into()], zone: Some("a".into()), ..args() };
        assert_eq!(text(&sugar, None).as_deref(), Some(r#"{"tags":["x","y"],"zone":"a"}"#));
        assert_eq!(
            text(&sugar, Some(r#"{"zone":"b","w":1}"#)).as_deref(),
            Some(r#"{"tags":["x","y"],"w":1,"zone":"a"}"#)
        );
        let both = RecordArgs { metadata: Some(r#"{"w":2}"#.into()), region: Some("r".into()), ..args() };
        assert_eq!(text(&both, Some(r#"{"zone":"b"}"#)).as_deref(), Some(r#"{"region":"r","w":2}"#));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["[1]", "{", "3", ""] {
            assert!(RecordArgs { metadata: Some(bad.into()), ..args() }.metadata(None).is_err(), "{bad:?}");
        }
        let sugar = RecordArgs { zone: Some("a".into()), ..args() };
        assert!(sugar.metadata(Some(&Bytes::from_static(&[0xff]))).is_err());
    }
}
