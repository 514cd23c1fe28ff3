//! The same program once more, as a second process beside the first one, which tells it over a pipe what to do.

use std::error::Error;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::sleep;

use crate::db::Db;
use crate::narrator::{Narrator, people};
use crate::service::get_city;

/// The argument that makes a process the second one.
pub(crate) const ARGUMENT: &str = "--second";

/// What the second process may be late by: it answers from its memory no longer than this without asking Redis.
const COHERENCE_BOUND: Duration = Duration::from_secs(2);

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
    pub(crate) async fn order(&mut self, order: &str) -> Result<String, Box<dyn Error>> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        let answer = self.lines.next_line().await?.ok_or("the second process has ended")?;
        println!("{answer}");
        Ok(answer)
    }

    /// Closes the pipe, which ends the process, and waits for it.
    pub(crate) async fn end(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.orders);
        let status = self.process.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the second process: {status}").into()) }
    }
}

/// The life of the second process: `read CITY` and `expect CITY POPULATION`, until the pipe is closed.
pub(crate) async fn obey(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        match order.split(' ').collect::<Vec<_>>()[..] {
            ["read", city] => read(db, narrator, city.parse()?).await?,
            ["expect", city, population] => {
                expect(db, narrator, city.parse()?, population.parse()?).await?;
            }
            _ => return Err(format!("no such order: {order}").into()),
        }
    }
    Ok(())
}

async fn read(db: &Db, narrator: &Narrator, city: u32) -> Result<(), Box<dyn Error>> {
    narrator.step("second process reads Berlin", get_city(db, city), people).await?;
    Ok(())
}

/// Reads until the change is there. It may come late, but never later than the bound.
async fn expect(
    db: &Db,
    narrator: &Narrator,
    city: u32,
    population: i64,
) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + COHERENCE_BOUND;
    let change = async {
        loop {
            let late = Instant::now() > deadline;
            let read = get_city(db, city).await?;
            if read.population >= population {
                return Ok(read);
            }
            if late {
                return Err(Box::<dyn Error>::from("the change came later than the bound"));
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    narrator.step("second process sees the change", change, people).await?;
    Ok(())
}
