//! What a process takes of the machine's memory.

use super::Labels;

/// The memory of a process, by its directory in `/proc` (`self` or its number):
/// resident, and as its share of what several processes have mapped. What can't
/// be read is left out: another account's share can't.
pub fn memory(process: &str, directory: &str) -> Vec<(Labels, f64)> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{directory}/{file}")).ok();
    let resident = read("status").and_then(|text| kibibytes(&text, "VmRSS:"));
    let share = read("smaps_rollup").and_then(|text| kibibytes(&text, "Pss:"));
    [("rss", resident), ("pss", share)]
        .into_iter()
        .filter_map(|(kind, kibibytes)| {
            let labels = vec![("process", process.to_owned()), ("kind", kind.to_owned())];
            Some((labels, kibibytes? * 1024.0))
        })
        .collect()
}

fn kibibytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_its_share_is_not_more() {
        let [(_, resident), (_, share)] = &memory("server", "self")[..] else {
            panic!("both can be read of this process");
        };
        assert!(*share > 0.0 && share <= resident, "{share} {resident}");
        assert!(memory("none", "0").is_empty());
    }
}
