//! The policy, driven by hand: times in milliseconds since boot.

extern crate std;

use super::*;

const MINUTE: u64 = 60_000;
const SESSION: Outcome = Outcome::Accepted { expires_in_s: 3600 };
const DONE: Outcome = Outcome::Accepted { expires_in_s: 0 };
const LOST: Outcome = Outcome::Rejected(Rejection::Credential);

/// A device and its clock.
struct Device {
    session: Session,
    now: u64,
    random: u32,
}

impl Device {
    fn new(has_permanent_token: bool, defects: &[Defect]) -> Self {
        let mut set = Defects::default();
        defects.iter().for_each(|defect| set.insert(*defect));
        let policy = Policy {
            poll_ms: 5_000,
            update_ms: 60_000,
            renew_ms: 2_700_000,
            defects: set,
        };
        Self {
            session: Session::new(policy, has_permanent_token),
            now: 1_000,
            random: 0,
        }
    }

    /// A device whose session has begun at 1 s.
    fn live(defects: &[Defect]) -> Self {
        let mut device = Self::new(true, defects);
        device.expect(Request::Recover, SESSION);
        device.notes();
        device
    }

    /// Waits for the next request and returns it.
    fn next(&mut self) -> Request {
        for _ in 0..10 {
            match self.session.next(self.now) {
                Step::Send(request) => return request,
                Step::WaitUntil(at) => {
                    assert!(at > self.now, "waits for the past");
                    self.now = at;
                }
            }
        }
        panic!("waits for ever");
    }

    /// The next request must be this one; it is answered after 20 ms.
    fn expect(&mut self, request: Request, outcome: Outcome) -> u64 {
        assert_eq!(self.next(), request, "at {} ms", self.now);
        let sent_at = self.now;
        self.now += 20;
        self.session
            .settle(request, outcome, sent_at, self.now, self.random);
        sent_at
    }

    /// Answers everything well until the first request of this kind, and tells when it came.
    fn run_until(&mut self, wanted: Request) -> u64 {
        for _ in 0..20_000 {
            let request = self.next();
            if request == wanted {
                return self.now;
            }
            let outcome = if matches!(request, Request::Poll | Request::Update) {
                DONE
            } else {
                SESSION
            };
            self.expect(request, outcome);
        }
        panic!("{wanted:?} never came");
    }

    fn notes(&mut self) -> Vec<Note, 8> {
        self.session.take_notes()
    }
}

#[test]
fn first_boot_registers_once_and_then_works() {
    let mut device = Device::new(false, &[]);
    device.expect(Request::Register, SESSION);
    device.expect(Request::Update, DONE);
    let first = device.expect(Request::Poll, DONE);
    let second = device.expect(Request::Poll, DONE);
    assert_eq!(second - first, 5_000);
    assert!(device.session.is_live());
}

#[test]
fn a_boot_with_a_token_recovers_and_never_registers() {
    let mut device = Device::new(true, &[]);
    device.expect(Request::Recover, SESSION);
    assert_eq!(device.notes()[..], [Note::SessionRecovered]);
    device.expect(Request::Update, DONE);
}

#[test]
fn renewals_come_every_45_minutes() {
    let mut device = Device::live(&[]);
    assert_eq!(device.run_until(Request::Renew), 1_000 + 45 * MINUTE);
    device.expect(Request::Renew, SESSION);
    assert_eq!(device.notes()[..], [Note::SessionRenewed]);
    assert_eq!(device.run_until(Request::Renew), 1_000 + 90 * MINUTE);
}

#[test]
fn a_short_session_is_renewed_before_its_end() {
    let mut device = Device::new(true, &[]);
    device.expect(Request::Recover, Outcome::Accepted { expires_in_s: 600 });
    assert_eq!(device.run_until(Request::Renew), 1_000 + 540_000);
}

#[test]
fn v4_never_renews_and_renewing_at_60_minutes_is_too_late() {
    let mut device = Device::live(&[Defect::NoAutoRenewal]);
    for _ in 0..2_000 {
        let request = device.next();
        assert!(matches!(request, Request::Poll | Request::Update));
        device.expect(request, DONE);
    }
    assert!(device.now > 120 * MINUTE);
    let mut device = Device::live(&[Defect::RenewAt60Minutes]);
    assert!(device.run_until(Request::Renew) > 1_000 + 60 * MINUTE);
}

