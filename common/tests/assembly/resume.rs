//! Interruptions: what is committed is never made again, whoever goes on.
