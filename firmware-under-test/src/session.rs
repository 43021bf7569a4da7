//! The session's task: asks the policy what is due, talks to the server, carries commands out, writes the log.

use core::fmt::Write;

use embassy_futures::select::select;
use embassy_net::Stack;
use embassy_time::{Duration, Instant, Timer};
use esp_hal::rng::Rng;
use esp_println::println;
use heapless::String;
use oceanremote_logic::defects::Defect;
use oceanremote_logic::replies::{self, Malformed, NewSession, Rejection, SessionId};
use oceanremote_logic::session::{Note, Outcome, Policy, Request, Session, Step};
use oceanremote_logic::settings::Settings;
use oceanremote_logic::token::Token;

use crate::http::{Buffers, Call, Client, Response};
use crate::sensor::Sensor;
use crate::token_store::TokenStore;
use crate::wifi::{Network, OBSTACLE_GONE};
use crate::{clock, relays, watchdog, wifi};

/// How long the first request waits for the clock to be set.
const CLOCK_PATIENCE: Duration = Duration::from_secs(10);
/// Defect `strict-clock-check`: the largest difference to the server's clock that it accepts.
const STRICT_SKEW_S: u64 = 60;

/// What identifies the device.
pub struct Identity {
    /// The device's id.
    pub device_id: String<32>,
    /// The MAC address, in six pairs of hexadecimal digits with colons.
    pub mac: String<17>,
}

/// Everything the task owns.
pub struct Device {
    stack: Stack<'static>,
    settings: &'static Settings,
    identity: Identity,
    store: TokenStore,
    sensor: Sensor,
    rng: Rng,
    token: Option<Token>,
    session: Option<SessionId>,
    /// The highest command id that was carried out.
    done: u32,
}

impl Device {
    /// A device with what its flash holds; it has no session yet.
    pub fn new(
        stack: Stack<'static>,
        settings: &'static Settings,
        identity: Identity,
        store: TokenStore,
        sensor: Sensor,
    ) -> Self {
        let token = store.token();
        Self {
            stack,
            settings,
            identity,
            store,
            sensor,
            rng: Rng::new(),
            token,
            session: None,
            done: 0,
        }
    }
}

/// Keeps the session alive, for ever.
#[embassy_executor::task]
pub async fn keep_session(mut device: Device, buffers: &'static mut Buffers) {
    let settings = device.settings;
    let policy = Policy {
        poll_ms: settings.poll_ms,
        update_ms: settings.update_ms,
        renew_ms: settings.renew_ms,
        defects: settings.defects,
    };
    let mut session = Session::new(policy, device.token.is_some());
    let mut client = Client::new(device.stack, settings, buffers);
    let mut network = Network::new();
    network.wait_up().await;
    wait_for_clock(settings).await;
    loop {
        if !network.is_up() {
            client.disconnect();
            watchdog::expect_nothing();
            network.wait_up().await;
        }
        if OBSTACLE_GONE.try_take().is_some() {
            let now = clock::uptime_ms();
            session.obstacle_gone(now);
            if clock::take_correction() {
                session.clock_corrected(now);
            }
        }
        let step = session.next(clock::uptime_ms());
        device.act_on(session.take_notes());
        match step {
            Step::WaitUntil(at) => {
                watchdog::expect_by(at);
                select(Timer::at(Instant::from_millis(at)), wait_for_change(&mut network)).await;
            }
            Step::Send(request) => {
                let sent_at = clock::uptime_ms();
                watchdog::expect_by(sent_at);
                let outcome = device.perform(request, &mut client).await;
                session.settle(request, outcome, sent_at, clock::uptime_ms(), device.rng.random());
            }
        }
        device.act_on(session.take_notes());
    }
}

/// Until the network is lost, or an obstacle is gone.
async fn wait_for_change(network: &mut Network) {
    let obstacle_gone = async {
        OBSTACLE_GONE.wait().await;
        // Put back for the loop to find.
        OBSTACLE_GONE.signal(());
    };
    select(network.wait_down(), obstacle_gone).await;
}