#[test]
fn a_lost_session_is_recovered_with_the_token() {
    let mut device = Device::live(&[]);
    device.expect(Request::Update, DONE);
    device.expect(Request::Poll, LOST);
    assert_eq!(device.notes()[..], [Note::SessionInvalid]);
    device.expect(Request::Recover, SESSION);
    assert_eq!(device.notes()[..], [Note::SessionRecovered]);
}

#[test]
fn registration_is_the_last_resort_and_backs_off_for_hours() {
    let mut device = Device::live(&[]);
    device.expect(Request::Update, LOST);
    let mut gaps = std::vec::Vec::new();
    let mut last = None;
    for _ in 0..10 {
        device.notes();
        device.expect(Request::Recover, LOST);
        assert_eq!(device.notes()[..], [Note::WillReregister]);
        let at = device.expect(Request::Register, LOST);
        gaps.extend(last.map(|last| (at - last) / 1_000));
        last = Some(at);
    }
    assert_eq!(gaps, [60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 14_400]);
}

#[test]
fn failed_renewals_are_repeated_with_growing_pauses_while_polls_go_on() {
    let mut device = Device::live(&[]);
    let mut last = device.run_until(Request::Renew);
    device.expect(Request::Renew, Outcome::Failed);
    assert_eq!(
        device.notes()[..],
        [Note::RetryIn {
            request: Request::Renew,
            seconds: 5
        }]
    );
    for pause in [5_000, 10_000, 20_000, 40_000] {
        let at = device.run_until(Request::Renew);
        assert_eq!(at - last, pause);
        last = at;
        device.expect(Request::Renew, Outcome::Failed);
    }
    device.run_until(Request::Renew);
    device.expect(Request::Renew, SESSION);
    assert!(device.notes().contains(&Note::SessionRenewed));
}

#[test]
fn without_retry_the_next_renewal_is_45_minutes_away() {
    let mut device = Device::live(&[Defect::NoRetryAfterFailedRenewal]);
    let first = device.run_until(Request::Renew);
    device.expect(Request::Renew, Outcome::Failed);
    device.session.obstacle_gone(device.now);
    assert_eq!(device.run_until(Request::Renew) - first, 45 * MINUTE);
}

#[test]
fn a_session_that_could_not_be_renewed_is_recovered_at_its_end() {
    let mut device = Device::live(&[]);
    for _ in 0..2_000 {
        match device.next() {
            Request::Renew => device.expect(Request::Renew, Outcome::Failed),
            Request::Recover => break,
            request => device.expect(request, DONE),
        };
        device.notes();
    }
    assert_eq!(device.now, 1_000 + 60 * MINUTE);
    assert_eq!(device.notes()[..], [Note::SessionInvalid]);
}

#[test]
fn retry_after_silences_the_device() {
    let mut device = Device::live(&[]);
    device.expect(Request::Update, DONE);
    let at = device.expect(
        Request::Poll,
        Outcome::Throttled {
            retry_after_s: Some(30),
        },
    );
    assert_eq!(device.notes()[..], [Note::RetryAfter { seconds: 30 }]);
    device.session.obstacle_gone(device.now);
    assert_eq!(device.expect(Request::Poll, DONE), at + 20 + 30_000);
}

#[test]
fn throttling_without_a_time_backs_off() {
    let mut device = Device::live(&[]);
    device.expect(Request::Update, DONE);
    let mut last = device.expect(Request::Poll, Outcome::Throttled { retry_after_s: None });
    for pause in [5_000, 10_000, 20_000] {
        let at = device.expect(Request::Poll, Outcome::Throttled { retry_after_s: None });
        assert_eq!(at - last, pause);
        last = at;
    }
}

#[test]
fn ignoring_retry_after_polls_on() {
    let mut device = Device::live(&[Defect::IgnoreRetryAfter]);
    device.expect(Request::Update, DONE);
    let at = device.expect(
        Request::Poll,
        Outcome::Throttled {
            retry_after_s: Some(30),
        },
    );
    assert_eq!(device.expect(Request::Poll, DONE), at + 5_020);
}

#[test]
fn failures_back_off_to_five_minutes_and_jitter_only_lengthens() {
    for random in [0, u32::MAX / 2, u32::MAX] {
        let mut device = Device::live(&[]);
        device.random = random;
        let mut sent = std::vec::Vec::new();
        while sent.len() < 9 {
            let request = device.next();
            assert!(matches!(request, Request::Poll | Request::Update));
            sent.push(device.expect(request, Outcome::Failed));
            device.notes();
        }
        let gaps: std::vec::Vec<u64> = sent.windows(2).map(|two| two[1] - two[0]).collect();
        assert!((5_000..6_250).contains(&gaps[0]), "{gaps:?}");
        for two in gaps.windows(2) {
            assert!(two[1] == 300_000 || two[1] * 2 >= two[0] * 3, "{gaps:?}");
        }
        assert_eq!(gaps.last(), Some(&300_000));
    }
}

