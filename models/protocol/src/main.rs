//! scratch
use larder_protocol::{cases::*, *};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let table = if a[1] == "large" { LARGE } else { SMALL };
    let max: usize = a[2].parse().unwrap();
    let want = a.get(3).cloned().unwrap_or_default();
    for case in table.iter().filter(|c| c.name.contains(&want)) {
        let r = search(case, Limits { states: max, threads: 1 });
        let cpu = std::fs::read_to_string("/proc/self/stat").unwrap();
        let t: u64 = cpu.split_whitespace().nth(13).unwrap().parse().unwrap();
        println!(
            "{:<70} {:>9} states {:>10} steps depth {:>3} {:>6.1}s wall, cpu so far {:.1} {}",
            case.name,
            r.states,
            r.steps,
            r.depth,
            r.time.as_secs_f64(),
            t as f64 / 100.0,
            match r.verdict {
                Verdict::Holds => "holds".to_string(),
                Verdict::GaveUp => "GAVE UP".into(),
                Verdict::Broken(b, t) => format!("{b}\n{t}"),
            }
        );
    }
}
