//! The mock cloud on real sockets, in wall time: the service that scenarios run against, for a board on the
//! desk or any HTTP client, with the fault plan of a scenario and an interface to add to it while it runs.
//!
//! | file | what |
//! |---|---|
//! | `service` | ports and tasks: binds, runs, stops |
//! | `shared` | the state that the running server and the control interface share; lets wall time pass |
//! | `planned` | faults from a scenario file and from JSON |
//! | `journal` | the last events, which `GET /v1/journal` reads; bounded |
//! | `transport` | plain TCP and TLS between the listener and HTTP |
//! | `authority`, `cut` | certificates made on the spot; a stream that ends in the middle of the handshake |
//! | `control`, `socket` | the control interface's listener: hyper, with limits on everything |
//! | `guard` | who may speak: token, `Host`, `Origin` |
//! | `routes` | the table of what there is, compared with `docs/control-openapi.json` |
//! | `answer` | replies and refusals as JSON |
//! | `ask` | what a request says: query, body |
//! | `faults_api`, `state_api`, `journal_api` | what each route does |

mod answer;
mod ask;
mod authority;
mod control;
mod cut;
mod error;
mod faults_api;
mod guard;
mod journal;
mod journal_api;
mod planned;
mod routes;
mod service;
mod shared;
mod socket;
mod state_api;
mod tls;
mod transport;

pub use control::ControlOptions;
pub use error::ServeError;
pub use planned::ScenarioFault;
pub use routes::{OPENAPI, ROUTES, Route};
pub use service::{Options, Service};
pub use tls::{TlsFault, TlsOptions};
