//! What a person does at the dashboard or in the server room, and what faults do in their place.

use std::net::IpAddr;
use std::time::Duration;

use sim::Instant;

use crate::cloud::{Token, TokenState, after};
use crate::config::{DashboardRenewal, REGISTRATION_LIFETIME, Revocation};
use crate::device::{Command, Device};
use crate::facts::{Fact, SessionEnd, SessionOrigin};
use crate::{Cloud, CloudError};

/// Commands that may wait for one device.
const MAX_COMMANDS: usize = 256;

impl Cloud {
    fn named(&mut self, id: &str) -> Result<&mut Device, CloudError> {
        self.devices
            .get_mut(id)
            .ok_or_else(|| CloudError::UnknownDevice(id.to_owned()))
    }

    /// Queues a command to switch `relay` (from 1) and returns its id.
    ///
    /// # Errors
    /// For an unknown device, a relay outside 1 to 16, or 256 commands waiting already.
    pub fn command_relay(&mut self, now: Instant, id: &str, relay: u8, on: bool) -> Result<u64, CloudError> {
        if !(1..=16).contains(&relay) {
            return Err(CloudError::InvalidRelay(relay));
        }
        let device = self.named(id)?;
        if device.commands.len() >= MAX_COMMANDS {
            return Err(CloudError::TooManyCommands(id.to_owned()));
        }
        device.next_command += 1;
        let command = Command {
            id: device.next_command,
            relay,
            on,
        };
        device.commands.push_back(command);
        self.note(
            now,
            Fact::CommandQueued {
                device: id.to_owned(),
                id: command.id,
                relay,
                on,
            },
        );
        Ok(command.id)
    }

    /// Revokes the permanent token; the session follows if [`Revocation`] says so.
    ///
    /// # Errors
    /// For an unknown device, or one without a permanent token.
    pub fn revoke_permanent(&mut self, now: Instant, id: &str) -> Result<(), CloudError> {
        self.named(id)?;
        if !self.revoke_current_permanent(now, id) {
            return Err(CloudError::NoPermanentToken(id.to_owned()));
        }
        if self.config.switches.revocation == Revocation::EndsSession {
            self.end_session(now, id, SessionEnd::Revoked);
        }
        Ok(())
    }

    /// Ends the session as if its 60 minutes were over: it answers `Session expired`.
    ///
    /// # Errors
    /// For an unknown device, or one without a session.
    pub fn expire_session(&mut self, now: Instant, id: &str) -> Result<(), CloudError> {
        if self.named(id)?.session.is_none() {
            return Err(CloudError::NoSession(id.to_owned()));
        }
        self.end_session(now, id, SessionEnd::ExpiredByOperator);
        Ok(())
    }

    /// Makes the server forget the session, as if its store had been lost: it answers `Invalid token`.
    ///
    /// # Errors
    /// For an unknown device, or one without a session.
    pub fn invalidate_session(&mut self, now: Instant, id: &str) -> Result<(), CloudError> {
        self.advance(now);
        let session = self
            .named(id)?
            .session
            .take()
            .ok_or_else(|| CloudError::NoSession(id.to_owned()))?;
        self.tokens.remove(&session);
        let reason = SessionEnd::Forgotten;
        self.end_fading(id, reason);
        self.note(
            now,
            Fact::SessionInvalidated {
                device: id.to_owned(),
                session,
                reason,
            },
        );
        Ok(())
    }

    /// Deletes a device: its paths answer 404. Its registration token stays as spent or unspent as it was.
    ///
    /// # Errors
    /// For an unknown device.
    pub fn delete_device(&mut self, now: Instant, id: &str) -> Result<(), CloudError> {
        self.named(id)?;
        self.end_session(now, id, SessionEnd::DeviceDeleted);
        self.devices.remove(id);
        self.tokens
            .retain(|_, t| t.device != id || matches!(t.state, TokenState::Registration { .. }));
        self.note(
            now,
            Fact::DeviceDeleted {
                device: id.to_owned(),
            },
        );
        Ok(())
    }

    /// The "Renew Session" button of the dashboard. What it does is a switch, [`DashboardRenewal`].
    ///
    /// # Errors
    /// For an unknown device, or one that never had a session.
    pub fn renew_by_dashboard(&mut self, now: Instant, id: &str) -> Result<(), CloudError> {
        let rotates = self.config.switches.dashboard_renewal == DashboardRenewal::Rotates;
        let device = self.named(id)?;
        if device.session.is_none() && device.ended.is_empty() {
            return Err(CloudError::NoSession(id.to_owned()));
        }
        if rotates {
            self.issue_session(now, id, SessionOrigin::Dashboard);
            return Ok(());
        }
        // An expired session is still the latest; one that was ended is the youngest of the ended.
        let latest = device.session.take().or_else(|| device.ended.pop_back());
        let session = latest.expect("one of the two was there");
        device.session = Some(session.clone());
        let expires = after(self.clock.read(now), self.config.session_lifetime);
        let state = TokenState::Session {
            expires,
            ended: false,
            expiry_told: false,
        };
        self.tokens.insert(
            session.clone(),
            Token {
                device: id.to_owned(),
                state,
            },
        );
        self.note(
            now,
            Fact::SessionExtended {
                device: id.to_owned(),
                session,
            },
        );
        self.reschedule(now);
        Ok(())
    }

