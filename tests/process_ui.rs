//! What the compiler says of targets, messages and second starts; builds and runs small programs.

#[test]
fn what_cannot_travel_is_refused_when_built() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/captures_nothing.rs");
    cases.compile_fail("tests/ui/captures_*.fail.rs");
    cases.compile_fail("tests/ui/aligned_*.fail.rs");
    cases.compile_fail("tests/ui/started_*.fail.rs");
}
