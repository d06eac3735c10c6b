//! The machine that was measured, in one line.

use crate::cases::cores;
use crate::job::Job;

/// CPU, cores, kernel and compiler.
pub fn describe() -> String {
    let cpu = read("/proc/cpuinfo");
    let kernel = read("/proc/sys/kernel/osrelease");
    let rustc = Job::new("rustc").words("--version").capture().map(|out| out.stdout).unwrap_or_default();
    let rustc = rustc.split(" (").next().unwrap_or_default().trim();
    format!("{}, {} cores, Linux {}, {rustc}", cpu_model(&cpu), cores(), kernel.trim())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn cpu_model(cpuinfo: &str) -> String {
    let lines = || cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let model = lines().find(|(name, _)| name.trim() == "model name").map(|(_, value)| value.trim());
    let guest =
        lines().any(|(name, value)| name.trim() == "flags" && value.split(' ').any(|f| f == "hypervisor"));
    format!("{}{}", model.unwrap_or("unknown CPU"), if guest { " (virtual machine)" } else { "" })
}

/// Today, in UTC.
pub fn today() -> String {
    let out = Job::new("date").words("-u +%Y-%m-%d").capture().map(|out| out.stdout).unwrap_or_default();
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_named() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu hypervisor sse\n";
        assert_eq!(cpu_model(text), "Some CPU @ 2 GHz (virtual machine)");
        assert_eq!(cpu_model(""), "unknown CPU");
    }
}
