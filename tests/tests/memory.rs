//! What templates and playbooks can make the server allocate, counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use noetl::template::{Scope, SqlTemplate, Template};
use serde_json::{Map, Value, json};

/// Counts what is allocated, and the most that ever was at once.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What `work` gives, the bytes that are left of it, and the most that it had.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let value = work();
    let left = LIVE.load(Relaxed).saturating_sub(before);
    (value, left, PEAK.load(Relaxed) - before)
}

const MIB: usize = 1 << 20;

fn workload() -> Value {
    let text = "x".repeat(4_000_000);
    let numbers: Vec<i32> = (0..200_000).collect();
    let map: Map<String, Value> = (0..20_000).map(|i| (format!("k{i}"), json!(i))).collect();
    json!({"text": text, "same": text, "numbers": numbers, "map": map})
}

/// `a1 = [a0, a0]`, `a2 = [a1, a1]`, …: 60 steps that unfold to 2^60 values.
fn doubled(name: &str, last: &str) -> String {
    let mut source = format!("{{% set {name}0 = [1, 1] %}}");
    for i in 1..60 {
        let below = i - 1;
        source += &format!("{{% set {name}{i} = [{name}{below}, {name}{below}] %}}");
    }
    source + last
}

#[test]
fn no_template_takes_more_than_its_share() {
    let _alone = ALONE.lock();
    let mut scope = Scope::default();
    scope.set("workload", &workload());
    let chained: String = (1..40)
        .map(|i| format!("{{% set c{i} = c{} | chain(c{}) %}}", i - 1, i - 1))
        .collect();
    let nested = |last: &str| format!("{{{{ {}1{}{last} }}}}", "[".repeat(8), "] * 9999".repeat(8));
    let both = doubled("a", "") + &doubled("b", "");
    let mut sources = vec![
        "{{ [workload.text] * 100000 }}".to_owned(),
        "{{ [workload.numbers] * 100000 }}".into(),
        "{% for i in range(30000) %}{{ workload.text }}{% endfor %}".into(),
        "{% for i in range(30000) %}{{ workload.text | b64encode }}{% endfor %}".into(),
        "{{ workload.text | split('x') | list }}".into(),
        "{{ range(99999) | map('string') | list }}".into(),
        "{{ workload.text | tojson | tojson | tojson }}".into(),
        "{% set c0 = workload.numbers %}".to_owned() + &chained + "{{ c39 | length }}",
        "{% set c0 = workload.numbers %}".to_owned()
            + &chained.replace("| chain(", "+ (")
            + "{{ c39 }}",
        nested(""),
        nested(" ~ ''"),
        both.clone() + "{{ a59 == b59 }}",
        both + "{{ [a59, b59] | sort }}",
    ];
    for last in [
        "{{ a59 }}",
        "{{ [a59, 'x'] }}",
        "<{{ a59 }}>",
        "{{ a59 ~ '' }}",
        "{{ a59 | string }}",
        "{{ a59 | tojson }}",
        "{{ a59 | join }}",
        "{{ a59 | upper }}",
        "{{ '%s' | format(a59) }}",
        "{{ {a59: 1} }}",
        "{{ workload[a59] }}",
        "{{ workload.map.get(a59) }}",
        "{{ a59 | int }}",
        "{{ a59 + 1 }}",
        "{{ a59 in [1] }}",
        "{{ a59 is startingwith 'x' }}",
        "{{ [a59, a59] | unique }}",
        "{% for x in [a59, a59] %}{{ loop.changed(x) }}{% endfor %}",
    ] {
        sources.push(doubled("a", last));
    }
    for source in sources {
        let template = Template::compile(&source).expect(&source);
        let scope = scope.for_step();
        let (result, _, peak) = measured(|| template.render(&scope).map(drop));
        let shown = &source[source.len().saturating_sub(70)..];
        let error = result.err().unwrap_or_else(|| panic!("it worked: {shown}"));
        let told = error.to_string();
        assert!(
            ["too much work", "in memory, their limit", "nests deeper"]
                .iter()
                .any(|part| told.contains(part)),
            "{shown}: {told}"
        );
        assert!(told.len() < 1000, "{shown}: {told}");
        println!("{:4} MiB  {shown}", peak / MIB);
        assert!(peak < 160 * MIB, "{} MiB: {shown}", peak / MIB);
    }
}

#[test]
fn what_a_template_may_give_fits_too() {
    let _alone = ALONE.lock();
    let mut scope = Scope::default();
    scope.set("workload", &workload());
    for source in [
        "{{ workload }}",
        "{{ workload.text ~ workload.same }}",
        "{{ [1] * 900000 }}",
        "{{ 'a' * 15000000 }}",
        "<{{ workload.numbers }}>",
        "{% for i in range(15) %}{{ workload.text }}{% endfor %}",
    ] {
        let template = Template::compile(source).expect(source);
        let scope = scope.for_step();
        let (result, _, peak) = measured(|| template.render(&scope));
        result.expect(source);
        println!("{:4} MiB  {source}", peak / MIB);
        assert!(peak < 320 * MIB, "{} MiB: {source}", peak / MIB);
    }
    let query = SqlTemplate::compile(
        "{% for i in range(30000) %}SELECT '{{ workload.text }}';{% endfor %}SELECT 1",
    )
    .expect("a query");
    let (result, _, peak) = measured(|| query.render(&scope).map(drop));
    let error = result.expect_err("it is too much").to_string();
    assert!(error.contains("their limit"), "{error}");
    assert!(peak < 160 * MIB, "{} MiB", peak / MIB);
}

#[test]
fn a_steps_templates_share_one_allowance() {
    let scope = Scope::default().for_step();
    let work = Template::compile("{% for i in range(60000) %}{% endfor %}").expect("a template");
    let mut done = 0;
    let error = loop {
        match work.render(&scope) {
            Ok(_) => done += 1,
            Err(error) => break error.to_string(),
        }
        assert!(done < 1000);
    };
    assert!(done > 3, "{done}");
    assert!(error.contains("templates of this step"), "{error}");
    work.render(&scope.for_step())
        .expect("the next step begins anew");
}

#[test]
fn a_scopes_size_is_not_told_too_low() {
    let _alone = ALONE.lock();
    let texts: Vec<String> = (0..100_000).map(|i| format!("text number {i}")).collect();
    let rows: Vec<Value> = (0..50_000)
        .map(|i| json!({"id": i, "name": "somebody", "tags": []}))
        .collect();
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for value in [
        workload(),
        json!(texts),
        json!(rows),
        json!(vec![nested; 1000]),
        json!(vec![Value::Null; 500_000]),
        json!(vec![json!({}); 100_000]),
        json!(vec![json!({"a": {"b": 1}}); 100_000]),
    ] {
        let (scope, bytes, _) = measured(|| {
            let mut scope = Scope::default();
            scope.set("workload", &value);
            scope
        });
        let told = scope.bytes();
        // Above what a scope without a value takes.
        assert!(told + 1024 >= bytes, "told {told}, allocated {bytes}");
        assert!(told < 8 * bytes, "told {told}, allocated {bytes}");
    }
}
