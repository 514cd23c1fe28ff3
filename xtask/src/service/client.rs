//! As much of HTTP as it takes to sign in and to look at a service: one request on one connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::{Failure, Result};

const LIMIT: Duration = Duration::from_secs(5);

pub(super) struct Client {
    address: SocketAddr,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn health(&self) -> Result<String> {
        self.ask("GET", "/health", "", "")
    }

    pub(super) fn metrics(&self) -> Result<String> {
        self.ask("GET", "/metrics", "", "")
    }

    /// Gives the cookies.
    pub(super) fn sign_in(&self, name: &str) -> Result<String> {
        let body = format!("{{\"name\":\"{name}\",\"password\":\"larder\"}}");
        let reply = self.ask("POST", "/session", "", &body)?;
        let cookies = reply.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let cookies: Vec<_> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        Ok(cookies.join("; "))
    }

    pub(super) fn sign_out(&self, cookies: &str) -> Result<()> {
        self.ask("DELETE", "/session", cookies, "").map(drop)
    }

    /// The whole response, if it is a 2xx.
    fn ask(&self, method: &str, path: &str, cookies: &str, body: &str) -> Result<String> {
        let reply = self.exchange(method, path, cookies, body);
        let reply = reply.map_err(|error| Failure::new(format!("{method} {path}: {error}")))?;
        let line = reply.lines().next().unwrap_or_default();
        if line.starts_with("HTTP/1.1 2") {
            return Ok(reply);
        }
        Err(Failure::new(format!("{method} {path}: {line}")))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        cookies: &str,
        body: &str,
    ) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {cookies}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    }
}
