//! What a scenario needs and a bench in wall time cannot do. Such a scenario is skipped with the reason and never
//! passed.

use dut::Site;
use faults::meant;
use scenario::action::PowerCut;
use scenario::{
    Action, DeviceAction, ExpectationKind, NetworkAction, RadioAction, Scenario, Span, StepKind, Trigger,
};

/// What a bench in wall time can do beside the serial console and the cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// It can switch the access point.
    pub(crate) access_point: bool,
    /// Its access point can throw a station out.
    pub(crate) deauthenticate: bool,
    /// It can cut the device's supply.
    pub(crate) power: bool,
    /// The access point hands it out as DNS server.
    pub(crate) dns: bool,
    /// What else there is, by name: `bench.requires` asks for these.
    pub(crate) fixtures: Vec<String>,
}

impl Abilities {
    /// The abilities of a bench with these surroundings.
    pub(crate) fn of(site: &Site) -> Abilities {
        Abilities {
            access_point: site.access_point.as_ref().is_some_and(|ap| ap.can_switch()),
            deauthenticate: site
                .access_point
                .as_ref()
                .is_some_and(|ap| ap.can_deauthenticate()),
            power: site.power,
            dns: site.dns_port.is_some(),
            fixtures: site.fixtures.clone(),
        }
    }

    /// Whether such a bench can do an action, with the cloud at this host and port.
    ///
    /// # Errors
    /// Why not, in words for a person.
    pub(crate) fn able(&self, action: &Action, cloud: (&str, u16)) -> Result<(), String> {
        match action {
            Action::Radio(action) => self.radio(action).map_err(str::to_owned),
            Action::Network(action) => self.network(action, cloud),
            Action::Tls(_) => Err("the device of a run speaks plain HTTP".to_owned()),
            Action::Device(action) => self.device(action).map_err(str::to_owned),
            // The cloud is ours.
            Action::Request(_) | Action::Service(_) => Ok(()),
        }
    }

    fn radio(&self, action: &RadioAction) -> Result<(), &'static str> {
        match action {
            RadioAction::AccessPointGone if self.access_point => Ok(()),
            RadioAction::Deauthenticate(_) if self.deauthenticate => Ok(()),
            RadioAction::AccessPointGone | RadioAction::Deauthenticate(_) => {
                Err("the bench controls no access point (`access-point` in boards.toml)")
            }
            RadioAction::WrongPassword(_)
            | RadioAction::Rssi(_)
            | RadioAction::Hidden
            | RadioAction::Channel(_) => Err("the access point of a board cannot be changed so"),
        }
    }

    fn network(&self, action: &NetworkAction, cloud: (&str, u16)) -> Result<(), String> {
        let why = match action {
            NetworkAction::Link(_) => "the air between a board and its access point is not in our hands",
            NetworkAction::Dhcp(_) => "the DHCP server of a board's network is not ours",
            NetworkAction::CaptivePortal => "the gateway of a board's network is not ours",
            NetworkAction::Dns(_) if self.dns => return Ok(()),
            NetworkAction::Dns(_) => {
                "the DNS server of the board's network is not ours (`dns-port` in boards.toml, if it can be)"
            }
            NetworkAction::Refuse(only) | NetworkAction::Blackhole(only) => {
                return meant(only, cloud.0, cloud.1);
            }
            // The SNTP server is ours.
            NetworkAction::Ntp(_) | NetworkAction::NtpClock(_) => return Ok(()),
        };
        Err(why.to_owned())
    }

    fn device(&self, action: &DeviceAction) -> Result<(), &'static str> {
        match action {
            DeviceAction::PowerCut(PowerCut {
                flash_write_byte: Some(_),
                ..
            }) => Err("nobody sees a board write its flash"),
            DeviceAction::PowerCut(_) if self.power => Ok(()),
            DeviceAction::PowerCut(_) => {
                Err("the bench has no power switch (`power-off` and `power-on` in boards.toml)")
            }
            DeviceAction::Reset(reset) if reset.cause == vocabulary::ResetCause::Pin => Ok(()),
            DeviceAction::Reset(_) => Err("a board has a reset pin only; leave the cause out"),
            DeviceAction::DrivePin(_) => Err("nothing is wired to the pins of a board"),
            DeviceAction::CorruptFlash(_) => Err("the flash of a board is not reached while it runs"),
        }
    }
}

