#[memoize(key = "rate:{day}", tags = ["day:{day}"], companions = false, batch(day in days), skip(self))]
fn rates(&self, mut days: Vec<u32>) -> Rates {
    days.sort();
    self.rates_of(days)
}
