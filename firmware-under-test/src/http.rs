//! A small HTTP/1.1 client: one connection that is kept as long as the server permits, one request at a time.

use core::fmt::{self, Write};

use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError, State, TcpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Instant, with_timeout};
use esp_println::println;
use heapless::String;
use oceanremote_logic::calendar::Civil;
use oceanremote_logic::defects::Defect;
use oceanremote_logic::http::{BadResponse, Head, Incoming, Received};
use oceanremote_logic::retry_after;
use oceanremote_logic::settings::Settings;

use crate::clock;

/// Largest response, head and body, in bytes.
const RESPONSE_MAX: usize = 6 * 1024;
/// Largest request in bytes: a 128-byte host name, a 96-byte token, a body, and room.
const REQUEST_MAX: usize = 1024;
/// Patience with the name server, with the connection, and with the answer; as arduino-esp32's HTTPClient.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A name's address is asked for again after this time, when a connection has to be made anyway.
const ADDRESS_AGE: Duration = Duration::from_secs(300);

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The server's name has no address.
    Name,
    /// The server refuses the connection.
    Refused,
    /// No connection in time.
    ConnectTimeout,
    /// The connection ended before the first byte of an answer.
    Unanswered,
    /// The connection broke in the middle of an answer.
    Reset,
    /// No complete answer in time.
    Timeout,
    /// The request is larger than its buffer.
    RequestTooLarge,
    /// An answer that is none.
    Bad(BadResponse),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("server name not found"),
            Self::Refused => f.write_str("connection refused"),
            Self::ConnectTimeout => f.write_str("no connection within 5 s"),
            Self::Unanswered => f.write_str("connection closed"),
            Self::Reset => f.write_str("connection lost"),
            Self::Timeout => f.write_str("no answer within 5 s"),
            Self::RequestTooLarge => f.write_str("request too large"),
            Self::Bad(bad) => write!(f, "{bad}"),
        }
    }
}

/// A request; the client adds what every request carries.
pub struct Call<'a> {
    /// The path with its query.
    pub path: &'a str,
    /// The value of `X-Device-Token`.
    pub token: Option<&'a str>,
    /// A JSON body makes it a POST.
    pub body: Option<&'a str>,
}

/// A complete response.
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// What `Retry-After` asks for, in seconds.
    pub retry_after_s: Option<u32>,
    /// Where a redirect points to.
    pub location: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Buffers of the client; they live as long as the program.
pub struct Buffers {
    rx: [u8; 2048],
    tx: [u8; REQUEST_MAX],
    response: [u8; RESPONSE_MAX],
}

impl Buffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self {
            rx: [0; 2048],
            tx: [0; REQUEST_MAX],
            response: [0; RESPONSE_MAX],
        }
    }
}

/// The client.
pub struct Client {
    stack: Stack<'static>,
    settings: &'static Settings,
    socket: TcpSocket<'static>,
    response: &'static mut [u8; RESPONSE_MAX],
    request: String<REQUEST_MAX>,
    address: Option<(IpAddress, Instant)>,
    /// Defect `no-dns-retry`: the first lookup's result, for ever.
    first_lookup: Option<Result<IpAddress, HttpError>>,
}

impl Client {
    /// A client without a connection.
    pub fn new(stack: Stack<'static>, settings: &'static Settings, buffers: &'static mut Buffers) -> Self {
        let mut socket = TcpSocket::new(stack, &mut buffers.rx, &mut buffers.tx);
        socket.set_nagle_enabled(false);
        Self {
            stack,
            settings,
            socket,
            response: &mut buffers.response,
            request: String::new(),
            address: None,
            first_lookup: None,
        }
    }

    /// Drops the connection: the network it went through is gone.
    pub fn disconnect(&mut self) {
        self.socket.abort();
    }

    /// Sends a request and reads its response.
    pub async fn send(&mut self, call: &Call<'_>) -> Result<Response<'_>, HttpError> {
        self.compose(call).map_err(|_| HttpError::RequestTooLarge)?;
        let reused = self.is_connected();
        let mut result = self.exchange().await;
        // A kept connection may have been closed at this very moment. To ask again is safe for a GET only.
        if reused && matches!(result, Err(HttpError::Unanswered)) && call.body.is_none() {
            result = self.exchange().await;
        }
        match result {
            Ok(received) => {
                if received.close {
                    self.socket.close();
                }
                self.respond(&received)
            }
            Err(error) => {
                self.socket.abort();
                Err(error)
            }
        }
    }

    fn respond(&self, received: &Received) -> Result<Response<'_>, HttpError> {
        let head = match Head::parse(&self.response[..received.head_len], self.settings.defects) {
            Ok(Some(head)) => head,
            Ok(None) => return Err(HttpError::Bad(BadResponse::Truncated)),
            Err(bad) => return Err(HttpError::Bad(bad)),
        };
        let server_now = || head.date.and_then(Civil::from_http_date).and_then(Civil::to_unix);
        let retry_after_s = head
            .retry_after
            .and_then(|value| retry_after::seconds(value, server_now().or_else(clock::unix_s)));
        if head.encoded && head.status == 200 {
            return Err(HttpError::Bad(BadResponse::Encoded));
        }
        Ok(Response {
            status: head.status,
            retry_after_s,
            location: head.location,
            body: &self.response[received.head_len..received.body_end],
        })
    }

