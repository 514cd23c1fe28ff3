//! The same program once more, as a second process beside the first one, which tells it over a pipe what to do.

use std::error::Error;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::sleep;

use crate::db::{City, Db};
use crate::narrator::{Narrator, people};
use crate::service::get_city;

/// The argument that makes a process the second one.
pub(crate) const ARGUMENT: &str = "--second";

/// The first process's end of the pipe.
pub(crate) struct Second {
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl Second {
    pub(crate) fn start() -> std::io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("the second process has no pipe");
        let orders = process.stdin.take().ok_or_else(missing)?;
        let lines = BufReader::new(process.stdout.take().ok_or_else(missing)?).lines();
        Ok(Self { orders, lines, process })
    }

    /// Gives an order and prints the line that it is answered with.
    pub(crate) async fn order(&mut self, order: &str) -> Result<(), Box<dyn Error>> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        let answer = self.lines.next_line().await?.ok_or("the second process has ended")?;
        println!("{answer}");
        Ok(())
    }

    /// Closes the pipe, which ends the process, and waits for it.
    pub(crate) async fn end(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.orders);
        let status = self.process.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the second process: {status}").into()) }
    }
}

/// The life of the second process: `read CITY` and `expect CITY POPULATION`, until the pipe is closed.
pub(crate) async fn obey(
    db: &Db,
    narrator: &Narrator,
    bound: Duration,
) -> Result<(), Box<dyn Error>> {
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        match order.split(' ').collect::<Vec<_>>()[..] {
            ["read", city] => {
                let read = get_city(db, city.parse()?);
                narrator.step("second process reads Berlin", read, people).await?;
            }
            ["expect", city, population] => {
                let seen = expect(db, city.parse()?, population.parse()?, Instant::now() + bound);
                narrator.step("second process sees the change", seen, people).await?;
            }
            _ => return Err(format!("no such order: {order}").into()),
        }
    }
    Ok(())
}

/// Reads until the change is there. A process answers from its memory for so long at most without asking Redis.
async fn expect(
    db: &Db,
    city: u32,
    population: i64,
    deadline: Instant,
) -> Result<City, Box<dyn Error>> {
    loop {
        let late = Instant::now() > deadline;
        let read = get_city(db, city).await?;
        if read.population >= population {
            return Ok(read);
        }
        if late {
            return Err("the change came later than the bound".into());
        }
        sleep(Duration::from_millis(1)).await;
    }
}
