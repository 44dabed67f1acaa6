//! `run-range`: one task of a batch system makes its share of the rows.

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use trc2npy_common::convert::Watch;
use trc2npy_common::resources::{Machine, default_memory_limit};
use trc2npy_common::shares::{Means, Share, Shares};

use super::convert::stop_on_ctrl_c;
use crate::failure::{Failure, INTERRUPTED};
use crate::options::{self, RunRangeOptions};
use crate::screen::{self, Display, Event, count, counted};

/// Makes what is missing of a share.
pub(crate) fn run(options: &RunRangeOptions) -> Result<ExitCode, Failure> {
    let share = share(options.index, options.count, |name| env::var(name).ok())?;
    let shares = Shares::open(&options.plan)?;
    let machine = Machine::detect();
    let means = Means {
        io: options.io,
        threads: options.threads.map_or_else(|| options::threads(&machine), Into::into),
        memory_limit: options.memory_limit.unwrap_or_else(|| default_memory_limit(&machine)),
        memory_threshold: options.memory_threshold,
    };
    let display = Display::new(options.progress);
    let began = Instant::now();
    let watch = Arc::new(Watch::new());
    let stop = stop_on_ctrl_c(&display);
    let following = display.follow(Arc::clone(&watch), None);
    let worked = shares.work(share, &means, &watch, &stop);
    drop(following);
    let worked = worked?;
    let seconds = began.elapsed().as_secs_f64();
    if display.is_json() {
        let end = json!({
            "index": share.index(),
            "count": share.count(),
            "pieces": worked.pieces,
            "found": worked.found,
            "made": worked.made,
            "rows": worked.rows,
            "bad_rows": worked.bad_rows,
            "bytes_in": worked.bytes_in,
            "seconds": seconds,
        });
        Event::End(&end).emit()?;
    } else {
        let name = format!("share {} of {}", share.index(), share.count());
        let found = match worked.found {
            0 => String::new(),
            found => format!(", {} were made before", count(found)),
        };
        let bad = match worked.bad_rows {
            0 => String::new(),
            bad => format!(", {} bad", count(bad)),
        };
        screen::tell(&format!(
            "{name}: {} of {} made{found}; {}{bad}, {} read in {seconds:.1} s",
            count(worked.made),
            counted(worked.pieces, "piece"),
            counted(worked.rows, "row"),
            worked.bytes_in,
        ))?;
    }
    if worked.is_complete() {
        return Ok(ExitCode::SUCCESS);
    }
    screen::remark("interrupted; what is made is kept, and the same command goes on");
    Ok(INTERRUPTED.into())
}

/// Which share is meant: as asked, else by what a batch system tells its task.
fn share(index: Option<u64>, count: Option<u64>, variable: impl Fn(&str) -> Option<String>) -> Result<Share, Failure> {
    let number = |name: &str| {
        let Some(text) = variable(name) else { return Ok(None) };
        let number = text.trim().parse::<u64>();
        let bad = |_| {
            Failure::Options(format!(
                "environment variable {name}: {text:?} is no number; give --index and --count"
            ))
        };
        number.map(Some).map_err(bad)
    };
    let (index, count) = match (index, count) {
        (Some(index), Some(count)) => (index, count),
        (Some(index), None) => (index, number("SLURM_ARRAY_TASK_COUNT")?.ok_or_else(no_count)?),
        (None, count) => match (number("SLURM_ARRAY_TASK_ID")?, number("JOB_COMPLETION_INDEX")?) {
            // With --count the array's numbers are those of the shares: some of them may be made again alone.
            (Some(task), _) => match count {
                Some(count) => (task, count),
                None => of_array(
                    task,
                    number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0),
                    number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1),
                    number("SLURM_ARRAY_TASK_COUNT")?.ok_or_else(no_count)?,
                )?,
            },
            (None, Some(index)) => (index, count.ok_or_else(no_count)?),
            (None, None) => {
                return Err(Failure::Options(
                    "no --index: say which share this is, counted from 0 (trc2npy run-range PLAN --index I --count N); in \
                     a Slurm array or a Kubernetes indexed job it is known"
                        .to_owned(),
                ));
            }
        },
    };
    Share::new(index, count).map_err(|error| Failure::Options(error.to_string()))
}

/// The share of a task by its number in a Slurm array that may begin anywhere and leave out numbers evenly.
fn of_array(task: u64, first: u64, step: u64, count: u64) -> Result<(u64, u64), Failure> {
    let behind = task.checked_sub(first);
    let index = behind
        .filter(|behind| step > 0 && behind % step == 0)
        .map(|behind| behind / step);
    index.filter(|index| *index < count).map(|index| (index, count)).ok_or_else(|| {
        Failure::Options(format!(
            "task {task} of a Slurm array of {count} that begins at {first}: its numbers have gaps, so that they are no \
             shares; give --count, and the task's number is that of the share"
        ))
    })
}

fn no_count() -> Failure {
    Failure::Options(
        "no --count: say how many shares there are, the same in every task (trc2npy run-range PLAN --count N)"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(index: Option<u64>, count: Option<u64>, variables: &[(&str, &str)]) -> Result<(u64, u64), String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let share = share(index, count, variable).map_err(|failure| failure.to_string())?;
        Ok((share.index(), share.count()))
    }

    #[test]
    fn a_task_knows_its_share_by_what_its_system_tells() {
        let array = |id: &'static str, count: &'static str, min: &'static str, step: &'static str| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", count),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_STEP", step),
            ]
        };
        assert_eq!(told(Some(3), Some(8), &array("1", "4", "0", "1")), Ok((3, 8)));
        assert_eq!(told(None, None, &array("3", "8", "0", "1")), Ok((3, 8)));
        assert_eq!(told(None, None, &array("8", "8", "1", "1")), Ok((7, 8)));
        assert_eq!(told(None, None, &array("12", "4", "0", "4")), Ok((3, 4)));
        assert_eq!(told(None, Some(8), &array("5", "2", "3", "1")), Ok((5, 8)));
        assert_eq!(told(Some(0), None, &array("5", "2", "3", "1")), Ok((0, 2)));
        assert_eq!(told(None, Some(8), &[("JOB_COMPLETION_INDEX", "7")]), Ok((7, 8)));
    }

    #[test]
    fn what_names_no_share_is_refused() {
        let gaps = [
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
        ];
        for (index, count, variables, why) in [
            (None, None, &gaps[..], "have gaps"),
            (None, None, &[][..], "no --index"),
            (None, Some(8), &[][..], "no --index"),
            (Some(1), None, &[][..], "no --count"),
            (None, None, &[("JOB_COMPLETION_INDEX", "7")][..], "no --count"),
            (None, Some(7), &[("JOB_COMPLETION_INDEX", "7")][..], "the last one is 6"),
            (Some(0), Some(0), &[][..], "at least"),
            (None, Some(7), &[("SLURM_ARRAY_TASK_ID", "x")][..], "is no number"),
        ] {
            let told = told(index, count, variables).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