#[test]
fn without_backoff_it_hammers() {
    let mut device = Device::live(&[Defect::NoBackoff]);
    device.expect(Request::Update, Outcome::Failed);
    let first = device.expect(Request::Update, Outcome::Failed);
    let second = device.expect(Request::Update, Outcome::Failed);
    assert_eq!(second - first, 1_020);
}

#[test]
fn a_wrong_clock_is_not_a_lost_session() {
    let mut device = Device::live(&[]);
    device.expect(Request::Update, Outcome::Rejected(Rejection::ClockSkew));
    assert!(device.session.is_live());
    assert_eq!(device.notes()[0], Note::ClockRejected);
    device.session.clock_corrected(device.now);
    let at = device.now;
    assert_eq!(device.expect(Request::Update, DONE), at);
}

const SKEWED: Outcome = Outcome::Rejected(Rejection::ClockSkew);

#[test]
fn a_wrong_clock_holds_every_request_and_twenty_objections_take_more_than_a_day() {
    let mut device = Device::live(&[]);
    let mut sent = std::vec::Vec::new();
    for _ in 0..20 {
        let request = device.next();
        sent.push(device.expect(request, SKEWED));
        device.notes();
    }
    let gaps: std::vec::Vec<u64> = sent.windows(2).map(|two| (two[1] - two[0]) / 1_000).collect();
    assert_eq!(gaps[..6], [5, 10, 20, 40, 80, 160]);
    assert_eq!(gaps[12..], [14_400; 7]);
    assert!(sent[19] - sent[0] > 24 * 60 * MINUTE);
    // The network coming back does not correct the clock.
    device.session.obstacle_gone(device.now);
    assert_eq!(
        (device.next(), device.now),
        (Request::Recover, sent[19] + 14_400_000)
    );
    device.expect(Request::Recover, SESSION);
    device.expect(Request::Update, SKEWED);
    assert_eq!(device.now, device.session.skewed_until - 4_980);
}

#[test]
fn a_clock_that_is_corrected_in_vain_does_not_shorten_the_pauses() {
    let mut device = Device::live(&[]);
    for _ in 0..4 {
        device.expect(Request::Update, SKEWED);
        device.session.clock_corrected(device.now);
    }
    let at = device.expect(Request::Update, SKEWED);
    assert_eq!(device.next(), Request::Update);
    assert_eq!(device.now, at + 80_000);
}

#[test]
fn registrations_with_a_wrong_clock_stay_below_two_a_minute() {
    let mut device = Device::new(false, &[]);
    let first = device.expect(Request::Register, SKEWED);
    device.session.clock_corrected(device.now);
    let second = device.expect(Request::Register, SKEWED);
    assert_eq!(second - first, 31_000);
    let mut device = Device::new(false, &[Defect::NoBackoff]);
    let first = device.expect(Request::Register, SKEWED);
    assert_eq!(device.expect(Request::Register, SKEWED) - first, 1_020);
}

#[test]
fn updates_that_pass_do_not_reset_the_pauses_of_polls() {
    let mut device = Device::live(&[]);
    let (mut polls, mut updates) = (std::vec::Vec::new(), std::vec::Vec::new());
    while polls.len() < 9 {
        match device.next() {
            Request::Update => updates.push(device.expect(Request::Update, DONE)),
            Request::Renew => _ = device.expect(Request::Renew, SESSION),
            request => polls.push(device.expect(request, Outcome::Failed)),
        }
        device.notes();
    }
    let gaps = |sent: &[u64]| -> std::vec::Vec<u64> {
        sent.windows(2).map(|two| (two[1] - two[0]) / 1_000).collect()
    };
    assert_eq!(gaps(&polls), [5, 10, 20, 40, 80, 160, 300, 300]);
    // The first update after the failure waited with the polls; it passed, and the next ones come on time.
    assert_eq!(gaps(&updates)[0], 75);
    assert!(gaps(&updates)[1..].iter().all(|gap| *gap == 60), "{updates:?}");
    // Once both fail, they share the longer pauses.
    while device.next() != Request::Update {
        let request = device.next();
        device.expect(request, Outcome::Failed);
    }
    let at = device.expect(Request::Update, Outcome::Failed);
    device.notes();
    device.next();
    assert_eq!(device.now, at + 300_000);
}

