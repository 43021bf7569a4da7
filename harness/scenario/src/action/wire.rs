//! Actions on the link between the device and its access point.

use super::network::{Only, TrafficDirection};
use crate::located::Located;
use crate::quantity::{Amount, Share, TimeSpan};
use crate::read::mapping;

mapping! {
    /// A bad link. At least one of the keys up to `bandwidth`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct LinkFault = "LinkFault" {
        /// This share of frames is lost.
        pub loss: Option<Located<Share>> = "loss" eg["20%"];
        /// Frames take so much longer, at most one minute.
        pub latency: Option<Located<TimeSpan>> = "latency" eg["300ms"];
        /// And a random time of up to this much more, at most one minute; they stay in order.
        pub jitter: Option<Located<TimeSpan>> = "jitter" eg["50ms"];
        /// This share of frames comes twice.
        pub duplicate: Option<Located<Share>> = "duplicate" eg["5%"];
        /// In this share of frames one bit behind the Ethernet header is turned over.
        pub corrupt: Option<Located<Share>> = "corrupt" eg["1%"];
        /// This share of frames is held back by `reorder-by`, so that later ones overtake.
        pub reorder: Option<Located<Share>> = "reorder" eg["10%"];
        /// For how long; 50 ms if it is left out.
        pub reorder_by: Option<Located<TimeSpan>> = "reorder-by" eg["50ms"];
        /// No more than so many bit/s; what comes faster waits, and past 64 KiB is lost.
        pub bandwidth: Option<Located<Amount>> = "bandwidth" eg["64k"];
        /// Only this way; left out, both.
        pub direction: Option<TrafficDirection> = "direction" eg["to-device"];
        /// Only this traffic.
        pub only: Option<Only> = "only" eg["{protocol: tcp, port: 80}"];
    }
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
