//! A private Postgres cluster for `bitfront up`: the machine's own binaries, a data folder of our own, one unix socket.
//!
//! The rules this module keeps: it never touches the system's cluster or its port; it opens no TCP
//! port; only the user who started it gets in (peer authentication through a user map); Postgres
//! never runs as root; and a run that was killed leaves nothing that the next run cannot explain or
//! clean up (promise P4). It is the only database besides one named by `--database-url` (promise P6).
//!
//! ```text
//! <data>/postgres/          the cluster, made once, reused afterwards
//! <data>/postgres.log       what the server says
//! <data>/postgres.lock      held with flock(2) while a run owns the folder
//! <tmp>/bitfront-XXXXXX/    the socket, mode 0700, removed when the server stops
//! ```

mod access;
mod cluster;
mod error;
mod installation;
mod lock;
mod server;
#[cfg(test)]
mod tests;
mod user;

pub use access::default_data_folder;
pub use error::PrivatePostgresError;
pub use installation::Installation;
pub use server::PrivatePostgres;
