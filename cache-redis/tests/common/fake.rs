//! Servers that answer what a test wants, for what real ones do too rarely.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Answers commands, on a port of its own.
pub struct Fake {
    pub port: u16,
}

impl Fake {
    /// What `answer` does not know is answered as by a new server that stands alone.
    pub async fn start(answer: impl Fn(&[&str]) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(command) = read_command(&mut stream).await {
                        let words: Vec<&str> = command.iter().map(String::as_str).collect();
                        let reply = answer(&words).unwrap_or_else(|| usual_reply(&words));
                        if stream.write_all(reply.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port }
    }
}

/// The next command; `None` at the end.
pub async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let number = async |stream: &mut BufReader<TcpStream>| -> Option<usize> {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        line.get(1..)?.trim().parse().ok()
    };
    let mut command = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        command.push(String::from_utf8(word).ok()?);
    }
    Some(command)
}

/// What a master that stands alone answers.
pub fn usual_reply(command: &[&str]) -> String {
    match command {
        ["HELLO", ..] => "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n".to_owned(),
        ["INFO", "server"] => text("run_id:1\r\n"),
        ["INFO", "replication"] => text("role:master\r\nmaster_replid:1\r\n"),
        ["TOUCH", ..] => ":0\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    }
}

/// A reply that is a text.
pub fn text(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