async fn wait_for_clock(settings: &Settings) {
    if settings.defects.has(Defect::NoNtp) {
        return;
    }
    let deadline = Instant::now() + CLOCK_PATIENCE;
    while clock::unix_ms().is_none() {
        if Instant::now() >= deadline {
            println!("[TIME] Not known yet, going on without");
            return;
        }
        select(OBSTACLE_GONE.wait(), Timer::at(deadline)).await;
    }
}

/// The log's tag for a request.
fn tag(request: Request) -> &'static str {
    match request {
        Request::Register => "REG",
        _ => "UPDATE",
    }
}

impl Device {
    /// Sends a request and works its reply up.
    async fn perform(&mut self, request: Request, client: &mut Client) -> Outcome {
        let mut path: String<128> = String::new();
        let mut body: String<400> = String::new();
        if self.compose(request, &mut path, &mut body).await.is_err() {
            // Cannot happen with settings of the lengths that provisioning allows.
            return Outcome::Failed;
        }
        let token = match request {
            Request::Register => None,
            Request::Recover => self.token.as_deref(),
            Request::Renew | Request::Poll | Request::Update => self.session.as_deref(),
        };
        let body = (!body.is_empty()).then_some(body.as_str());
        match client
            .send(&Call {
                path: &path,
                token,
                body,
            })
            .await
        {
            Ok(response) => self.work_up(request, &response),
            Err(error) => {
                println!("[{}] Request failed: {error}", tag(request));
                Outcome::Failed
            }
        }
    }

