//! scratch
use larder_protocol::{case::Case, mutants::MUTANTS, *};
#[test]
fn all() {
    for c in MUTANTS {
        if c.broken == Broken::Stuck {
            println!(
                "{:?} {:?} {:?}",
                c.mutant,
                every_waiter_can_go_on(&c.case),
                every_waiter_can_go_on(&Case { mutant: None, ..c.case })
            );
            continue;
        }
        let base =
            search(&Case { mutant: None, ..c.case }, Limits { states: 3_000_000, threads: 1 });
        println!("-- {:?} {} {:?}", matches!(base.verdict, Verdict::Holds), base.states, base.time);
        let r = search(&c.case, Limits { states: 3_000_000, threads: 1 });
        match r.verdict {
            Verdict::Broken(b, t) => println!(
                "{}{:?}: {:?} {} steps, {} states, {:?}\n{t}",
                if b == c.broken { "" } else { "OTHER " },
                c.mutant,
                b,
                t.len(),
                r.states,
                r.time
            ),
            v => println!("SURVIVES {:?}: {v:?} {} states", c.mutant, r.states),
        }
    }
}
