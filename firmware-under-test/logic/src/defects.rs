//! Deliberate defects, switched on by the provisioning key `defects`.
//!
//! A harness that has never caught a broken firmware proves nothing. Each defect is one branch in the
//! device's code, named after what it does wrong; `docs/defects.md` says how the right firmware differs.

/// One way in which this firmware can be told to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Defect {
    /// No renewal timer, as in firmware 4.x: the session ends after 60 minutes. The banner says v4.2.
    NoAutoRenewal,
    /// Renews when the session is 60 minutes old, which is when it expires.
    RenewAt60Minutes,
    /// A renewal that failed is not tried again until the next regular one.
    NoRetryAfterFailedRenewal,
    /// `Retry-After` on 429 and 503 is not read; the next request comes at its usual time.
    IgnoreRetryAfter,
    /// Every failed request is repeated after one second, without growing pauses.
    NoBackoff,
    /// A lost session leads straight to registration; the permanent token is never used.
    ReregisterOn401,
    /// All relays switch off when the session is lost.
    RelaysOffOnSessionLoss,
    /// The permanent token is erased and rewritten in one place, so a power cut can lose it.
    TokenWriteInPlace,
    /// The clock is never set: requests carry the seconds since boot as their time.
    NoNtp,
    /// Any NTP reply is believed: no check of stratum, leap, origin or plausibility.
    TrustNtpBlindly,
    /// The renewal timer compares 32-bit milliseconds without regard to their wrap at 49.7 days.
    MillisOverflow,
    /// After a lost association WiFi stays off.
    NoWifiReconnect,
    /// A rejected permanent token is sent again at every poll interval, for ever.
    HammerRevokedToken,
    /// The permanent token is printed on the serial log.
    PrintToken,
    /// After a renewal whose reply was lost, the old session is kept and 401 is not acted upon.
    LoseSessionOnLostReply,
    /// A reply that is not the expected JSON ends in a panic.
    PanicOnMalformedJson,
    /// The server's name is resolved once; if that fails, it stays failed until the next boot.
    NoDnsRetry,
    /// No hardware watchdog, and no restart when renewal fails repeatedly.
    NoWatchdog,
    /// Commands are carried out and never acknowledged, so they are carried out again at every poll.
    IgnoreCommandsAck,
    /// Whatever lies in the token's place in flash is taken for a token, whole or not.
    IgnoresTokenChecksum,
    /// NTP is asked until it has answered once, and never again.
    SyncsClockOnce,
    /// A session is turned down when the server's clock differs from ours by more than a minute.
    StrictClockCheck,
    /// A name lookup that fails ends the attempt; the address that worked before is not used.
    NoDnsFallback,
    /// When the lease ends, no new address is taken up before WiFi associates anew.
    NoNewAddress,
    /// A 1xx response is taken for the answer.
    InterimIsFinal,
    /// A chunked body must end right after its last chunk: trailer fields are an error.
    NoChunkTrailers,
    /// A header line that goes on in the next line is an error.
    NoFoldedHeaders,
    /// Header names are recognised in lower case only, and so is `chunked`.
    CaseSensitiveHeaders,
    /// A kiss-o'-death is a failed query like any other: the server is asked again, sooner than before.
    IgnoresKissOfDeath,
    /// DHCP starts again at once whenever it has failed.
    DhcpStorm,
    /// An association that ends at once is tried again after one second, for ever.
    NoWifiBackoff,
}

