//! How a gateway serves: operators, TLS, limits.

use std::{net::SocketAddr, num::NonZeroU32, str::FromStr, time::Duration};

use anyhow::Result;
use gateway::{ClientRate, ClientTls, Config, Limits, Tls};

use crate::{
    commands::target::{OptionalAddress, duration},
    config::{ADMIN_LISTEN, Settings, TLS_CERT, TLS_CLIENT_CA, TLS_KEY},
    exit::usage,
};

/// Where operators ask if nothing says otherwise: beside the indexer's probes.
const ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 9466);

/// What one client may have where strangers may ask.
const CONNECTIONS_PER_CLIENT: NonZeroU32 = NonZeroU32::new(256).expect("not zero");
const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("not zero");

/// How a gateway serves.
#[derive(Debug, clap::Args)]
pub struct ServingArgs {
    /// Address and port of /metrics, /livez and /readyz, in cleartext; port 0 takes a free one; none: no metrics
    /// [default: 127.0.0.1:9466] [env: ROLLCALL_ADMIN_LISTEN; file: admin_listen]
    #[arg(long, value_name = "ADDRESS", help_heading = "Operations")]
    pub admin_listen: Option<String>,
    /// How long running requests may take to end on Ctrl-C or SIGTERM
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "DURATION", help_heading = "Operations")]
    pub shutdown_timeout: Duration,
    /// PEM file with the certificate and those between it and the root; read again when it changes [default: no TLS]
    /// [env: ROLLCALL_TLS_CERT; file: tls_cert]
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub tls_cert: Option<String>,
    /// PEM file with its key [env: ROLLCALL_TLS_KEY; file: tls_key]
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub tls_key: Option<String>,
    /// PEM file with the CAs of clients' certificates [env: ROLLCALL_TLS_CLIENT_CA; file: tls_client_ca]
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub tls_client_ca: Option<String>,
    /// Whether a client must have a certificate of these CAs; a bad one is refused in any case
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "TLS")]
    pub tls_client_auth: ClientAuth,
    /// Connections at once; more wait. Never more than the limit of open files leaves (ulimit -n)
    #[arg(long, default_value_t = 4_096, value_name = "NUMBER", value_parser = connections, help_heading = "Limits")]
    pub max_connections: usize,
    /// Connections at once of one client (an IPv4 address or an IPv6 /64), or none: any number [default: 256; none on a
    /// loopback address]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    pub max_connections_per_client: Option<Most>,
    /// Requests a second of one client in the long run, or none: any number. Behind a proxy, all clients are one [default:
    /// 100; none on a loopback address]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    pub rate: Option<Most>,
    /// Requests of one client at once, after a pause [default: twice the rate]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    pub burst: Option<NonZeroU32>,
}

/// Whether clients must have a certificate.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum ClientAuth {
    /// Without one: no connection
    #[default]
    Required,
    /// Without one: somebody unknown
    Optional,
}

/// The most of something, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most(Option<NonZeroU32>);

impl FromStr for Most {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|most| Self(Some(most))).map_err(|_| "a number of 1 or more, or none".to_owned())
    }
}

