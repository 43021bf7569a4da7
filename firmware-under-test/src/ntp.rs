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

/// Keeps the clock right.
#[embassy_executor::task]
pub async fn keep_time(stack: Stack<'static>, settings: &'static Settings) {
    if settings.defects.has(Defect::NoNtp) {
        return;
    }
    let rng = Rng::new();
    let mut network = Network::new();
    let mut silent = Backoff::new(15_000, 300_000);
    let mut objected = Backoff::new(OBJECTION_MS.0, OBJECTION_MS.1);
    loop {
        network.wait_up().await;
        match synchronise(stack, settings, rng).await {
            Ok(()) => {
                if settings.defects.has(Defect::SyncsClockOnce) {
                    return;
                }
                silent.reset();
                let now = Instant::now();
                let regular = Timer::after_millis(settings.ntp_ms.into());
                let objection = async {
                    if !clock::is_rejected() {
                        objected.reset();
                        clock::REJECTED.wait().await;
                    }
                    // The server says no more until the next request, which may be hours away: what is to be known
                    // before that is whether the time server is right again.
                    Timer::at(now + Duration::from_millis(objected.fail(rng.random()).into())).await;
                };
                select(regular, objection).await;
                clock::REJECTED.reset();
            }
            Err(problem) => {
                // One that the server objects to is worth asking more often.
                let backoff = if clock::is_rejected() {
                    &mut objected
                } else {
                    &mut silent
                };
                let pause = backoff.fail(rng.random());
                println!(
                    "[TIME] NTP failed: {problem}, next attempt in {} s",
                    pause.div_ceil(1_000)
                );
                Timer::after_millis(pause.into()).await;
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
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Name => f.write_str("server name not found"),
            Self::Silence => f.write_str("no answer"),
            Self::Socket => f.write_str("cannot send"),
            Self::Reply(error) => write!(f, "{error}"),
            Self::Disagreement => f.write_str("two replies disagree"),
        }
    }
}

async fn synchronise(stack: Stack<'static>, settings: &Settings, rng: Rng) -> Result<(), Problem> {
    let blind = settings.defects.has(Defect::TrustNtpBlindly);
    let mut unix_ms = query(stack, settings, rng, blind).await?;
    if let Some(ours) = clock::unix_ms()
        && ours.abs_diff(unix_ms) > CONFIRM_MS
        && !blind
    {
        println!(
            "[TIME] NTP differs from our clock by {} s, asking again",
            ours.abs_diff(unix_ms) / 1_000
        );
        let first = (unix_ms, clock::uptime_ms());
        Timer::after(CONFIRM_AFTER).await;
        unix_ms = query(stack, settings, rng, blind).await?;
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
    Ok(())
}

/// Asks once. The time is that of the reply's sending; half of the round trip is added.
async fn query(stack: Stack<'static>, settings: &Settings, rng: Rng, blind: bool) -> Result<u64, Problem> {
    let lookup = stack.dns_query(&settings.ntp_server, DnsQueryType::A);
    let server: IpAddress = match with_timeout(ANSWER_TIMEOUT, lookup).await {
        Ok(Ok(addresses)) => *addresses.first().ok_or(Problem::Name)?,
        _ => return Err(Problem::Name),
    };
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 1]);
    let (mut rx_buffer, mut tx_buffer) = ([0; 192], [0; ntp::PACKET_LEN]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx_buffer, &mut tx_meta, &mut tx_buffer);
    socket.bind(0).map_err(|_| Problem::Socket)?;
    let nonce = (u64::from(rng.random()) << 32) | u64::from(rng.random());
    socket
        .send_to(&ntp::request(nonce), (server, settings.ntp_port))
        .await
        .map_err(|_| Problem::Socket)?;
    let sent_at = clock::uptime_ms();
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
        Ok(Ok(unix_ms)) => Ok(unix_ms + (clock::uptime_ms() - sent_at) / 2),
        Ok(Err(error)) => Err(Problem::Reply(error)),
        Err(_) => Err(Problem::Silence),
    }
}
