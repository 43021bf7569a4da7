//! Programs, opened by their command lines.

use std::net::Ipv4Addr;
use std::time::Duration;

use dut::{
    Clock, Dut, DutError, DutFactory, DutOptions, DutSource, Firmware, Listed, Load, Medium, OpenError,
    Prepared, Site, Watch,
};

use crate::command;
use crate::device::ProcessDut;
use crate::environment;

/// Opens `process:COMMAND`.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFactory;

impl DutFactory for ProcessFactory {
    fn scheme(&self) -> &'static str {
        "process"
    }

    fn form(&self) -> &'static str {
        "`process:COMMAND` with a program of this machine and its arguments"
    }

    fn list(&self, _: &DutOptions) -> Result<Vec<Listed>, OpenError> {
        // Any program of the host is one; there is no list of them.
        Ok(Vec::new())
    }

    fn open(&self, name: Option<&str>, _: &DutOptions) -> Result<Box<dyn DutSource>, OpenError> {
        let line = name.unwrap_or("");
        let words = command::words(line).map_err(|error| OpenError {
            message: format!("`process:{line}`: {error}"),
            help: Some("write it as for a shell: --dut 'process:python3 client.py --fast'".to_owned()),
        })?;
        Ok(Box::new(ProcessSource {
            name: format!("process:{line}"),
            words,
        }))
    }
}

/// A program that is not started yet.
#[derive(Debug)]
struct ProcessSource {
    name: String,
    words: Vec<String>,
}

impl DutSource for ProcessSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn medium(&self) -> Medium {
        Medium::HostSockets
    }

    fn width(&self) -> Option<usize> {
        // A program may use files and ports that two of it cannot share.
        Some(1)
    }

    fn site(&self) -> Result<Site, DutError> {
        Ok(Site {
            listen: Ipv4Addr::LOCALHOST,
            host: Ipv4Addr::LOCALHOST,
            cloud_port: 0,
            ntp_port: 0,
            dns_port: None,
            network: None,
            access_point: None,
            power: true,
            fixtures: Vec::new(),
        })
    }

    fn tolerance(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn takes_firmware(&self) -> bool {
        false
    }

    fn check(&self, _: Firmware<'_>) -> Result<(), DutError> {
        Ok(())
    }

    fn prepare<'a>(&'a self, load: &Load<'_>, _: &mut dyn Watch) -> Result<Box<dyn Prepared + 'a>, DutError> {
        Ok(Box::new(Program {
            source: self,
            variables: environment::variables(load.settings, load.mac),
        }))
    }

    fn forget(&self) {}
}

struct Program<'a> {
    source: &'a ProcessSource,
    variables: Vec<(String, String)>,
}

impl Prepared for Program<'_> {
    fn mac(&self) -> Option<[u8; 6]> {
        None
    }

    fn start(self: Box<Self>, zero: Option<std::time::Instant>) -> Result<Box<dyn Dut>, DutError> {
        let zero = zero.unwrap_or_else(crate::clock::monotonic);
        let device = ProcessDut::start(&self.source.name, &self.source.words, self.variables, zero)?;
        Ok(Box::new(device))
    }
}