    /// Writes path and body of a request, and announces it.
    async fn compose(
        &mut self,
        request: Request,
        path: &mut String<128>,
        body: &mut String<400>,
    ) -> core::fmt::Result {
        let Identity { device_id, mac } = &self.identity;
        match request {
            Request::Register => {
                println!("[REG] Registering device {device_id}");
                path.write_str("/api/device/register/")?;
                let token = &self.settings.registration_token;
                write!(
                    body,
                    r#"{{"token":"{token}","device_id":"{device_id}","mac_address":"{mac}","ip":""#
                )?;
                if let Some(config) = self.stack.config_v4() {
                    write!(body, "{}", config.address.address())?;
                }
                body.write_str(r#""}"#)
            }
            Request::Recover | Request::Renew => {
                if request == Request::Renew {
                    println!("[UPDATE] Renewing session");
                }
                write!(path, "/api/device/{device_id}/renew-session/")?;
                write!(body, r#"{{"mac_address":"{mac}"}}"#)
            }
            Request::Poll => {
                write!(path, "/api/device/{device_id}/commands/")?;
                match self.settings.defects.has(Defect::IgnoreCommandsAck) {
                    true => Ok(()),
                    false => write!(path, "?ack={}", self.done),
                }
            }
            Request::Update => {
                let temperature = self.sensor.read();
                println!("[UPDATE] Sending temperature: {temperature}C");
                write!(path, "/api/device/{device_id}/update/")?;
                write!(body, r#"{{"temperature":{temperature},"rssi":"#)?;
                match wifi::rssi().await {
                    Some(rssi) => write!(body, "{rssi}")?,
                    None => body.write_str("null")?,
                }
                let [one, two] = relays::states();
                write!(body, r#","relays":[{one},{two}]}}"#)
            }
        }
    }

    fn work_up(&mut self, request: Request, response: &Response<'_>) -> Outcome {
        if response.status == 200 {
            return match self.accept(request, response.body) {
                Ok(expires_in_s) => {
                    clock::accept();
                    Outcome::Accepted { expires_in_s }
                }
                Err(Malformed) if self.settings.defects.has(Defect::PanicOnMalformedJson) => {
                    panic!("unexpected JSON in the reply to {request:?}")
                }
                Err(Malformed) => {
                    println!(
                        "[{}] Malformed reply of {} bytes",
                        tag(request),
                        response.body.len()
                    );
                    Outcome::Failed
                }
            };
        }
        let error = replies::error_text(response.body);
        match (request, &error) {
            (Request::Register, Some(error)) => println!("[REG] Registration failed: {error}"),
            (_, Some(error)) => println!("[UPDATE] Server says: {error}"),
            (_, None) => {}
        }
        println!("[{}] HTTP Response: {}", tag(request), response.status);
        match response.status {
            429 | 503 => Outcome::Throttled {
                retry_after_s: response.retry_after_s,
            },
            300..400 => {
                let location = response.location.unwrap_or("nowhere");
                println!("[{}] Redirected to {location}, not followed", tag(request));
                Outcome::Failed
            }
            status => match Rejection::of(status, error.as_deref()) {
                Some(rejection) => Outcome::Rejected(rejection),
                None => Outcome::Failed,
            },
        }
    }

    /// Takes over what a good reply brings. Returns the new session's lifetime in seconds, 0 without one.
    fn accept(&mut self, request: Request, body: &[u8]) -> Result<u32, Malformed> {
        match request {
            Request::Register => {
                let registered = replies::registered(body)?;
                let saved = self.store.save(&registered.permanent_token);
                self.token = Some(registered.permanent_token);
                // A new registration numbers its commands from 1 again.
                self.done = 0;
                match saved {
                    true => println!("[REG] Registered, permanent token saved"),
                    false => println!("[REG] Registered, but the permanent token is not saved"),
                }
                self.begin(registered.session)
            }
            Request::Recover | Request::Renew => self.begin(replies::new_session(body)?),
            Request::Update => replies::updated(body).map(|()| 0),
            Request::Poll => {
                for command in replies::commands(body)? {
                    // One that comes again was carried out before its acknowledgement arrived.
                    if command.id > self.done || self.settings.defects.has(Defect::IgnoreCommandsAck) {
                        relays::switch(command.relay, command.on);
                        self.done = self.done.max(command.id);
                    }
                }
                Ok(0)
            }
        }
    }

    fn begin(&mut self, session: NewSession) -> Result<u32, Malformed> {
        if let (Some(ours), Some(theirs), true) = (
            clock::unix_s(),
            session.server_time_s,
            self.settings.defects.has(Defect::StrictClockCheck),
        ) && ours.abs_diff(theirs) > STRICT_SKEW_S
        {
            return Err(Malformed);
        }
        let shown = session.id.get(..16).unwrap_or(&session.id);
        println!("[UPDATE] Using session: {shown}");
        self.session = Some(session.id);
        if let (None, Some(unix_s), false) = (
            clock::unix_ms(),
            session.server_time_s,
            self.settings.defects.has(Defect::NoNtp),
        ) {
            clock::set(unix_s * 1_000);
            println!("[TIME] Set by the server: {}", clock::civil(unix_s * 1_000));
        }
        Ok(session.expires_in_s)
    }

    fn act_on(&mut self, notes: impl IntoIterator<Item = Note>) {
        notes.into_iter().for_each(|note| self.act_on_one(note));
    }

    fn act_on_one(&mut self, note: Note) {
        match note {
            Note::SessionInvalid => {
                self.session = None;
                if self.token.is_some() {
                    println!("[UPDATE] Session invalid - attempting to recover with token");
                }
            }
            Note::SessionRecovered => println!("[UPDATE] Session recovered with token"),
            Note::SessionRenewed => println!("[UPDATE] Session renewed"),
            Note::WillReregister => println!("[UPDATE] Failed to renew session. Will re-register."),
            Note::RetryAfter { seconds } => {
                println!("[UPDATE] Waiting {seconds} s before the next request (Retry-After)");
            }
            Note::RetryIn { request, seconds } => match request {
                Request::Register => println!("[REG] Next attempt in {seconds} s"),
                Request::Recover => println!("[UPDATE] Recovery failed, next attempt in {seconds} s"),
                Request::Renew => println!("[UPDATE] Renewal failed, next attempt in {seconds} s"),
                Request::Poll | Request::Update => println!("[UPDATE] Next attempt in {seconds} s"),
            },
            Note::ClockRejected => {
                println!("[TIME] The server rejects our clock");
                clock::reject();
            }
            Note::RelaysOff => relays::all_off(),
            Note::Restart { failures, minutes } => {
                println!("[WATCHDOG] Renewal failed {failures} times in {minutes} min, restarting");
                watchdog::give_up();
            }
        }
    }
}
