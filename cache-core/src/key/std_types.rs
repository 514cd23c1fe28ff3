//! Times, addresses, paths and identifiers.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{KeyPart, KeyWriter};

/// Seconds with as many decimals as the value has.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:09}", self.0.subsec_nanos());
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}", self.0.as_secs()),
            decimals => write!(f, "{}.{decimals}", self.0.as_secs()),
        }
    }
}

impl KeyPart for Duration {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain_fmt(format_args!("{}s", Seconds(*self)));
    }
}

impl KeyPart for SystemTime {
    /// Seconds since 1970.
    fn render(&self, out: &mut KeyWriter<'_>) {
        match self.duration_since(UNIX_EPOCH) {
            Ok(since) => out.plain_fmt(format_args!("{}", Seconds(since))),
            Err(before) => out.plain_fmt(format_args!("-{}", Seconds(before.duration()))),
        }
    }
}

macro_rules! displayed {
    ($($ty:ty)*) => {$(
        impl KeyPart for $ty {
            fn render(&self, out: &mut KeyWriter<'_>) {
                out.display(self);
            }
        }
    )*};
}

displayed!(IpAddr Ipv4Addr Ipv6Addr SocketAddrV4);

impl KeyPart for SocketAddrV6 {
    fn render(&self, out: &mut KeyWriter<'_>) {
        match self.flowinfo() {
            0 => out.display(self),
            // Two addresses that differ here are not equal, but they display alike.
            flow => out.display(format_args!("{self}/{flow}")),
        }
    }
}

impl KeyPart for SocketAddr {
    fn render(&self, out: &mut KeyWriter<'_>) {
        match self {
            SocketAddr::V4(address) => address.render(out),
            SocketAddr::V6(address) => address.render(out),
        }
    }
}

impl KeyPart for Path {
    /// As written; bytes that are not Unicode are escaped too.
    fn render(&self, out: &mut KeyWriter<'_>) {
        match self.to_str() {
            Some(text) => out.str(text),
            None => out.escaped_bytes(self.as_os_str().as_encoded_bytes()),
        }
    }
}

impl KeyPart for PathBuf {
    fn render(&self, out: &mut KeyWriter<'_>) {
        self.as_path().render(out);
    }
}

#[cfg(feature = "uuid")]
impl KeyPart for uuid::Uuid {
    /// In lower case, with hyphens.
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain(self.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    }

    fn fingerprint(&self, out: &mut super::Fingerprint) {
        out.bytes(self.as_bytes());
    }
}
