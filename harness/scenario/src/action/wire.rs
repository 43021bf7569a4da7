//! Actions on the link between the device and its access point.

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::{Only, TrafficDirection};
use crate::located::Located;
use crate::quantity::{Amount, Share, TimeSpan};

/// A bad link. At least one of the keys up to `bandwidth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LinkFault {
    /// This share of frames is lost.
    #[schemars(example = &"20%")]
    pub loss: Option<Located<Share>>,
    /// Frames take so much longer, at most one minute.
    #[schemars(example = &"300ms")]
    pub latency: Option<Located<TimeSpan>>,
    /// And a random time of up to this much more, at most one minute; they stay in order.
    #[schemars(example = &"50ms")]
    pub jitter: Option<Located<TimeSpan>>,
    /// This share of frames comes twice.
    #[schemars(example = &"5%")]
    pub duplicate: Option<Located<Share>>,
    /// In this share of frames one bit behind the Ethernet header is turned over.
    #[schemars(example = &"1%")]
    pub corrupt: Option<Located<Share>>,
    /// This share of frames is held back by `reorder-by`, so that later ones overtake.
    #[schemars(example = &"10%")]
    pub reorder: Option<Located<Share>>,
    /// For how long; 50 ms if it is left out.
    #[schemars(example = &"50ms")]
    pub reorder_by: Option<Located<TimeSpan>>,
    /// No more than so many bit/s; what comes faster waits, and past 64 KiB is lost.
    #[schemars(example = &"64k")]
    pub bandwidth: Option<Located<Amount>>,
    /// Only this way; left out, both.
    #[schemars(example = &"to-device")]
    pub direction: Option<TrafficDirection>,
    /// Only this traffic.
    #[schemars(example = serde_json::json!({"protocol": "tcp", "port": 80}))]
    pub only: Option<Only>,
}

impl LinkFault {
    /// Whether it does anything at all.
    pub fn does_something(&self) -> bool {
        self.loss.is_some()
            || self.latency.is_some()
            || self.jitter.is_some()
            || self.duplicate.is_some()
            || self.corrupt.is_some()
            || self.reorder.is_some()
            || self.bandwidth.is_some()
    }
}