    /// Gives a device a new registration token, good once and for 24 h, and returns it. The old one becomes
    /// unknown if it was unused.
    ///
    /// # Errors
    /// For an unknown device.
    pub fn regenerate_registration_token(&mut self, now: Instant, id: &str) -> Result<String, CloudError> {
        self.named(id)?;
        let token = self.draw_registration_token();
        let expires = after(self.clock.read(now), REGISTRATION_LIFETIME);
        let state = TokenState::Registration { expires, used: false };
        self.tokens.insert(
            token.clone(),
            Token {
                device: id.to_owned(),
                state,
            },
        );
        let old = self.named(id)?.registration.replace(token.clone());
        if let Some(old) = old
            && let Some(Token {
                state: TokenState::Registration { used: false, .. },
                ..
            }) = self.tokens.get(&old)
        {
            self.tokens.remove(&old);
        }
        self.note(
            now,
            Fact::RegistrationRegenerated {
                device: id.to_owned(),
                token: token.clone(),
            },
        );
        Ok(token)
    }

    /// Uses the device's registration token up, as if another device had registered with it.
    ///
    /// # Errors
    /// For an unknown device.
    pub fn spend_registration(&mut self, now: Instant, id: &str) -> Result<(), CloudError> {
        let registration = self.named(id)?.registration.clone();
        if let Some(token) = registration
            && let Some(Token {
                state: TokenState::Registration { used, .. },
                ..
            }) = self.tokens.get_mut(&token)
            && !std::mem::replace(used, true)
        {
            self.note(
                now,
                Fact::RegistrationSpent {
                    device: id.to_owned(),
                    token,
                },
            );
        }
        Ok(())
    }

    /// Binds the device's permanent token to another MAC address.
    ///
    /// # Errors
    /// For an unknown device.
    pub fn bind_to_mac(&mut self, id: &str, mac: sim::air::Mac) -> Result<(), CloudError> {
        self.named(id)?.mac = Some(mac);
        Ok(())
    }

    /// The addresses that have spoken to the cloud.
    pub fn peers(&self) -> Vec<IpAddr> {
        self.admission.peers().collect()
    }

    /// Puts other limits in force from now on; those of the configuration are not forgotten.
    pub fn set_limits(&mut self, limits: crate::Limits) {
        self.admission.set_limits(limits);
    }

    /// Moves the server's clock by `by_ns`, either way. Sessions live by that clock.
    pub fn step_clock(&mut self, now: Instant, by_ns: i64) {
        self.advance(now);
        self.clock.step(now, by_ns);
        self.clock_changed(now);
    }

    /// Sets the server's clock `offset_ns` ahead of true time.
    pub fn set_skew(&mut self, now: Instant, offset_ns: i64) {
        self.advance(now);
        self.clock.set_offset(now, offset_ns);
        self.clock_changed(now);
    }

    /// Makes the server's clock gain `ppm` from now on.
    ///
    /// # Errors
    /// [`CloudError::InvalidDrift`].
    pub fn set_drift(&mut self, now: Instant, ppm: i32) -> Result<(), CloudError> {
        self.advance(now);
        self.clock.set_drift(now, ppm)?;
        self.clock_changed(now);
        Ok(())
    }

    fn clock_changed(&mut self, now: Instant) {
        let offset_ns = self.clock.offset_ns(now).clamp(i64::MIN.into(), i64::MAX.into());
        let offset_ns = i64::try_from(offset_ns).expect("it was clamped");
        self.note(now, Fact::ClockChanged { offset_ns });
        self.advance_by_new_clock(now);
    }

    /// Bans an address for `lasting`.
    pub fn ban(&mut self, now: Instant, peer: IpAddr, lasting: Duration) {
        let until = now + lasting;
        self.admission.ban(now, peer, until);
        self.note(now, Fact::Banned { peer, until });
    }

    /// Bans every address that comes for the first time from now on, for `lasting`; `None` lifts that again, for those
    /// that have not come yet.
    pub fn ban_unseen(&mut self, now: Instant, lasting: Option<Duration>) {
        self.admission.ban_unseen(lasting.map(|lasting| now + lasting));
    }

    /// Lifts a ban and forgets the failures that led to it.
    pub fn unban(&mut self, now: Instant, peer: IpAddr) {
        self.admission.unban(now, peer);
        self.note(now, Fact::Unbanned { peer });
    }
}
