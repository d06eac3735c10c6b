//! Named queues between programs that do not know each other: this test binary, started as a plain program, plays them.

mod bad_files;
mod crowd;
mod death;
mod folder;
mod handles;
mod life;
mod program;
