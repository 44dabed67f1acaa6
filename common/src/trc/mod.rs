//! The `.trc` format: bytes in, values out. Opens no file, allocates nothing from a length it has not checked.

use serde::{Deserialize, Serialize};

/// Bits of a stored sample (COMM_TYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SampleWidth {
    /// Signed bytes.
    #[serde(rename = "8")]
    Eight,
    /// Signed 16-bit words.
    #[serde(rename = "16")]
    Sixteen,
}
