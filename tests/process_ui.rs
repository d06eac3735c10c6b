//! What the compiler says of targets; builds and runs small programs.

#[test]
fn targets_that_capture_are_refused_when_built() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/captures_nothing.rs");
    cases.compile_fail("tests/ui/captures_*.fail.rs");
}
