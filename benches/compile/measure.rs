//! Builds and times them.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::generate::{self, Candidate};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `cargo check` of the whole crate: its first, and that of a machine that builds for others.
    Check,
    /// `cargo check` after the body of one function was changed, with what the compiler kept of the last one.
    Edit,
    /// `cargo build --release` of the whole crate.
    Release,
    /// `cargo build` where nothing is built yet, with everything it depends on.
    Cold,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Check, Self::Edit, Self::Release, Self::Cold];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Edit => "edit",
            Self::Release => "release",
            Self::Cold => "cold",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Check => "cargo check",
            Self::Edit => "cargo check after an edit",
            Self::Release => "cargo build --release",
            Self::Cold => "cargo build from nothing",
        }
    }

    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Check | Self::Edit => &["check"],
            Self::Release => &["build", "--release"],
            Self::Cold => &["build"],
        }
    }

    /// Where it builds, below the workspace.
    fn target(self) -> &'static str {
        if self == Self::Cold { "target-cold" } else { "target" }
    }

    fn incremental(self) -> &'static str {
        if self == Self::Edit { "1" } else { "0" }
    }

    fn rounds(self, quick: bool) -> usize {
        match (self, quick) {
            (Self::Release, true) | (Self::Cold, _) => 1,
            (Self::Release, false) | (_, true) => 3,
            (_, false) => 9,
        }
    }
}

/// Takes minutes, with everything that moka makes for each pair of types.
fn is_slow(kind: Kind, candidate: Candidate) -> bool {
    kind == Kind::Release && candidate == Candidate::Moka
}

pub(crate) fn all(kinds: &[Kind], quick: bool) -> Result<(), Box<dyn Error>> {
    let build = Build { root: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile") };
    generate::workspace(&build.root)?;
    for &kind in kinds {
        build.table(kind, quick)?;
    }
    Ok(())
}

/// What one build took, in seconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    /// Of all cores together. A machine that is busy with something else changes it little.
    cpu: f64,
}

/// The processor time of all processes that this one has waited for, in seconds; zero where the system does not tell.
fn cpu_of_children() -> io::Result<f64> {
    if !cfg!(target_os = "linux") {
        return Ok(0.0);
    }
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may have spaces in it: proc_pid_stat(5), `cutime` and `cstime`, in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(13).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

struct Build {
    root: PathBuf,
}

impl Build {
    fn table(&self, kind: Kind, quick: bool) -> Result<(), Box<dyn Error>> {
        let candidates = Candidate::ALL.into_iter().filter(|it| !(quick && is_slow(kind, *it)));
        let mut timed: Vec<Timed> =
            candidates.map(|candidate| Timed { candidate, costs: Vec::new() }).collect();
        for it in timed.iter().filter(|it| kind != Kind::Cold && !is_slow(kind, it.candidate)) {
            // Its dependencies, and where something is kept from one to the next, the first of them.
            self.run(kind, it.candidate, 0)?;
        }
        for round in 1..=kind.rounds(quick) {
            for it in &mut timed {
                if !is_slow(kind, it.candidate) || round == 1 {
                    it.costs.push(self.run(kind, it.candidate, round)?);
                }
            }
        }
        self.print(kind, &timed)
    }

    /// Builds the crate.
    fn run(&self, kind: Kind, candidate: Candidate, round: usize) -> Result<Cost, Box<dyn Error>> {
        let source = generate::source(candidate);
        let source = if kind == Kind::Edit { generate::edited(&source, round) } else { source };
        let path = self.root.join(candidate.package()).join("src/main.rs");
        fs::write(&path, source)?;
        if is_slow(kind, candidate) {
            // No round before it has built what it depends on.
            self.cargo(kind).args(["-p", "moka"]).status()?;
        }
        if kind == Kind::Cold {
            match fs::remove_dir_all(self.root.join(kind.target())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let (start, worked) = (Instant::now(), cpu_of_children()?);
        let output = self.cargo(kind).args(["-p", candidate.package()]).output()?;
        let cost = Cost { wall: start.elapsed().as_secs_f64(), cpu: cpu_of_children()? - worked };
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} {}: {errors}", kind.title(), candidate.package()).into());
        }
        Ok(cost)
    }

    fn cargo(&self, kind: Kind) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).args(kind.args()).args(["--target-dir", kind.target()]);
        cargo.env("CARGO_INCREMENTAL", kind.incremental()).stdout(Stdio::null());
        cargo
    }

    fn print(&self, kind: Kind, timed: &[Timed]) -> Result<(), Box<dyn Error>> {
        println!("{}, {} functions", kind.title(), generate::FUNCTIONS);
        let of = |wanted: Candidate| timed.iter().find(|it| it.candidate == wanted);
        let (plain, cached) = (of(Candidate::Plain), of(Candidate::Cached));
        for it in timed {
            let wall = it.sorted(|cost| cost.wall);
            let ratio = |to: Option<&Timed>, part: fn(&Cost) -> f64| {
                to.map_or(f64::NAN, |to| median(&it.sorted(part)) / median(&to.sorted(part)))
            };
            let size = match kind {
                Kind::Release => format!("  {:6.2} MB", self.size(it.candidate)?),
                Kind::Check | Kind::Edit | Kind::Cold => String::new(),
            };
            println!(
                "  {:26} {:7.2} s  ({:.2} to {:.2})  {:5.2} x plain  {:5.2} x cached   \
                 cpu {:7.2} s  {:5.2} x plain  {:5.2} x cached{size}",
                it.candidate.title(),
                median(&wall),
                wall[(wall.len() - 1) / 4],
                wall[(wall.len() - 1) * 3 / 4],
                ratio(plain, |cost| cost.wall),
                ratio(cached, |cost| cost.wall),
                median(&it.sorted(|cost| cost.cpu)),
                ratio(plain, |cost| cost.cpu),
                ratio(cached, |cost| cost.cpu),
            );
        }
        Ok(())
    }

    /// Of the program, in megabytes.
    fn size(&self, candidate: Candidate) -> io::Result<f64> {
        let name = format!("{}{}", candidate.package(), std::env::consts::EXE_SUFFIX);
        let program = self.root.join("target/release").join(name);
        Ok(fs::metadata(program)?.len() as f64 / 1e6)
    }
}

struct Timed {
    candidate: Candidate,
    costs: Vec<Cost>,
}

impl Timed {
    fn sorted(&self, part: fn(&Cost) -> f64) -> Vec<f64> {
        let mut parts: Vec<f64> = self.costs.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        parts
    }
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
