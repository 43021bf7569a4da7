//! The provisioning partition (`docs/provisioning.md`): how a bench tells the firmware its settings.

use std::collections::BTreeMap;

use crate::checksum::crc32;

/// Magic of the partition.
const MAGIC: &[u8; 4] = b"ORPV";
/// Version of the format.
const VERSION: u32 = 1;
/// Most bytes of text that fit behind the header in one 4 KiB sector.
const MAX_TEXT: usize = 4080;

/// A value that the format cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisioningError {
    /// Keys and values are lines of text.
    #[error("the provisioning value of `{key}` holds a line break; each setting is one line")]
    LineBreak {
        /// The key.
        key: String,
    },
    /// The sector is full.
    #[error("the provisioning settings take {len} bytes, the partition holds {MAX_TEXT}")]
    TooLong {
        /// Bytes of text.
        len: usize,
    },
}

/// Settings by key, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioning(BTreeMap<String, String>);

impl Provisioning {
    /// No settings.
    pub fn new() -> Provisioning {
        Provisioning::default()
    }

    /// Sets `key`, replacing an earlier value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Provisioning {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The partition's bytes: header and text, without padding.
    ///
    /// # Errors
    /// When a value holds a line break or the text exceeds 4080 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, ProvisioningError> {
        let mut text = String::new();
        for (key, value) in &self.0 {
            if [key, value].iter().any(|s| s.contains(['\n', '\r'])) {
                return Err(ProvisioningError::LineBreak {
                    key: key.escape_debug().to_string(),
                });
            }
            text.push_str(&format!("{key}={value}\n"));
        }
        if text.len() > MAX_TEXT {
            return Err(ProvisioningError::TooLong { len: text.len() });
        }
        let mut out = Vec::with_capacity(16 + text.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32(text.as_bytes()).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32 of `defects=\nwifi.ssid=Ocean\n` by zlib 1.2, an implementation that is not ours.
    const CRC: [u8; 4] = [0x01, 0x28, 0x1c, 0x49];

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut p = Provisioning::new();
        p.set("wifi.ssid", "Ocean").set("defects", "");
        assert_eq!(
            p.encode().unwrap(),
            [
                b"ORPV\x01\0\0\0\x19\0\0\0".as_slice(),
                &CRC,
                b"defects=\nwifi.ssid=Ocean\n"
            ]
            .concat()
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut p = Provisioning::new();
        p.set("wifi.ssid", "a\nb");
        assert_eq!(
            p.encode(),
            Err(ProvisioningError::LineBreak {
                key: "wifi.ssid".into()
            })
        );
        let mut p = Provisioning::new();
        p.set("k", "v".repeat(4077));
        assert_eq!(p.encode().map(|b| b.len()), Ok(16 + 4080));
        p.set("k", "v".repeat(4078));
        assert_eq!(p.encode(), Err(ProvisioningError::TooLong { len: 4081 }));
    }
}
