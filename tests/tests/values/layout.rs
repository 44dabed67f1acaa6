//! Files that real instruments wrote, against values that were computed from them by other means.
