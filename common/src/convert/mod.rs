//! One range of a plan into rows of a target.
