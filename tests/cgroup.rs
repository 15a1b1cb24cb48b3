//! What GOMAXPROCS starts with, and NumCPU: affinity, the quotas of cgroups v1 (for real) and v2 (a faked /proc), the environment; and the refresh
//! that `GODEBUG=updatemaxprocs=1` asks for. Needs root, for the groups and for mount namespaces, and strace.
//!
//! 2500m and 4 CPUs of the specification's table need more CPUs than this machine may have: the expected numbers are bounded by those it has.

mod common;

use common::{Outcome, program, root, run};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Quotas in µs for each 100 ms, as Kubernetes names them, and the CPUs that they are.
const TABLE: [(&str, u32, u32); 6] =
    [("200m", 20_000, 1), ("500m", 50_000, 1), ("1", 100_000, 1), ("1500m", 150_000, 2), ("2500m", 250_000, 3), ("4", 400_000, 4)];

/// The CPUs that this process may run on: `0-2,5`.
fn allowed() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_string()
}

/// One of them.
fn one_cpu() -> String {
    allowed().split([',', '-']).next().unwrap().to_string()
}

/// How many they are.
fn affinity() -> u32 {
    let list = allowed();
    let ranges = list.split(',').map(|range| range.split_once('-').unwrap_or((range, range)));
    ranges.map(|(first, last)| last.parse::<u32>().unwrap() - first.parse::<u32>().unwrap() + 1).sum()
}

/// GOMAXPROCS and NumCPU of a line of the program.
fn numbers(line: &str) -> (u32, u32) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["gomaxprocs", procs, "num_cpu", cpus] = words[..] else { panic!("not the program's line: {line:?}") };
    (procs.parse().unwrap(), cpus.parse().unwrap())
}

fn clean(command: &mut Command) -> &mut Command {
    command.env_remove("GOMAXPROCS").env_remove("GODEBUG")
}

#[track_caller]
fn told(command: &mut Command) -> (u32, u32) {
    let outcome = run(command);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{command:?}: {outcome:?}");
    numbers(&outcome.stdout)
}

/// What the program says where this test runs: its own quota, if it has one, bounds all others.
fn here() -> u32 {
    let (procs, cpus) = told(clean(&mut Command::new(program("cpus"))));
    assert_eq!(procs, cpus);
    cpus
}

