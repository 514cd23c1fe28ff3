//! A library that no code names is not linked, and what is not linked is not listed.
#![forbid(unsafe_code)]

#[test]
fn a_library_that_nobody_names_is_not_listed_and_a_check_of_it_says_so() {
    assert_eq!(larder::registry().functions().count(), 0);
    let problems = larder::registry().of_module("linked").check().unwrap_err();
    assert!(problems.to_string().contains("write `use linked as _;` in this test"), "{problems}");
}
