//! The SNTP client: sets the clock after boot, keeps it right, and asks at once when the server objects.

use embassy_futures::select::select;
use embassy_net::dns::DnsQueryType;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use esp_hal::rng::Rng;
use esp_println::println;
use oceanremote_logic::backoff::Backoff;
use oceanremote_logic::defects::Defect;
use oceanremote_logic::kiss::{Kiss, Limits};
use oceanremote_logic::ntp;
use oceanremote_logic::settings::Settings;

use crate::clock;
use crate::wifi::{Network, OBSTACLE_GONE};

/// Patience with the name server and with the time server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A correction larger than this must be confirmed by a second reply.
const CONFIRM_MS: u64 = 60_000;
/// Pause before the confirming query, and by how much the two may differ.
const CONFIRM_AFTER: Duration = Duration::from_secs(5);
const AGREEMENT_MS: u64 = 5_000;
/// Between two queries as long as the server objects to our clock.
const OBJECTION_MS: (u32, u32) = (30_000, 120_000);
/// If no time server may be asked, its name is looked up again after this time: it may lead to another one by then.
const LOOK_AGAIN_MS: u64 = 3_600_000;

/// Keeps the clock right.
#[embassy_executor::task]
pub async fn keep_time(stack: Stack<'static>, settings: &'static Settings) {
    if settings.defects.has(Defect::NoNtp) {
        return;
    }
    let rng = Rng::new();
    let mut network = Network::new();
    let mut client = Client {
        stack,
        settings,
        rng,
        limits: Limits::new(),
    };
    let mut silent = Backoff::new(15_000, 300_000);
    let mut objected = Backoff::new(OBJECTION_MS.0, OBJECTION_MS.1);
    loop {
        network.wait_up().await;
        match client.synchronise().await {
            Ok(server) => {
                if settings.defects.has(Defect::SyncsClockOnce) {
                    return;
                }
                silent.reset();
                let now = clock::uptime_ms();
                let next = |pause_ms: u32| {
                    let at = (now + u64::from(pause_ms)).max(client.limits.not_before_ms(server));
                    Timer::at(Instant::from_millis(at))
                };
                let objection = async {
                    if !clock::is_rejected() {
                        objected.reset();
                        clock::REJECTED.wait().await;
                    }
                    // The server says no more until the next request, which may be hours away: what is to be known
                    // before that is whether the time server is right again.
                    next(objected.fail(rng.random())).await;
                };
                select(next(settings.ntp_ms), objection).await;
                clock::REJECTED.reset();
            }
            Err(problem) => {
                let now = clock::uptime_ms();
                let pause = match problem {
                    Problem::Unwelcome { until_ms, .. } => until_ms.saturating_sub(now).min(LOOK_AGAIN_MS),
                    // One that the server objects to is worth asking more often.
                    _ if clock::is_rejected() => objected.fail(rng.random()).into(),
                    _ => silent.fail(rng.random()).into(),
                };
                println!(
                    "[TIME] NTP failed: {problem}, next attempt in {} s",
                    pause.div_ceil(1_000)
                );
                Timer::after_millis(pause).await;
            }
        }
    }
}

/// Why there is no time.
enum Problem {
    Name,
    Silence,
    Socket,
    Reply(ntp::NtpError),
    Disagreement,
    /// The time server has asked for a pause until this time since boot; with its code if it just did.
    Unwelcome {
        until_ms: u64,
        kiss: Option<ntp::NtpError>,
    },
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Name => f.write_str("server name not found"),
            Self::Silence => f.write_str("no answer"),
            Self::Socket => f.write_str("cannot send"),
            Self::Reply(error)
            | Self::Unwelcome {
                kiss: Some(error), ..
            } => write!(f, "{error}"),
            Self::Disagreement => f.write_str("two replies disagree"),
            Self::Unwelcome { kiss: None, .. } => f.write_str("the time server wants no query yet"),
        }
    }
}

/// Asks the time, and keeps to what the servers have said about that.
struct Client {
    stack: Stack<'static>,
    settings: &'static Settings,
    rng: Rng,
    limits: Limits<IpAddress>,
}

