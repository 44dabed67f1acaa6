//! Who opens many connections and says nothing, keeps nobody else out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Callers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address; ends with it.
pub(crate) struct Place {
    callers: Callers,
    address: IpAddr,
}

impl Callers {
    /// None where the address has `most` of them already.
    pub(crate) fn let_in(&self, address: IpAddr, most: usize) -> Option<Place> {
        let address = network(address);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let its = all.entry(address).or_default();
        if *its >= most {
            return None;
        }
        *its += 1;
        Some(Place {
            callers: self.clone(),
            address,
        })
    }
}

/// Whoever has one address of IPv6 has all of its network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let bits = u128::from(v6) >> 64 << 64;
            IpAddr::V6(bits.into())
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(its) = all.get_mut(&self.address) {
            *its -= 1;
            if *its == 0 {
                all.remove(&self.address);
            }
        }
    }
}
