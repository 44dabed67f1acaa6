//! A real Slurm on this machine: a controller and nodes as processes of the test, everything below a folder of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::process::{poll, usable};
use crate::tools;

/// A cluster of nodes that all run here; its processes end with it.
#[derive(Debug)]
pub struct Slurm {
    /// Holds configuration, state and logs.
    folder: tempfile::TempDir,
    processes: Vec<Child>,
}

impl Slurm {
    /// Two nodes of four processors each, that wait for jobs; none where this machine lets nobody have a Slurm, which is
    /// told.
    ///
    /// # Panics
    /// Where one is installed and does not start.
    #[expect(clippy::print_stderr, reason = "what a test leaves out it says")]
    pub fn start() -> Option<Self> {
        if !usable("slurmctld", ["-V"]) || !usable("slurmd", ["-V"]) || !usable("sh", ["-c", "command -v sbatch"]) {
            eprintln!("left out: no Slurm here (Debian: apt-get install slurmctld slurmd slurm-client)");
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: nodes of a Slurm can be started by root alone");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut slurm = Self {
            folder,
            processes: Vec::new(),
        };
        for place in ["state", "spool/node1", "spool/node2"] {
            fs::create_dir_all(slurm.path(place)).expect("a folder of its own");
        }
        fs::write(slurm.conf(), slurm.configuration()).expect("the configuration is written");
        slurm.run_on("slurmctld", &["-D", "-c"]);
        for node in ["node1", "node2"] {
            slurm.run_on("slurmd", &["-D", "-N", node]);
        }
        poll("two idle nodes", || {
            let idle = slurm.try_call("sinfo", &["-h", "-t", "idle", "-o", "%D"]);
            (String::from_utf8_lossy(&idle.stdout).trim() == "2").then_some(())
        });
        Some(slurm)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn conf(&self) -> PathBuf {
        self.path("slurm.conf")
    }

    fn run_on(&mut self, program: &str, args: &[&str]) {
        let log = fs::File::create(self.path(&format!("{program}{}.out", self.processes.len()))).expect("a log");
        let mut command = Command::new(program);
        command.args(args).env("SLURM_CONF", self.conf());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        self.processes.push(child);
    }

    fn configuration(&self) -> String {
        // Free now; whoever takes them in the meantime makes the test fail, not lie.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [ctld, first, second] = held
            .each_ref()
            .map(|held| held.local_addr().expect("it is bound").port());
        let host = Command::new("hostname").arg("-s").output().expect("hostname");
        let host = String::from_utf8_lossy(&host.stdout).trim().to_owned();
        let at = self.folder.path().display();
        format!(
            "ClusterName=lab\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={ctld}\n\
             AuthType=auth/none\nCredType=cred/none\nSlurmUser=root\nSlurmdUser=root\n\
             StateSaveLocation={at}/state\nSlurmdSpoolDir={at}/spool/%n\n\
             SlurmctldPidFile={at}/slurmctld.pid\nSlurmdPidFile={at}/slurmd.%n.pid\n\
             SlurmctldLogFile={at}/slurmctld.log\nSlurmdLogFile={at}/slurmd.%n.log\n\
             SwitchType=switch/none\nMpiDefault=none\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
             JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n\
             SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nReturnToService=2\n\
             SlurmdParameters=config_overrides\nKillWait=20\n\
             NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=4 RealMemory=4000\n\
             NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=4 RealMemory=4000\n\
             PartitionName=lab Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP\n"
        )
    }

    /// A command of a user of the cluster; the binary under test is `trc2npy` for it and its jobs.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        tools::undisturbed(&mut command);
        let own = tools::binary().parent().expect("a file lies in a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(own).chain(std::env::split_paths(&path));
        command
            .env("SLURM_CONF", self.conf())
            .env("PATH", std::env::join_paths(all).expect("folders without separators"))
            .stdin(Stdio::null());
        command
    }

    fn try_call(&self, program: &str, args: &[&str]) -> Output {
        let output = self.command(program).args(args).output();
        output.unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// What a command says, without blanks around it.
    ///
    /// # Panics
    /// Where it fails.
    pub fn call(&self, program: &str, args: &[&str]) -> String {
        let output = self.try_call(program, args);
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}\n{stderr}");
        said
    }

    /// The number of a new job.
    pub fn submit(&self, script: &Path, options: &[&str], args: &[&str]) -> String {
        let script = script.display().to_string();
        let words: Vec<&str> = ["--parsable"]
            .iter()
            .chain(options)
            .chain([&script.as_str()])
            .chain(args)
            .copied()
            .collect();
        self.call("sbatch", &words)
    }

    /// What `scontrol` says of a job after `key=`.
    pub fn of_job(&self, job: &str, key: &str) -> String {
        let all = self.call("scontrol", &["-o", "show", "job", job]);
        let found = all
            .split_whitespace()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {key} in {all}")).to_owned()
    }

    /// Lets a task begin again that is requeued, once it waits; Slurm would give its node two minutes to recover.
    ///
    /// Not within the second in which it ended: a node takes a task's credential of that very second for the old, revoked
    /// one, and the task fails ("Job credential revoked").
    pub fn begin_again(&self, task: &str) {
        poll("the requeued task to wait", || {
            let waits = self.of_job(task, "Restarts") == "1" && self.of_job(task, "JobState") == "PENDING";
            waits.then_some(())
        });
        self.call("scontrol", &["update", &format!("jobid={task}"), "starttime=now+2"]);
    }

    /// Waits until no job is left that waits or runs.
    pub fn drained(&self) {
        poll("the end of all jobs", || {
            self.call("squeue", &["-h"]).is_empty().then_some(())
        });
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        // Jobs outlive their node's daemon.
        let _ = self.try_call("scancel", &["--full", "--signal=KILL", "--user=root"]);
        for child in self.processes.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
