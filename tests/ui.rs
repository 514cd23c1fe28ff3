//! What the compiler says of every mistake that an attribute can tell, and what it must accept.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the expected messages anew.

#[test]
fn mistakes_are_reported_where_they_are_and_correct_code_is_accepted() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
