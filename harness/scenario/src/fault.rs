//! The fault plan: what goes wrong, when, and for how long.

use vocabulary::Endpoint;

use crate::action::{Action, Nature};
use crate::located::Located;
use crate::quantity::{Share, TimeSpan};
use crate::read::mapping;
use crate::trigger::Trigger;
use crate::validate_fault;

mapping! {
    /// An entry of the fault plan.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Fault = "Fault" {
        /// Its name, unique in the file. Triggers and reports refer to it.
        pub name: Located<String> = "name" eg["wifi-drop"];
        /// The moment at which it begins.
        pub when: Located<Trigger> = "when" eg["{request: {endpoint: renew-session, at: before-effect}}"];
        /// What it does.
        pub action: Located<Action> = "do" eg["access-point-gone"];
        /// Only requests to this endpoint, for actions on requests and for `blackhole`; left out, those of the trigger,
        /// or all.
        pub endpoint: Option<Endpoint> = "endpoint" eg["renew-session"];
        /// How long it lasts; left out, to the end of the run. For actions that last; with an action on requests,
        /// every one of them is struck in this time.
        pub lasts: Option<Located<TimeSpan>> = "for" eg["30s"];
        /// Whether it happens again.
        pub repeat: Option<Located<Repeat>> = "repeat" eg["{times: 3}"];
        /// With what probability it happens when its moment comes, drawn from the seed.
        pub probability: Option<Share> = "probability" eg["20%"];
        /// Whether the run may end without it. Otherwise a fault that never fired fails the run.
        pub optional: bool = "optional" eg["true"] or["false"];
    }
    change Fault::aim;
    check validate_fault::fault;
}

impl Fault {
    /// A `blackhole` of an endpoint strikes requests.
    fn aim(&mut self) {
        if self.endpoint.is_some() {
            self.action.value.aim_at_requests();
        }
    }

    /// Whether it begins and ends, so that `for` means something.
    pub fn lasts(&self) -> bool {
        match self.action.nature() {
            Nature::Once => false,
            Nature::Lasting => true,
            Nature::OnRequests => self.lasts.is_some() || !matches!(self.when.value, Trigger::Request(_)),
        }
    }
}

mapping! {
    /// How a fault happens again.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Repeat = "Repeat" {
        /// How often in all; left out, as often as its moment comes.
        pub times: Option<u32> = "times" eg["3"];
        /// With a trigger that counts: every so many occurrences from `nth` on; left out, at each.
        pub every: Option<u32> = "every" eg["5"];
        /// With `time` and `after`: again after this time.
        pub interval: Option<TimeSpan> = "interval" eg["10m"];
    }
}
