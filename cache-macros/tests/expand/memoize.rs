#[memoize]
fn risk(portfolio: &str, factor: f64) -> f64 {
    portfolio.len() as f64 * factor
}
