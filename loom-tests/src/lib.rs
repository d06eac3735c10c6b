//! Models of the protocols; see the tests.