impl ServingArgs {
    /// Says so in the configuration of a gateway that listens on `listen`.
    pub fn apply(&self, settings: &Settings, listen: SocketAddr, config: Config) -> Result<Config> {
        let admin = settings.get(&ADMIN_LISTEN, self.admin_listen.as_deref())?;
        let OptionalAddress(admin_listen) = admin.unwrap_or(OptionalAddress(Some(ADMIN.into())));
        let stranger = !listen.ip().is_loopback();
        let most = |given: Option<Most>, default: NonZeroU32| match given {
            Some(Most(most)) => most,
            None => stranger.then_some(default),
        };
        let rate = most(self.rate, PER_SECOND);
        if rate.is_none() && self.burst.is_some() {
            return Err(usage("--burst says nothing without --rate"));
        }
        let rate = rate.map(|per_second| {
            let burst = self.burst.unwrap_or(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
            ClientRate { per_second, burst }
        });
        let per_client = most(self.max_connections_per_client, CONNECTIONS_PER_CLIENT);
        Ok(Config {
            admin_listen,
            tls: self.tls(settings)?,
            limits: Limits {
                connections: self.max_connections,
                connections_per_client: per_client.map(|most| most.get() as usize),
                rate,
                ..config.limits
            },
            shutdown_timeout: self.shutdown_timeout,
            ..config
        })
    }

    fn tls(&self, settings: &Settings) -> Result<Option<Tls>> {
        let certificate = settings.path(&TLS_CERT, self.tls_cert.as_deref())?;
        let key = settings.path(&TLS_KEY, self.tls_key.as_deref())?;
        let authorities = settings.path(&TLS_CLIENT_CA, self.tls_client_ca.as_deref())?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let required = matches!(self.tls_client_auth, ClientAuth::Required);
                let clients = authorities.map(|authorities| ClientTls { authorities, required });
                Ok(Some(Tls { clients, ..Tls::new(certificate, key) }))
            }
            (None, None) if authorities.is_some() => {
                Err(usage("--tls-client-ca says nothing without --tls-cert and --tls-key"))
            }
            (None, None) => Ok(None),
            _ => Err(usage("--tls-cert and --tls-key go together: give both, or none")),
        }
    }
}

fn connections(text: &str) -> Result<usize, String> {
    let number: u32 = text.parse().map_err(|_| "a number of 1 or more".to_owned())?;
    if number == 0 { Err("a number of 1 or more".to_owned()) } else { Ok(number as usize) }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        serving: ServingArgs,
    }

    fn config(listen: &str, flags: &[&str]) -> Result<Config> {
        let line = Line::try_parse_from([&["gateway"], flags].concat())?;
        line.serving.apply(&Settings::default(), listen.parse()?, Config::default())
    }

    #[test]
    fn strangers_have_limits_and_this_machine_has_none() {
        let public = config("0.0.0.0:8080", &[]).expect("a configuration").limits;
        assert_eq!(public.connections_per_client, Some(256));
        let rate = public.rate.expect("a rate");
        assert_eq!((rate.per_second.get(), rate.burst.get()), (100, 200));
        for listen in ["127.0.0.1:8080", "[::1]:8080"] {
            let local = config(listen, &[]).expect("a configuration").limits;
            assert_eq!((local.rate, local.connections_per_client), (None, None));
        }
        let flags = ["--rate", "7", "--burst", "9", "--max-connections-per-client", "3", "--max-connections", "5"];
        let given = config("127.0.0.1:8080", &flags).expect("a configuration").limits;
        let rate = given.rate.expect("a rate");
        assert_eq!((rate.per_second.get(), rate.burst.get()), (7, 9));
        assert_eq!((given.connections, given.connections_per_client), (5, Some(3)));
        let flags = ["--rate", "none", "--max-connections-per-client", "none"];
        let none = config("0.0.0.0:8080", &flags).expect("a configuration").limits;
        assert_eq!((none.rate, none.connections_per_client), (None, None));
    }

    #[test]
    fn operators_ask_on_this_machine_unless_told_otherwise() {
        let admin = |flags: &[&str]| config("0.0.0.0:8080", flags).expect("a configuration").admin_listen;
        assert_eq!(admin(&[]), Some(([127, 0, 0, 1], 9466).into()));
        assert_eq!(admin(&["--admin-listen", "none"]), None);
        assert_eq!(admin(&["--admin-listen", "10.0.0.1:1"]), Some(([10, 0, 0, 1], 1).into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for flags in [
            &["--tls-cert", "c.pem"][..],
            &["--tls-key", "k.pem"],
            &["--tls-client-ca", "ca.pem"],
            &["--burst", "5"],
            &["--rate", "0"],
            &["--rate", "often"],
            &["--max-connections", "0"],
            &["--admin-listen", "nowhere"],
        ] {
            assert!(config("127.0.0.1:8080", flags).is_err(), "{flags:?}");
        }
        let flags = ["--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "ca", "--tls-client-auth", "optional"];
        let tls = config("127.0.0.1:8080", &flags).expect("a configuration").tls.expect("TLS");
        assert!(tls.clients.is_some_and(|clients| !clients.required));
    }
}