impl Client {
    /// Sets the clock. Returns the server that told the time.
    async fn synchronise(&mut self) -> Result<IpAddress, Problem> {
        let blind = self.settings.defects.has(Defect::TrustNtpBlindly);
        let (mut unix_ms, mut server) = self.query(blind).await?;
        if let Some(ours) = clock::unix_ms()
            && ours.abs_diff(unix_ms) > CONFIRM_MS
            && !blind
        {
            println!(
                "[TIME] NTP differs from our clock by {} s, asking again",
                ours.abs_diff(unix_ms) / 1_000
            );
            let first = (unix_ms, clock::uptime_ms());
            let soon = Instant::now() + CONFIRM_AFTER;
            Timer::at(soon.max(Instant::from_millis(self.limits.not_before_ms(server)))).await;
            (unix_ms, server) = self.query(blind).await?;
            let expected = first.0 + (clock::uptime_ms() - first.1);
            if expected.abs_diff(unix_ms) > AGREEMENT_MS {
                return Err(Problem::Disagreement);
            }
        }
        let corrected = clock::unix_ms().is_none_or(|ours| ours.abs_diff(unix_ms) > 1_000);
        clock::set(unix_ms);
        println!("[TIME] Synced by NTP: {}", clock::civil(unix_ms));
        if corrected {
            clock::correct();
            OBSTACLE_GONE.signal(());
        }
        Ok(server)
    }

    /// An address of the time server that may be asked now.
    async fn server(&self) -> Result<IpAddress, Problem> {
        let lookup = self.stack.dns_query(&self.settings.ntp_server, DnsQueryType::A);
        let addresses = match with_timeout(ANSWER_TIMEOUT, lookup).await {
            Ok(Ok(addresses)) => addresses,
            _ => return Err(Problem::Name),
        };
        let free_at = |server: &IpAddress| self.limits.not_before_ms(*server);
        let server = *addresses
            .iter()
            .min_by_key(|server| free_at(server))
            .ok_or(Problem::Name)?;
        match free_at(&server) {
            until_ms if until_ms > clock::uptime_ms() => Err(Problem::Unwelcome { until_ms, kiss: None }),
            _ => Ok(server),
        }
    }

    /// Asks once. The time is that of the reply's sending; half of the round trip is added.
    async fn query(&mut self, blind: bool) -> Result<(u64, IpAddress), Problem> {
        let server = self.server().await?;
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 1]);
        let (mut rx_buffer, mut tx_buffer) = ([0; 192], [0; ntp::PACKET_LEN]);
        let mut socket = UdpSocket::new(
            self.stack,
            &mut rx_meta,
            &mut rx_buffer,
            &mut tx_meta,
            &mut tx_buffer,
        );
        socket.bind(0).map_err(|_| Problem::Socket)?;
        let nonce = (u64::from(self.rng.random()) << 32) | u64::from(self.rng.random());
        socket
            .send_to(&ntp::request(nonce), (server, self.settings.ntp_port))
            .await
            .map_err(|_| Problem::Socket)?;
        let sent_at = clock::uptime_ms();
        self.limits.asked(server, sent_at);
        let answer = async {
            let mut packet = [0; ntp::PACKET_LEN + 20];
            loop {
                let Ok((len, _)) = socket.recv_from(&mut packet).await else {
                    continue;
                };
                let read = match blind {
                    true => ntp::read_blindly(&packet[..len]).ok_or(ntp::NtpError::NotAReply),
                    false => ntp::read_reply(&packet[..len], nonce),
                };
                match read {
                    // A late reply to an earlier query, or a stranger's: the right one may still come.
                    Err(ntp::NtpError::WrongOrigin | ntp::NtpError::NotAReply) => {}
                    read => return read,
                }
            }
        };
        match with_timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(unix_ms)) => Ok((unix_ms + (clock::uptime_ms() - sent_at) / 2, server)),
            Ok(Err(error)) => Err(self.turned_down(server, error)),
            Err(_) => Err(Problem::Silence),
        }
    }

    /// Takes note of a reply that tells no time.
    fn turned_down(&mut self, server: IpAddress, error: ntp::NtpError) -> Problem {
        let ntp::NtpError::KissOfDeath(code) = error else {
            return Problem::Reply(error);
        };
        match Kiss::of(code) {
            Some(kiss) if !self.settings.defects.has(Defect::IgnoresKissOfDeath) => {
                let now = clock::uptime_ms();
                self.limits.kissed(server, kiss, now, self.settings.ntp_ms.into());
                Problem::Unwelcome {
                    until_ms: self.limits.not_before_ms(server),
                    kiss: Some(error),
                }
            }
            _ => Problem::Reply(error),
        }
    }
}