/// A path that nobody else has.
fn unique(folder: &Path, name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    folder.join(format!("gort-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed)))
}

// cgroup v1, for real.

/// A group of the host's own cpu controller; removed at the end.
struct Group(PathBuf);

impl Group {
    /// None, loudly, where there is no such controller and `ci/allowed-skips` lists that; a failure where it does not.
    fn new(test: &str) -> Option<Group> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - cgroup ")?;
            right.split([' ', ',']).any(|option| option == "cpu").then(|| left.split(' ').nth(4).unwrap())
        });
        let group = mount.map(|mount| Group(unique(Path::new(mount), "v1")));
        match group.map(|group| (fs::create_dir(&group.0), group)) {
            Some((Ok(()), group)) => Some(group),
            refused => {
                let why = refused.map_or("no cgroup v1 cpu controller is mounted".into(), |(error, group)| format!("{}: {error:?}", group.0.display()));
                let allowed = fs::read_to_string(root().join("ci/allowed-skips")).unwrap_or_default();
                assert!(allowed.lines().any(|line| line.starts_with("cgroup-v1")), "{test}: {why}; no skip called cgroup-v1 is listed in ci/allowed-skips");
                // Not `eprintln`, which the harness keeps to itself.
                std::io::stderr().write_all(format!("SKIPPED {test}: {why}\n").as_bytes()).unwrap();
                None
            }
        }
    }

    fn child(&self) -> Group {
        let child = Group(unique(&self.0, "in"));
        fs::create_dir(&child.0).unwrap();
        child
    }

    /// So many µs of each 100 ms; -1 for no quota.
    fn set_quota(&self, us: i64) -> &Group {
        fs::write(self.0.join("cpu.cfs_quota_us"), us.to_string()).unwrap();
        self
    }

    fn throttled(&self) -> u32 {
        let stat = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap().parse().unwrap()
    }

    /// The command's process will be in this group before it becomes the program.
    fn hold<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let mut procs = File::options().write(true).open(self.0.join("cgroup.procs")).unwrap();
        // SAFETY: between fork and exec it makes one system call, on a descriptor that is there.
        unsafe { command.pre_exec(move || procs.write_all(b"0")) }
    }

    fn cpus(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("cpus"));
        self.hold(clean(command.args(arguments)));
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel takes a moment to let go of processes that have ended.
        let start = Instant::now();
        while fs::remove_dir(&self.0).is_err() && self.0.exists() {
            if start.elapsed() > Duration::from_secs(20) {
                eprintln!("{} could not be removed", self.0.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_quota_of_cgroup_v1_is_rounded_up() {
    let Some(group) = Group::new("a_quota_of_cgroup_v1_is_rounded_up") else { return };
    let here = here();
    for (name, quota, want) in TABLE {
        group.set_quota(quota.into());
        let want = here.min(want);
        assert_eq!(told(&mut group.cpus(&[])), (want, want), "{name}");
    }
    group.set_quota(-1);
    assert_eq!(told(&mut group.cpus(&[])), (here, here), "no quota");
}

#[test]
fn below_one_cpu_the_kernel_throttles() {
    let Some(group) = Group::new("below_one_cpu_the_kernel_throttles") else { return };
    assert_eq!(group.set_quota(20_000).throttled(), 0);
    assert_eq!(told(&mut group.cpus(&["burn", "1000"])), (1, 1));
    assert!(group.throttled() > 0, "never throttled");
}

#[test]
fn the_tightest_of_the_groups_above_counts() {
    let Some(outer) = Group::new("the_tightest_of_the_groups_above_counts") else { return };
    let middle = outer.child();
    let inner = middle.child();
    let here = here();
    assert!(here > 1, "one CPU shows nothing");
    assert_eq!(told(&mut inner.cpus(&[])).0, here);
    for (outer_quota, middle_quota, inner_quota) in [(50_000, -1, -1), (100_000, 60_000, -1), (100_000, 70_000, 60_000)] {
        outer.set_quota(outer_quota);
        middle.set_quota(middle_quota);
        inner.set_quota(inner_quota);
        assert_eq!(told(&mut inner.cpus(&[])), (1, 1), "{outer_quota} {middle_quota} {inner_quota}");
    }
    inner.set_quota(-1);
    middle.set_quota(-1);
    outer.set_quota(150_000);
    assert_eq!(told(&mut inner.cpus(&[])).0, here.min(2));
}

// The refresh.

/// A program that goes on; killed at the end.
struct Watched {
    child: Child,
    lines: Receiver<String>,
    /// What it said of NumCPU first.
    cpus: Cell<Option<u32>>,
}

impl Watched {
    /// Runs `command`, whose first line must say `first`.
    #[track_caller]
    fn new(command: &mut Command, first: u32) -> Watched {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (out, (send, lines)) = (child.stdout.take().unwrap(), channel());
        std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let watched = Watched { child, lines, cpus: Cell::new(None) };
        assert_eq!(watched.next(), first, "{command:?}");
        watched
    }

    /// The next GOMAXPROCS. NumCPU stays, as at start.
    #[track_caller]
    fn next(&self) -> u32 {
        let (procs, cpus) = numbers(&self.lines.recv_timeout(Duration::from_secs(60)).expect("GOMAXPROCS does not change"));
        let at_start = *self.cpus.get().get_or_insert(cpus);
        self.cpus.set(Some(at_start));
        assert_eq!(cpus, at_start, "NumCPU has changed");
        procs
    }

    /// Nothing changes for some seconds.
    #[track_caller]
    fn stays(&mut self) {
        let next = self.lines.recv_timeout(Duration::from_secs(4));
        assert!(next.is_err(), "GOMAXPROCS changed: {next:?}");
        assert!(self.child.try_wait().unwrap().is_none(), "the program has ended");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn with_updatemaxprocs_a_change_of_the_quota_is_followed() {
    let Some(group) = Group::new("with_updatemaxprocs_a_change_of_the_quota_is_followed") else { return };
    let here = here();
    assert!(here > 1, "one CPU shows nothing");
    // Also where each P has a goroutine that makes no calls: the change is made by preemption.
    for arguments in [&["watch", "120"][..], &["hogs", "watch", "120"]] {
        group.set_quota(-1);
        let watched = Watched::new(group.cpus(arguments).env("GODEBUG", "updatemaxprocs=1"), here);
        for (quota, want) in [(60_000, 1), (-1, here), (90_000, 1), (150_000, here.min(2))] {
            group.set_quota(quota);
            assert_eq!(watched.next(), want, "{arguments:?} {quota}");
        }
    }
}

#[test]
fn without_updatemaxprocs_a_change_of_the_quota_has_no_effect() {
    let Some(group) = Group::new("without_updatemaxprocs_a_change_of_the_quota_has_no_effect") else { return };
    let mut watched = Watched::new(&mut group.cpus(&["watch", "120"]), here());
    let mut zero = Watched::new(group.cpus(&["watch", "120"]).env("GODEBUG", "updatemaxprocs=0"), here());
    group.set_quota(60_000);
    watched.stays();
    zero.stays();
}

#[test]
fn a_call_or_the_environment_ends_the_refresh() {
    let Some(group) = Group::new("a_call_or_the_environment_ends_the_refresh") else { return };
    let here = here();
    let same = here.to_string();
    let knob = |mut command: Command| {
        command.env("GODEBUG", "updatemaxprocs=1");
        command
    };
    // A call that changes nothing counts too.
    let mut all = [
        Watched::new(&mut knob(group.cpus(&["set", "5", "watch", "120"])), 5),
        Watched::new(&mut knob(group.cpus(&["set", &same, "watch", "120"])), here),
        Watched::new(knob(group.cpus(&["watch", "120"])).env("GOMAXPROCS", &same), here),
    ];
    // A call that only asks does not, nor does a value that is none.
    let asks = Watched::new(knob(group.cpus(&["set", "0", "set", "-1", "watch", "120"])).env("GOMAXPROCS", "none"), here);
    group.set_quota(60_000);
    assert_eq!(asks.next(), 1);
    all.iter_mut().for_each(Watched::stays);
}

#[test]
fn with_updatemaxprocs_a_change_of_affinity_is_followed() {
    let here = here();
    assert!(here > 1, "one CPU shows nothing");
    let start = |words: &[&str], debug: &str| Watched::new(clean(Command::new(program("cpus")).args(words)).env("GODEBUG", debug), here);
    // Also where somebody else has stopped the world whenever it is to be changed.
    let watched = [start(&["watch", "120"], "updatemaxprocs=1"), start(&["stacks", "watch", "120"], "updatemaxprocs=1")];
    let mut without = start(&["watch", "120"], "");
    for (cpus, want) in [(one_cpu(), 1), (allowed(), here), (one_cpu(), 1), (allowed(), here)] {
        for pid in watched.iter().chain([&without]).map(|watched| watched.child.id()) {
            let outcome = run(Command::new("taskset").args(["-a", "-c", "-p", &cpus, &pid.to_string()]));
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }
        watched.iter().for_each(|watched| assert_eq!(watched.next(), want));
    }
    without.stays();
}

// A faked /proc, with a v2 tree or garbage behind it.

/// A folder that is the program's /proc, in a mount namespace; removed at the end.
struct Fake(PathBuf);

impl Fake {
    /// With these two files, `MOUNT` in them being the folder `tree`.
    fn new(cgroup: &str, mountinfo: &str) -> Fake {
        let fake = Fake(unique(&std::env::temp_dir(), "fake"));
        fs::create_dir_all(fake.0.join("proc/self")).unwrap();
        fs::create_dir(fake.0.join("tree")).unwrap();
        fake.write("proc/self/cgroup", cgroup);
        fake.write("proc/self/mountinfo", mountinfo.replace("MOUNT", fake.0.join("tree").to_str().unwrap()));
        fake
    }

    /// A group of the tree has this `cpu.max`.
    fn max(self, group: &str, text: &str) -> Fake {
        self.write(&format!("tree{group}/cpu.max"), text);
        self
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `command` in there.
    fn within(&self, command: &[&str]) -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "--propagation", "private", "sh", "-c", r#"mount --bind "$1" /proc || exit 99; shift; exec "$@""#, "sh"]);
        clean(unshare.arg(self.0.join("proc")).args(command));
        unshare
    }

    #[track_caller]
    fn says(&self, want: u32) {
        let want = want.min(affinity());
        assert_eq!(told(&mut self.within(&[program("cpus").to_str().unwrap()])), (want, want));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // A deep tree: std would hold a descriptor for each level.
        let _ = Command::new("rm").arg("-rf").arg(&self.0).status();
    }
}

const ALL: u32 = u32::MAX;
const V2: &str = "24 22 0:22 / /sys rw - sysfs sysfs rw\n30 24 0:26 / MOUNT rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn a_quota_of_cgroup_v2_is_rounded_up() {
    for (name, quota, want) in TABLE {
        println!("{name}");
        Fake::new("0::/\n", V2).max("", &format!("{quota} 100000\n")).says(want);
    }
    Fake::new("0::/\n", V2).max("", "max 100000\n").says(ALL);
    Fake::new("0::/\n", V2).says(ALL);
}

#[test]
fn of_v2_groups_the_tightest_counts() {
    let nested = |outer: &str, middle: &str, inner: &str| Fake::new("0::/a/b c/d\n", V2).max("/a", outer).max("/a/b c", middle).max("/a/b c/d", inner);
    nested("max 100000", "max 100000", "max 100000").says(ALL);
    nested("max 100000", "max 100000", "50000 100000").says(1);
    nested("max 100000", "50000 100000", "max 100000").says(1);
    nested("50000 100000", "400000 100000", "800000 100000").says(1);
    nested("garbage", "150000 100000", "").says(2);
    // The group itself is gone, or has no cpu controller.
    Fake::new("0::/a/gone (deleted)\n", V2).max("/a", "50000 100000\n").says(1);
}

#[test]
fn bind_mounts_and_namespaces_show_the_group() {
    let at = |root: &str, cgroup: &str| Fake::new(cgroup, &format!("30 24 0:26 {root} MOUNT rw - cgroup2 cgroup2 rw\n")).max("", "90000 100000\n");
    at("/docker/ab", "0::/docker/ab\n").says(1);
    at(r"/docker/a\040b", "0::/docker/a b/in\n").says(1);
    at("/docker/xy", "0::/docker/ab\n").says(ALL);
    at("/..", "0::/../side\n").says(1);
    at("/../..", "0::/\n").says(1);
    at("/", "0::/../side\n").says(ALL);
}

#[test]
fn hybrid_takes_cpu_from_where_it_is() {
    let tree = "30 24 0:26 / MOUNT/unified rw - cgroup2 cgroup2 rw\n31 24 0:27 / MOUNT/cpu rw - cgroup cgroup rw,cpuacct,cpu\n32 24 0:28 / MOUNT/memory rw - cgroup cgroup rw,memory\n";
    let with = |cgroup: &str| {
        let fake = Fake::new(cgroup, tree).max("/unified/two", "50000 100000\n");
        fake.write("tree/cpu/one/cpu.cfs_quota_us", "150000\n");
        fake.write("tree/cpu/one/cpu.cfs_period_us", "100000\n");
        fake.write("tree/cpu/cpu.cfs_quota_us", "-1\n");
        fake.write("tree/cpu/cpu.cfs_period_us", "100000\n");
        fake
    };
    with("3:cpuacct,cpu:/one\n2:memory:/m\n0::/two\n").says(2);
    with("2:memory:/m\n0::/two\n").says(1);
    let odd = with("3:cpuacct,cpu:/one\n");
    for (quota, period, want) in [("-1", "100000", ALL), ("10", "", ALL), ("", "100000", ALL), ("10", "0", ALL), ("10", "garbage", ALL), ("10", "100000", 1)] {
        odd.write("tree/cpu/one/cpu.cfs_quota_us", quota);
        odd.write("tree/cpu/one/cpu.cfs_period_us", period);
        odd.says(want);
    }
}

#[test]
fn very_long_paths_are_followed() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    for (names, name) in [(20, "n".repeat(200)), (40, "n".repeat(100)), (2000, "n".to_string())] {
        let fake = Fake::new(&format!("0::{}\n", format!("/{name}").repeat(names)), "");
        // With this mount point more than the kernel takes at once. So it is made step by step.
        let mount = fake.0.join(format!("tree/{0}/{0}", "m".repeat(200)));
        fake.write("proc/self/mountinfo", V2.replace("MOUNT", mount.to_str().unwrap()));
        fs::create_dir_all(&mount).unwrap();
        let mut at = rustix::fs::open(mount.to_str().unwrap(), OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..names {
            mkdirat(&at, &*name, Mode::RWXU).unwrap();
            at = openat(&at, &*name, OFlags::PATH, Mode::empty()).unwrap();
        }
        let max = openat(&at, "cpu.max", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        rustix::io::write(&max, b"40000 100000\n").unwrap();
        fake.says(1);
    }
}

#[test]
fn files_that_make_no_sense_are_no_quota() {
    let good = || Fake::new("0::/g\n", V2).max("/g", "50000 100000\n");
    good().says(1);
    let megabyte = "x".repeat(1 << 20);
    let zeros = vec![0; 1 << 20];
    for path in ["proc/self/cgroup", "proc/self/mountinfo", "tree/g/cpu.max"] {
        let missing = good();
        fs::remove_file(missing.0.join(path)).unwrap();
        missing.says(ALL);
        for text in [&b""[..], b"\n", b"garbage", b":::::\n     \n- - -\n", megabyte.as_bytes(), &zeros] {
            let odd = good();
            odd.write(path, text);
            odd.says(ALL);
        }
        let folder = good();
        fs::remove_file(folder.0.join(path)).unwrap();
        fs::create_dir(folder.0.join(path)).unwrap();
        folder.says(ALL);
        let endless = good();
        fs::remove_file(endless.0.join(path)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", endless.0.join(path)).unwrap();
        endless.says(ALL);
        let pipe = good();
        fs::remove_file(pipe.0.join(path)).unwrap();
        assert_eq!(run(Command::new("mkfifo").arg(pipe.0.join(path))).status, Some(0));
        pipe.says(ALL);
        // Root reads everything, unless it has lost that capability.
        let unreadable = good();
        fs::set_permissions(unreadable.0.join(path), fs::Permissions::from_mode(0o0)).unwrap();
        let dropped = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"];
        let program = program("cpus");
        let command = [&dropped[..], &[program.to_str().unwrap()]].concat();
        assert_eq!(told(&mut unreadable.within(&command)), (affinity(), affinity()), "{path} unreadable");
    }
}

#[test]
fn a_megabyte_around_what_matters_is_passed_over() {
    let fake = Fake::new("0::/g\n", V2).max("/g", "50000 100000\n");
    let overlay = format!("7 24 0:9 / /merged rw - overlay overlay rw,lowerdir={}\n", "/layer:".repeat(150_000));
    let mountinfo = fs::read_to_string(fake.0.join("proc/self/mountinfo")).unwrap();
    fake.write("proc/self/mountinfo", format!("{overlay}{mountinfo}{overlay}"));
    fake.write("proc/self/cgroup", format!("{}0::/g\n", format!("5:memory:/{}\n", "m".repeat(4000)).repeat(250)));
    fake.says(1);
}

// Affinity, the environment, the system calls.

#[test]
fn affinity_bounds_all() {
    let program = program("cpus");
    let one = |command: &mut Command| told(clean(command.env("LC_ALL", "C")));
    let cpu = one_cpu();
    assert_eq!(one(Command::new("taskset").args(["-c", &cpu]).arg(&program)), (1, 1));
    let Some(group) = Group::new("affinity_bounds_all") else { return };
    group.set_quota(400_000);
    assert_eq!(one(group.hold(Command::new("taskset").args(["-c", &cpu]).arg(&program))), (1, 1));
}

#[test]
fn the_environment_sets_gomaxprocs_and_not_num_cpu() {
    let fake = Fake::new("0::/\n", V2).max("", "50000 100000\n");
    for (value, want) in [("1", 1), ("7", 7), ("10000", 10_000), ("0", 1), ("-2", 1), ("", 1), ("3 ", 1), ("99999999999", 1)] {
        assert_eq!(told(fake.within(&[program("cpus").to_str().unwrap()]).env("GOMAXPROCS", value)), (want, 1), "GOMAXPROCS={value:?}");
    }
}

/// Which files hello opens at its start, under strace, and which descriptors it leaves open.
fn opened(hold: &dyn Fn(&mut Command)) -> (Vec<String>, String) {
    let log = unique(&std::env::temp_dir(), "opened");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=openat,open,read,close", "-o"]).arg(&log).arg(program("hello"));
    hold(clean(&mut command));
    let outcome: Outcome = run(&mut command);
    let trace = fs::read_to_string(&log).unwrap();
    let _ = fs::remove_file(&log);
    assert_eq!(outcome.stdout, "hello from a goroutine\n", "{outcome:?}\n{trace}");
    let opens: Vec<&str> = trace.lines().filter(|line| line.contains("openat(") || line.contains("open(")).collect();
    for open in &opens {
        assert!(open.contains("O_CLOEXEC"), "{open}");
    }
    let closes = trace.lines().filter(|line| line.contains("close(") && line.ends_with("= 0")).count();
    assert_eq!(closes, opens.iter().filter(|line| !line.contains(" = -1 ")).count(), "{trace}");
    (opens.iter().map(|line| line.split('"').nth(1).unwrap().to_string()).collect(), trace)
}

#[test]
fn a_start_reads_only_what_the_answer_needs() {
    let Some(group) = Group::new("a_start_reads_only_what_the_answer_needs") else { return };
    let inner = group.child();
    assert!(here() > 1, "one CPU shows nothing");
    let path = |group: &Group, file: &str| group.0.join(file).to_str().unwrap().to_string();
    let (files, trace) = opened(&|command| {
        inner.hold(command);
    });
    let above = Path::new(&group.0).parent().unwrap().join("cpu.cfs_quota_us").to_str().unwrap().to_string();
    let proc = ["/proc/self/cgroup".to_string(), "/proc/self/mountinfo".to_string()];
    assert_eq!(files, [&proc[..], &[path(&inner, "cpu.cfs_quota_us"), path(&group, "cpu.cfs_quota_us"), above]].concat(), "{trace}");
    // Nothing above a quota of one CPU can be tighter.
    inner.set_quota(50_000);
    let (files, trace) = opened(&|command| {
        inner.hold(command);
    });
    assert_eq!(files, [&proc[..], &[path(&inner, "cpu.cfs_quota_us"), path(&inner, "cpu.cfs_period_us")]].concat(), "{trace}");
    // Nothing is asked if the environment says it,
    let (files, trace) = opened(&|command| {
        inner.hold(command).env("GOMAXPROCS", "2");
    });
    assert_eq!(files, [""; 0], "{trace}");
    // or with one CPU.
    let (files, trace) = opened(&|command| {
        let strace = std::mem::replace(command, Command::new("taskset"));
        clean(command.args(["-c", &one_cpu()]).arg(strace.get_program()).args(strace.get_args()));
    });
    assert_eq!(files, [""; 0], "{trace}");
}