    fn compose(&mut self, call: &Call<'_>) -> fmt::Result {
        let Settings {
            server_host,
            server_port,
            defects,
            ..
        } = self.settings;
        let out = &mut self.request;
        out.clear();
        let method = if call.body.is_some() { "POST" } else { "GET" };
        write!(out, "{method} {} HTTP/1.1\r\nHost: {server_host}", call.path)?;
        if *server_port != 80 {
            write!(out, ":{server_port}")?;
        }
        out.write_str("\r\n")?;
        if let Some(token) = call.token {
            write!(out, "X-Device-Token: {token}\r\n")?;
        }
        let time = match defects.has(Defect::NoNtp) {
            true => Some(clock::uptime_ms() / 1_000),
            false => clock::unix_s(),
        };
        if let Some(time) = time {
            write!(out, "X-Device-Time: {time}\r\n")?;
        }
        match call.body {
            Some(body) => {
                write!(
                    out,
                    "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            None => out.write_str("\r\n"),
        }
    }

    /// Whether the connection of the last request can carry another one.
    fn is_connected(&self) -> bool {
        self.socket.state() == State::Established && self.socket.recv_queue() == 0
    }

    async fn exchange(&mut self) -> Result<Received, HttpError> {
        if !self.is_connected() {
            self.connect().await?;
        }
        match with_timeout(TIMEOUT, self.transfer()).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout),
        }
    }

    async fn connect(&mut self) -> Result<(), HttpError> {
        match self.socket.state() {
            State::Closed => {}
            // The server has closed its half: so do we, and in order.
            State::CloseWait => self.socket.close(),
            _ => self.socket.abort(),
        }
        // Lets that out before the socket is used again.
        let _ = with_timeout(TIMEOUT, self.socket.flush()).await;
        self.socket.abort();
        let address = self.resolve().await?;
        let connected =
            with_timeout(TIMEOUT, self.socket.connect((address, self.settings.server_port))).await;
        let error = match connected {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ConnectError::ConnectionReset)) => HttpError::Refused,
            Ok(Err(_)) | Err(_) => HttpError::ConnectTimeout,
        };
        // It may have moved.
        self.address = None;
        Err(error)
    }

    async fn resolve(&mut self) -> Result<IpAddress, HttpError> {
        if self.settings.defects.has(Defect::NoDnsRetry) {
            if self.first_lookup.is_none() {
                self.first_lookup = Some(self.look_up().await);
            }
            return self.first_lookup.unwrap_or(Err(HttpError::Name));
        }
        match self.address {
            Some((address, at)) if at.elapsed() < ADDRESS_AGE => Ok(address),
            known => match (self.look_up().await, known) {
                (Ok(address), _) => {
                    self.address = Some((address, Instant::now()));
                    Ok(address)
                }
                (Err(_), Some((address, _))) if !self.settings.defects.has(Defect::NoDnsFallback) => {
                    println!("[DNS] Server name not found, using its last address");
                    Ok(address)
                }
                (Err(error), _) => Err(error),
            },
        }
    }

    async fn look_up(&self) -> Result<IpAddress, HttpError> {
        let query = self.stack.dns_query(&self.settings.server_host, DnsQueryType::A);
        match with_timeout(TIMEOUT, query).await {
            Ok(Ok(addresses)) => addresses.first().copied().ok_or(HttpError::Name),
            _ => Err(HttpError::Name),
        }
    }

    /// Writes the request and reads until the response is complete.
    async fn transfer(&mut self) -> Result<Received, HttpError> {
        let mut rest = self.request.as_bytes();
        while !rest.is_empty() {
            let written = self.socket.write(rest).await.map_err(|_| HttpError::Unanswered)?;
            rest = &rest[written..];
        }
        let mut incoming = Incoming::new(self.response, self.settings.defects);
        loop {
            let lost = match incoming.is_empty() {
                true => HttpError::Unanswered,
                false => HttpError::Reset,
            };
            let read = self.socket.read(incoming.room()).await.map_err(|_| lost)?;
            if read == 0 && incoming.is_empty() {
                return Err(lost);
            }
            if let Some(received) = incoming.take(read).map_err(HttpError::Bad)? {
                return Ok(received);
            }
        }
    }
}
