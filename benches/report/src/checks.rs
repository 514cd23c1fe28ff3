use larder_benches::{Quantity, Record, Sample, Table, Target};

use super::*;

fn table(quantity: Quantity) -> Table {
    Table::new("hit", "A hit", quantity)
}

/// Whether a candidate with `own` reaches the target beside one with `other`.
fn met(quantity: Quantity, own: f64, other: f64, target: Target) -> bool {
    let mut table = table(quantity);
    table.put("moka", other, &[]);
    table.put("larder", own, &[target]);
    table.record().rows[1].verdicts[0].met
}

#[test]
fn a_target_is_reached_up_to_its_bound_and_missed_beyond() {
    use Quantity::{Count, Share, Throughput, Time};
    assert!(met(Time, 30.0, 100.0, Target::at_most(0.3, "moka")));
    assert!(!met(Time, 30.1, 100.0, Target::at_most(0.3, "moka")));
    assert!(met(Throughput, 75.0, 100.0, Target::at_least(0.75, "moka")));
    assert!(!met(Throughput, 74.9, 100.0, Target::at_least(0.75, "moka")));
    assert!(met(Time, 99.9, 100.0, Target::below("moka")));
    assert!(!met(Time, 100.0, 100.0, Target::below("moka")));
    assert!(met(Share, 49.75, 50.0, Target::within(0.3, "moka")));
    assert!(!met(Share, 49.65, 50.0, Target::within(0.3, "moka")));
    assert!(met(Count, 1.0, 1.0, Target::no_more_than(1.0)));
    assert!(!met(Count, 2.0, 1.0, Target::no_more_than(1.0)));
    assert!(met(Throughput, 2.0, 1.0, Target::no_less_than(2.0)));
    assert!(!met(Throughput, 1.9, 1.0, Target::no_less_than(2.0)));
}

#[test]
fn a_target_beside_a_candidate_that_is_not_there_is_missed() {
    assert!(!met(Quantity::Time, 1.0, 100.0, Target::at_most(0.3, "mocha")));
    assert!(!met(Quantity::Share, 99.0, 1.0, Target::within(0.3, "mocha")));
}

#[test]
fn a_ratio_is_that_of_the_rounds_so_that_noise_that_falls_on_both_falls_out() {
    let calm = Sample::new(vec![10.0, 10.0, 100.0, 10.0, 100.0]);
    let noisy = Sample::new(vec![20.0, 20.0, 200.0, 20.0, 200.0]);
    assert_eq!(noisy.ratio(&calm), Some(2.0));
    let shifted = Sample::new(vec![20.0, 200.0, 200.0, 200.0, 200.0]);
    assert_eq!(shifted.ratio(&calm), Some(2.0));
    assert_eq!(calm.ratio(&Sample::from(0.0)), None);
}

#[test]
fn median_and_quartiles_are_those_of_the_sorted_rounds() {
    let sample = Sample::new(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
    assert_eq!((sample.median(), sample.quartiles()), (3.0, (2.0, 4.0)));
}

#[test]
fn candidates_are_compared_at_their_own_place_on_the_axis() {
    let mut table = table(Quantity::Share).axis("capacity");
    table.put_at(1.0, "moka", 40.0, &[]);
    table.put_at(1.0, "larder", 40.0, &[Target::within(0.3, "moka")]);
    table.put_at(5.0, "moka", 60.0, &[]);
    table.put_at(5.0, "larder", 45.0, &[Target::within(0.3, "moka")]);
    let rows = table.record().rows;
    assert!(rows[1].verdicts[0].met && !rows[3].verdicts[0].met);
    assert_eq!(rows[3].ratio, Some(0.75));
}

#[test]
fn names_at_the_ends_of_lines_do_not_cover_one_another_and_stay_on_the_card() {
    let rooms = lines::spaced(&[100, 101, 102, 340, 348]);
    assert!(rooms.windows(2).all(|pair| pair[1] - pair[0] >= 17), "{rooms:?}");
    assert!(*rooms.last().unwrap() <= 348, "{rooms:?}");
}

/// A folder of results as benches leave it, and one for the page.
fn folders(name: &str, met: bool) -> (PathBuf, PathBuf) {
    let folder = env::temp_dir().join(format!("larder-bench-report-{}-{name}", std::process::id()));
    let (results, page) = (folder.join("results"), folder.join("page"));
    fs::create_dir_all(&results).unwrap();
    fs::create_dir_all(&page).unwrap();
    let mut table = table(Quantity::Time);
    table.put("moka", 100.0, &[]);
    table.put("larder, fn", if met { 20.0 } else { 50.0 }, &[Target::at_most(0.3, "moka")]);
    let line = |record: &Record| record.to_line().unwrap();
    fs::write(results.join("hit.jsonl"), line(&table.record())).unwrap();
    (results, page)
}

fn run(folders: &(PathBuf, PathBuf), options: &[&str]) -> Result<bool> {
    let paths = [&folders.0, &folders.1].map(|path| path.display().to_string());
    report(paths.into_iter().chain(options.iter().map(ToString::to_string)))
}

#[test]
fn a_missed_target_fails_the_run_and_is_marked_on_the_page() {
    let folders = folders("missed", false);
    assert!(!run(&folders, &[]).unwrap());
    assert!(run(&folders, &["--no-fail"]).unwrap());
    let page = fs::read_to_string(folders.1.join("README.md")).unwrap();
    assert!(page.contains("| **missed** | 0.50 x | at most 0.30 x moka | larder, fn |"), "{page}");
    fs::remove_dir_all(folders.0.parent().unwrap()).unwrap();
}

#[test]
fn a_page_has_a_chart_for_each_table_and_none_that_is_left_over() {
    let folders = folders("charts", true);
    fs::write(folders.1.join("gone.svg"), "").unwrap();
    assert!(run(&folders, &[]).unwrap());
    let page = fs::read_to_string(folders.1.join("README.md")).unwrap();
    assert!(page.contains("![A hit](hit-a-hit.svg)"), "{page}");
    let chart = fs::read_to_string(folders.1.join("hit-a-hit.svg")).unwrap();
    assert!(chart.contains("larder, fn") && !folders.1.join("gone.svg").exists());
    fs::remove_dir_all(folders.0.parent().unwrap()).unwrap();
}

#[test]
fn a_folder_without_results_is_an_error() {
    let folder = env::temp_dir().join(format!("larder-bench-report-{}-none", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    assert!(run(&(folder.clone(), folder.clone()), &["--no-fail"]).is_err());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_marks_of_an_axis_are_round_numbers_within_it() {
    assert_eq!(lines::ticks(36.8, 76.0), [40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0]);
    assert_eq!(lines::ticks(0.0, 3_300.0).len(), 7);
}

#[test]
fn numbers_are_written_as_people_read_them() {
    assert_eq!(
        [1.0, 100.0, 1_000.0, 1_234_567.0].map(thousands),
        ["1", "100", "1,000", "1,234,567"]
    );
    assert_eq!(thousands(0.5), "0.5");
}

#[test]
fn hits_come_first_on_the_page_and_benches_that_have_no_place_come_last() {
    let mut names = ["compile", "trace", "codec", "hit_2_threads", "hit"].map(PathBuf::from);
    names.sort_by_cached_key(|name| (place(name), name.clone()));
    assert_eq!(names, ["hit", "hit_2_threads", "trace", "codec", "compile"].map(PathBuf::from));
}
