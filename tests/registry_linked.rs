//! A library that is named once is listed with all of its functions, although none of them is called.
#![forbid(unsafe_code)]

use linked as _;

#[test]
fn a_library_that_is_named_is_listed_whole() {
    let registry = larder::registry();
    let names: Vec<&str> = registry.functions().map(|it| it.name()).collect();
    assert_eq!(names, ["price", "generic", "secret"]);
    assert!(registry.functions().all(|it| it.krate() == "linked"));
    assert!(registry.of_module("linked").check().is_ok());
}