/// Reasons why `scenario` cannot run on a bench with these abilities, each with its place; none if it can.
pub(crate) fn impossible(scenario: &Scenario, abilities: &Abilities) -> Vec<String> {
    let mut looking = Looking {
        scenario,
        abilities,
        reasons: Vec::new(),
    };
    looking.bench();
    looking.faults();
    looking.steps();
    looking.expectations();
    looking.reasons
}

struct Looking<'a> {
    scenario: &'a Scenario,
    abilities: &'a Abilities,
    reasons: Vec<String>,
}

impl Looking<'_> {
    fn lacks(&mut self, span: Span, what: &str) {
        let place = if span.is_known() {
            format!("{}: ", self.scenario.position(span))
        } else {
            String::new()
        };
        let reason = format!("{place}{what}");
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    fn bench(&mut self) {
        let bench = &self.scenario.bench;
        for needed in &bench.requires {
            if !self.abilities.fixtures.contains(&needed.value) {
                self.lacks(
                    needed.span,
                    &format!(
                        "needs `{}`, which is not among the board's `fixtures`",
                        needed.value
                    ),
                );
            }
        }
        if bench.device.crystal_ppm.value != 0 {
            self.lacks(
                bench.device.crystal_ppm.span,
                "`crystal-ppm`: the crystal of a board is as it is",
            );
        }
        if let Some(host) = &bench.provisioning.server.host {
            let is_name = host.parse::<std::net::Ipv4Addr>().is_err();
            let is_the_cloud = host.eq_ignore_ascii_case(&bench.cloud.host);
            let is_known = bench.host_names().contains(&host.to_ascii_lowercase());
            if is_name && !self.abilities.dns {
                self.lacks(
                    host.span,
                    "`provisioning.server.host`: the DNS server of this network is not ours, so a name leads elsewhere; \
                     write an address",
                );
            } else if is_known && !is_the_cloud {
                self.lacks(
                    host.span,
                    "`provisioning.server.host`: every name of the scenario has the address of this machine here, so \
                     this one leads to the cloud",
                );
            }
        }
        let network = &bench.network;
        for (span, key) in [
            (network.channel.span, "channel"),
            (network.rssi.span, "rssi"),
            (network.latency.span, "latency"),
            (network.wan_latency.span, "wan-latency"),
            (network.dhcp_lease.span, "dhcp-lease"),
        ] {
            if span.is_known() {
                self.lacks(
                    span,
                    &format!("`network.{key}`: the access point of a board is as it is"),
                );
            }
        }
        if network.hidden {
            self.lacks(
                Span::default(),
                "`network.hidden`: the access point of a board is as it is",
            );
        }
    }

    fn faults(&mut self) {
        for fault in &self.scenario.faults {
            self.trigger(&fault.when.value, fault.when.span);
            let cloud = &self.scenario.bench.cloud;
            let able = self
                .abilities
                .able(&fault.action.value, (&cloud.host, cloud.port.value));
            if let Err(why) = able {
                self.lacks(
                    fault.action.span.or(fault.name.span),
                    &format!("`{}`: {why}", fault.action.name()),
                );
            }
        }
    }

    fn trigger(&mut self, trigger: &Trigger, span: Span) {
        let why = match trigger {
            Trigger::After(after) => return self.trigger(&after.trigger, span),
            Trigger::Wifi(_) => "`wifi`: nobody sees the air between a board and its access point",
            Trigger::Dhcp(_) => "`dhcp`: the DHCP server of a board's network is not ours",
            Trigger::Dns(_) if !self.abilities.dns => {
                "`dns`: the DNS server of the board's network is not ours (`dns-port` in boards.toml, if it can be)"
            }
            Trigger::Pin(_) => "`pin`: nobody sees the pins of a board",
            Trigger::Time(_)
            | Trigger::Serial(_)
            | Trigger::Dns(_)
            | Trigger::Sntp(_)
            | Trigger::Request(_)
            | Trigger::Fact(_)
            | Trigger::Reset(_)
            | Trigger::Fault(_) => return,
        };
        self.lacks(span, why);
    }

    fn steps(&mut self) {
        for step in &self.scenario.steps {
            if matches!(step.kind, StepKind::ExpectPin { .. } | StepKind::SetPin { .. }) {
                self.lacks(step.span, "nothing is wired to the pins of a board");
            }
        }
    }

    fn expectations(&mut self) {
        for expectation in &self.scenario.expect {
            let span = expectation.span;
            use ExpectationKind as E;
            let (moment, after, before) = match &expectation.kind {
                E::SerialOrder(_) | E::SerialAll(_) | E::NoSecrets(_) => (None, None, None),
                E::Serial(e) => (None, e.after.as_ref(), e.before.as_ref()),
                E::NoSerial(e) => (None, e.after.as_ref(), e.before.as_ref()),
                E::Event(e) => (Some(&e.of), e.after.as_ref(), e.before.as_ref()),
                E::Interval(e) => (None, Some(&e.from), Some(&e.to)),
                E::Requests(e) => (None, e.after.as_ref(), e.before.as_ref()),
                E::Rate(e) => (Some(&e.of), e.after.as_ref(), e.before.as_ref()),
                E::Backoff(e) => (Some(&e.of), e.after.as_ref(), e.before.as_ref()),
                E::Pin(_) => {
                    self.lacks(span, "`pin`: nobody sees the pins of a board");
                    continue;
                }
                E::State(e) => (e.at.as_ref(), e.after.as_ref(), e.before.as_ref()),
                E::Service(e) => (None, e.after.as_ref(), e.before.as_ref()),
            };
            for trigger in [moment, after, before].into_iter().flatten() {
                self.trigger(&trigger.value, trigger.span.or(span));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(text: &str, abilities: &Abilities) -> Vec<String> {
        let head = "name: x\nversion: 1\n";
        impossible(
            &faults::FORMAT.parse("x.yaml", &format!("{head}{text}")).unwrap(),
            abilities,
        )
    }

    #[test]
    fn what_the_cloud_and_the_console_do_needs_nothing() {
        let text = "
bench: { duration: 1h }
faults:
  - { name: a, when: { request: { endpoint: renew-session } }, do: lose-reply }
  - { name: b, when: 10m, do: revoke-permanent-token }
  - { name: c, when: { serial: x }, do: { ntp: silent }, for: 10s }
  - { name: d, when: 20m, do: blackhole, for: 10s }
  - { name: e, when: 30m, do: reset }
expect:
  - liveness: { within: 2m }
";
        assert_eq!(reasons(text, &Abilities::default()), [""; 0]);
    }

    #[test]
    fn what_is_lacking_is_told_with_its_place() {
        let text = "
bench:
  duration: 1h
  network: { rssi: -80 }
  requires: [relays]
faults:
  - { name: a, when: { wifi: associated }, do: access-point-gone, for: 10s }
  - { name: b, when: 10m, do: { link: { loss: 20% } }, for: 10s }
  - { name: c, when: 20m, do: power-cut, for: 1s }
expect:
  - pin: { gpio: 4, never: low }
";
        let told = reasons(text, &Abilities::default());
        assert_eq!(told.len(), 7, "{told:#?}");
        let all = told.join("\n");
        for part in [
            "x.yaml:6:20: `network.rssi`",
            "x.yaml:7:14: needs `relays`",
            "`wifi`: nobody sees the air",
            "`access-point-gone`: the bench controls no access point",
            "`link`: the air between",
            "`power-cut`: the bench has no power switch",
            "x.yaml:13:5: `pin`: nobody sees the pins",
        ] {
            assert!(all.contains(part), "{part} in\n{all}");
        }
        let able = Abilities {
            access_point: true,
            deauthenticate: true,
            power: true,
            dns: true,
            fixtures: vec!["relays".to_owned()],
        };
        assert_eq!(reasons(text, &able).len(), 4);
    }

    #[test]
    fn a_name_that_would_lead_somewhere_else_than_on_the_emulator_is_refused() {
        let reasons = |host: &str, dns: bool| {
            let text = format!(
                "bench: {{ provisioning: {{ server: {{ host: {host} }} }} }}\nexpect: [{{ serial: x }}]\n"
            );
            let abilities = Abilities {
                dns,
                ..Abilities::default()
            };
            reasons(&text, &abilities).len()
        };
        assert_eq!(reasons("10.0.0.1", false), 0);
        assert_eq!(reasons("cloud.oceanremote.test", false), 1);
        assert_eq!(reasons("cloud.oceanremote.test", true), 0);
        assert_eq!(reasons("pool.ntp.org", true), 1);
        assert_eq!(reasons("no.such.host", true), 0);
    }

    #[test]
    fn other_traffic_and_other_resets_than_ours_are_refused() {
        let text = "
bench: { duration: 1h }
faults:
  - { name: a, when: 1m, do: { refuse: { port: 443 } }, for: 10s }
  - { name: b, when: 2m, do: { reset: brown-out } }
  - { name: c, when: 3m, do: { dns: silent }, for: 10s }
expect:
  - liveness: { within: 2m }
";
        assert_eq!(reasons(text, &Abilities::default()).len(), 3);
    }
}