impl Defect {
    /// Every defect, in the order of the documentation.
    pub const ALL: [Self; 31] = [
        Self::NoAutoRenewal,
        Self::RenewAt60Minutes,
        Self::NoRetryAfterFailedRenewal,
        Self::IgnoreRetryAfter,
        Self::NoBackoff,
        Self::ReregisterOn401,
        Self::RelaysOffOnSessionLoss,
        Self::TokenWriteInPlace,
        Self::NoNtp,
        Self::TrustNtpBlindly,
        Self::MillisOverflow,
        Self::NoWifiReconnect,
        Self::HammerRevokedToken,
        Self::PrintToken,
        Self::LoseSessionOnLostReply,
        Self::PanicOnMalformedJson,
        Self::NoDnsRetry,
        Self::NoWatchdog,
        Self::IgnoreCommandsAck,
        Self::IgnoresTokenChecksum,
        Self::SyncsClockOnce,
        Self::StrictClockCheck,
        Self::NoDnsFallback,
        Self::NoNewAddress,
        Self::InterimIsFinal,
        Self::NoChunkTrailers,
        Self::NoFoldedHeaders,
        Self::CaseSensitiveHeaders,
        Self::IgnoresKissOfDeath,
        Self::DhcpStorm,
        Self::NoWifiBackoff,
    ];

    /// The name used in the provisioning partition.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAutoRenewal => "no-auto-renewal",
            Self::RenewAt60Minutes => "renew-at-60-minutes",
            Self::NoRetryAfterFailedRenewal => "no-retry-after-failed-renewal",
            Self::IgnoreRetryAfter => "ignore-retry-after",
            Self::NoBackoff => "no-backoff",
            Self::ReregisterOn401 => "reregister-on-401",
            Self::RelaysOffOnSessionLoss => "relays-off-on-session-loss",
            Self::TokenWriteInPlace => "token-write-in-place",
            Self::NoNtp => "no-ntp",
            Self::TrustNtpBlindly => "trust-ntp-blindly",
            Self::MillisOverflow => "millis-overflow",
            Self::NoWifiReconnect => "no-wifi-reconnect",
            Self::HammerRevokedToken => "hammer-revoked-token",
            Self::PrintToken => "print-token",
            Self::LoseSessionOnLostReply => "lose-session-on-lost-reply",
            Self::PanicOnMalformedJson => "panic-on-malformed-json",
            Self::NoDnsRetry => "no-dns-retry",
            Self::NoWatchdog => "no-watchdog",
            Self::IgnoreCommandsAck => "ignore-commands-ack",
            Self::IgnoresTokenChecksum => "ignores-token-checksum",
            Self::SyncsClockOnce => "syncs-clock-once",
            Self::StrictClockCheck => "strict-clock-check",
            Self::NoDnsFallback => "no-dns-fallback",
            Self::NoNewAddress => "no-new-address",
            Self::InterimIsFinal => "interim-is-final",
            Self::NoChunkTrailers => "no-chunk-trailers",
            Self::NoFoldedHeaders => "no-folded-headers",
            Self::CaseSensitiveHeaders => "case-sensitive-headers",
            Self::IgnoresKissOfDeath => "ignores-kiss-of-death",
            Self::DhcpStorm => "dhcp-storm",
            Self::NoWifiBackoff => "no-wifi-backoff",
        }
    }

    /// The defect of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.name() == name)
    }
}

/// A set of defects; the shipped firmware's is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defects(u64);

impl Defects {
    /// Whether the defect is switched on.
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & (1 << defect as u32) != 0
    }

    /// Switches a defect on.
    pub fn insert(&mut self, defect: Defect) {
        self.0 |= 1 << defect as u32;
    }

    /// Whether none is switched on.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The defects that are switched on, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.into_iter().filter(move |defect| self.has(*defect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_defect() {
        for defect in Defect::ALL {
            assert_eq!(Defect::from_name(defect.name()), Some(defect));
        }
        assert_eq!(Defect::from_name("no-such-defect"), None);
        assert_eq!(Defect::from_name(""), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = Defects::default();
        assert!(set.is_empty());
        set.insert(Defect::IgnoreCommandsAck);
        set.insert(Defect::NoBackoff);
        assert!(set.has(Defect::NoBackoff) && !set.has(Defect::NoNtp));
        assert!(set.iter().eq([Defect::NoBackoff, Defect::IgnoreCommandsAck]));
    }
}
