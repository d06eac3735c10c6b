//! Seeded mutants: `on("name")` is true when a test run asks for that fault, to prove that some test
//! notices it. A constant `false` outside the feature `mutants`.

#[cfg(feature = "mutants")]
pub fn on(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    CHOSEN
        .get_or_init(|| {
            std::env::var("PROCESSING_MUTANT").unwrap_or_default().split(',').map(str::to_owned).collect()
        })
        .iter()
        .any(|chosen| chosen == name)
}

#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn on(_name: &str) -> bool {
    false
}
