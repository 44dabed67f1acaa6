//! Memory of the whole machine, whatever a container may have of it, and what stands behind it.

use sysinfo::{MemoryRefreshKind, System};

use crate::units::Bytes;

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeMemory {
    /// Its memory.
    pub memory: Bytes,
    /// Its swap space; on Windows its page files. None at all: zero.
    pub swap: Bytes,
}

/// Asks the system; none where it does not tell.
pub fn whole_memory() -> Option<WholeMemory> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram().with_swap());
    let memory = Bytes(system.total_memory());
    (memory > Bytes(0)).then(|| WholeMemory {
        memory,
        swap: Bytes(system.total_swap()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::MemoryGauge;

    #[test]
    fn the_machine_has_no_less_than_this_process_may_have() {
        let whole = whole_memory().unwrap();
        assert!(whole.memory >= MemoryGauge::new().sample().total, "{whole:?}");
    }
}
