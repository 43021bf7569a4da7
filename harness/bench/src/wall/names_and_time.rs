//! DNS and SNTP on UDP, with the faults that the network of a bench would have.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use netsim::{DnsMode, SntpMode, dns, sntp};
use scenario::Bench;
use sim::{Instant, UnixTime};
use tokio::net::UdpSocket;
use tokio::time::sleep;
use vocabulary::{Kind, LinkEvent};

use crate::run::RunError;
use crate::translate;
use dut::Site;
use faults::SharedRecorder;

/// The largest datagram that is read; more is no query.
const LARGEST: usize = 1500;

/// How the two servers behave at this moment.
pub(crate) struct Settings {
    records: BTreeMap<String, Ipv4Addr>,
    pub(crate) dns: Cell<(DnsMode, Duration)>,
    pub(crate) sntp: Cell<SntpMode>,
    epoch: UnixTime,
    /// Configured, and now.
    sntp_offset_ns: (i64, Cell<i64>),
}

impl Settings {
    pub(crate) fn new(bench: &Bench, site: &Site) -> Settings {
        let offset = bench.network.ntp_offset.0;
        Settings {
            records: bench
                .host_names()
                .into_iter()
                .map(|name| (name, site.host))
                .collect(),
            dns: Cell::default(),
            sntp: Cell::default(),
            epoch: bench.start.unix_time(),
            sntp_offset_ns: (offset, Cell::new(offset)),
        }
    }

    /// Sets the error of the clock that SNTP serves, or the configured one, and tells it.
    pub(crate) fn set_sntp_offset(&self, offset_ns: Option<i64>) -> i64 {
        let offset_ns = offset_ns.unwrap_or(self.sntp_offset_ns.0);
        self.sntp_offset_ns.1.set(offset_ns);
        offset_ns
    }

    fn served_time(&self, now: Instant) -> UnixTime {
        let offset = i128::from(self.sntp_offset_ns.1.get());
        self.epoch.offset_nanos(i128::from(now.as_nanos()) + offset)
    }
}

/// The two sockets.
pub(crate) struct NamesAndTime {
    dns: Option<UdpSocket>,
    sntp: UdpSocket,
    ntp_port: u16,
}

impl NamesAndTime {
    /// Takes the ports.
    pub(crate) async fn bind(site: &Site) -> Result<NamesAndTime, RunError> {
        let sntp = bind(site.listen, site.ntp_port, "SNTP", "ntp-port").await?;
        let ntp_port = sntp
            .local_addr()
            .map_err(|e| RunError::Site(e.to_string()))?
            .port();
        let dns = match site.dns_port {
            Some(port) => Some(bind(site.listen, port, "DNS", "dns-port").await?),
            None => None,
        };
        Ok(NamesAndTime { dns, sntp, ntp_port })
    }

    pub(crate) fn ntp_port(&self) -> u16 {
        self.ntp_port
    }

    /// Serves for ever.
    pub(crate) async fn serve(
        self,
        settings: Rc<Settings>,
        recorder: SharedRecorder,
        clock: impl Fn() -> Instant + Copy + 'static,
    ) {
        let NamesAndTime { dns, sntp, .. } = self;
        let time = serve_time(&sntp, &settings, &recorder, clock);
        let names = async {
            match dns {
                Some(dns) => serve_names(Rc::new(dns), settings.clone(), recorder.clone(), clock).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(time, names);
    }
}

async fn bind(listen: Ipv4Addr, port: u16, what: &str, key: &str) -> Result<UdpSocket, RunError> {
    UdpSocket::bind((listen, port)).await.map_err(|e| {
        let next = match e.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another port",
            io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose a higher one",
            io::ErrorKind::AddrNotAvailable => "this machine has no such address; correct `listen`",
            _ => "choose another port",
        };
        RunError::Site(format!(
            "cannot serve {what} to the device at {listen}:{port}: {e} ({next}: `{key}` in boards.toml)"
        ))
    })
}

async fn serve_time(
    socket: &UdpSocket,
    settings: &Settings,
    recorder: &SharedRecorder,
    clock: impl Fn() -> Instant,
) {
    let mut datagram = [0; LARGEST];
    loop {
        let Some((len, from)) = receive(socket, &mut datagram).await else {
            continue;
        };
        let now = clock();
        recorder.borrow_mut().tell(now, Kind::Link(LinkEvent::SntpAsked));
        let time = settings.served_time(now);
        let reply = sntp::answer(&datagram[..len], time, settings.sntp.get());
        let answer = reply
            .as_ref()
            .map_or_else(|| "no time".to_owned(), |_| time.to_string());
        recorder
            .borrow_mut()
            .tell(now, Kind::Link(LinkEvent::Sntp { answer }));
        if let Some(reply) = reply {
            // A device that is gone asks again.
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn serve_names(
    socket: Rc<UdpSocket>,
    settings: Rc<Settings>,
    recorder: SharedRecorder,
    clock: impl Fn() -> Instant,
) {
    let mut datagram = [0; LARGEST];
    let mut late = tokio::task::JoinSet::new();
    loop {
        let Some((len, from)) = receive(&socket, &mut datagram).await else {
            continue;
        };
        let (mode, delay) = settings.dns.get();
        let Some(outcome) = dns::answer(&datagram[..len], &settings.records, mode) else {
            continue;
        };
        let kind = Kind::Link(LinkEvent::Dns {
            name: outcome.name,
            answer: translate::dns_answer(outcome.answer),
        });
        recorder.borrow_mut().tell(clock(), kind);
        let Some(reply) = outcome.reply else {
            continue;
        };
        let socket = socket.clone();
        while late.try_join_next().is_some() {}
        late.spawn_local(async move {
            sleep(delay).await;
            let _ = socket.send_to(&reply, from).await;
        });
    }
}

/// The next datagram. `None` is an error of an earlier answer (ICMP), which is the device's affair.
async fn receive(socket: &UdpSocket, datagram: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(datagram).await {
        Ok(received) => Some(received),
        Err(_) => {
            sleep(Duration::from_millis(10)).await;
            None
        }
    }
}