#[test]
fn one_accepted_poll_ends_the_pauses_of_polls() {
    let mut device = Device::live(&[]);
    device.expect(Request::Update, DONE);
    for _ in 0..4 {
        device.expect(Request::Poll, Outcome::Failed);
    }
    device.next();
    while device.next() != Request::Poll {
        device.expect(Request::Update, DONE);
    }
    device.expect(Request::Poll, DONE);
    let failed = device.expect(Request::Poll, Outcome::Failed);
    while device.next() != Request::Poll {
        device.expect(Request::Update, DONE);
    }
    assert_eq!(device.now - failed, 5_000);
}

#[test]
fn the_network_coming_back_does_not_undo_a_rejected_registration() {
    let mut device = Device::new(false, &[]);
    let at = device.expect(Request::Register, LOST);
    device.session.obstacle_gone(device.now);
    assert_eq!(device.expect(Request::Register, LOST) - at, 60_000);
}

#[test]
fn unanswered_registrations_stay_below_two_a_minute() {
    let mut device = Device::new(false, &[]);
    let first = device.expect(Request::Register, Outcome::Failed);
    assert_eq!(device.expect(Request::Register, Outcome::Failed) - first, 30_000);
    device.session.obstacle_gone(device.now);
    let at = device.now;
    assert_eq!(device.expect(Request::Register, SESSION), at);
}

#[test]
fn reregistering_at_once_is_the_deadlock() {
    let mut device = Device::live(&[Defect::ReregisterOn401]);
    device.expect(Request::Update, LOST);
    assert_eq!(device.notes()[..], [Note::SessionInvalid, Note::WillReregister]);
    device.expect(Request::Register, LOST);
    device.expect(Request::Register, LOST);
}

#[test]
fn a_hammered_token_goes_out_at_every_poll_interval() {
    let mut device = Device::live(&[Defect::HammerRevokedToken]);
    device.expect(Request::Update, LOST);
    let first = device.expect(Request::Recover, LOST);
    assert_eq!(device.expect(Request::Recover, LOST) - first, 5_020);
}

#[test]
fn relays_are_left_alone_unless_the_defect_says_so() {
    for (defects, off) in [(&[][..], false), (&[Defect::RelaysOffOnSessionLoss][..], true)] {
        let mut device = Device::live(defects);
        device.expect(Request::Update, LOST);
        assert_eq!(device.notes().contains(&Note::RelaysOff), off);
    }
}

#[test]
fn a_lost_reply_is_fatal_only_with_the_defect() {
    let mut device = Device::live(&[Defect::LoseSessionOnLostReply]);
    device.run_until(Request::Renew);
    device.expect(Request::Renew, Outcome::Failed);
    for _ in 0..5 {
        let request = device.next();
        assert!(matches!(request, Request::Poll | Request::Update), "{request:?}");
        device.expect(request, LOST);
    }
    let mut device = Device::live(&[]);
    device.run_until(Request::Renew);
    device.expect(Request::Renew, Outcome::Failed);
    let request = device.next();
    device.expect(request, LOST);
    device.expect(Request::Recover, SESSION);
}

#[test]
fn restart_after_ten_failures_in_half_an_hour() {
    for (defects, restarts) in [(&[][..], true), (&[Defect::NoWatchdog][..], false)] {
        let mut device = Device::new(true, defects);
        let mut restart = None;
        for _ in 0..20 {
            device.expect(Request::Recover, Outcome::Failed);
            for note in device.notes() {
                if let Note::Restart { failures, minutes } = note {
                    restart = Some((failures, minutes));
                }
            }
        }
        assert_eq!(restart, restarts.then_some((12, 30)), "{defects:?}");
    }
}

#[test]
fn the_wrap_of_32_bit_milliseconds_only_harms_the_defect() {
    const WRAP: u64 = 1 << 32;
    for (defects, storm) in [(&[][..], false), (&[Defect::MillisOverflow][..], true)] {
        let mut device = Device::new(true, defects);
        device.now = WRAP - 10 * MINUTE;
        device.expect(Request::Recover, SESSION);
        let until = device.now + 5 * MINUTE;
        let mut renewals = 0;
        while device.now < until {
            let request = device.next();
            renewals += u32::from(request == Request::Renew);
            device.expect(request, if request == Request::Renew { SESSION } else { DONE });
            device.notes();
        }
        assert_eq!(renewals > 20, storm, "{renewals} renewals");
        if !storm {
            assert_eq!(device.run_until(Request::Renew), WRAP + 35 * MINUTE);
        }
    }
}
