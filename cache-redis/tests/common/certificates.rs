//! Certificates made for the occasion, by `openssl`.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::{fs, path::PathBuf, process::Command};

use super::server::{Server, free_port};

/// A certificate authority, and a certificate for 127.0.0.1 that it signed.
pub struct Certificates(PathBuf);

impl Certificates {
    /// In force for two days.
    pub fn new(name: &str) -> Self {
        Self::in_force(name, 2)
    }

    /// Whose certificate for the server ends after so many days, or has ended before today.
    pub fn in_force(name: &str, days: i32) -> Self {
        let dir = std::env::temp_dir().join(format!("larder-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let this = Self(dir);
        fs::write(this.0.join("san"), "subjectAltName=IP:127.0.0.1").unwrap();
        let days = days.to_string();
        for command in [
            "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=authority",
            "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1",
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial 1 -extfile san -out server.crt -days",
        ] {
            let mut arguments: Vec<&str> = command.split(' ').collect();
            if command.ends_with("-days") {
                arguments.push(&days);
            }
            this.openssl(&arguments);
        }
        this
    }

    fn openssl(&self, arguments: &[&str]) {
        let made = Command::new("openssl").args(arguments).current_dir(&self.0).output();
        let made =
            made.expect("these tests need openssl: install it with `apt-get install openssl`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    /// A server that takes plain connections on its port and encrypted ones on the second.
    pub fn serve(&self, clients: &str) -> (Server, u16) {
        let port = free_port();
        let arguments = self.arguments(port, clients);
        (Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>()), port)
    }

    /// What a server is started with.
    pub fn arguments(&self, port: u16, clients: &str) -> Vec<String> {
        let pairs = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", self.path("server.crt")),
            ("--tls-key-file", self.path("server.key")),
            ("--tls-ca-cert-file", self.path("ca.crt")),
            ("--tls-auth-clients", clients.to_owned()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
